#pragma once

#include "peerwright/domain/events.hpp"

namespace peerwright::domain {

// A provision with the key of an adopted peer of the same tenant: the named peer takes its place, with its server, its
// address and its state on the host, so that nothing is pushed unless the event says something else for the host. The
// adopted name is revoked, for a late word on it must not look as if it had an effect; holds on it go over.
// Rejections: `adopted_elsewhere` where the event, or a reservation of the named peer, speaks of another place;
// `preshared_key_required`; and those of site networks, subscriber and plan. The event's secrets were looked at.
Decision claim(const PeerProvision& event, const Word& word, const Peer& adopted, const State& state);

// `preshared_key_unknown` where the peer would need its preshared key to be pushed somewhere, and nobody knows it.
std::optional<Decision> refuse_unknown_secret(const Peer& peer);

// Now, but behind every release of its subscriber and customer: two transactions may begin in one order and decide in
// the other, and a release ends the peers that were there before it.
Time after_releases(const Peer& peer, const State& state);

// Counts the peer to another plan than the one that it was counted to before.
std::optional<Decision> change_plan(const std::string& plan, Peer& peer, const State& state, Decision& decision);

}  // namespace peerwright::domain
