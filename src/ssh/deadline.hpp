#pragma once

#include <algorithm>
#include <chrono>

namespace peerwright::ssh {

// A point in time by which something must have ended, on the clock that nobody sets.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds budget)
      : at_(std::chrono::steady_clock::now() + std::clamp(budget, std::chrono::milliseconds(0), kLongest)) {}

  [[nodiscard]] bool passed() const { return std::chrono::steady_clock::now() >= at_; }

  // Milliseconds that are left, rounded up so that a wait for them never spins, as poll() takes them.
  [[nodiscard]] int left_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max(left, std::chrono::milliseconds(0)).count());
  }

 private:
  static constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24);
  std::chrono::steady_clock::time_point at_;
};

}  // namespace peerwright::ssh
