#include <gtest/gtest.h>

#include "domain_support.hpp"

namespace peerwright::domain {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kHour = 3600;

class Reservations : public ::testing::Test {
 protected:
  Reservations() { world.with_server(); }
  Decision reserve(const std::string& peer) { return world.say_now(World::reserve(peer)); }
  World world;
};

TEST_F(Reservations, holdAnAddressWithoutAKeyAndTouchNoHost) {
  const Server before = world.server();
  const Decision decision = world.say(World::reserve("p"), word("billing", 1, "r1"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  const Peer& peer = world.peer("p");
  EXPECT_EQ(Stage::reserved, peer.stage);
  EXPECT_EQ(Entitlement::reserved, peer.entitlement);
  EXPECT_EQ(Reservation::reserved, peer.reservation);
  EXPECT_EQ(1, peer.address_offset);
  EXPECT_EQ(before.id, peer.server_id);
  EXPECT_TRUE(peer.public_key.empty());
  EXPECT_EQ("billing", peer.created_by);
  EXPECT_EQ("billing/r1", peer.cause);
  EXPECT_EQ(1, peer.version);
  EXPECT_EQ(Delivery::none, peer.delivery());
  EXPECT_EQ(before.peer_count + 1, world.server().peer_count);
  EXPECT_EQ(before.generation, world.server().generation);
  EXPECT_TRUE(decision.due_servers.empty() && decision.removals.empty());
  EXPECT_EQ(1, world.tenant().peer_count);
  EXPECT_FALSE(decision.announced_tenants.contains(1));
}

TEST_F(Reservations, lastFromTheBrokersTimeOfTheirMessage) {
  Word late = world.now("billing");
  late.place.broker_time = world.state.now - std::chrono::seconds(kHour);
  world.say(World::reserve("p"), late);
  const auto until = late.place.broker_time + std::chrono::seconds(kDay);
  EXPECT_EQ(until, world.peer("p").reserved_until);
  ASSERT_EQ(1U, world.timers.size());
  EXPECT_EQ(TimerKind::reservation, world.timers.begin()->second.kind);
  EXPECT_EQ(until, world.timers.begin()->second.due_at);
}

TEST_F(Reservations, activationKeepsThePlace) {
  auto event = World::reserve("p");
  event.place.subscriber = "sub";
  event.place.plan = "gold";
  event.settings.description = "router";
  event.settings.keepalive_seconds = 11;
  world.say_now(event);
  world.say_now(World::reserve("q"));
  const Peer reserved = world.peer("p");
  const Server before = world.server();
  auto activation = World::activate("p");
  activation.settings.description = "the router";
  const Decision decision = world.say_now(activation);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  const Peer& peer = world.peer("p");
  EXPECT_EQ(Stage::provisioned, peer.stage);
  EXPECT_EQ(Entitlement::active, peer.entitlement);
  EXPECT_EQ(Reservation::activated, peer.reservation);
  EXPECT_EQ(reserved.address_offset, peer.address_offset);
  EXPECT_EQ(reserved.server_id, peer.server_id);
  EXPECT_EQ("sub", peer.subscriber);
  EXPECT_EQ("gold", peer.plan);
  EXPECT_EQ("the router", peer.description);
  EXPECT_EQ(11, peer.keepalive_seconds);
  EXPECT_EQ(world.state.now, peer.provisioned_at);
  EXPECT_EQ("key of p", peer.public_key);
  EXPECT_EQ(before.peer_count, world.server().peer_count);
  EXPECT_EQ(2, world.tenant().peer_count);
  EXPECT_EQ(before.generation + 1, peer.generation);
  EXPECT_TRUE(decision.due_servers.contains(before.id));
  EXPECT_TRUE(decision.networks.empty());
  EXPECT_EQ(1U, world.timers.size());  // that of the other one
  EXPECT_EQ(Outcome::unchanged, world.say_now(activation).outcome);
}

TEST_F(Reservations, activationElsewhereIsRefused) {
  world.say_now(World::server("other", "net"), "ops");
  reserve("p");
  auto event = World::activate("p");
  event.place.server = "other";
  expect_rejected(world.say_now(event), "peer_reserved_elsewhere");
  event.place.server.clear();
  event.place.region = "north";
  expect_rejected(world.say_now(event), "peer_reserved_elsewhere");
  event.place.region.clear();
  event.place.address = "10.0.0.9";
  expect_rejected(world.say_now(event), "peer_reserved_elsewhere");
  event.place.address = "10.0.0.1";
  event.place.server = "srv";
  EXPECT_EQ(Outcome::accepted, world.say_now(event).outcome);
}

TEST_F(Reservations, activationOnADrainingServerIsNoNewPlace) {
  reserve("p");
  Server draining = world.server();
  draining.state = ServerState::draining;
  draining.max_peers = 1;
  world.state.load(draining);
  expect_rejected(reserve("q"), "server_draining");
  EXPECT_EQ(Outcome::accepted, world.say_now(World::activate("p")).outcome);
}

TEST_F(Reservations, activationCanChangeThePlan) {
  auto event = World::reserve("p");
  event.place.plan = "tin";
  world.say_now(event);
  auto activation = World::activate("p");
  activation.place.plan = "gold";
  world.say_now(activation);
  EXPECT_EQ(0, world.tenant().plans.at("tin").peer_count);
  EXPECT_EQ(1, world.tenant().plans.at("gold").peer_count);
  EXPECT_EQ(1, world.tenant().peer_count);
  EXPECT_EQ(1, world.server().peer_count);
}

TEST_F(Reservations, aKeyInUseActivatesNothing) {
  world.say_now(World::provision("q"));
  reserve("p");
  auto event = World::activate("p");
  event.public_key = "key of q";
  expect_rejected(world.say_now(event), "key_unavailable");
  EXPECT_EQ(Stage::reserved, world.peer("p").stage);
}

TEST_F(Reservations, theBrokersTimeOfTheKeyDecidesWhetherItCameInTime) {
  reserve("p");
  reserve("q");
  Word just = world.now("billing");
  just.place.broker_time = *world.peer("p").reserved_until - std::chrono::microseconds(1);
  Word late = world.now("billing");
  late.place.broker_time = *world.peer("q").reserved_until;
  world.pass(2 * kDay);  // the worker was away; no timer has run yet
  EXPECT_EQ(Outcome::accepted, world.say(World::activate("p"), just).outcome);
  expect_rejected(world.say(World::activate("q"), late), "reservation_expired");
  expect_rejected(reserve("q"), "reservation_expired");
}

TEST_F(Reservations, expireAndGiveAllBack) {
  auto event = World::reserve("p");
  event.place.plan = "gold";
  world.say_now(event);
  world.pass(kDay - 1);
  world.run_timers();
  EXPECT_EQ(Stage::reserved, world.peer("p").stage);
  world.pass(1);
  world.run_timers();
  const Peer expired = world.peer("p");
  EXPECT_EQ(Stage::unknown, expired.stage);
  EXPECT_EQ(Reservation::expired, expired.reservation);
  EXPECT_FALSE(expired.server_id || expired.network_id || expired.address_offset);
  EXPECT_EQ(0, world.server().peer_count);
  EXPECT_EQ(0, world.tenant().peer_count);
  EXPECT_EQ(0, world.tenant().plans.at("gold").peer_count);
  ASSERT_EQ(1U, world.changes.freed.size());
  EXPECT_EQ(1, world.changes.freed[0].address_offset);
  EXPECT_TRUE(world.timers.empty());

  expect_rejected(world.say_now(World::activate("p")), "reservation_expired");
  // With a place it is a provision like any other, without what the reservation had said.
  EXPECT_EQ(Outcome::accepted, world.say_now(World::provision("p")).outcome);
  EXPECT_EQ(2, world.peer("p").address_offset);
  EXPECT_TRUE(world.peer("p").plan.empty());
  EXPECT_EQ(Reservation::none, world.peer("p").reservation);
}

TEST_F(Reservations, canBeMadeAgainOnceExpired) {
  reserve("p");
  world.pass(kDay);
  world.run_timers();
  EXPECT_EQ(Outcome::accepted, reserve("p").outcome);
  EXPECT_EQ(Stage::reserved, world.peer("p").stage);
  EXPECT_EQ(1, world.server().peer_count);
}

TEST_F(Reservations, saidAgainAreNotProlonged) {
  reserve("p");
  const Peer before = world.peer("p");
  world.pass(60);
  const Decision again = reserve("p");
  EXPECT_EQ(Outcome::unchanged, again.outcome);
  ASSERT_EQ(1U, again.peers.size());
  EXPECT_EQ(before.reserved_until, world.peer("p").reserved_until);
  EXPECT_EQ(before.version, world.peer("p").version);
  EXPECT_EQ(1U, world.tenant().reserved_at.size());
  auto other = World::reserve("p");
  other.settings.description = "other";
  expect_rejected(world.say_now(other), "peer_reserved");
  world.say_now(World::provision("q"));
  expect_rejected(reserve("q"), "peer_exists");
  world.say_now(World::revoke("q"));
  expect_rejected(reserve("q"), "peer_revoked");
}

TEST_F(Reservations, needAPlace) {
  auto event = World::reserve("p");
  event.place.server.clear();
  expect_rejected(world.say_now(event), "server_required");
  event.place.server = "nowhere";
  expect_rejected(world.say_now(event), "unknown_server");
}

TEST_F(Reservations, areCountedInARollingHour) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(Outcome::accepted, reserve(name).outcome);
    world.pass(600);
  }
  const Decision sixth = reserve("f");
  expect_rejected(sixth, "reservations_exceeded");
  const Time first = world.state.now - std::chrono::seconds(5 * 600);
  EXPECT_NE(std::string::npos, sixth.remedy.find(rfc3339(first + std::chrono::hours(1)))) << sixth.remedy;
  world.pass(599);
  expect_rejected(reserve("f"), "reservations_exceeded");
  world.pass(1);  // an hour after the first one
  EXPECT_EQ(Outcome::accepted, reserve("f").outcome);
  EXPECT_EQ(5U, world.tenant().reserved_at.size());  // what is older than an hour is forgotten
  expect_rejected(reserve("g"), "reservations_exceeded");
  // Provisioning is no reservation.
  EXPECT_EQ(Outcome::accepted, world.say_now(World::provision("g")).outcome);
}

TEST_F(Reservations, canBeForbidden) {
  TenantSet none;
  none.tenant = "acme";
  none.reservations_per_hour = 0;
  world.say_now(none);
  expect_rejected(reserve("a"), "reservations_exceeded");
}

TEST_F(Reservations, cleanupIsAcceptedAndDecidesNothing) {
  reserve("p");
  world.pass(kDay);
  const Decision decision = world.say_now(ReservationCleanup{"acme"});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(decision.peers.empty() && decision.freed.empty());
  EXPECT_EQ(Stage::reserved, world.peer("p").stage);  // the timer waits until intake has caught up
}

TEST_F(Reservations, ofARevokedPeerGiveTheAddressBackAtOnce) {
  reserve("p");
  const Decision gone = world.say_now(World::revoke("p"));
  EXPECT_EQ(Stage::revoked, world.peer("p").stage);
  EXPECT_FALSE(world.peer("p").address_offset);
  ASSERT_EQ(1U, gone.freed.size());
  EXPECT_EQ(1, gone.freed[0].address_offset);
  EXPECT_EQ(0, world.server().peer_count);
  EXPECT_TRUE(gone.removals.empty() && gone.due_servers.empty());
  EXPECT_TRUE(world.timers.empty());
}

TEST_F(Reservations, nameAllThatIsLookedAt) {
  auto event = World::reserve("p");
  event.place.customer = "cust";
  event.place.subscriber = "sub";
  event.place.region = "north";
  event.place.address = "10.0.0.9";
  event.settings.site_networks = std::vector<std::string>{"192.168.1.0/24"};
  const Refs refs = refs_of(event);
  EXPECT_EQ("acme", refs.tenant);
  EXPECT_EQ("cust", refs.customer);
  EXPECT_EQ("sub", refs.subscriber);
  EXPECT_EQ("p", refs.peer);
  EXPECT_EQ("srv", refs.server);
  EXPECT_EQ("north", refs.region);
  EXPECT_EQ("10.0.0.9", refs.address);
  EXPECT_EQ(std::vector<std::string>{"192.168.1.0/24"}, refs.site_networks);
  EXPECT_TRUE(refs.takes_address && refs.counts_tenant);
  EXPECT_FALSE(refs.makes_server || refs.stages_key);
  EXPECT_FALSE(refs_of(World::activate("p")).takes_address);
}

}  // namespace
}  // namespace peerwright::domain
