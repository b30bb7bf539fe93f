#include <vector>

#include "hold_plan.hpp"
#include "hold_subject.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

std::vector<const Hold*> awaiting(Scope scope, const State& state) {
  std::vector<const Hold*> found;
  for (const Hold* hold : state.holds_of(scope)) {
    if (hold->level == HoldLevel::awaiting) found.push_back(hold);
  }
  return found;
}

}  // namespace

Refs refs_of(const TenantApprove& event) { return refs_of_subject(event.tenant, event.subscriber, event.customer); }

// An approval speaks of what its sender has seen: a suspension that was said after it still waits.
Decision decide(const TenantApprove& event, const Word& word, const State& state) {
  const HoldSubject subject = subject_of(event.tenant, event.subscriber, event.customer, state);
  if (subject.revoked) return subject_revoked();
  const std::vector<const Hold*> found = awaiting(subject.scope, state);
  if (found.empty()) {
    return rejected("nothing_awaits_approval", "no suspension of this subscriber or customer awaits an approval",
                    "nothing to do: it was approved, dropped or lifted before, or was never held back");
  }
  Decision decision;
  bool felt = false;
  for (const Hold* before : found) {
    if (before->word.place > word.place) continue;
    Hold& hold = decision.holds.emplace_back(*before);
    hold.level = HoldLevel::none;
    hold.since = state.now;
    if (event.approved) {
      take_levels(hold, word.place.broker_time);
    } else {
      hold.steps.clear();
    }
    set_hold_timer(hold, before, decision);
    felt = felt || hold.held;
  }
  if (decision.holds.empty()) {
    return rejected("stale", "the suspension that awaits an approval was said after this one",
                    "look at the suspension, and approve or drop it anew");
  }
  announce(subject, state, decision);
  if (felt) fan_out(subject, cause_of(word), decision);
  return decision;
}

}  // namespace peerwright::domain
