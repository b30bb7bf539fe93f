#include "peerwright/ssh/session.hpp"

#include <fcntl.h>
#include <libssh/server.h>

#include <cstring>

#include "command.hpp"
#include "keys.hpp"
#include "link.hpp"
#include "tcp.hpp"

namespace peerwright::ssh {
namespace {

std::string place(const Target& target) { return target.host + " port " + std::to_string(target.port); }

tl::unexpected<Error> unreachable(const Target& target, const std::string& why) {
  return transient("ssh_unreachable", "no SSH connection to " + place(target) + ": " + why,
                   "check that sshd runs there, its load, and MaxStartups in its sshd_config");
}

tl::unexpected<Error> host_key_changed(const Target& target) {
  return permanent("ssh_host_key_changed", place(target) + " does not show the host key that is registered for it",
                   "find out why before anything else: the host was rebuilt, or somebody stands in between; register "
                   "the new key once it is known to be the host's own");
}

// The host asks something of us: libssh answers with its refusal instead of keeping the message for ever.
int refuse_request(ssh_session, ssh_message, void*) { return 1; }

template <typename Value>
bool set(ssh_session session, ssh_options_e option, const Value* value) {
  return ssh_options_set(session, option, value) == SSH_OK;
}

// A session that takes nothing from this machine's SSH configuration: no file, no agent, no known_hosts.
SessionHandle prepare(const Target& target, const PinnedKey& pinned) {
  SessionHandle session(ssh_new());
  if (session == nullptr) return session;
  ssh_session raw = session.get();
  const bool no_config = false;
  const bool done =
      set(raw, SSH_OPTIONS_PROCESS_CONFIG, &no_config) && set(raw, SSH_OPTIONS_SSH_DIR, "/nonexistent") &&
      set(raw, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") && set(raw, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") &&
      set(raw, SSH_OPTIONS_USER, target.user.c_str()) && set(raw, SSH_OPTIONS_HOSTKEYS, pinned.algorithms.c_str());
  if (!done) return SessionHandle();
  ssh_set_blocking(raw, 0);
  ssh_set_message_callback(raw, refuse_request, nullptr);
  return session;
}

// Key exchange over a connected socket, and the proof that the host is the pinned one.
Result<void> shake_hands(Link& link, Socket socket, const Target& target, const PinnedKey& pinned,
                         const Deadline& deadline) {
  const int fd = socket.get();
  if (!set(link.session(), SSH_OPTIONS_FD, &fd)) return unreachable(target, ssh_get_error(link.session()));
  socket.release();  // libssh closes it with the session
  const int code = link.settle(deadline, SSH_AGAIN, [&] { return ssh_connect(link.session()); });
  if (code == SSH_AGAIN) return unreachable(target, "the key exchange did not end in time");
  if (code != SSH_OK) {
    const char* why = ssh_get_error(link.session());
    // It has keys of other types only, so the pinned one is not among them.
    if (std::strstr(why, "no match for method server host key") != nullptr) return host_key_changed(target);
    return unreachable(target, why);
  }
  // libssh has made the socket blocking, and a write of more than the kernel takes would outlast every deadline.
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return unreachable(target, "the socket cannot be made non-blocking");
  ssh_key shown = nullptr;
  if (ssh_get_server_publickey(link.session(), &shown) != SSH_OK) return host_key_changed(target);
  const KeyHandle owner(shown);
  if (ssh_key_cmp(shown, pinned.key.get(), SSH_KEY_CMP_PUBLIC) != 0) return host_key_changed(target);
  return {};
}

Result<void> log_in(Link& link, const Target& target, const KeyHandle& key, const Deadline& deadline) {
  const int code =
      link.settle(deadline, SSH_AUTH_AGAIN, [&] { return ssh_userauth_publickey(link.session(), nullptr, key.get()); });
  if (code == SSH_AUTH_SUCCESS) return {};
  if (code == SSH_AUTH_DENIED || code == SSH_AUTH_PARTIAL) {
    return permanent("ssh_login_refused", place(target) + " does not let the user " + target.user + " in with our key",
                     "add the worker's public key to that user's authorized_keys on the host, and check "
                     "PermitRootLogin and PubkeyAuthentication in its sshd_config");
  }
  return unreachable(target, code == SSH_AUTH_AGAIN ? "the login did not end in time" : ssh_get_error(link.session()));
}

class LibsshSession final : public Session {
 public:
  LibsshSession(std::unique_ptr<Link> link, std::string host) : link_(std::move(link)), host_(std::move(host)) {}

  Result<ExecResult> exec(std::string_view command, std::string_view input,
                          std::chrono::milliseconds deadline) override {
    if (broken()) {
      broken_ = true;
      return transient("ssh_channel_failed", "the connection to " + host_ + " has ended",
                       "nothing was run; a new connection is made at the next attempt");
    }
    Result<ExecResult> result = Command(*link_, host_).run(std::string(command), input, deadline);
    broken_ = !result.has_value();
    return result;
  }

  [[nodiscard]] bool broken() const override {
    return broken_ || ssh_is_connected(link_->session()) == 0 || link_->hung_up();
  }

 private:
  std::unique_ptr<Link> link_;
  std::string host_;
  bool broken_ = false;
};

}  // namespace

Result<std::unique_ptr<Session>> Session::connect(const Target& target, const Secret& private_key,
                                                  const Timeouts& timeouts) {
  const Deadline deadline(timeouts.connect);
  const auto pinned = parse_host_key(target.host_key);
  if (!pinned) return tl::unexpected(pinned.error());
  const auto key = import_private_key(private_key);
  if (!key) return tl::unexpected(key.error());
  auto socket = connect_tcp(target.host, target.port, deadline, timeouts.dead_peer);
  if (!socket) return tl::unexpected(socket.error());
  SessionHandle session = prepare(target, *pinned);
  EventHandle event(ssh_event_new());
  if (session == nullptr || event == nullptr) return unreachable(target, "libssh cannot prepare a session");
  auto link = std::make_unique<Link>(std::move(session), std::move(event));
  const auto ready = shake_hands(*link, std::move(*socket), target, *pinned, deadline).and_then([&] {
    return log_in(*link, target, *key, deadline);
  });
  if (!ready) return tl::unexpected(ready.error());
  return std::make_unique<LibsshSession>(std::move(link), place(target));
}

}  // namespace peerwright::ssh
