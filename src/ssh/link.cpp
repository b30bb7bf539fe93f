#include "link.hpp"

#include <poll.h>

#include "tunnel.hpp"

namespace peerwright::ssh {

Link::Link(SessionHandle session, EventHandle event, std::unique_ptr<Tunnel> tunnel)
    : tunnel_(std::move(tunnel)), session_(std::move(session)), event_(std::move(event)) {
  if (tunnel_ != nullptr) tunnel_->join(event_.get());
}

Link::~Link() {
  if (tunnel_ == nullptr) return;
  // Of two sessions, ssh_event_free() would hand back the poll handle of the first only, and free the other's.
  ssh_event_remove_session(event_.get(), session_.get());
  tunnel_->leave(event_.get());
}

bool Link::turn(const Deadline& deadline) {
  // The session has a poll handle to lend only after its first step.
  if (!attached_) attached_ = ssh_event_add_session(event_.get(), session_.get()) == SSH_OK;
  if (!attached_) return false;
  if (tunnel_ == nullptr) return ssh_event_dopoll(event_.get(), deadline.left_ms()) != SSH_ERROR;
  tunnel_->move();
  const bool polled = ssh_event_dopoll(event_.get(), deadline.left_ms()) != SSH_ERROR;
  tunnel_->move();
  return polled && ssh_is_connected(session_.get()) != 0;
}

bool Link::hung_up() {
  if (tunnel_ != nullptr) return !turn(Deadline(std::chrono::milliseconds(0))) || tunnel_->ended();
  pollfd socket{ssh_get_fd(session_.get()), POLLRDHUP, 0};
  if (socket.fd < 0) return true;
  return ::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void Link::join(ssh_event event) {
  event_.reset();
  attached_ = ssh_event_add_session(event, session_.get()) == SSH_OK;
}

void Link::leave(ssh_event event) { ssh_event_remove_session(event, session_.get()); }

}  // namespace peerwright::ssh
