#include "peerwright/domain/retry.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace peerwright::domain {

std::chrono::milliseconds retry_delay(int failures, std::chrono::milliseconds base, std::chrono::milliseconds most,
                                      double random) {
  constexpr int kMostDoublings = 30;  // beyond it every limit is reached, and nothing overflows
  const double doubled = std::ldexp(static_cast<double>(base.count()), std::clamp(failures - 1, 0, kMostDoublings));
  const double bound = std::min(doubled, static_cast<double>(most.count()));
  return std::chrono::milliseconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(bound * random)));
}

}  // namespace peerwright::domain
