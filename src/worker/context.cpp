#include "context.hpp"

#include <algorithm>
#include <thread>

#include "peerwright/base/clock.hpp"

namespace peerwright::worker {

void Wake::notify() {
  {
    const std::lock_guard lock(mutex_);
    notified_ = true;
  }
  condition_.notify_one();
}

void Wake::wait(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  condition_.wait_for(lock, most, [this] { return notified_; });
  notified_ = false;
}

void Readiness::set(const std::string& part, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (reason.empty()) {
    reasons_.erase(part);
  } else {
    reasons_[part] = reason;
  }
}

std::vector<std::string> Readiness::reasons() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  all.reserve(reasons_.size());
  for (const auto& [part, reason] : reasons_) all.emplace_back(part).append(": ").append(reason);
  return all;
}

void Context::beat(const std::string& loop) {
  liveness.beat(loop);
  metrics.gauge("loop_last_iteration_timestamp_seconds", loop).set(static_cast<double>(micros_of(machine_now())) / 1e6);
}

bool Context::may_work(const std::string& loop) {
  while (!gate.is_open()) {
    if (!pause(loop, std::chrono::milliseconds(50))) return false;
  }
  return !stopping();
}

bool Context::pause(const std::string& loop, std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kStep{50};
  for (auto left = time; left.count() > 0 && !stopping(); left -= kStep) {
    std::this_thread::sleep_for(std::min(left, kStep));
  }
  beat(loop);
  return !stopping();
}

}  // namespace peerwright::worker
