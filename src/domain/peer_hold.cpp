#include "hold_plan.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

Refs refs_of(const PeerHold& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.peer = event.peer;
  // A resume too: it may be the first to reach a peer whose subscriber was released, which counts it down.
  refs.counts_tenant = true;
  return refs;
}

Decision decide(const PeerHold& event, const Word& word, const State& state) {
  const Peer& peer = *state.peer(event.tenant, event.peer);
  if (peer.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "nothing to do");
  }
  const Scope scope{ScopeKind::peer, peer.id};
  const Hold* before = state.hold(scope, owner_of(word.source));
  if (auto refusal = refuse_by_order(word, before != nullptr ? std::optional(before->word) : std::nullopt)) {
    return *std::move(refusal);
  }
  // Stored even where nothing was held: a suspension with a lower sequence may still be on its way.
  Decision decision;
  Hold hold = hold_said(scope, word, event.held, event.reason, event.plan, state.now);
  take_levels(hold, word.place.broker_time);
  set_hold_timer(hold, before, decision);
  if (event.held && !in_force(before)) exceeds_suspensions(peer.tenant_id, "mass_suspension", state, decision);
  const bool planned = !hold.steps.empty();
  decision.holds.push_back(std::move(hold));
  // The first word on a peer is answered even where it changes nothing yet.
  settle_peer(peer, state, cause_of(word), peer.version == 0, decision);
  if (decision.peers.empty()) {
    if (!planned && decision.alert.empty()) decision.outcome = Outcome::unchanged;
    decision.peers.push_back(peer);
  }
  return decision;
}

}  // namespace peerwright::domain
