#include <gtest/gtest.h>

#include "domain_support.hpp"
#include "peerwright/domain/adopt.hpp"

namespace peerwright::domain {
namespace {

using Texts = std::vector<std::string>;

class Adopted : public ::testing::Test {
 protected:
  Adopted() { world.with_server(); }

  static Stranger stranger(const std::string& key, Texts ips) { return {{key, std::move(ips), 0}, true, true}; }
  Decision adopt(const Stranger& one) {
    Peer identity;
    identity.id = next_id_++;
    identity.tenant_id = 1;
    identity.tenant = "acme";
    identity.name = adopted_name(one.shown.public_key);
    if (world.state.peer("acme", identity.name) == nullptr) world.state.load(identity);
    Server server = world.server("srv");  // raised once for the import
    server.generation += 1;
    world.state.load(server);
    const Decision decision = domain::adopt(one, {server.id, "acme", "ops", "ops/1", server.generation}, world.state);
    world.take(decision);
    return decision;
  }
  const Peer& of(const std::string& key) { return world.peer(adopted_name(key)); }
  Decision claim(const std::string& peer, const std::string& key) {
    auto event = World::provision(peer);
    event.place.server.clear();
    event.public_key = key;
    return world.say_now(event);
  }
  World world;

 private:
  Id next_id_ = 5000;
};

TEST_F(Adopted, keepsItsPlaceItsSitesAndItsKeepalive) {
  Stranger one = stranger("k", {"10.0.0.9/32", "192.168.1.0/24"});
  one.shown.keepalive_seconds = 25;
  EXPECT_EQ(Outcome::accepted, adopt(one).outcome);
  const Peer& peer = of("k");
  EXPECT_TRUE(peer.adopted);
  EXPECT_EQ(9, peer.address_offset);
  EXPECT_EQ(Texts{"192.168.1.0/24"}, peer.site_networks);
  EXPECT_EQ(25, peer.hub_keepalive_seconds);
  EXPECT_EQ(Delivery::applied, peer.delivery());
  EXPECT_EQ(1, world.server("srv").peer_count);
  EXPECT_EQ(AddressUse::taken, world.state.use_of(*peer.network_id, 9));
}

TEST_F(Adopted, isDueWhereTheFileSaysOtherwise) {
  Stranger one = stranger("k", {"10.0.0.9/32"});
  one.saved = false;
  const Decision decision = adopt(one);
  EXPECT_EQ(Delivery::pending, of("k").delivery());
  EXPECT_EQ(1U, decision.due_servers.size());
  EXPECT_TRUE(decision.urgent_servers.empty());
}

TEST_F(Adopted, isNobodyWhoStandsInTheFileAlone) {
  Stranger one = stranger("k", {"10.0.0.9/32"});
  one.stands = one.saved = false;
  expect_rejected(adopt(one), "not_in_kernel");
}

TEST_F(Adopted, doesNotTakeANameThatIsUsed) {
  world.say_now(World::revoke(adopted_name("k")));
  expect_rejected(adopt(stranger("k", {"10.0.0.9/32"})), "name_taken");
}

TEST_F(Adopted, strangersAreReadFromKernelAndFile) {
  wireguard::HostAnswer answer;
  answer.kernel = {{"a", {"10.0.0.2/32"}, 0}, {"b", {"10.0.0.3/32"}, 0}, {"c", {}, 0}, {"mine", {}, 0}};
  answer.file = {{"a", {"10.0.0.2/32"}, 0}, {"b", {"10.0.0.3/32"}, 0, true}, {"d", {}, 0}, {"c", {}, 0}, {"c", {}, 0}};
  const auto strangers = strangers_in(answer, {"a", "b", "c", "d"});
  ASSERT_EQ(4U, strangers.size());
  EXPECT_TRUE(strangers[0].stands && strangers[0].saved);
  EXPECT_TRUE(strangers[1].stands && !strangers[1].saved);
  EXPECT_TRUE(strangers[2].stands && !strangers[2].saved) << "the file has it twice";
  EXPECT_FALSE(strangers[3].stands || strangers[3].saved);
}

TEST_F(Adopted, isClaimedAsItStands) {
  adopt(stranger("k", {"10.0.0.9/32"}));
  const Decision decision = claim("p", "k");
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(decision.due_servers.empty());
  const Peer& peer = world.peer("p");
  EXPECT_EQ(Delivery::applied, peer.delivery());
  EXPECT_EQ(9, peer.address_offset);
  EXPECT_FALSE(peer.adopted);
  EXPECT_EQ(Stage::revoked, of("k").stage);
  EXPECT_TRUE(of("k").public_key.empty());
  EXPECT_EQ(1, world.server("srv").peer_count);
  EXPECT_EQ(Outcome::unchanged, claim("p", "k").outcome);
}

TEST_F(Adopted, isPushedWhereTheClaimSaysOtherwise) {
  adopt(stranger("k", {"10.0.0.9/32"}));
  auto event = World::provision("p");
  event.public_key = "k";
  event.settings.hub_keepalive_seconds = 20;
  EXPECT_EQ(1U, world.say_now(event).due_servers.size());
  EXPECT_EQ(Delivery::pending, world.peer("p").delivery());
}

TEST_F(Adopted, isClaimedInItsPlaceAlone) {
  adopt(stranger("k", {"10.0.0.9/32"}));
  auto event = World::provision("p");
  event.public_key = "k";
  event.place.address = "10.0.0.10";
  expect_rejected(world.say_now(event), "adopted_elsewhere");
}

TEST_F(Adopted, keepsThePresharedKeyThatNobodyKnows) {
  Stranger one = stranger("k", {"10.0.0.9/32"});
  one.shown.has_preshared_key = true;
  adopt(one);
  EXPECT_TRUE(of("k").preshared_key_unknown);
  claim("p", "k");
  EXPECT_TRUE(world.peer("p").preshared_key_unknown);
  EXPECT_EQ(Delivery::applied, world.peer("p").delivery());
  PeerRotateKey rotate;
  rotate.tenant = "acme";
  rotate.peer = "p";
  rotate.public_key = "new";
  expect_rejected(world.say_now(rotate), "preshared_key_unknown");
}

TEST_F(Adopted, staysUnderTheHoldsOfItsAdoptedName) {
  adopt(stranger("k", {"10.0.0.9/32"}));
  PeerHold hold;
  hold.tenant = "acme";
  hold.peer = adopted_name("k");
  world.say_now(hold, "security");
  claim("p", "k");
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
  hold.peer = "p";
  hold.held = false;
  world.say_now(hold, "security");
  EXPECT_EQ(Entitlement::active, world.peer("p").entitlement);
}

}  // namespace
}  // namespace peerwright::domain
