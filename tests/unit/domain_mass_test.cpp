#include <gtest/gtest.h>

#include "domain_hold_support.hpp"

// A tenant that suspends more at once than it said it would.
namespace peerwright::domain {
namespace {

constexpr int kWindow = 60;

struct MassSuspension : ::testing::Test {
  MassSuspension() {
    for (const char* name : {"s1", "s2", "s3", "s4"}) world.provision(std::string("peer of ") + name, name);
    limit(2, MassAction::alert);
  }
  void limit(std::optional<int> most, MassAction action) {
    Tenant tenant = world.tenant();
    tenant.suspensions_limit = most;
    tenant.suspensions_window_seconds = kWindow;
    tenant.suspensions_action = action;
    tenant.suspensions_count = 0;
    world.state.load(tenant);
  }
  // Beyond the limit, with s3 waiting for approval.
  Decision third_waits(const HoldPlan& plan = {}) {
    limit(2, MassAction::approve);
    world.suspend("s1");
    world.suspend("s2");
    return world.suspend("s3", plan);
  }
  Decision approve(const std::string& subscriber, bool approved) {
    return world.say(TenantApprove{"acme", "", subscriber, approved}, "peerwright-cli/alice");
  }
  [[nodiscard]] const Hold& hold(const std::string& name) const {
    return world.hold(ScopeKind::subscriber, world.subscriber(name).id);
  }
  [[nodiscard]] Entitlement of(const std::string& subscriber) const { return world.of("peer of " + subscriber); }
  HoldWorld world;
};

TEST_F(MassSuspension, isToldBeyondTheLimitAndTakesEffect) {
  for (const char* name : {"s1", "s2"}) {
    const Decision within = world.suspend(name);
    EXPECT_EQ("", within.alert);
    EXPECT_TRUE(within.announced_tenants.empty());
    EXPECT_EQ(1U, within.tenants.size());
  }
  const std::int64_t version = world.tenant().version;
  const Decision beyond = world.suspend("s3");
  EXPECT_EQ(Outcome::accepted, beyond.outcome);
  EXPECT_EQ("mass_suspension", beyond.alert);
  EXPECT_TRUE(beyond.announced_tenants.contains(kTenant));
  EXPECT_EQ(version + 1, world.tenant().version);
  world.settle();
  EXPECT_EQ(Entitlement::suspended, of("s3"));
}

TEST_F(MassSuspension, isCountedInWindowsThatBeginWithTheirFirst) {
  world.suspend("s1");
  world.pass(kWindow - 1);
  world.suspend("s2");
  EXPECT_EQ("mass_suspension", world.suspend("s3").alert);
  world.pass(1);
  EXPECT_EQ("", world.suspend("s4").alert);
  EXPECT_EQ(world.state.now, world.tenant().suspensions_since);
  EXPECT_EQ(1, world.tenant().suspensions_count);
}

TEST_F(MassSuspension, ofNoLimitCountsNothing) {
  limit(std::nullopt, MassAction::approve);
  for (const char* name : {"s1", "s2", "s3", "s4"}) EXPECT_TRUE(world.suspend(name).tenants.empty());
}

TEST_F(MassSuspension, countsWhoIsNewlySuspendedAlone) {
  for (int time = 0; time < 5; ++time) EXPECT_EQ("", world.suspend("s1").alert);
  world.resume("s1");
  world.resume("s2");
  EXPECT_EQ(1, world.tenant().suspensions_count);
  EXPECT_EQ("", world.suspend("s1").alert);
  EXPECT_EQ("stale", world.say(SubscriberHold{"acme", "s1", "", true, "", {}}, Word{"billing", "x", 0, {}}).code);
  EXPECT_EQ(2, world.tenant().suspensions_count);
  EXPECT_EQ("mass_suspension", world.suspend("s2", plan_of(HoldLevel::cut, 10)).alert);
}

TEST_F(MassSuspension, ofACustomerCountsAsOne) {
  for (const char* name : {"x", "y", "z"}) world.provision(name, std::string("sub of ") + name, "k");
  EXPECT_EQ("", world.suspend_customer("k").alert);
  EXPECT_EQ(1, world.tenant().suspensions_count);
}

TEST_F(MassSuspension, ofPeersIsOnlyTold) {
  limit(1, MassAction::approve);
  EXPECT_EQ("", world.suspend_peer("peer of s1").alert);
  EXPECT_EQ("", world.suspend_peer("peer of s1").alert);  // again
  EXPECT_EQ("mass_suspension", world.suspend_peer("peer of s2").alert);
  EXPECT_EQ(Entitlement::suspended, of("s2"));
  world.suspend_peer("peer of s3", {}, "security");
  const Decision told = world.suspend_peer("peer of s3");  // it is off already
  EXPECT_EQ("mass_suspension", told.alert);
  EXPECT_EQ(Outcome::accepted, told.outcome);
}

TEST_F(MassSuspension, mayWaitForApproval) {
  const Decision waits = third_waits(plan_of(HoldLevel::walled_garden, 0, 10, 10));
  EXPECT_EQ(Outcome::accepted, waits.outcome);
  EXPECT_EQ("suspension_awaits_approval", waits.alert);
  EXPECT_TRUE(waits.announced_tenants.contains(kTenant));
  EXPECT_EQ(HoldLevel::awaiting, hold("s3").level);
  EXPECT_FALSE(hold("s3").held);
  EXPECT_EQ(3U, hold("s3").steps.size());
  EXPECT_EQ(world.state.now, hold("s3").steps[0].at);
  world.pass(1000);
  world.settle();
  EXPECT_EQ(Entitlement::active, of("s3"));
  EXPECT_EQ(Entitlement::suspended, of("s2"));
  EXPECT_TRUE(world.timers.empty());
}

TEST_F(MassSuspension, approvedTakesEffectAsFarAsItsTimeHasCome) {
  third_waits(plan_of(HoldLevel::walled_garden, 0, 10, 10));
  world.pass(5);
  EXPECT_EQ(Outcome::accepted, approve("s3", true).outcome);
  world.sweep();
  EXPECT_EQ(Entitlement::walled_garden, of("s3"));
  world.pass(5);
  world.settle();
  EXPECT_EQ(Entitlement::suspended, of("s3"));
  world.pass(10);
  world.settle();
  EXPECT_EQ(Entitlement::revoked, of("s3"));
  EXPECT_EQ("nothing_awaits_approval", approve("s3", true).code);
}

TEST_F(MassSuspension, approvedLateStillLeavesTheReleaseToItsTimer) {
  third_waits(plan_of(HoldLevel::cut, 0, 0, 10));
  world.pass(20);
  const Decision decision = approve("s3", true);
  EXPECT_EQ(HoldLevel::cut, hold("s3").level);
  ASSERT_EQ(1U, decision.timers.size());
  EXPECT_LE(*decision.timers[0].due_at, world.state.now);
  world.sweep();
  EXPECT_EQ(Entitlement::suspended, of("s3"));
  world.settle();
  EXPECT_EQ(Entitlement::revoked, of("s3"));
}

TEST_F(MassSuspension, droppedLeavesNothing) {
  third_waits();
  EXPECT_EQ(Outcome::accepted, approve("s3", false).outcome);
  EXPECT_EQ(HoldLevel::none, hold("s3").level);
  world.pass(1000);
  world.settle();
  EXPECT_EQ(Entitlement::active, of("s3"));
  EXPECT_EQ("nothing_awaits_approval", approve("s3", true).code);
  world.pass(kWindow);
  world.suspend("s3");  // said anew, in another window
  world.settle();
  EXPECT_EQ(Entitlement::suspended, of("s3"));
}

TEST_F(MassSuspension, aPaymentLiftsWhatWaits) {
  third_waits();
  world.resume("s3");
  EXPECT_EQ("nothing_awaits_approval", approve("s3", true).code);
  world.settle();
  EXPECT_EQ(Entitlement::active, of("s3"));
}

TEST_F(MassSuspension, sayingItAgainDoesNotPassTheApproval) {
  third_waits();
  world.pass(kWindow);  // not even in another window
  const Decision again = world.suspend("s3");
  EXPECT_EQ("suspension_awaits_approval", again.alert);
  EXPECT_EQ(HoldLevel::awaiting, hold("s3").level);
  limit(2, MassAction::alert);  // and not by another limit
  EXPECT_EQ("suspension_awaits_approval", world.suspend("s3").alert);
  EXPECT_EQ(HoldLevel::awaiting, hold("s3").level);
}

TEST_F(MassSuspension, sayingAgainWhatIsInForceLoosensNothing) {
  third_waits();
  EXPECT_EQ("", world.suspend("s1").alert);
  world.settle();
  EXPECT_EQ(Entitlement::suspended, of("s1"));
}

TEST_F(MassSuspension, anApprovalIsOfWhatWasSaidBeforeIt) {
  limit(0, MassAction::approve);
  const Word early = world.word_of("peerwright-cli/alice");
  world.suspend("s3");
  EXPECT_EQ("stale", world.say(TenantApprove{"acme", "", "s3", true}, early).code);
  EXPECT_EQ(HoldLevel::awaiting, hold("s3").level);
  EXPECT_EQ(Outcome::accepted, approve("s3", true).outcome);
}

TEST_F(MassSuspension, ofACustomerIsApprovedToo) {
  world.provision("x", "sub of x", "k");
  limit(0, MassAction::approve);
  world.suspend_customer("k");
  world.settle();
  EXPECT_EQ(Entitlement::active, world.of("x"));
  world.say(TenantApprove{"acme", "k", "", true}, "peerwright-cli/alice");
  world.settle();
  EXPECT_EQ(Entitlement::suspended, world.of("x"));
}

}  // namespace
}  // namespace peerwright::domain
