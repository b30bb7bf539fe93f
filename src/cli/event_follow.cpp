#include <algorithm>
#include <iostream>
#include <thread>

#include "event.hpp"

namespace peerwright::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Often at first, for most are done at once; less often the longer it takes.
constexpr std::chrono::milliseconds kShortestPause{20};
constexpr std::chrono::milliseconds kLongestPause{500};
constexpr int kPauseShare = 10;  // of the time that has passed
constexpr std::string_view kMaintenanceType = "peerwright.server.maintenance.v1";

// The member of the audit's entry, "" where it says nothing.
std::string said(const Json& entry, const char* member) {
  const auto found = entry.is_object() ? entry.find(member) : entry.end();
  return entry.is_object() && found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

class Follower {
 public:
  Follower(store::QueryStore& store, const FollowInput& input, const Steps& steps)
      : store_(store), input_(input), steps_(steps), began_(Clock::now()) {}

  Exit follow() {
    for (;;) {
      const auto end = decided_ ? look_for_proof() : look_for_decision();
      if (end) return *end;
      if (Clock::now() >= input_.deadline) return time_out();
      pause();
    }
  }

 private:
  void pause() const {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
    std::this_thread::sleep_for(std::clamp(passed / kPauseShare, kShortestPause, kLongestPause));
  }

  // What can pass by itself is waited for; what cannot ends it.
  std::optional<Exit> tolerated(const Error& error) {
    last_error_ = error;
    if (error.retry == Retry::later && exit_of(error) == Exit::unreachable) return std::nullopt;
    return fail(error);
  }

  Exit rejected(const std::string& code, const std::string& message, const std::string& remedy) {
    steps_.say(input_.event, "rejected", code + ": " + message + (remedy.empty() ? "" : "; remedy: " + remedy),
               {{"code", code}, {"message", message}, {"remedy", remedy}});
    return Exit::conflict;
  }

  std::optional<Exit> look_for_decision() {
    const auto& envelope = input_.event.envelope;
    const auto fate = store_.fate(envelope.source, envelope.id, input_.dead_letters_seen);
    if (!fate) return tolerated(fate.error());
    last_error_.reset();
    if (!fate->payload_hash.empty() && fate->payload_hash != input_.event.payload_hash) {
      return rejected("id_reused", "source and id were used before with another payload",
                      "give every event an id of its own");
    }
    if (const std::optional<store::DeadLetterView>& letter = fate->dead_letter) {
      return rejected(letter->code, letter->message, "see `peerwright dlq show " + std::to_string(letter->id) + '`');
    }
    const std::optional<store::AuditView>& decision = fate->decision;
    if (!decision) return std::nullopt;
    const Json entry = Json::parse(decision->body, nullptr, false);
    if (decision->outcome == "rejected") {
      return rejected(decision->code, said(entry, "message"), said(entry, "remedy"));
    }
    steps_.say(input_.event, decision->outcome, "", Json::object());
    decided_ = true;
    decided_at_ = decision->at;
    if (!input_.to_proof) return Exit::ok;
    return look_for_proof();
  }

  std::optional<Exit> look_for_proof() {
    const auto progress = store_.progress(input_.event.refs);
    if (!progress) return tolerated(progress.error());
    last_error_.reset();
    last_ = *progress;
    if (progress->held > 0 && progress->open == progress->failed + progress->held && !progress->fanning_out) {
      return held_by_maintenance(*progress);
    }
    if (progress->open > progress->failed || progress->fanning_out) return std::nullopt;
    if (progress->failed > 0) {
      steps_.say(input_.event, "failed", progress->failed_code + ": the host refuses it until it is changed",
                 {{"code", progress->failed_code}, {"concerned", progress->concerned}, {"failed", progress->failed}});
      return Exit::failed;
    }
    if (progress->concerned == 0) {
      steps_.say(input_.event, "done", "(nothing stands on a host)", Json::object());
      return Exit::ok;
    }
    // A proof from before the decision: nothing had to change.
    const Time proven_at = std::max(decided_at_, progress->proven_at.value_or(decided_at_));
    const std::int64_t latency_ms = (micros_of(proven_at) - micros_of(decided_at_)) / 1000;
    steps_.say(input_.event, "proven", std::to_string(latency_ms) + " ms after the decision",
               {{"concerned", progress->concerned}, {"latency_ms", latency_ms}});
    return Exit::ok;
  }

  // Its pushes wait for an operator: no worker brings it before. That is what server.maintenance itself asks for.
  Exit held_by_maintenance(const store::Progress& progress) {
    steps_.say(input_.event, "held", "(its pushes wait until the maintenance ends)",
               {{"concerned", progress.concerned}, {"held", progress.held}});
    return input_.event.envelope.type == kMaintenanceType ? Exit::ok : Exit::failed;
  }

  Exit time_out() {
    std::string words = decided_ ? "is not proven yet" : "is not decided yet";
    if (last_error_) {
      fail(*last_error_);
    } else if (!last_.failing_server.empty()) {
      words += "; " + last_.failing_server + ": " + last_.error_code + ": " + last_.error_message;
    } else if (last_.open > 0) {
      words += "; " + std::to_string(last_.open) + " of " + std::to_string(last_.concerned) + " are open";
    }
    std::cerr << "peerwright: wait_timeout: " << printable(input_.event.envelope.id) << ' ' << printable(words) << '\n'
              << "  remedy: check that a worker runs; the event is sent and will be executed\n";
    return last_error_ ? Exit::unreachable : Exit::failed;
  }

  store::QueryStore& store_;
  const FollowInput& input_;
  const Steps& steps_;
  const Clock::time_point began_;
  bool decided_ = false;
  Time decided_at_;
  store::Progress last_;
  std::optional<Error> last_error_;
};

}  // namespace

Exit follow(store::QueryStore& store, const FollowInput& input, const Steps& steps) {
  return Follower(store, input, steps).follow();
}

}  // namespace peerwright::cli
