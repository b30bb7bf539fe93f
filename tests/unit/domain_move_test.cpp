#include <gtest/gtest.h>

#include <algorithm>

#include "domain_support.hpp"

// What happens to a peer that has a place: it is updated, moved, and gets another key.
namespace peerwright::domain {
namespace {

using Texts = std::vector<std::string>;

class Placed : public ::testing::Test {
 protected:
  Placed() {
    world.with_server();
    world.say_now(World::server("beside", "net"), "ops");
    world.say_now(World::network("far", "10.8.0.0/24"), "ops");
    world.say_now(World::server("away", "far"), "ops");
    world.say_now(World::provision("p", "sub"));
  }
  Decision move(const std::string& server) { return world.say_now(PeerMove{"acme", "p", server, ""}); }
  Decision rotate(const std::string& key, std::int64_t stage_seconds = 3600) {
    return world.say_now(PeerRotateKey{"acme", "p", key, stage_seconds});
  }
  Decision update(const PeerSettings& settings) { return world.say_now(PeerUpdate{"acme", "p", settings}); }
  static const Removal* row(const Decision& decision, Id server, const std::string& key) {
    const Removal* last = nullptr;
    for (const Removal& removal : decision.removals) {
      if (removal.server_id == server && removal.public_key == key) last = &removal;
    }
    return last;
  }
  void proven() {
    Peer peer = world.peer("p");
    peer.applied_generation = peer.generation;
    world.state.load(peer);
  }
  World world;
};

TEST_F(Placed, moveInsideANetworkKeepsTheAddress) {
  proven();
  const Peer before = world.peer("p");
  const Server old = world.server();
  const Decision decision = move("beside");
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  const Peer& after = world.peer("p");
  const Server& next = world.server("beside");
  EXPECT_EQ(next.id, after.server_id);
  EXPECT_EQ(before.address_offset, after.address_offset);
  EXPECT_TRUE(decision.networks.empty() && decision.freed.empty());
  EXPECT_EQ(0, world.server().peer_count);
  EXPECT_EQ(1, next.peer_count);
  EXPECT_EQ(1, world.tenant().peer_count);
  EXPECT_EQ(next.generation, after.generation);
  EXPECT_EQ(Delivery::pending, after.delivery());
  EXPECT_GT(world.server().generation, old.generation);
  EXPECT_TRUE(decision.due_servers.contains(old.id) && decision.due_servers.contains(next.id));
  EXPECT_EQ(std::set<Id>{old.id}, decision.urgent_servers);
  const Removal* gone = row(decision, old.id, "key of p");
  ASSERT_NE(nullptr, gone);
  EXPECT_TRUE(gone->wanted_gone);
  EXPECT_FALSE(gone->network_id || gone->address_offset);
  EXPECT_FALSE(world.to_be_removed("p"));
}

TEST_F(Placed, aMoveIsPendingThoughTheOldServerWasFarAhead) {
  Server old = world.server();
  old.generation = 1000;
  world.state.load(old);
  Peer peer = world.peer("p");
  peer.generation = peer.applied_generation = 1000;
  world.state.load(peer);
  move("beside");
  EXPECT_EQ(Delivery::pending, world.peer("p").delivery());
}

TEST_F(Placed, moveToAnotherNetworkLeavesTheAddressWithTheRemoval) {
  world.say_now(World::provision("q"));
  const Id far = world.network_named("far").id;
  const Decision decision = move("away");
  EXPECT_EQ(far, world.peer("p").network_id);
  EXPECT_EQ(1, world.peer("p").address_offset);
  EXPECT_EQ(2, world.network_named("far").next_offset);
  const Removal* gone = row(decision, world.server().id, "key of p");
  ASSERT_NE(nullptr, gone);
  EXPECT_EQ(world.network_named().id, gone->network_id);
  EXPECT_EQ(1, gone->address_offset);
  EXPECT_TRUE(decision.freed.empty());
}

TEST_F(Placed, aReservedPeerMovesWithoutAnyHost) {
  world.say_now(World::reserve("r"));
  const Decision decision = world.say_now(PeerMove{"acme", "r", "away", ""});
  EXPECT_EQ(Stage::reserved, world.peer("r").stage);
  EXPECT_TRUE(decision.removals.empty() && decision.due_servers.empty());
  ASSERT_EQ(1U, decision.freed.size());
  EXPECT_EQ(2, decision.freed[0].address_offset);
  EXPECT_EQ(1, world.server("away").peer_count);
  EXPECT_EQ(1, world.server().peer_count);
}

TEST_F(Placed, aSuspendedPeerMovesWithoutHaste) {
  world.say_now(World::hold("p", true));
  const Decision decision = move("beside");
  EXPECT_TRUE(decision.urgent_servers.empty());
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  EXPECT_TRUE(world.to_be_removed("p"));
}

TEST_F(Placed, moveIsUnchangedWhereItStandsThereAlready) {
  const Peer before = world.peer("p");
  EXPECT_EQ(Outcome::unchanged, move("srv").outcome);
  EXPECT_EQ(before.version, world.peer("p").version);
  Server server = world.server();
  server.region = "north";
  world.state.load(server);
  EXPECT_EQ(Outcome::unchanged, world.say_now(PeerMove{"acme", "p", "", "north"}).outcome);
  // The word is kept even so: an older one is still on its way.
  world.say(PeerMove{"acme", "p", "srv", ""}, word("billing", 100));
  expect_rejected(world.say(PeerMove{"acme", "p", "beside", ""}, word("billing", 99)), "stale");
}

TEST_F(Placed, moveIsRefused) {
  expect_rejected(world.say_now(PeerMove{"acme", "nobody", "beside", ""}), "peer_not_provisioned");
  expect_rejected(world.say_now(PeerMove{"acme", "p", "", ""}), "server_required");
  expect_rejected(move("nowhere"), "unknown_server");
  expect_rejected(world.say_now(PeerMove{"acme", "p", "", "nowhere"}), "unknown_region");
  Server full = world.server("beside");
  full.max_peers = 0;
  world.state.load(full);
  expect_rejected(move("beside"), "server_full");
  full.max_peers = 10;
  full.state = ServerState::draining;
  world.state.load(full);
  expect_rejected(move("beside"), "server_draining");
  world.say_now(World::revoke("p"));
  expect_rejected(move("away"), "peer_revoked");
}

TEST_F(Placed, moveTakesTheSiteNetworksAlong) {
  PeerSettings sites;
  sites.site_networks = Texts{"192.168.1.0/24"};
  update(sites);
  auto other = World::provision("q");
  other.place.server = "beside";
  other.settings.site_networks = Texts{"192.168.0.0/16"};
  world.say_now(other);
  expect_rejected(move("beside"), "prefix_taken");
  EXPECT_EQ(Outcome::accepted, move("away").outcome);
}

TEST_F(Placed, updateSaysAgainWhatTheClientHasToKnow) {
  proven();
  const Peer before = world.peer("p");
  PeerSettings settings;
  settings.client_routes = Texts{"10.0.0.0/8"};
  settings.dns = Texts{"10.0.0.53"};
  settings.mtu = 1300;
  settings.keepalive_seconds = 15;
  settings.metadata = "{}";
  settings.user_id = "u";
  const Decision decision = update(settings);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(before.version + 1, world.peer("p").version);
  EXPECT_EQ(before.generation, world.peer("p").generation);
  EXPECT_EQ(Delivery::applied, world.peer("p").delivery());
  EXPECT_TRUE(decision.due_servers.empty() && decision.removals.empty() && decision.servers.empty());
  EXPECT_EQ(1300, world.peer("p").mtu);
  EXPECT_EQ("sub", world.peer("p").subscriber);
  EXPECT_EQ(Outcome::unchanged, update(settings).outcome);
}

TEST_F(Placed, updateOfWhatStandsOnTheHostIsDue) {
  const std::vector<void (*)(PeerSettings&)> changes = {
      [](PeerSettings& s) { s.site_networks = Texts{"192.168.9.0/24"}; },
      [](PeerSettings& s) { s.hub_keepalive_seconds = 30; },
      [](PeerSettings& s) { s.endpoint = "198.51.100.1:51820"; },
      [](PeerSettings& s) {
        s.preshared_key = true;
        s.sealed_preshared_key = "x";
      },
  };
  world.state.prepared.preshared_key_sealed = "sealed";
  world.state.prepared.preshared_key_hash = "hash";
  for (const auto& change : changes) {
    proven();
    const Peer before = world.peer("p");
    PeerSettings settings;
    change(settings);
    const Decision decision = update(settings);
    EXPECT_EQ(Outcome::accepted, decision.outcome);
    EXPECT_EQ(before.version + 1, world.peer("p").version);
    EXPECT_EQ(world.server().generation, world.peer("p").generation);
    EXPECT_EQ(Delivery::pending, world.peer("p").delivery());
    EXPECT_TRUE(decision.due_servers.contains(world.server().id));
    EXPECT_TRUE(decision.removals.empty() && decision.urgent_servers.empty());
    EXPECT_EQ(Outcome::unchanged, update(settings).outcome);
  }
}

TEST_F(Placed, updateOfASuspendedPeerTouchesNoHost) {
  world.say_now(World::hold("p", true));
  PeerSettings settings;
  settings.hub_keepalive_seconds = 30;
  EXPECT_TRUE(update(settings).due_servers.empty());
  EXPECT_EQ(30, world.peer("p").hub_keepalive_seconds);
}

TEST_F(Placed, anExpiryCanBeMoved) {
  PeerSettings settings;
  settings.expires_at = std::optional(world.state.now + std::chrono::seconds(100));
  update(settings);
  const auto timer = [&] { return world.timers.find({TimerKind::expiry, {world.peer("p").id, ""}}); };
  ASSERT_NE(world.timers.end(), timer());
  world.pass(100);
  world.run_timers();
  EXPECT_EQ(Entitlement::expired, world.peer("p").entitlement);
  EXPECT_TRUE(world.to_be_removed("p"));
  settings.expires_at = std::optional(world.state.now);  // still past
  update(settings);
  EXPECT_EQ(Entitlement::expired, world.peer("p").entitlement);
  settings.expires_at = std::optional(world.state.now + std::chrono::seconds(5));
  const Decision again = update(settings);
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
  EXPECT_FALSE(world.to_be_removed("p"));
  EXPECT_TRUE(again.due_servers.contains(world.server().id));
  EXPECT_EQ(settings.expires_at.value(), timer()->second.due_at);
  settings.expires_at = std::optional<Time>();  // never
  update(settings);
  EXPECT_EQ(world.timers.end(), timer());
  EXPECT_FALSE(world.peer("p").expires_at);
}

TEST_F(Placed, aQuotaIsJudgedByItsTimer) {
  Peer over = world.peer("p");
  over.quota_bytes = 10;
  over.over_quota = true;
  over.entitlement = Entitlement::suspended;
  world.state.load(over);
  PeerSettings settings;
  settings.quota_bytes = 20;
  const Decision decision = update(settings);
  EXPECT_TRUE(world.peer("p").over_quota);
  ASSERT_EQ(1U, decision.timers.size());
  EXPECT_EQ(TimerKind::quota, decision.timers[0].kind);
  EXPECT_EQ(world.state.now, decision.timers[0].due_at);
}

TEST_F(Placed, updateIsRefused) {
  PeerSettings settings;
  settings.mtu = 1300;
  expect_rejected(world.say_now(PeerUpdate{"acme", "nobody", settings}), "peer_not_provisioned");
  settings.site_networks = Texts{"10.0.0.0/25"};
  expect_rejected(update(settings), "prefix_taken");
  settings.site_networks = Texts{"0.0.0.0/0"};
  expect_rejected(update(settings), "prefix_too_wide");
  settings.site_networks.reset();
  settings.preshared_key = true;
  expect_rejected(update(settings), "recipient_key_missing");
  world.state.prepared.refusal = "sealed_value_unreadable";
  expect_rejected(update(settings), "sealed_value_unreadable");
  world.say(PeerUpdate{"acme", "nobody", {}}, word("billing", 1));
  world.say_now(World::revoke("p"));
  expect_rejected(update({}), "peer_revoked");
}

TEST_F(Placed, theWordOfAnUpdateThatChangesNothingIsKept) {
  world.say(PeerUpdate{"acme", "p", {}}, word("billing", 50));
  expect_rejected(world.say(PeerUpdate{"acme", "p", {}}, word("billing", 40)), "stale");
}

TEST_F(Placed, aNewKeyIsStagedAndTakesOver) {
  const Peer before = world.peer("p");
  const Decision decision = rotate("new");
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ("key of p", world.peer("p").public_key);
  EXPECT_EQ("new", world.peer("p").staged_key);
  EXPECT_EQ(world.state.now + std::chrono::seconds(3600), world.peer("p").staged_until);
  EXPECT_GT(world.peer("p").generation, before.generation);
  EXPECT_TRUE(decision.due_servers.contains(world.server().id));
  EXPECT_EQ(before.id, decision.used_keys.at("new"));
  EXPECT_EQ(Outcome::unchanged, rotate("new").outcome);
  world.pass(3600);
  world.run_timers();
  EXPECT_EQ("new", world.peer("p").public_key);
  EXPECT_TRUE(world.peer("p").staged_key.empty());
  EXPECT_TRUE(world.removals.at({world.server().id, "key of p"}));
  EXPECT_FALSE(world.to_be_removed("p"));
  EXPECT_TRUE(world.changes.used_keys.contains("key of p"));
  EXPECT_TRUE(world.timers.empty());
  EXPECT_EQ(before.address_offset, world.peer("p").address_offset);
}

TEST_F(Placed, aKeyCanBeReplacedAtOnce) {
  const Decision decision = rotate("new", 0);
  EXPECT_EQ("new", world.peer("p").public_key);
  EXPECT_TRUE(world.peer("p").staged_key.empty());
  EXPECT_TRUE(row(decision, world.server().id, "key of p")->wanted_gone);
  EXPECT_TRUE(decision.used_keys.contains("key of p"));
  EXPECT_TRUE(world.timers.empty());
  rotate("newer");
  const Decision hurried = rotate("newer", 0);  // the staged one, now
  EXPECT_EQ(Outcome::accepted, hurried.outcome);
  EXPECT_EQ("newer", world.peer("p").public_key);
  EXPECT_TRUE(world.timers.empty());
}

TEST_F(Placed, aSecondRotationReplacesTheStagedKey) {
  rotate("new");
  const Decision second = rotate("newer");
  EXPECT_EQ("newer", world.peer("p").staged_key);
  EXPECT_TRUE(row(second, world.server().id, "new")->wanted_gone);
  EXPECT_FALSE(world.removals.at({world.server().id, "newer"}));
  expect_rejected(rotate("new"), "key_unavailable");  // it was used once
}

TEST_F(Placed, keysThatWereUsedAreRefused) {
  world.say_now(World::provision("q"));
  expect_rejected(rotate("key of q"), "key_unavailable");
  EXPECT_EQ(Outcome::unchanged, rotate("key of p").outcome);
  rotate("new", 0);
  expect_rejected(rotate("key of p"), "key_unavailable");
  auto event = World::provision("r");
  event.public_key = "key of p";
  expect_rejected(world.say_now(event), "key_unavailable");
}

TEST_F(Placed, rotationIsRefused) {
  world.say_now(World::reserve("r"));
  expect_rejected(world.say_now(PeerRotateKey{"acme", "r", "k", 0}), "peer_not_provisioned");
  expect_rejected(world.say_now(PeerRotateKey{"acme", "nobody", "k", 0}), "peer_not_provisioned");
  expect_rejected(rotate(""), "recipient_key_missing");
  world.say_now(World::revoke("p"));
  expect_rejected(rotate("new"), "peer_revoked");
}

TEST_F(Placed, aPairCanBeMadeForTheRotation) {
  TenantSet event;
  event.tenant = "acme";
  event.recipient_key = "the tenant's";
  world.say_now(event);
  world.state.prepared.client_public_key = "made";
  world.state.prepared.client_key_sealed = "sealed";
  rotate("");
  EXPECT_EQ("made", world.peer("p").staged_key);
  EXPECT_EQ("sealed", world.peer("p").staged_client_key_sealed);
  EXPECT_TRUE(world.peer("p").client_key_sealed.empty());
  world.pass(3600);
  world.run_timers();
  EXPECT_EQ("made", world.peer("p").public_key);
  EXPECT_EQ("sealed", world.peer("p").client_key_sealed);
}

TEST_F(Placed, aStagedKeyMovesAlong) {
  rotate("new");
  const Decision decision = move("beside");
  EXPECT_TRUE(row(decision, world.server().id, "new")->wanted_gone);
  EXPECT_FALSE(row(decision, world.server("beside").id, "new")->wanted_gone);
  EXPECT_EQ("new", world.peer("p").staged_key);
}

TEST_F(Placed, aChangeFindsThatTheSubscriberWasReleasedMeanwhile) {
  Subscriber released = *world.state.subscriber("acme", "sub");
  released.released_at = world.state.now;  // its peers have not been reached yet
  world.state.load(released);
  EXPECT_EQ(Outcome::accepted, move("beside").outcome);
  EXPECT_EQ(Stage::revoked, world.peer("p").stage);
  EXPECT_TRUE(world.to_be_removed("p"));
  EXPECT_EQ(0, world.server().peer_count);
  EXPECT_EQ(0, world.server("beside").peer_count);
  EXPECT_EQ(0, world.tenant().peer_count);
}

TEST_F(Placed, theEventsNameAllThatIsLookedAt) {
  const Refs moved = refs_of(PeerMove{"acme", "p", "beside", "north"});
  EXPECT_EQ("beside", moved.server);
  EXPECT_EQ("north", moved.region);
  EXPECT_TRUE(moved.takes_address && moved.counts_tenant);
  const Refs rotated = refs_of(PeerRotateKey{"acme", "p", "key", 1});
  EXPECT_EQ("key", rotated.public_key);
  EXPECT_TRUE(rotated.stages_key);
  PeerSettings settings;
  settings.site_networks = Texts{"192.168.1.0/24"};
  EXPECT_EQ(Texts{"192.168.1.0/24"}, refs_of(PeerUpdate{"acme", "p", settings}).site_networks);
}

}  // namespace
}  // namespace peerwright::domain
