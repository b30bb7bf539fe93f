#pragma once

#include "deadline.hpp"
#include "handles.hpp"

namespace peerwright::ssh {

// A libssh session that never blocks, and the event loop that moves its bytes. Every wait goes through here, since the
// timeouts of libssh bound neither its writes nor a whole operation.
class Link {
 public:
  // `session` is non-blocking, `event` empty.
  Link(SessionHandle session, EventHandle event) : session_(std::move(session)), event_(std::move(event)) {}

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

  // Whether the peer has ended the connection. Looks at the socket and reads nothing.
  [[nodiscard]] bool hung_up() const;
  [[nodiscard]] bool unsent_bytes() const { return (ssh_get_status(session()) & SSH_WRITE_PENDING) != 0; }

 private:
  SessionHandle session_;
  EventHandle event_;  // after the session: it hands its poll handle back to the session when it goes
  bool attached_ = false;
};

}  // namespace peerwright::ssh
