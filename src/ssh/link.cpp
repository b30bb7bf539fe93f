#include "link.hpp"

#include <poll.h>

namespace peerwright::ssh {

bool Link::turn(const Deadline& deadline) {
  // The session has a poll handle to lend only after its first step.
  if (!attached_) attached_ = ssh_event_add_session(event_.get(), session_.get()) == SSH_OK;
  return attached_ && ssh_event_dopoll(event_.get(), deadline.left_ms()) != SSH_ERROR;
}

bool Link::hung_up() const {
  pollfd socket{ssh_get_fd(session_.get()), POLLRDHUP, 0};
  if (socket.fd < 0) return true;
  return ::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace peerwright::ssh
