#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

Refs refs_of(const SubscriberHold& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.subscriber = event.subscriber;
  return refs;
}

// Stores the hold alone, however many peers the subscriber has: they follow in chunks (the sweep loop), which compute
// from the holds as they stand then.
Decision decide(const SubscriberHold& event, const Word& word, const State& state) {
  const Subscriber& before = *state.subscriber(event.tenant, event.subscriber);
  const Scope scope{ScopeKind::subscriber, before.id};
  const std::string owner = owner_of(word.source);
  const Hold* held = state.hold(scope, owner);
  if (auto refusal = refuse_by_order(word, held != nullptr ? std::optional(held->word) : std::nullopt)) {
    return *std::move(refusal);
  }
  Decision decision;
  decision.holds.push_back({scope, owner, event.held, event.reason, word});
  Subscriber after = before;
  after.version += 1;
  decision.subscribers.push_back(std::move(after));
  decision.fan_outs.emplace(before.id, cause_of(word));
  return decision;
}

}  // namespace peerwright::domain
