#pragma once

#include <chrono>

namespace peerwright::domain {

// How long to wait before the next attempt after `failures` failed ones (1 or more): full jitter, evenly between 0 and
// base * 2^(failures - 1), at most `most`. `random` lies in [0, 1). At least one millisecond.
std::chrono::milliseconds retry_delay(int failures, std::chrono::milliseconds base, std::chrono::milliseconds most,
                                      double random);

}  // namespace peerwright::domain
