#include "peerwright/admin/liveness.hpp"

namespace peerwright::admin {

void Liveness::expect(const std::string& loop, Clock::duration bound, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  loops_[loop] = {bound, now};
}

void Liveness::beat(const std::string& loop, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (const auto found = loops_.find(loop); found != loops_.end()) found->second.last = now;
}

void Liveness::done(const std::string& loop) {
  const std::lock_guard lock(mutex_);
  loops_.erase(loop);
}

std::vector<std::string> Liveness::stalled(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, loop] : loops_) {
    if (now - loop.last > loop.bound) out.push_back(name);
  }
  return out;
}

}  // namespace peerwright::admin
