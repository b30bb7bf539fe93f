#pragma once

#include <string>

#include "peerwright/domain/events.hpp"

// How a suspension goes on over time, and what the events and timers about holds share.
namespace peerwright::domain {

// A plan's steps at their times, counted from its effective time, which is never before `said_at`: grace where there is
// one, the garden or the cut, the cut after the garden, the release after the cut. A garden that stays has no release.
std::vector<HoldStep> steps_of(const HoldPlan& plan, Time said_at);

// Takes the steps that are due at `when`, up to a release, which cannot be undone. An event takes no more than was due
// when it was said: what came due while it lay in the log is the timer's, which waits until intake has caught up, for a
// resume may lie there too.
void take_levels(Hold& hold, Time when);

// Takes all steps whose time has come. True where a release was among them; the hold stays a cut then.
bool take_steps(Hold& hold, Time now);

// The register once `word` was accepted on it: lifted, or with all of the plan's steps still to be taken.
Hold hold_said(Scope scope, const Word& word, bool held, const std::string& reason, const HoldPlan& plan, Time now);

// Whether the hold does something, now or later, and nobody has to approve it.
bool in_force(const Hold* hold);

// The timer of the hold's next step, in `decision`, or its end. Nothing where `before` (may be nullptr) had none
// either.
void set_hold_timer(const Hold& hold, const Hold* before, Decision& decision);
TimerKind timer_kind_of(ScopeKind kind);

// Counts a suspension of the tenant in its window. True where that is one more than it allows: the alert is set then,
// and the tenant announced. A tenant without such a limit counts nothing.
bool exceeds_suspensions(Id tenant_id, const std::string& alert, const State& state, Decision& decision);

}  // namespace peerwright::domain
