#pragma once

#include <optional>
#include <span>

#include "peerwright/domain/decision.hpp"

// Rules that several events share.
namespace peerwright::domain {

// nullopt where `said` may change a register whose last word is `held`; else the rejection (`stale`, `sequence_reused`,
// `sequence_required`).
std::optional<Decision> refuse_by_order(const Word& said, const std::optional<Word>& held);

// What the peer may do as the state's holds stand, once `said` (at most one per scope) is among them.
Entitlement entitlement_now(const Peer& peer, const State& state, std::span<const Hold> said);

// The peer with the entitlement that the state and `decision`'s own holds give it, added to `decision` with all that
// follows: version, generation, removal row or its end, the server due. `force` announces it even where the entitlement
// stays.
void settle_peer(Peer peer, const State& state, const std::string& cause, bool force, Decision& decision);

// Takes the next free offset of a network: the counter first, then the released offset that waited longest. nullopt
// when there is none.
std::optional<std::int64_t> take_offset(Network& network);

// How many offsets the network has at all, counting those that are never handed out.
std::int64_t offsets_of(const Network& network);

// "SOURCE/ID", as statuses and audit rows name a cause.
std::string cause_of(const Word& word);

}  // namespace peerwright::domain
