#pragma once

#include <optional>
#include <span>

#include "peerwright/domain/decision.hpp"

// Rules that several events share.
namespace peerwright::domain {

// nullopt where `said` may change a register whose last word is `held`; else the rejection (`stale`, `sequence_reused`,
// `sequence_required`).
std::optional<Decision> refuse_by_order(const Word& said, const std::optional<Word>& held);

// What the peer may do as the state's holds, its subscriber and its customer stand, once `said` (at most one per scope)
// is among the holds. In this order: revoked, reserved, expired, suspended, walled garden, active.
Entitlement entitlement_now(const Peer& peer, const State& state, std::span<const Hold> said);

// The peer with the entitlement that the state and `decision`'s own after-images (holds, subscribers, customers) give
// it, added to `decision` with all that follows: version, generation, removal rows or their end, the server due; where
// its subscriber or customer was released or revoked, all of revoke_peer. `force` announces it even where the
// entitlement stays. A peer that is only reserved touches no host: no generation, no removal row.
void settle_peer(Peer peer, const State& state, const std::string& cause, bool force, Decision& decision);

// The after-image of a thing in `decision`, copied from the state where the decision has none yet; nullptr where the
// state has none. Lives until the next call for a thing of the same kind.
Tenant* changed_tenant(Id id, const State& state, Decision& decision);
Server* changed_server(Id id, const State& state, Decision& decision);
Subscriber* changed_subscriber(Id id, const State& state, Decision& decision);
Customer* changed_customer(Id id, const State& state, Decision& decision);

// Counts the peer on its server, its tenant and its plan: by 1 when it gets an address first (reserved or provisioned,
// with server_id, tenant_id and plan set), by -1 when it gives that up for ever. Judges no limit.
void count_peer(const Peer& peer, int by, const State& state, Decision& decision);

// Takes from a reserved peer what it held: counted down, its address in `freed`, without server, network, secrets and
// what a reservation said of plan, sites, expiry and quota. Its stage is the caller's.
void drop_reservation(Peer& peer, const State& state, Decision& decision);

// The peer's stage becomes `revoked`, which is final: counted down, no staged key any more, its timers ended; one that
// was only reserved drops its reservation. Nothing where it is revoked already. settle_peer (forced) says the rest.
void revoke_peer(Peer& peer, const State& state, Decision& decision);

// The staged key becomes the peer's key, with what was staged beside it; the old one goes from the host and is never
// used again. Needs a staged key. settle_peer (forced) says the rest.
void switch_key(Peer& peer, Decision& decision);

// Takes the next free offset of a network: the counter first, which passes reserved offsets and those given out ahead
// of it, then the released offset that waited longest. nullopt when there is none.
std::optional<std::int64_t> take_offset(Network& network);

// How many offsets the network has at all, counting those that are never handed out.
std::int64_t offsets_of(const Network& network);

// "SOURCE/ID", as statuses and audit rows name a cause.
std::string cause_of(const Word& word);

}  // namespace peerwright::domain
