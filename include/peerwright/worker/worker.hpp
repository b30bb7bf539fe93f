#pragma once

#include <atomic>

#include "peerwright/base/config.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::worker {

// Runs the loops that `config.roles` names, and the admin server, until `stop` becomes true; then ends them in order,
// within a few seconds, and gives all leases back. Blocks. Errors: whatever keeps it from starting at all (a secret
// file, the admin server's address); what can pass by itself (Kafka, Postgres, a host) is waited for.
// `input` is where `config` came from: it is read again when `reload_asked` becomes true (which is then reset), and
// when the file changes; what can change live is taken over, all or nothing.
Result<void> run(const ConfigInput& input, const Config& config, const std::atomic<bool>& stop,
                 std::atomic<bool>& reload_asked);

}  // namespace peerwright::worker
