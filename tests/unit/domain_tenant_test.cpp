#include <gtest/gtest.h>

#include "domain_support.hpp"

namespace peerwright::domain {
namespace {

class Tenants : public ::testing::Test {
 protected:
  Tenants() { world.with_server(); }
  static TenantSet settings() {
    TenantSet event;
    event.tenant = "acme";
    return event;
  }
  Decision provision(const std::string& peer, const std::string& plan = {}) {
    PeerProvision event = World::provision(peer);
    event.place.plan = plan;
    return world.say_now(event);
  }
  World world;
};

TEST_F(Tenants, setReplacesAllSettings) {
  TenantSet event = settings();
  event.max_peers = 5;
  event.plans = {{"gold", 2}};
  event.reservations_per_hour = 9;
  event.suspensions_limit = 3;
  event.suspensions_window_seconds = 60;
  event.suspensions_action = MassAction::approve;
  event.recipient_key = "a key";
  event.dns = {"10.0.0.53"};
  const Decision first = world.say_now(event);
  EXPECT_EQ(Outcome::accepted, first.outcome);
  EXPECT_TRUE(first.announced_tenants.contains(world.tenant().id));
  EXPECT_TRUE(first.wider_fan_outs.empty());  // its garden stayed as it was
  const Tenant set = world.tenant();
  EXPECT_EQ(5, set.max_peers);
  EXPECT_EQ(2, set.plans.at("gold").max_peers);
  EXPECT_EQ(9, set.reservations_per_hour);
  EXPECT_EQ(3, set.suspensions_limit);
  EXPECT_EQ(60, set.suspensions_window_seconds);
  EXPECT_EQ(MassAction::approve, set.suspensions_action);
  EXPECT_EQ("a key", set.recipient_key);
  EXPECT_EQ(std::vector<std::string>{"10.0.0.53"}, set.dns);
  EXPECT_EQ(1, set.version);

  world.say_now(settings());
  const Tenant reset = world.tenant();
  EXPECT_FALSE(reset.max_peers);
  EXPECT_EQ(5, reset.reservations_per_hour);
  EXPECT_FALSE(reset.suspensions_limit);
  EXPECT_EQ(MassAction::alert, reset.suspensions_action);
  EXPECT_TRUE(reset.recipient_key.empty() && reset.dns.empty());
  EXPECT_EQ(2, reset.version);
}

TEST_F(Tenants, setIsRefusedByOrder) {
  world.say(settings(), word("portal", 10));
  expect_rejected(world.say(settings(), word("portal", 9)), "stale");
  expect_rejected(world.say(settings(), word("portal", 10)), "sequence_reused");
  expect_rejected(world.say(settings(), word("portal", std::nullopt)), "sequence_required");
}

TEST_F(Tenants, aNewGardenReachesTheServersOfTheTenant) {
  TenantSet event = settings();
  event.garden = {{"192.0.2.0/24", wireguard::RuleProtocol::tcp, 443}};
  const Decision planted = world.say(event, word("portal", 1, "g"));
  EXPECT_EQ("portal/g", planted.wider_fan_outs.at({FanOut::tenant, world.tenant().id}));
  EXPECT_TRUE(world.say(event, word("portal", 2)).wider_fan_outs.empty());
  event.garden[0].port = 80;
  EXPECT_EQ(1U, world.say(event, word("portal", 3)).wider_fan_outs.size());
}

TEST_F(Tenants, itsLimitOfPeersIsKept) {
  TenantSet event = settings();
  event.max_peers = 2;
  world.say_now(event);
  provision("a");
  world.say_now(World::reserve("b"));
  EXPECT_EQ(2, world.tenant().peer_count);
  expect_rejected(provision("c"), "tenant_full");
  expect_rejected(world.say_now(World::reserve("c")), "tenant_full");
  // What is reserved counts already.
  EXPECT_EQ(Outcome::accepted, world.say_now(World::activate("b")).outcome);
  EXPECT_EQ(2, world.tenant().peer_count);
  world.say_now(World::revoke("a"));
  EXPECT_EQ(1, world.tenant().peer_count);
  EXPECT_EQ(Outcome::accepted, provision("c").outcome);
  // A lower limit takes nothing away.
  event.max_peers = 1;
  EXPECT_EQ(Outcome::accepted, world.say_now(event).outcome);
  EXPECT_EQ(2, world.tenant().peer_count);
  expect_rejected(provision("d"), "tenant_full");
}

TEST_F(Tenants, itsLimitPerPlanIsKept) {
  TenantSet event = settings();
  event.plans = {{"gold", 1}, {"tin", 5}};
  world.say_now(event);
  EXPECT_EQ(Outcome::accepted, provision("a", "gold").outcome);
  expect_rejected(provision("b", "gold"), "plan_full");
  expect_rejected(provision("b", "silver"), "unknown_plan");
  EXPECT_EQ(Outcome::accepted, provision("b", "tin").outcome);
  EXPECT_EQ(Outcome::accepted, provision("c").outcome);  // of no plan: counted for the tenant alone
  EXPECT_EQ(1, world.tenant().plans.at("gold").peer_count);
  EXPECT_EQ(1, world.tenant().plans.at("tin").peer_count);
  EXPECT_EQ(3, world.tenant().peer_count);
  world.say_now(World::revoke("a"));
  EXPECT_EQ(0, world.tenant().plans.at("gold").peer_count);
  EXPECT_EQ(Outcome::accepted, provision("d", "gold").outcome);
}

TEST_F(Tenants, plansAreCountedWhetherOrNotTheyAreListed) {
  provision("a", "gold");  // nobody has listed any plan
  EXPECT_EQ(1, world.tenant().plans.at("gold").peer_count);
  EXPECT_FALSE(world.tenant().plans.at("gold").listed);
  TenantSet event = settings();
  event.plans = {{"gold", 1}};
  world.say_now(event);
  expect_rejected(provision("b", "gold"), "plan_full");
  event.plans = {{"tin", 1}};
  world.say_now(event);
  EXPECT_EQ(1, world.tenant().plans.at("gold").peer_count);
  expect_rejected(provision("b", "gold"), "unknown_plan");
  world.say_now(World::revoke("a"));
  EXPECT_EQ(0, world.tenant().plans.at("gold").peer_count);
}

}  // namespace
}  // namespace peerwright::domain
