#include <gtest/gtest.h>

#include <algorithm>

#include "domain_support.hpp"

namespace peerwright::domain {
namespace {

class Decide : public ::testing::Test {
 protected:
  Decide() { world.with_server(); }
  Decision provision(const std::string& peer, const std::string& subscriber = {}) {
    return world.say(World::provision(peer, subscriber), word("billing", ++last_));
  }
  Decision hold(const std::string& peer, bool held, const std::string& source = "billing") {
    return world.say(World::hold(peer, held), word(source, ++last_));
  }
  Decision revoke(const std::string& peer) { return world.say(World::revoke(peer), word("billing", ++last_)); }
  World world;
  std::int64_t last_ = 0;
};

TEST_F(Decide, networkSetKeepsRangesAndTakesTheRest) {
  auto event = World::network("n6", "10.9.0.0/24", "fd09::/64");
  event.reserved = {prefix("10.9.0.5"), prefix("fd09::7"), prefix("10.9.0.5"), prefix("10.9.0.1")};
  event.quarantine_seconds = 60;
  EXPECT_EQ(Outcome::accepted, world.say(event, word("ops", 1)).outcome);
  const Network* network = world.state.network("n6");
  EXPECT_EQ((std::vector<std::int64_t>{1, 5, 7}), network->reserved);
  EXPECT_EQ(60, network->quarantine_seconds);
  event.reserved = {};
  event.quarantine_seconds = 5;
  EXPECT_EQ(Outcome::accepted, world.say(event, word("ops", 2)).outcome);
  EXPECT_TRUE(world.state.network("n6")->reserved.empty());
  EXPECT_EQ(5, world.state.network("n6")->quarantine_seconds);
}

TEST_F(Decide, networkSetIsRefused) {
  auto event = World::network("net", "10.0.0.0/24");
  event.reserved = {prefix("10.0.1.1")};
  expect_rejected(world.say(event, word("operator-tool", 2)), "address_outside_network");
  event.reserved = {prefix("fd00::1")};
  expect_rejected(world.say(event, word("operator-tool", 3)), "address_outside_network");
  expect_rejected(world.say(World::network("net", "10.0.0.0/16"), word("operator-tool", 4)), "network_range_fixed");
  expect_rejected(world.say(World::network("net", "10.0.0.0/24", "fd00::/64"), word("operator-tool", 5)),
                  "network_range_fixed");
  expect_rejected(world.say(World::network("net", "10.0.0.0/24"), word("operator-tool", 0)), "stale");
  expect_rejected(world.say(World::network("net", "10.0.0.0/24"), word("operator-tool", 1)), "sequence_reused");
  expect_rejected(world.say(World::network("net", "10.0.0.0/24"), word("operator-tool", std::nullopt)),
                  "sequence_required");
}

TEST_F(Decide, serverRegisterMakesItKnownAndChangesItsSettings) {
  const Server before = world.server();
  auto event = World::server("srv", "net", 7);
  event.public_key = "its key";
  event.dns = {"10.0.0.1"};
  const Decision decision = world.say(event, word("operator-tool", 2));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(decision.due_servers.contains(before.id));
  const Server after = world.server();
  EXPECT_EQ(7, after.max_peers);
  EXPECT_EQ("its key", after.public_key);
  EXPECT_EQ(before.generation + 1, after.generation);
  EXPECT_EQ(before.version + 1, after.version);
  world.say(World::server("srv", "net"), word("operator-tool", 3));
  EXPECT_EQ("its key", world.server().public_key);  // not told again, not forgotten
}

TEST_F(Decide, serverRegisterIsRefused) {
  world.say(World::network("other", "10.1.0.0/24"), word("ops", 1));
  expect_rejected(world.say(World::server("s2", "nowhere"), word("ops", 1)), "unknown_network");
  expect_rejected(world.say(World::server("srv", "other"), word("operator-tool", 2)), "server_network_fixed");
  expect_rejected(world.say(World::server("srv", "net"), word("operator-tool", 0)), "stale");
  expect_rejected(world.say(World::server("srv", "net"), word("operator-tool", 1)), "sequence_reused");
  expect_rejected(world.say(World::server("srv", "net"), word("operator-tool", std::nullopt)), "sequence_required");
}

TEST_F(Decide, provisionGivesAddressGenerationAndPlace) {
  const Server before = world.server();
  auto event = World::provision("p", "sub");
  event.settings.keepalive_seconds = 25;
  event.settings.description = "laptop";
  const Decision decision = world.say(event, word("billing", 1, "e1"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  const Peer peer = world.peer("p");
  EXPECT_EQ(Stage::provisioned, peer.stage);
  EXPECT_EQ(Entitlement::active, peer.entitlement);
  EXPECT_EQ(1, peer.address_offset);
  EXPECT_EQ("sub", peer.subscriber);
  EXPECT_EQ("billing/e1", peer.cause);
  EXPECT_EQ(25, peer.keepalive_seconds);
  EXPECT_EQ(1, peer.version);
  EXPECT_EQ(before.generation + 1, peer.generation);
  EXPECT_EQ(Delivery::pending, peer.delivery());
  EXPECT_EQ(before.generation + 1, world.server().generation);
  EXPECT_EQ(before.peer_count + 1, world.server().peer_count);
  EXPECT_TRUE(decision.due_servers.contains(before.id));
  EXPECT_TRUE(decision.urgent_servers.empty());
  EXPECT_FALSE(world.to_be_removed("p"));
}

TEST_F(Decide, provisionTakesTheServersKeepaliveUnlessTold) {
  auto settings = World::server("srv", "net");
  settings.keepalive_seconds = 17;
  world.say(settings, word("operator-tool", 2));
  provision("p");
  EXPECT_EQ(17, world.peer("p").keepalive_seconds);
}

TEST_F(Decide, provisionAgainChangesNothing) {
  provision("p", "sub");
  const Peer before = world.peer("p");
  const Server server = world.server();
  const Decision again = provision("p", "sub");
  EXPECT_EQ(Outcome::unchanged, again.outcome);
  EXPECT_TRUE(again.due_servers.empty());
  EXPECT_EQ(before.version, world.peer("p").version);
  EXPECT_EQ(before.generation, world.peer("p").generation);
  EXPECT_EQ(before.address_offset, world.peer("p").address_offset);
  EXPECT_EQ(server.peer_count, world.server().peer_count);
  ASSERT_EQ(1U, again.peers.size());  // its status is said again
}

TEST_F(Decide, provisionAgainWithAnythingElseIsRefused) {
  provision("p", "sub");
  auto event = World::provision("p", "sub");
  event.public_key = "another key";
  expect_rejected(world.say(event, word("billing", ++last_)), "peer_has_key");
  const std::vector<void (*)(PeerProvision&)> changes = {
      [](PeerProvision& e) { e.place.subscriber = "other"; },
      [](PeerProvision& e) { e.place.server = "elsewhere"; },
      [](PeerProvision& e) { e.place.region = "elsewhere"; },
      [](PeerProvision& e) { e.place.address = "10.0.0.77"; },
      [](PeerProvision& e) { e.place.plan = "gold"; },
      [](PeerProvision& e) { e.place.customer = "cust"; },
      [](PeerProvision& e) { e.type = PeerType::gateway; },
      [](PeerProvision& e) { e.settings.description = "other"; },
      [](PeerProvision& e) { e.settings.client_routes = std::vector<std::string>{"10.0.0.0/8"}; },
      [](PeerProvision& e) { e.settings.keepalive_seconds = 99; },
      [](PeerProvision& e) { e.settings.site_networks = std::vector<std::string>{"192.168.7.0/24"}; },
      [](PeerProvision& e) { e.settings.expires_at = std::optional(time_from_micros(1)); },
  };
  for (const auto& change : changes) {
    event = World::provision("p", "sub");
    change(event);
    expect_rejected(world.say(event, word("billing", ++last_)), "peer_exists");
  }
}

TEST_F(Decide, provisionIsRefusedByOrder) {
  world.say(World::provision("p"), word("billing", 5, "e5"));
  expect_rejected(world.say(World::provision("p"), word("billing", 4)), "stale");
  expect_rejected(world.say(World::provision("p"), word("billing", 5)), "sequence_reused");
  expect_rejected(world.say(World::provision("p"), word("billing", std::nullopt)), "sequence_required");
}

TEST_F(Decide, provisionIsRefusedWithoutItsServer) {
  auto event = World::provision("p");
  event.place.server = "nowhere";
  expect_rejected(world.say(event, word("billing", 1)), "unknown_server");
  Server named;
  named.id = 999;
  named.name = "nowhere";
  world.state.load(named);  // an identity that nobody has registered
  expect_rejected(world.say(event, word("billing", 2)), "unknown_server");
}

TEST_F(Decide, provisionIsRefusedWhereTheKeyIsUsedEvenByARevokedPeer) {
  provision("p");
  auto event = World::provision("q");
  event.public_key = world.peer("p").public_key;
  const Decision used = world.say(event, word("billing", ++last_));
  expect_rejected(used, "key_unavailable");
  world.state.load_taken_key("a stranger's key");
  event.public_key = "a stranger's key";
  const Decision strange = world.say(event, word("billing", ++last_));
  expect_rejected(strange, "key_unavailable");
  EXPECT_EQ(used.message, strange.message);  // it does not tell whose it is
  EXPECT_EQ(used.remedy, strange.remedy);
  revoke("p");
  event.public_key = "key of p";
  expect_rejected(world.say(event, word("billing", ++last_)), "key_unavailable");
}

TEST_F(Decide, provisionIsRefusedWhereTheServerIsFull) {
  world.say(World::server("srv", "net", 1), word("operator-tool", 2));
  EXPECT_EQ(Outcome::accepted, provision("p").outcome);
  expect_rejected(provision("q"), "server_full");
  revoke("p");
  EXPECT_EQ(Outcome::accepted, provision("q").outcome);
}

TEST_F(Decide, provisionIsRefusedWhereAddressesAreExhausted) {
  world.say(World::network("tiny", "10.3.0.0/30"), word("ops", 1));
  world.say(World::server("small", "tiny"), word("ops", 1));
  const auto on_small = [&](const std::string& name) {
    auto event = World::provision(name);
    event.place.server = "small";
    return world.say(event, word("billing", ++last_));
  };
  EXPECT_EQ(Outcome::accepted, on_small("a").outcome);
  EXPECT_EQ(Outcome::accepted, on_small("b").outcome);
  const std::int64_t counter = world.state.network("tiny")->next_offset;
  expect_rejected(on_small("c"), "addresses_exhausted");
  EXPECT_EQ(counter, world.state.network("tiny")->next_offset);
  // The address of a revoked peer stays with it until its removal is proven.
  revoke("a");
  expect_rejected(on_small("c"), "addresses_exhausted");
  EXPECT_EQ(1, world.peer("a").address_offset);
}

TEST_F(Decide, aTakenFreeAddressIsNamedForTheStore) {
  world.say(World::network("tiny", "10.3.0.0/30"), word("ops", 1));
  world.say(World::server("small", "tiny"), word("ops", 1));
  Network network = *world.state.network("tiny");
  network.next_offset = 3;
  network.free = {2, 1};
  world.state.load(network);
  auto event = World::provision("p");
  event.place.server = "small";
  world.say(event, word("billing", 1));
  EXPECT_EQ(2, world.peer("p").address_offset);
  EXPECT_EQ((std::vector<std::int64_t>{2}), world.changes.taken_offsets.at(network.id));
}

TEST_F(Decide, suspendTakesAwayAndResumeGivesBack) {
  provision("p");
  const Peer before = world.peer("p");
  const Decision off = hold("p", true);
  EXPECT_EQ(Outcome::accepted, off.outcome);
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  EXPECT_EQ(before.version + 1, world.peer("p").version);
  EXPECT_GT(world.peer("p").generation, before.generation);
  EXPECT_TRUE(world.to_be_removed("p"));
  EXPECT_TRUE(off.urgent_servers.contains(world.server().id));
  EXPECT_EQ(before.address_offset, world.peer("p").address_offset);
  const Decision on = hold("p", false);
  EXPECT_EQ(Outcome::accepted, on.outcome);
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
  EXPECT_FALSE(world.to_be_removed("p"));
  EXPECT_TRUE(on.due_servers.contains(world.server().id));
  EXPECT_TRUE(on.urgent_servers.empty());
  EXPECT_GT(world.peer("p").generation, before.generation + 1);
}

TEST_F(Decide, aHoldIsItsOwnersAlone) {
  provision("p");
  hold("p", true, "billing");
  hold("p", true, "security");
  hold("p", false, "billing");
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  EXPECT_TRUE(world.to_be_removed("p"));
  hold("p", false, "security");
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
}

TEST_F(Decide, oneOperatorLiftsTheHoldOfAnother) {
  provision("p");
  hold("p", true, "peerwright-cli/alice");
  hold("p", false, "peerwright-cli/bob");
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
}

TEST_F(Decide, aResumeReadBeforeItsSuspensionIsKept) {
  provision("p");
  const Decision early = world.say(World::hold("p", false), word("billing", 20));
  EXPECT_NE(Outcome::rejected, early.outcome);
  ASSERT_EQ(1U, early.holds.size());
  EXPECT_FALSE(early.holds[0].held);
  expect_rejected(world.say(World::hold("p", true), word("billing", 10)), "stale");
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
}

TEST_F(Decide, aWordThatOnlyMovesTheRegisterIsKept) {
  provision("p");
  world.say(World::hold("p", true), word("billing", 10));
  Peer before = world.peer("p");
  before.applied_generation = before.generation;
  world.state.load(before);
  const Decision again = world.say(World::hold("p", true), word("billing", 20));
  EXPECT_NE(Outcome::rejected, again.outcome);
  EXPECT_EQ(before.version, world.peer("p").version);
  EXPECT_EQ(before.generation, world.peer("p").generation);
  EXPECT_TRUE(again.due_servers.empty());
  expect_rejected(world.say(World::hold("p", false), word("billing", 15)), "stale");
}

TEST_F(Decide, holdsAreRefusedByOrder) {
  provision("p");
  world.say(World::hold("p", true), word("security", 10));
  expect_rejected(world.say(World::hold("p", false), word("security", 9)), "stale");
  expect_rejected(world.say(World::hold("p", false), word("security", 10)), "sequence_reused");
  expect_rejected(world.say(World::hold("p", false), word("security", std::nullopt)), "sequence_required");
  world.say(World::hold_all("sub", true), word("security", 10));
  expect_rejected(world.say(World::hold_all("sub", false), word("security", 9)), "stale");
  expect_rejected(world.say(World::hold_all("sub", false), word("security", 10)), "sequence_reused");
  expect_rejected(world.say(World::hold_all("sub", false), word("security", std::nullopt)), "sequence_required");
}

TEST_F(Decide, configurationHasASequenceOfItsOwn) {
  world.say(World::hold("p", true), word("billing", 100));
  EXPECT_EQ(Outcome::accepted, world.say(World::provision("p"), word("billing", 1)).outcome);
}

TEST_F(Decide, aPeerCanBeBornSuspended) {
  const Decision first = hold("p", true);
  EXPECT_EQ(Outcome::accepted, first.outcome);
  EXPECT_TRUE(first.due_servers.empty());
  EXPECT_EQ(Stage::unknown, world.peer("p").stage);
  provision("p");
  EXPECT_EQ(Stage::provisioned, world.peer("p").stage);
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  hold("p", false);
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
  EXPECT_FALSE(world.to_be_removed("p"));
}

TEST_F(Decide, aPeerCanBeBornUnderItsSubscribersHold) {
  world.say(World::hold_all("sub", true), word("billing", 1));
  provision("p", "sub");
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  provision("q", "other");
  EXPECT_EQ(Entitlement::active, world.peer("q").entitlement);
}

TEST_F(Decide, revokeIsFinalAndNeverStale) {
  world.say(World::provision("p"), word("billing", 50));
  const Server before = world.server();
  const Decision gone = world.say(World::revoke("p"), word("billing", 1));
  EXPECT_EQ(Outcome::accepted, gone.outcome);
  EXPECT_EQ(Entitlement::revoked, world.peer("p").entitlement);
  EXPECT_EQ(Stage::revoked, world.peer("p").stage);
  EXPECT_EQ(before.peer_count - 1, world.server().peer_count);
  EXPECT_TRUE(gone.urgent_servers.contains(before.id));
  EXPECT_TRUE(world.to_be_removed("p"));
  const Peer revoked = world.peer("p");
  EXPECT_EQ(Outcome::unchanged, world.say(World::revoke("p"), word("billing", 60)).outcome);
  EXPECT_EQ(revoked.version, world.peer("p").version);
  EXPECT_EQ(before.peer_count - 1, world.server().peer_count);
  expect_rejected(hold("p", false), "peer_revoked");
  expect_rejected(hold("p", true), "peer_revoked");
  expect_rejected(provision("p"), "peer_revoked");
  EXPECT_EQ(Entitlement::revoked, world.peer("p").entitlement);
}

TEST_F(Decide, revokeBeforeProvisionMakesItRefused) {
  const Decision first = revoke("p");
  EXPECT_EQ(Outcome::accepted, first.outcome);
  EXPECT_TRUE(first.due_servers.empty());
  expect_rejected(provision("p"), "peer_revoked");
  EXPECT_EQ(0, world.server().peer_count);
}

TEST_F(Decide, aRevocationOfASuspendedPeerIsNotUrgentButDue) {
  provision("p");
  hold("p", true);
  const Decision gone = revoke("p");
  EXPECT_TRUE(gone.due_servers.contains(world.server().id));
  EXPECT_TRUE(gone.urgent_servers.empty());
  EXPECT_TRUE(world.to_be_removed("p"));
}

TEST_F(Decide, aSubscribersHoldReachesItsPeersByFanOut) {
  provision("p", "sub");
  provision("q", "sub");
  provision("r", "other");
  const Decision decision = world.say(World::hold_all("sub", true), word("billing", 1, "h1"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(decision.peers.empty());  // stored at once, however many peers there are
  const Id subscriber = world.state.subscriber("acme", "sub")->id;
  EXPECT_EQ("billing/h1", decision.fan_outs.at(subscriber));
  EXPECT_EQ(1, world.state.subscriber("acme", "sub")->version);
  EXPECT_EQ(2U, world.fan_out("sub", "billing/h1").size());
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  EXPECT_EQ(Entitlement::suspended, world.peer("q").entitlement);
  EXPECT_EQ(Entitlement::active, world.peer("r").entitlement);
  world.say(World::hold_all("sub", false), word("billing", 2));
  world.fan_out("sub", "billing/h2");
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
  EXPECT_FALSE(world.to_be_removed("q"));
}

TEST_F(Decide, aPaymentLiftsNoHoldOnOnePeer) {
  provision("p", "sub");
  hold("p", true);
  world.say(World::hold_all("sub", true), word("billing", 1));
  world.say(World::hold_all("sub", false), word("billing", 2));
  world.fan_out("sub", "x");
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
}

}  // namespace
}  // namespace peerwright::domain
