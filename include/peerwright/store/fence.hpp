#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace peerwright::store {

// The one running database that the stores of a worker may use: the one whose chain was compared with the audit topic.
// Whatever a new connection leads to besides (a restored backup, a replica that took over, the same after a restart)
// has to be looked at first. Safe from every thread.
class Fence {
 public:
  // This one was looked at: no other may be used from now on.
  void pass(std::string running) {
    const std::lock_guard lock(mutex_);
    running_ = std::move(running);
    asks_ = false;
  }
  [[nodiscard]] bool passes(const std::string& running) const {
    const std::lock_guard lock(mutex_);
    return !running.empty() && running == running_;
  }
  // Whether somebody came to another one, and waits until it was looked at.
  void ask() { asks_ = true; }
  [[nodiscard]] bool asks() const { return asks_; }

 private:
  mutable std::mutex mutex_;
  std::string running_;
  std::atomic<bool> asks_ = false;
};

}  // namespace peerwright::store
