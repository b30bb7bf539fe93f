// What a batch keeps of its decisions, for the next event and for the store.
#include <gtest/gtest.h>

#include "domain_server_support.hpp"

namespace peerwright::domain {
namespace {

class ChangesApplied : public ::testing::Test {
 protected:
  ServerWorld world;
};

TEST_F(ChangesApplied, theLastTimerOfAKeyWins) {
  Decision decision;
  decision.timers.push_back({TimerKind::expiry, 5, "", world.state.now});
  decision.timers.push_back({TimerKind::expiry, 6, "", world.state.now});
  decision.timers.push_back({TimerKind::hold_peer, 5, "billing", world.state.now});
  world.changes.apply(world.state, decision);
  Decision later;
  later.timers.push_back({TimerKind::expiry, 5, "", std::nullopt});
  world.changes.apply(world.state, later);
  ASSERT_EQ(3U, world.changes.timers.size());
  EXPECT_EQ(std::nullopt, world.changes.timers.at({TimerKind::expiry, {5, ""}}).due_at);
  EXPECT_EQ(world.state.now, world.changes.timers.at({TimerKind::expiry, {6, ""}}).due_at);
}

TEST_F(ChangesApplied, subjectsAreThereForTheNextEvent) {
  Decision decision;
  Tenant tenant = *world.state.tenant("acme");
  tenant.peer_count = 4;
  decision.tenants.push_back(tenant);
  Customer customer;
  customer.id = 31;
  customer.tenant_id = ServerWorld::kAcme;
  customer.name = "cust";
  decision.customers.push_back(customer);
  decision.used_keys["old key"] = 9;
  decision.wider_fan_outs[{FanOut::customer, 31}] = "billing/1";
  world.changes.apply(world.state, decision);
  EXPECT_EQ(std::set<Id>{ServerWorld::kAcme}, world.changes.tenants);
  EXPECT_EQ(4, world.state.tenant("acme")->peer_count);
  EXPECT_EQ(std::set<Id>{31}, world.changes.customers);
  EXPECT_NE(nullptr, world.state.customer("acme", "cust"));
  EXPECT_EQ(9, world.changes.used_keys.at("old key"));
  EXPECT_TRUE(world.state.key_taken("old key"));
  EXPECT_EQ("billing/1", world.changes.wider_fan_outs.at({FanOut::customer, 31}));
}

TEST_F(ChangesApplied, onlyPeersWithAnotherPlaceAreReaddressed) {
  world.add_server("srv");
  world.add_server("srv2");
  const Id id = world.add_peer("p", "srv");
  const Peer before = *world.state.peer(id);
  const auto readdressed = [&](const Peer& peer) {
    Decision decision;
    decision.peers.push_back(peer);
    Changes changes;
    changes.apply(world.state, decision);
    world.state.load(before);
    return changes.readdressed_peers.contains(id);
  };
  Peer peer = before;
  peer.description = "new";
  EXPECT_FALSE(readdressed(peer));
  peer.site_networks = {"192.168.7.0/24"};
  EXPECT_TRUE(readdressed(peer));
  peer = before;
  peer.server_id = world.id("srv2");
  EXPECT_TRUE(readdressed(peer));
  peer = before;
  peer.address_offset = 99;
  EXPECT_TRUE(readdressed(peer));
  peer = before;
  peer.network_id = 11;
  EXPECT_TRUE(readdressed(peer));
}

TEST_F(ChangesApplied, anAddressThatTheCounterDidNotGiveIsTakenFromTheReleasedOnes) {
  world.add_server("srv");
  Network network = *world.state.network("net");
  network.next_offset = 60;
  network.free = {50, 51, 52};
  world.state.load(network);
  Peer peer = *world.state.peer(world.add_peer("p", "srv"));
  const auto taken = [&](std::int64_t offset, const std::vector<Network>& networks) {
    Decision decision;
    peer.address_offset = offset;
    decision.peers.push_back(peer);
    decision.networks = networks;
    Changes changes;
    changes.apply(world.state, decision);
    world.state.load(network);
    return changes.taken_offsets[network.id];
  };
  using Offsets = std::vector<std::int64_t>;
  Network after = network;
  after.next_offset = 61;
  EXPECT_EQ(Offsets{}, taken(60, {after}));
  after = network;
  after.free = {50, 52};
  EXPECT_EQ(Offsets{51}, taken(51, {after}));  // once
  EXPECT_EQ(Offsets{40}, taken(40, {network}));
  EXPECT_EQ(Offsets{41}, taken(41, {}));
  EXPECT_EQ(Offsets{}, taken(41, {}));  // it has it already
}

TEST_F(ChangesApplied, aFreedAddressRestsAtLeastUntilItIsStored) {
  Decision decision;
  decision.freed.push_back({ServerWorld::kNetwork, 42});
  world.changes.apply(world.state, decision);
  ASSERT_EQ(1U, world.changes.freed.size());
  EXPECT_EQ(42, world.changes.freed[0].address_offset);
  EXPECT_EQ(AddressUse::quarantined, world.state.use_of(ServerWorld::kNetwork, 42));
}

TEST(FanOutNames, areThoseOfTheDatabase) {
  EXPECT_STREQ("customer", name_of(FanOut::customer));
  EXPECT_STREQ("server", name_of(FanOut::server));
  EXPECT_STREQ("tenant", name_of(FanOut::tenant));
}

}  // namespace
}  // namespace peerwright::domain
