#pragma once

#include <atomic>

#include "peerwright/base/config.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::worker {

// Runs the loops that `config.roles` names, and the admin server, until `stop` becomes true; then ends them in order,
// within a few seconds, and gives all leases back. Blocks. Errors: whatever keeps it from starting at all (a secret
// file, the admin server's address); what can pass by itself (Kafka, Postgres, a host) is waited for.
Result<void> run(const Config& config, const std::atomic<bool>& stop);

}  // namespace peerwright::worker
