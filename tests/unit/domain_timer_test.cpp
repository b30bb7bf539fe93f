#include <gtest/gtest.h>

#include <algorithm>

#include "domain_hold_support.hpp"

namespace peerwright::domain {
namespace {

using std::chrono::seconds;

struct Timers : ::testing::Test {
  Timers() { world.provision("p", "s"); }
  Timer timer_of(TimerKind kind, const std::string& owner = {}) {
    return {kind, world.peer("p").id, owner, world.state.now};
  }
  // Decides it, and puts what was decided in.
  Decision fire(const Timer& timer) { return world.take(decide_timer(timer, world.state)); }
  template <typename Change>
  void change(Change&& change_it, const std::string& name = "p") {
    Peer peer = world.peer(name);
    change_it(peer);
    world.put(peer);
  }
  static void expect_ended(const Decision& decision) {
    EXPECT_EQ(Outcome::unchanged, decision.outcome);
    EXPECT_TRUE(decision.peers.empty() && decision.servers.empty() && decision.holds.empty());
    EXPECT_FALSE(decision.timers.empty());
    for (const Timer& timer : decision.timers) EXPECT_EQ(std::nullopt, timer.due_at);
  }
  static void expect_rearmed(const Decision& decision, Time at) {
    EXPECT_EQ(Outcome::unchanged, decision.outcome);
    EXPECT_TRUE(decision.peers.empty() && decision.servers.empty() && decision.holds.empty());
    ASSERT_EQ(1U, decision.timers.size());
    EXPECT_EQ(at, decision.timers[0].due_at);
  }
  HoldWorld world;
};

TEST_F(Timers, whoseSubjectAsksForNothingEnd) {
  for (const TimerKind kind : {TimerKind::reservation, TimerKind::expiry, TimerKind::quota, TimerKind::hold_customer,
                               TimerKind::hold_subscriber, TimerKind::hold_peer, TimerKind::rotation}) {
    SCOPED_TRACE(name_of(kind));
    expect_ended(decide_timer(timer_of(kind, "billing"), world.state));
    expect_ended(decide_timer({kind, 4711, "billing", world.state.now}, world.state));  // nobody
  }
}

TEST_F(Timers, keepKindSubjectAndOwner) {
  const Decision decision = decide_timer(timer_of(TimerKind::hold_peer, "billing"), world.state);
  ASSERT_EQ(1U, decision.timers.size());
  EXPECT_EQ(TimerKind::hold_peer, decision.timers[0].kind);
  EXPECT_EQ(world.peer("p").id, decision.timers[0].subject_id);
  EXPECT_EQ("billing", decision.timers[0].owner);
}

// A row is asked for without an answer, and decided with one.
TEST_F(Timers, ofTheQuotaEndWithAndWithoutTheAnswer) {
  const Decision decision = decide_timer(timer_of(TimerKind::quota, "over"), world.state);
  ASSERT_EQ(2U, decision.timers.size());
  EXPECT_EQ("over", decision.timers[0].owner);
  EXPECT_EQ("", decision.timers[1].owner);
}

TEST_F(Timers, endAReservation) {
  const Peer before = world.reserve("r", 60, "s");
  change([](Peer& peer) { peer.preshared_key_sealed = "sealed"; }, "r");
  EXPECT_EQ(Entitlement::reserved, world.of("r"));
  EXPECT_EQ(0, before.generation);
  const std::int64_t generation = world.server().generation;
  world.pass(59);
  const Timer timer{TimerKind::reservation, before.id, {}, world.state.now};
  expect_rearmed(fire(timer), *before.reserved_until);
  world.pass(1);
  world.run_timers();
  const Peer& after = world.peer("r");
  EXPECT_EQ(Stage::unknown, after.stage);
  EXPECT_EQ(Entitlement::unprovisioned, after.entitlement);
  EXPECT_EQ(Reservation::expired, after.reservation);
  EXPECT_FALSE(after.server_id || after.network_id || after.address_offset);
  EXPECT_EQ("", after.preshared_key_sealed);
  EXPECT_EQ("timer/reservation", after.cause);
  EXPECT_EQ(before.version + 1, after.version);
  ASSERT_EQ(1U, world.changes.freed.size());
  EXPECT_EQ(*before.address_offset, world.changes.freed[0].address_offset);
  EXPECT_EQ(generation, world.server().generation);
  EXPECT_EQ(1, world.server().peer_count);
  EXPECT_EQ(1, world.tenant().peer_count);
  EXPECT_FALSE(world.removals.contains({kServer, ""}));
  EXPECT_TRUE(world.timers.empty());
  expect_ended(fire(timer));
  EXPECT_EQ(1, world.tenant().peer_count);  // counted down once
}

TEST_F(Timers, leaveAReservationThatWasActivated) {
  world.reserve("r", 60);
  change(
      [](Peer& peer) {
        peer.stage = Stage::provisioned;
        peer.reservation = Reservation::activated;
      },
      "r");
  world.pass(60);
  world.run_timers();
  EXPECT_EQ(Stage::provisioned, world.peer("r").stage);
  EXPECT_TRUE(world.changes.freed.empty());
}

TEST_F(Timers, expireAPeer) {
  const Time until = world.state.now + seconds(60);
  change([&](Peer& peer) { peer.expires_at = until; });
  expect_rearmed(fire(timer_of(TimerKind::expiry)), until);
  world.pass(60);
  const Decision decision = fire(timer_of(TimerKind::expiry));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(Entitlement::expired, world.of("p"));
  EXPECT_EQ("timer/expiry", world.peer("p").cause);
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_TRUE(decision.urgent_servers.contains(kServer));
  EXPECT_TRUE(world.peer("p").address_offset);
  EXPECT_EQ(1, world.server().peer_count);  // it keeps its place
  expect_ended(fire(timer_of(TimerKind::expiry)));
  world.suspend_peer("p");
  EXPECT_EQ(Entitlement::expired, world.of("p"));
}

TEST_F(Timers, reviveNothingThatTheTimerDoesNotHold) {
  change([&](Peer& peer) { peer.expires_at = world.state.now; });
  fire(timer_of(TimerKind::expiry));
  Peer revived = world.peer("p");  // as peer.update does
  revived.expires_at = world.state.now + seconds(10);
  revived.expired = false;
  Decision decision;
  settle_peer(revived, world.state, "update", true, decision);
  world.take(decision);
  EXPECT_EQ(Entitlement::active, world.of("p"));
  EXPECT_FALSE(world.to_be_removed("key of p"));
  world.pass(10);
  fire(timer_of(TimerKind::expiry));
  EXPECT_EQ(Entitlement::expired, world.of("p"));
}

TEST_F(Timers, judgeTheQuota) {
  expect_ended(fire(timer_of(TimerKind::quota, "over")));  // it has none
  change([](Peer& peer) { peer.quota_bytes = 1000; });
  expect_ended(fire(timer_of(TimerKind::quota, "under")));
  EXPECT_EQ(Outcome::accepted, fire(timer_of(TimerKind::quota, "over")).outcome);
  EXPECT_EQ(Entitlement::suspended, world.of("p"));
  EXPECT_EQ("timer/quota", world.peer("p").cause);
  expect_ended(fire(timer_of(TimerKind::quota, "over")));
  fire(timer_of(TimerKind::quota, "under"));
  EXPECT_EQ(Entitlement::active, world.of("p"));
  fire(timer_of(TimerKind::quota, "over"));
  change([](Peer& peer) { peer.quota_bytes = 0; });
  fire(timer_of(TimerKind::quota, "over"));  // there is nothing to be over any more
  EXPECT_EQ(Entitlement::active, world.of("p"));
}

TEST_F(Timers, keepTheQuotaOfWhoIsOffAnyway) {
  world.suspend_peer("p");
  change([](Peer& peer) { peer.quota_bytes = 1000; });
  const std::int64_t version = world.peer("p").version;
  fire(timer_of(TimerKind::quota, "over"));
  EXPECT_TRUE(world.peer("p").over_quota);
  EXPECT_EQ(version, world.peer("p").version);
  world.resume_peer("p");
  EXPECT_EQ(Entitlement::suspended, world.of("p"));
}

struct Rotation : Timers {
  Rotation() {
    change([&](Peer& peer) {
      peer.client_key_sealed = "old private";
      peer.staged_key = "next";
      peer.staged_until = world.state.now + seconds(60);
      peer.staged_client_key_sealed = "next private";
    });
  }
};

TEST_F(Rotation, switchesToTheStagedKey) {
  const Peer before = world.peer("p");
  Timer timer = timer_of(TimerKind::rotation);
  timer.due_at = before.staged_until;
  expect_rearmed(fire(timer), *before.staged_until);
  world.pass(60);
  const Decision decision = fire(timer);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  const Peer& after = world.peer("p");
  EXPECT_EQ("next", after.public_key);
  EXPECT_EQ("", after.staged_key);
  EXPECT_EQ(std::nullopt, after.staged_until);
  EXPECT_EQ("next private", after.client_key_sealed);
  EXPECT_EQ("", after.staged_client_key_sealed);
  EXPECT_EQ(before.address_offset, after.address_offset);
  EXPECT_EQ(before.version + 1, after.version);
  EXPECT_GT(after.generation, before.generation);
  EXPECT_EQ(world.server().generation, after.generation);
  EXPECT_EQ("timer/rotation", after.cause);
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_FALSE(world.to_be_removed("next"));
  EXPECT_EQ(after.id, decision.used_keys.at("key of p"));
  EXPECT_TRUE(decision.due_servers.contains(kServer));
  EXPECT_TRUE(decision.urgent_servers.contains(kServer));  // until then the client gets nowhere
  expect_ended(fire(timer));
}

// The new key was seen at work: the row falls due before the term.
TEST_F(Rotation, isNotLateWhereTheClientIsEarly) {
  fire(timer_of(TimerKind::rotation));
  EXPECT_EQ("next", world.peer("p").public_key);
}

TEST_F(Rotation, ofASuspendedPeerTakesBothKeysAway) {
  world.suspend_peer("p");
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_TRUE(world.to_be_removed("next"));
  fire(timer_of(TimerKind::rotation));
  EXPECT_EQ(Entitlement::suspended, world.of("p"));
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_TRUE(world.to_be_removed("next"));
  world.resume_peer("p");
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_FALSE(world.to_be_removed("next"));
}

TEST_F(Rotation, endsWithARevocation) {
  world.say(PeerRevoke{"acme", "p", ""});
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_TRUE(world.to_be_removed("next"));
  EXPECT_EQ("", world.peer("p").staged_key);
  expect_ended(fire(timer_of(TimerKind::rotation)));
}

struct HoldTimers : Timers {
  Timer hold_timer() { return {TimerKind::hold_subscriber, world.subscriber("s").id, "billing", world.state.now}; }
};

TEST_F(HoldTimers, waitForTheNextStep) {
  world.suspend("s", plan_of(HoldLevel::cut, 60));
  expect_rearmed(fire(hold_timer()), world.state.now + seconds(60));
  world.pass(60);
  const Decision decision = fire(hold_timer());
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ("timer/hold_subscriber", decision.fan_outs.at(world.subscriber("s").id));
  EXPECT_EQ(1U, decision.subscribers.size());
  expect_ended(fire(hold_timer()));
}

TEST_F(HoldTimers, leaveWhatWasLiftedMeanwhile) {
  world.suspend("s", plan_of(HoldLevel::cut, 60, 0, 60));
  world.pass(120);
  world.resume("s");
  expect_ended(fire(hold_timer()));
}

TEST_F(HoldTimers, leaveWhatAwaitsAnApproval) {
  Tenant tenant = world.tenant();
  tenant.suspensions_limit = 0;
  tenant.suspensions_action = MassAction::approve;
  world.state.load(tenant);
  world.suspend("s");
  expect_ended(fire(hold_timer()));
  EXPECT_EQ(HoldLevel::awaiting, world.hold(ScopeKind::subscriber, world.subscriber("s").id).level);
}

TEST_F(HoldTimers, leaveWhatAnOlderVersionLifted) {
  world.suspend("s", plan_of(HoldLevel::walled_garden, 0, 60));
  Hold hold = world.hold(ScopeKind::subscriber, world.subscriber("s").id);
  hold.held = false;
  world.state.load(hold);
  world.pass(60);
  expect_ended(fire(hold_timer()));
}

TEST_F(HoldTimers, fanOutOnlyWhatIsFelt) {
  HoldPlan plan = plan_of(HoldLevel::cut, 60);
  plan.effective_at = world.state.now + seconds(60);
  EXPECT_TRUE(world.suspend("s", plan).fan_outs.empty());
  world.pass(60);
  const Decision grace = fire(hold_timer());
  EXPECT_TRUE(grace.fan_outs.empty());
  EXPECT_EQ(HoldLevel::grace, grace.holds.at(0).level);
  EXPECT_EQ(world.state.now + seconds(60), grace.timers.at(0).due_at);
}

TEST_F(HoldTimers, endWithTheirPeer) {
  world.suspend_peer("p", plan_of(HoldLevel::cut, 60));
  world.say(PeerRevoke{"acme", "p", ""});
  world.pass(60);
  expect_ended(fire(timer_of(TimerKind::hold_peer, "billing")));
}

}  // namespace
}  // namespace peerwright::domain
