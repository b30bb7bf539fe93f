#pragma once

#include <memory>

#include "deadline.hpp"
#include "handles.hpp"

namespace peerwright::ssh {

class Tunnel;

// A libssh session that never blocks, and the event loop that moves its bytes. Every wait goes through here, since the
// timeouts of libssh bound neither its writes nor a whole operation.
class Link {
 public:
  // `session` is non-blocking, `event` empty. `tunnel`: what the session's socket is the far end of; nullptr: a TCP
  // connection.
  Link(SessionHandle session, EventHandle event, std::unique_ptr<Tunnel> tunnel = nullptr);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  [[nodiscard]] ssh_session session() const { return session_.get(); }

  // Moves bytes until something happened or the deadline passed. False: the connection is gone.
  bool turn(const Deadline& deadline);

  // Repeats `step` until it answers something else than `again`. Answers `again` if the deadline passed before,
  // SSH_ERROR if the connection went.
  template <typename Step>
  int settle(const Deadline& deadline, int again, Step step) {
    while (true) {
      const int code = step();
      if (code != again || deadline.passed()) return code;
      if (!turn(deadline)) {
        const int last = step();  // its answer may have been the last thing that arrived
        return last == again ? SSH_ERROR : last;
      }
    }
  }

  // Whether the peer has ended the connection. Does not wait, and of a TCP connection it reads nothing.
  [[nodiscard]] bool hung_up();
  [[nodiscard]] bool unsent_bytes() const { return (ssh_get_status(session()) & SSH_WRITE_PENDING) != 0; }

  // The session is waited on by another event loop from now on; turn() must not be called any more.
  void join(ssh_event event);
  void leave(ssh_event event);  // before that one goes

 private:
  std::unique_ptr<Tunnel> tunnel_;  // before the session, which closes its end first
  SessionHandle session_;
  EventHandle event_;  // after both: it hands its poll handles back to the sessions when it goes
  bool attached_ = false;
};

}  // namespace peerwright::ssh
