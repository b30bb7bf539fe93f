#include "hold_subject.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

Refs refs_of(const SubscriberRevoke& event) { return refs_of_subject(event.tenant, event.subscriber, event.customer); }

// As a peer's revocation, it has no order to keep. Its peers follow in chunks, later ones are refused.
Decision decide(const SubscriberRevoke& event, const Word& word, const State& state) {
  const HoldSubject subject = subject_of(event.tenant, event.subscriber, event.customer, state);
  Decision decision;
  if (subject.revoked) {
    decision.outcome = Outcome::unchanged;
    say_again(subject, state, decision);
    return decision;
  }
  release(subject, true, state, decision);
  announce(subject, state, decision);
  fan_out(subject, cause_of(word), decision);
  return decision;
}

}  // namespace peerwright::domain
