#include "command.hpp"

#include <algorithm>

namespace peerwright::ssh {
namespace {
// Written at a time, so that what the command says is read in between.
constexpr std::size_t kWriteChunkBytes = std::size_t{32} * 1024;
}  // namespace

Command::Command(Link& link, std::string host)
    : link_(link), host_(std::move(host)), channel_(ssh_channel_new(link.session())) {}

Command::~Command() {
  if (channel_ == nullptr) return;
  ssh_remove_channel_callbacks(channel_.get(), &callbacks_);  // libssh may keep the channel longer than we live
  // libssh skips the close, and the host keeps a slot of MaxSessions, where the end of input was not sent before.
  if (closed_ && !input_ended_) (void)ssh_channel_send_eof(channel_.get());
}

std::string Command::libssh_says() const {
  const char* text = ssh_get_error(link_.session());
  return text == nullptr || *text == '\0' ? "the connection ended" : text;
}

tl::unexpected<Error> Command::failed(const std::string& why) const {
  return transient("ssh_channel_failed", host_ + " opened no channel for a command: " + why,
                   "nothing was run; if it stays so, check MaxSessions in the host's sshd_config and its load");
}

tl::unexpected<Error> Command::in_doubt(const std::string& why) const {
  return transient("ssh_in_doubt", "whether a command was carried out on " + host_ + " is not known: " + why,
                   "the host is read back before anything is repeated; if it stays so, check its load and the network");
}

int Command::received(std::string_view bytes, bool is_stderr) {
  if (is_stderr) {
    result_.err.append(bytes.substr(0, kMaxErrorOutputBytes - result_.err.size()));
  } else if (flooded_ || bytes.size() > kMaxOutputBytes - result_.out.size()) {
    flooded_ = true;
  } else {
    result_.out.append(bytes);
  }
  return static_cast<int>(bytes.size());
}

bool Command::listen() {
  if (listens_) return true;
  callbacks_.userdata = this;
  callbacks_.channel_data_function = [](ssh_session, ssh_channel, void* data, uint32_t size, int is_stderr,
                                        void* self) {
    return static_cast<Command*>(self)->received({static_cast<const char*>(data), size}, is_stderr != 0);
  };
  callbacks_.channel_exit_status_function = [](ssh_session, ssh_channel, int status, void* self) {
    if (status >= 0) static_cast<Command*>(self)->result_.exit_status = status;
  };
  callbacks_.channel_close_function = [](ssh_session, ssh_channel, void* self) {
    static_cast<Command*>(self)->closed_ = true;
  };
  ssh_callbacks_init(&callbacks_);
  listens_ = ssh_set_channel_callbacks(channel_.get(), &callbacks_) == SSH_OK;
  return listens_;
}

// The first call sends the request, the following ones look for its answer: SSH_AGAIN until it is there.
int Command::ask() {
  if (channel_ == nullptr || !listen()) return SSH_ERROR;
  return ssh_channel_open_session(channel_.get());
}

void Command::ask_ahead() {
  (void)ask();
  (void)link_.turn(Deadline(std::chrono::milliseconds(0)));  // out of our buffers, and through a tunnel
}

Result<void> Command::open(const Deadline& deadline) {
  const int code = link_.settle(deadline, SSH_AGAIN, [this] { return ask(); });
  if (code == SSH_AGAIN) return failed("no answer in time");
  if (code != SSH_OK) return failed(libssh_says());
  return {};
}

Result<void> Command::start(const std::string& command, const Deadline& deadline) {
  const int code =
      link_.settle(deadline, SSH_AGAIN, [&] { return ssh_channel_request_exec(channel_.get(), command.c_str()); });
  if (code == SSH_AGAIN) return in_doubt("no answer in time");
  if (code != SSH_OK) return in_doubt(libssh_says());
  return {};
}

// Hands libssh as much of the input as the kernel and the host take now. False: the channel does not take it any more.
bool Command::feed(std::string_view input) {
  while (!closed_ && fed_ < input.size() && !link_.unsent_bytes()) {
    const std::string_view chunk = input.substr(fed_, kWriteChunkBytes);
    const int taken = ssh_channel_write(channel_.get(), chunk.data(), static_cast<uint32_t>(chunk.size()));
    if (taken < 0) return closed_;
    if (taken == 0) break;  // the host's window is full
    fed_ += static_cast<std::size_t>(taken);
  }
  if (closed_ || input_ended_ || fed_ < input.size()) return true;
  input_ended_ = ssh_channel_send_eof(channel_.get()) != SSH_ERROR;
  return input_ended_ || closed_;
}

Result<void> Command::converse(std::string_view input, const Deadline& deadline) {
  while (true) {
    if (!feed(input)) return in_doubt(libssh_says());
    // Looked at after each step that can read packets, as there may be nothing more to wait for.
    if (flooded_) return in_doubt("it wrote more than " + std::to_string(kMaxOutputBytes) + " bytes");
    if (closed_) return {};
    if (deadline.passed()) return in_doubt("it had not ended in time");
    if (!link_.turn(deadline) && !closed_) return in_doubt(libssh_says());
  }
}

Result<ExecResult> Command::run(const std::string& command, std::string_view input, const Deadline& start_by,
                                const Deadline& end_by) {
  // It would be cut there, and half a command is another command.
  if (command.find('\0') != std::string::npos) return failed("it holds a zero byte");
  return start(command, start_by).and_then([&] { return converse(input, end_by); }).map([&] {
    return std::move(result_);
  });
}

}  // namespace peerwright::ssh
