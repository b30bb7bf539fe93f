#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <unistd.h>

#include <memory>
#include <type_traits>
#include <utility>

// Owners of libssh's handles and of sockets. All of libssh's resources in this room are held by one of these.
namespace peerwright::ssh {

template <auto release>
struct Releaser {
  template <typename T>
  void operator()(T* handle) const {
    release(handle);
  }
};

template <typename Handle, auto release>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Releaser<release>>;

using SessionHandle = Owner<ssh_session, ssh_free>;
using EventHandle = Owner<ssh_event, ssh_event_free>;
using ChannelHandle = Owner<ssh_channel, ssh_channel_free>;
using KeyHandle = Owner<ssh_key, ssh_key_free>;

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  // Gives the descriptor away: the caller closes it from now on.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace peerwright::ssh
