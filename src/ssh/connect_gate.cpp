#include "peerwright/ssh/connect_gate.hpp"

#include <algorithm>
#include <utility>

namespace peerwright::ssh {

void ConnectGate::set_most(int most) {
  const std::lock_guard lock(mutex_);
  if (most_ == most) return;
  most_ = std::max(1, most);
  left_.notify_all();
}

std::optional<ConnectGate::Place> ConnectGate::enter(const std::string& address, std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  if (!left_.wait_for(lock, most, [&] { return !inside_.contains(address) || inside_[address] < most_; })) {
    return std::nullopt;
  }
  ++inside_[address];
  return std::optional<Place>(std::in_place, *this, address);
}

void ConnectGate::leave(const std::string& address) {
  const std::lock_guard lock(mutex_);
  if (--inside_[address] == 0) inside_.erase(address);
  left_.notify_all();
}

}  // namespace peerwright::ssh
