#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

Refs refs_of(const PeerRevoke& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.peer = event.peer;
  refs.counts_tenant = true;
  return refs;
}

// A revocation has no order to keep: whenever it is read, it is the last word.
Decision decide(const PeerRevoke& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.tenant, event.peer);
  Decision decision;
  if (before.stage == Stage::revoked) {
    decision.outcome = Outcome::unchanged;
    decision.peers.push_back(before);
    return decision;
  }
  Peer after = before;
  revoke_peer(after, state, decision);
  settle_peer(std::move(after), state, cause_of(word), true, decision);
  return decision;
}

}  // namespace peerwright::domain
