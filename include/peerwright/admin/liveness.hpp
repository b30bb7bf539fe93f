#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace peerwright::admin {

// Which loops still come round. Safe from every thread; a beat costs one short lock.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;

  // From now on `loop` has to beat at least once in each `bound`.
  void expect(const std::string& loop, Clock::duration bound, Clock::time_point now = Clock::now());
  // One iteration began or ended; also of a loop that waits for something outside. Unknown loops are ignored.
  void beat(const std::string& loop, Clock::time_point now = Clock::now());
  // The loop ended as it should.
  void done(const std::string& loop);
  // The loops without a beat within their bound, sorted.
  [[nodiscard]] std::vector<std::string> stalled(Clock::time_point now = Clock::now()) const;

 private:
  struct Loop {
    Clock::duration bound;
    Clock::time_point last;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Loop> loops_;
};

}  // namespace peerwright::admin
