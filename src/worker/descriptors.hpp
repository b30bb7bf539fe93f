#pragma once

#include <cstdint>

#include "peerwright/base/config.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::worker {

// How many files and sockets the process opens at most: each loop keeps as many sessions as it may, all of them through
// jump hosts.
std::uint64_t most_descriptors(const Config& config);

// Raises the soft limit of this process (RLIMIT_NOFILE, often 1,024) to its hard one. An error, `descriptors_few`
// (never), where that is less than `most`: a worker with fewer hosts than that does its work all the same.
Result<void> provide_descriptors(std::uint64_t most);

}  // namespace peerwright::worker
