#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

Refs refs_of(const PeerHold& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.peer = event.peer;
  return refs;
}

Decision decide(const PeerHold& event, const Word& word, const State& state) {
  const Peer& peer = *state.peer(event.tenant, event.peer);
  if (peer.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "nothing to do");
  }
  const Scope scope{ScopeKind::peer, peer.id};
  const std::string owner = owner_of(word.source);
  const Hold* before = state.hold(scope, owner);
  if (auto refusal = refuse_by_order(word, before != nullptr ? std::optional(before->word) : std::nullopt)) {
    return *std::move(refusal);
  }
  // Stored even where nothing was held: a suspension with a lower sequence may still be on its way.
  Decision decision;
  decision.holds.push_back({scope, owner, event.held, event.reason, word});
  // The first word on a peer is answered even where it changes nothing yet.
  settle_peer(peer, state, cause_of(word), peer.version == 0, decision);
  if (decision.peers.empty()) {
    decision.outcome = Outcome::unchanged;
    decision.peers.push_back(peer);
  }
  return decision;
}

}  // namespace peerwright::domain
