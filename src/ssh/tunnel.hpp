#pragma once

#include <memory>
#include <string>

#include "link.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::ssh {

// A stream to another machine, through a session to a jump host: a channel of that session, and a pair of sockets whose
// far end libssh takes for a connection to that machine. Bytes move when move() is called, and only then: whoever waits
// on the session at the far end calls it (Link does), so a session that nobody uses costs no thread.
class Tunnel {
 public:
  // To host:port, as the jump host resolves and reaches it. `via`: where the jump host is, for messages. Errors:
  // `ssh_unreachable` (later), `ssh_jump_refused` (never: the jump host does not forward).
  static Result<std::unique_ptr<Tunnel>> open(std::unique_ptr<Link> jump, const std::string& via,
                                              const std::string& host, int port, const Deadline& deadline);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  // Once, before the first move().
  Socket take_far_end() { return std::move(far_end_); }
  // The session to the jump host is waited on by this event loop too from now on.
  void join(ssh_event event) { jump_->join(event); }
  void leave(ssh_event event) { jump_->leave(event); }
  // Moves what can be moved without waiting. At the end of the stream the far end reads its end.
  void move();
  [[nodiscard]] bool ended() const;

 private:
  explicit Tunnel(std::unique_ptr<Link> jump);
  void listen();
  void bring_in();
  void send_out();
  bool refill();

  std::unique_ptr<Link> jump_;
  ChannelHandle channel_;
  ssh_channel_callbacks_struct callbacks_{};
  Socket near_end_;
  Socket far_end_;
  std::string inbound_;   // from the channel, not yet in the socket
  std::string outbound_;  // from the socket, not yet in the channel
  bool closed_ = false;   // by the other machine or the jump host
};

}  // namespace peerwright::ssh
