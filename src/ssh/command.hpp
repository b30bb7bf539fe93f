#pragma once

#include <string>
#include <string_view>

#include "link.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {

// One command on a channel of its own. After an error of run() the session must not be used again.
class Command {
 public:
  // `link` outlives this object; `host` is for messages.
  Command(Link& link, std::string host);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Sends the request for the channel and does not wait for the answer, which open() takes.
  void ask_ahead();
  // Until the channel stands. An error is `ssh_channel_failed`; where the connection stands yet, another one may be
  // tried.
  Result<void> open(const Deadline& deadline);
  // As Session::exec, on a channel that was opened: the host has to say by `start_by` that the command begins. Call
  // once.
  Result<ExecResult> run(const std::string& command, std::string_view input, const Deadline& start_by,
                         const Deadline& end_by);

 private:
  int ask();
  Result<void> start(const std::string& command, const Deadline& deadline);
  Result<void> converse(std::string_view input, const Deadline& deadline);
  bool feed(std::string_view input);
  bool listen();

  [[nodiscard]] std::string libssh_says() const;
  [[nodiscard]] tl::unexpected<Error> failed(const std::string& why) const;
  [[nodiscard]] tl::unexpected<Error> in_doubt(const std::string& why) const;

  int received(std::string_view bytes, bool is_stderr);

  Link& link_;
  const std::string host_;
  ChannelHandle channel_;
  ssh_channel_callbacks_struct callbacks_{};
  ExecResult result_;
  std::size_t fed_ = 0;  // bytes of the input that libssh took
  bool listens_ = false;
  bool input_ended_ = false;
  bool flooded_ = false;  // more output than may be kept
  bool closed_ = false;   // by the host: it has said all that it will say
};

}  // namespace peerwright::ssh
