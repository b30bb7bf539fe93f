#include "hold_plan.hpp"

#include <algorithm>

#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

using std::chrono::seconds;

void take(Hold& hold, HoldLevel level, Time now) {
  hold.level = level;
  hold.held = level == HoldLevel::walled_garden || level == HoldLevel::cut;
  hold.since = now;
}

bool is_due(const Hold& hold, Time now) { return !hold.steps.empty() && hold.steps.front().at <= now; }

}  // namespace

std::vector<HoldStep> steps_of(const HoldPlan& plan, Time said_at) {
  std::vector<HoldStep> steps;
  Time at = std::max(said_at, plan.effective_at.value_or(said_at));
  if (plan.grace_seconds > 0) {
    steps.push_back({HoldLevel::grace, at});
    at += seconds(plan.grace_seconds);
  }
  steps.push_back({plan.level, at});
  if (plan.level == HoldLevel::walled_garden) {
    if (plan.garden_seconds <= 0) return steps;
    at += seconds(plan.garden_seconds);
    steps.push_back({HoldLevel::cut, at});
  }
  if (plan.release_after_seconds > 0) {
    steps.push_back({HoldLevel::release, at + seconds(plan.release_after_seconds)});
  }
  return steps;
}

void take_levels(Hold& hold, Time now) {
  while (is_due(hold, now) && hold.steps.front().level != HoldLevel::release) {
    take(hold, hold.steps.front().level, now);
    hold.steps.erase(hold.steps.begin());
  }
}

bool take_steps(Hold& hold, Time now) {
  take_levels(hold, now);
  if (!is_due(hold, now)) return false;
  hold.steps.clear();  // a release is the last one
  if (hold.level != HoldLevel::cut) take(hold, HoldLevel::cut, now);
  return true;
}

Hold hold_said(Scope scope, const Word& word, bool held, const std::string& reason, const HoldPlan& plan, Time now) {
  Hold hold{scope, owner_of(word.source), false, reason, word};
  hold.level = HoldLevel::none;
  hold.since = now;
  if (held) hold.steps = steps_of(plan, word.place.broker_time);
  return hold;
}

bool in_force(const Hold* hold) {
  return hold != nullptr && hold->level != HoldLevel::awaiting && (hold->held || !hold->steps.empty());
}

TimerKind timer_kind_of(ScopeKind kind) {
  switch (kind) {
    case ScopeKind::customer:
      return TimerKind::hold_customer;
    case ScopeKind::subscriber:
      return TimerKind::hold_subscriber;
    case ScopeKind::peer:
      break;
  }
  return TimerKind::hold_peer;
}

void set_hold_timer(const Hold& hold, const Hold* before, Decision& decision) {
  const bool waits = hold.level != HoldLevel::awaiting && !hold.steps.empty();
  const bool waited = before != nullptr && before->level != HoldLevel::awaiting && !before->steps.empty();
  if (!waits && !waited) return;
  Timer timer{timer_kind_of(hold.scope.kind), hold.scope.id, hold.owner, std::nullopt};
  if (waits) timer.due_at = hold.steps.front().at;
  decision.timers.push_back(std::move(timer));
}

bool exceeds_suspensions(Id tenant_id, const std::string& alert, const State& state, Decision& decision) {
  const Tenant* before = state.tenant(tenant_id);
  if (before == nullptr || !before->suspensions_limit) return false;
  Tenant& tenant = *changed_tenant(tenant_id, state, decision);
  if (tenant.suspensions_count == 0 ||
      state.now >= tenant.suspensions_since + seconds(tenant.suspensions_window_seconds)) {
    tenant.suspensions_since = state.now;
    tenant.suspensions_count = 0;
  }
  tenant.suspensions_count += 1;
  if (tenant.suspensions_count <= *tenant.suspensions_limit) return false;
  tenant.version += 1;
  decision.alert = alert;
  decision.announced_tenants.insert(tenant_id);
  return true;
}

}  // namespace peerwright::domain
