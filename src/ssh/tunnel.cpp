#include "tunnel.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace peerwright::ssh {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{32} * 1024;
// How libssh words the reason "administratively prohibited" of RFC 4254, 5.1.
constexpr const char* kProhibited = "error (1)";

}  // namespace

Tunnel::Tunnel(std::unique_ptr<Link> jump) : jump_(std::move(jump)), channel_(ssh_channel_new(jump_->session())) {}

Tunnel::~Tunnel() {
  if (channel_ != nullptr) ssh_remove_channel_callbacks(channel_.get(), &callbacks_);
}

Result<std::unique_ptr<Tunnel>> Tunnel::open(std::unique_ptr<Link> jump, const std::string& via,
                                             const std::string& host, int port, const Deadline& deadline) {
  const auto unreachable = [&](const std::string& why) {
    return transient("ssh_unreachable", via + " does not reach " + host + " port " + std::to_string(port) + ": " + why,
                     "check that the host is up, that its SSH port is the registered one, and that the jump host can "
                     "connect to it");
  };
  std::unique_ptr<Tunnel> tunnel(new Tunnel(std::move(jump)));
  std::array<int, 2> ends{};
  if (tunnel->channel_ == nullptr ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, &ends[0]) != 0)
    return unreachable("no channel can be made here");
  tunnel->near_end_ = Socket(ends[0]);
  tunnel->far_end_ = Socket(ends[1]);
  tunnel->listen();
  ssh_session session = tunnel->jump_->session();
  if (ssh_set_channel_callbacks(tunnel->channel_.get(), &tunnel->callbacks_) != SSH_OK) {
    return unreachable(ssh_get_error(session));
  }
  const int code = tunnel->jump_->settle(deadline, SSH_AGAIN, [&] {
    return ssh_channel_open_forward(tunnel->channel_.get(), host.c_str(), port, "127.0.0.1", 0);
  });
  if (code == SSH_OK) return tunnel;
  if (code == SSH_AGAIN) return unreachable("no answer in time");
  const std::string why = ssh_get_error(session);
  if (why.find(kProhibited) == std::string::npos) return unreachable(why);
  return permanent(
      "ssh_jump_refused", via + " does not forward connections to " + host + " port " + std::to_string(port),
      "allow it there: AllowTcpForwarding and PermitOpen in its sshd_config, port-forwarding and permitopen "
      "of the key in authorized_keys");
}

void Tunnel::listen() {
  callbacks_.userdata = this;
  callbacks_.channel_data_function = [](ssh_session, ssh_channel, void* data, uint32_t size, int is_stderr,
                                        void* self) {
    if (is_stderr == 0) static_cast<Tunnel*>(self)->inbound_.append(static_cast<const char*>(data), size);
    return static_cast<int>(size);
  };
  const auto end = [](ssh_session, ssh_channel, void* self) { static_cast<Tunnel*>(self)->closed_ = true; };
  callbacks_.channel_eof_function = end;
  callbacks_.channel_close_function = end;
  ssh_callbacks_init(&callbacks_);
}

void Tunnel::move() {
  if (!near_end_.valid()) return;
  if (ssh_is_connected(jump_->session()) == 0) closed_ = true;
  bring_in();
  if (!closed_) send_out();
  if (closed_ && inbound_.empty()) near_end_ = Socket();
}

bool Tunnel::ended() const { return !near_end_.valid(); }

void Tunnel::bring_in() {
  while (!inbound_.empty()) {
    const ssize_t moved = ::send(near_end_.get(), inbound_.data(), inbound_.size(), MSG_NOSIGNAL);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0 && errno != EAGAIN) inbound_.clear();  // nobody reads it any more
    if (moved <= 0) return;
    inbound_.erase(0, static_cast<std::size_t>(moved));
  }
}

// Whether there is something to be sent.
bool Tunnel::refill() {
  if (!outbound_.empty()) return true;
  std::array<char, kChunkBytes> buffer;
  const ssize_t read = ::recv(near_end_.get(), buffer.data(), buffer.size(), 0);
  if (read > 0) outbound_.assign(buffer.data(), static_cast<std::size_t>(read));
  return read > 0;
}

// No more than the kernel and the jump host take now, so that memory stays bounded and the far end feels the pressure.
void Tunnel::send_out() {
  while (!jump_->unsent_bytes() && refill()) {
    const int moved = ssh_channel_write(channel_.get(), outbound_.data(), static_cast<uint32_t>(outbound_.size()));
    if (moved < 0) closed_ = true;
    if (moved <= 0) return;  // else its window is full
    outbound_.erase(0, static_cast<std::size_t>(moved));
  }
}

}  // namespace peerwright::ssh
