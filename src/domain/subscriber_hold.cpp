#include "hold_plan.hpp"
#include "hold_subject.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

// A suspension beyond what the tenant allows at once is either told to a person, or waits for one. What waits already
// waits on whatever is said anew; what is in force already is not counted again, and is never loosened by waiting.
void judge_suspension(Hold& hold, const Hold* before, Id tenant_id, const State& state, Decision& decision) {
  if (in_force(before)) return;
  const bool waits = before != nullptr && before->level == HoldLevel::awaiting;
  const Tenant* tenant = state.tenant(tenant_id);
  const bool approves = tenant != nullptr && tenant->suspensions_action == MassAction::approve;
  const char* alert = waits || approves ? "suspension_awaits_approval" : "mass_suspension";
  if (!waits && !(exceeds_suspensions(tenant_id, alert, state, decision) && approves)) return;
  decision.alert = alert;
  hold.level = HoldLevel::awaiting;
  hold.held = false;
}

}  // namespace

Refs refs_of(const SubscriberHold& event) {
  Refs refs = refs_of_subject(event.tenant, event.subscriber, event.customer);
  refs.counts_tenant = event.held;
  return refs;
}

// Stores the hold alone, however many peers the subscriber or customer has: they follow in chunks (the sweep loop),
// which compute from the holds as they stand then.
Decision decide(const SubscriberHold& event, const Word& word, const State& state) {
  const HoldSubject subject = subject_of(event.tenant, event.subscriber, event.customer, state);
  if (subject.revoked) return subject_revoked();
  const Hold* before = state.hold(subject.scope, owner_of(word.source));
  if (auto refusal = refuse_by_order(word, before != nullptr ? std::optional(before->word) : std::nullopt)) {
    return *std::move(refusal);
  }
  Decision decision;
  Hold hold = hold_said(subject.scope, word, event.held, event.reason, event.plan, state.now);
  if (event.held) judge_suspension(hold, before, subject.tenant_id, state, decision);
  if (hold.level != HoldLevel::awaiting) take_levels(hold, word.place.broker_time);
  set_hold_timer(hold, before, decision);
  announce(subject, state, decision);
  // One that is felt later, or once it is approved, changes nothing for the peers where none was felt before.
  const bool later = event.held && !hold.held && (before == nullptr || !before->held);
  if (!later) fan_out(subject, cause_of(word), decision);
  decision.holds.push_back(std::move(hold));
  return decision;
}

}  // namespace peerwright::domain
