#include <algorithm>
#include <optional>

#include "hold_plan.hpp"
#include "hold_subject.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

// The row `quota` bears which way the figures crossed the quota: only the store knows them.
constexpr const char* kOverQuota = "over";

std::string cause_of(const Timer& timer) { return std::string("timer/") + name_of(timer.kind); }

// When the timer falls due again; nullopt: never. A row `quota` may have been asked for without its answer.
void set(const Timer& timer, std::optional<Time> due_at, Decision& decision) {
  decision.timers.push_back({timer.kind, timer.subject_id, timer.owner, due_at});
  if (timer.kind == TimerKind::quota && !timer.owner.empty()) {
    decision.timers.push_back({timer.kind, timer.subject_id, {}, due_at});
  }
}

// Nothing is decided.
Decision wait_until(const Timer& timer, std::optional<Time> due_at) {
  Decision decision;
  decision.outcome = Outcome::unchanged;
  set(timer, due_at, decision);
  return decision;
}

// The peer with what the timer changed in it; the timer has done its work.
Decision settled(const Timer& timer, Peer peer, bool force, Decision decision, const State& state) {
  settle_peer(peer, state, cause_of(timer), force, decision);
  if (decision.peers.empty()) decision.peers.push_back(std::move(peer));  // nobody sees a difference, yet it is stored
  set(timer, std::nullopt, decision);
  return decision;
}

Decision expire_reservation(const Timer& timer, const State& state) {
  const Peer* before = state.peer(timer.subject_id);
  if (before == nullptr || before->stage != Stage::reserved) return wait_until(timer, std::nullopt);
  if (!before->reserved_until || *before->reserved_until > state.now) return wait_until(timer, before->reserved_until);
  Decision decision;
  Peer peer = *before;
  drop_reservation(peer, state, decision);
  peer.stage = Stage::unknown;
  return settled(timer, std::move(peer), true, std::move(decision), state);
}

Decision expire_peer(const Timer& timer, const State& state) {
  const Peer* before = state.peer(timer.subject_id);
  if (before == nullptr || before->stage != Stage::provisioned || before->expired) {
    return wait_until(timer, std::nullopt);
  }
  if (!before->expires_at || *before->expires_at > state.now) return wait_until(timer, before->expires_at);
  Peer peer = *before;
  peer.expired = true;
  return settled(timer, std::move(peer), true, {}, state);
}

Decision judge_quota(const Timer& timer, const State& state) {
  const Peer* before = state.peer(timer.subject_id);
  if (before == nullptr || before->stage != Stage::provisioned) return wait_until(timer, std::nullopt);
  const bool over = timer.owner == kOverQuota && before->quota_bytes > 0;
  if (over == before->over_quota) return wait_until(timer, std::nullopt);
  Peer peer = *before;
  peer.over_quota = over;
  return settled(timer, std::move(peer), false, {}, state);
}

// The row is trusted over `staged_until`: who has seen the staged key in use sets it due before.
Decision rotate(const Timer& timer, const State& state) {
  const Peer* before = state.peer(timer.subject_id);
  if (before == nullptr || before->stage != Stage::provisioned || before->staged_key.empty()) {
    return wait_until(timer, std::nullopt);
  }
  const std::optional<Time> due_at = timer.due_at ? timer.due_at : before->staged_until;
  if (due_at && *due_at > state.now) return wait_until(timer, due_at);
  Decision decision;
  Peer peer = *before;
  switch_key(peer, decision);
  return settled(timer, std::move(peer), true, std::move(decision), state);
}

// An older version lifts a hold by `held` alone.
bool lifted(const Hold& hold) {
  return !hold.held && (hold.level == HoldLevel::walled_garden || hold.level == HoldLevel::cut);
}

struct Stepped {
  Hold hold;
  bool released = false;
};

// The hold with the steps taken that are due; where there are none, nullopt and what to answer in `otherwise`.
std::optional<Stepped> step(const Timer& timer, Scope scope, const State& state, Decision& otherwise) {
  const Hold* before = state.hold(scope, timer.owner);
  if (before == nullptr || before->steps.empty() || before->level == HoldLevel::awaiting || lifted(*before)) {
    otherwise = wait_until(timer, std::nullopt);
    return std::nullopt;
  }
  // No further than the timer's own time: whether intake has caught up past a later step was not judged yet.
  if (before->steps.front().at > std::min(state.now, timer.due_at.value_or(state.now))) {
    otherwise = wait_until(timer, before->steps.front().at);
    return std::nullopt;
  }
  Stepped stepped{*before};
  stepped.released = take_steps(stepped.hold, timer.due_at.value_or(state.now));
  return stepped;
}

Timer next_of(const Timer& timer, const Hold& hold) {
  Timer next{timer.kind, timer.subject_id, timer.owner, std::nullopt};
  if (!hold.steps.empty()) next.due_at = hold.steps.front().at;
  return next;
}

Decision step_peer(const Timer& timer, const State& state) {
  const Peer* before = state.peer(timer.subject_id);
  if (before == nullptr || before->stage == Stage::revoked) return wait_until(timer, std::nullopt);
  Decision decision;
  auto stepped = step(timer, {ScopeKind::peer, before->id}, state, decision);
  if (!stepped) return decision;
  decision.timers.push_back(next_of(timer, stepped->hold));
  decision.holds.push_back(std::move(stepped->hold));
  Peer peer = *before;
  if (stepped->released) revoke_peer(peer, state, decision);
  settle_peer(std::move(peer), state, cause_of(timer), stepped->released, decision);
  return decision;
}

Decision step_subject(const Timer& timer, ScopeKind kind, const State& state) {
  const auto subject = subject_of({kind, timer.subject_id}, state);
  if (!subject || subject->revoked) return wait_until(timer, std::nullopt);
  Decision decision;
  auto stepped = step(timer, subject->scope, state, decision);
  if (!stepped) return decision;
  if (stepped->released) release(*subject, false, state, decision);
  announce(*subject, state, decision);
  if (stepped->hold.held) fan_out(*subject, cause_of(timer), decision);  // a grace is felt by nobody
  decision.timers.push_back(next_of(timer, stepped->hold));
  decision.holds.push_back(std::move(stepped->hold));
  return decision;
}

}  // namespace

Decision decide_timer(const Timer& timer, const State& state) {
  switch (timer.kind) {
    case TimerKind::reservation:
      return expire_reservation(timer, state);
    case TimerKind::expiry:
      return expire_peer(timer, state);
    case TimerKind::quota:
      return judge_quota(timer, state);
    case TimerKind::rotation:
      return rotate(timer, state);
    case TimerKind::hold_customer:
      return step_subject(timer, ScopeKind::customer, state);
    case TimerKind::hold_subscriber:
      return step_subject(timer, ScopeKind::subscriber, state);
    case TimerKind::hold_peer:
      return step_peer(timer, state);
  }
  return wait_until(timer, std::nullopt);
}

}  // namespace peerwright::domain
