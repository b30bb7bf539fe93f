#pragma once

#include "changes.hpp"
#include "peerwright/store/delivery.hpp"

namespace peerwright::store {

// What should stand on the host for a peer.
wireguard::PeerConfig config_of(const domain::Peer& peer, const domain::Network& network);

// Stores what was read of keys of a server (whose row is locked and loaded): applied where it is as wanted, up to
// `planned_generation`; due again where it is not; removal rows away where the key is gone; addresses into quarantine.
// Says the statuses. Keys that the database does not know are left alone.
Finished store_proofs(Tx& tx, domain::State& state, domain::Id server_id, const wireguard::Proof& proof,
                      std::int64_t planned_generation);

}  // namespace peerwright::store
