#include <algorithm>

#include "delivery_host.hpp"
#include "peerwright/wireguard/key.hpp"

// Other nodes on a server's interface, and peers that move between servers.
namespace peerwright::test {
namespace {

class Nodes : public FullDeliveryTest {
 protected:
  Nodes() : node(wireguard::generate_key_pair().public_key) { establish("srv"); }
  FullHost& host() { return hosts["srv"]; }
  bool node_applied(const std::string& other) {
    return of_link(other, "(applied_generation >= generation)::int") == "1";
  }
  std::string node;  // a public key
};

TEST_F(Nodes, AJoiningNodeIsPushedWithItsEndpointAndProven) {
  execute({provision("p")});
  link("srv", "east", node, "10.20.0.0/16,fd20::/64", "192.0.2.33:51820");
  EXPECT_EQ(1, settle());
  ASSERT_TRUE(host().peers.contains(node));
  EXPECT_EQ((std::vector<std::string>{"10.20.0.0/16", "fd20::/64"}), host().peers[node].peer.allowed_ips);
  EXPECT_EQ("192.0.2.33:51820", host().peers[node].endpoint);
  EXPECT_TRUE(node_applied("east"));
  EXPECT_EQ("192.0.2.33:51820", of_link("east", "resolved"));
  EXPECT_TRUE(applied("p"));
  // Read anew it is as wanted; and it is nobody's removal.
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(node_applied("east"));
  EXPECT_TRUE(removal_keys().empty());
}

TEST_F(Nodes, ANodeThatTheHostLostComesBack) {
  link("srv", "east", node, "10.20.0.0/16", "192.0.2.33:51820");
  settle();
  host().peers.clear();
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  done(next());
  EXPECT_FALSE(node_applied("east"));
  settle();
  EXPECT_TRUE(host().peers.contains(node));
  EXPECT_TRUE(node_applied("east"));
}

TEST_F(Nodes, ANodeThatGoesIsForgottenWithTheProof) {
  link("srv", "east", node, "10.20.0.0/16");
  settle();
  db.execute(
      "INSERT INTO site_prefixes (server_id, prefix, link_id) SELECT server_id, '10.20.0.0/16', id FROM node_links");
  make_due("srv");
  db.execute("UPDATE node_links SET wanted = false, generation = (SELECT generation FROM servers)");
  const auto lost = next();
  EXPECT_EQ(std::vector<std::string>{node}, lost.plan.removals);
  ASSERT_TRUE(full.fail(me, lost, {"ssh_unreachable", "no answer", "", Retry::later}, std::chrono::milliseconds(0), {})
                  .has_value());
  EXPECT_EQ(1, db.number("SELECT count(*) FROM node_links"));
  settle();
  EXPECT_TRUE(host().peers.empty());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM node_links"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM site_prefixes"));
}

TEST_F(Nodes, ANodesOldKeyGoesAlsoWhereThePushThatReplacedItWasLost) {
  link("srv", "east", node, "10.20.0.0/16");
  settle();
  const std::string newer = wireguard::generate_key_pair().public_key;
  make_due("srv");
  db.execute("UPDATE node_links SET public_key = '" + newer + "', generation = (SELECT generation FROM servers)");
  const auto lost = next();
  EXPECT_EQ(std::vector<std::string>{node}, lost.plan.removals);
  ASSERT_TRUE(full.fail(me, lost, {"ssh_unreachable", "no answer", "", Retry::later}, std::chrono::milliseconds(0), {})
                  .has_value());
  settle();
  EXPECT_FALSE(host().peers.contains(node));
  EXPECT_TRUE(host().peers.contains(newer));
  EXPECT_TRUE(node_applied("east"));
}

TEST_F(Nodes, TwoMeshesWithTheSameNodeShareItsEntry) {
  link("srv", "east", node, "10.20.0.0/16");
  link("srv", "east-too", node, "10.21.0.0/16");
  settle();
  EXPECT_EQ((std::vector<std::string>{"10.20.0.0/16", "10.21.0.0/16"}), host().peers[node].peer.allowed_ips);
  make_due("srv");
  db.execute("UPDATE node_links SET wanted = false, generation = generation + 1 WHERE other = 'east'");
  settle();
  EXPECT_EQ(std::vector<std::string>{"10.21.0.0/16"}, host().peers[node].peer.allowed_ips);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM node_links"));
  EXPECT_TRUE(node_applied("east-too"));
}

TEST_F(Nodes, AnEndpointThatNamesNothingIsTriedAgainAndTheNodeComesWithoutIt) {
  link("srv", "east", node, "10.20.0.0/16", "nowhere.invalid:51820");
  auto push = next();
  ASSERT_EQ(1U, push.plan.peers.size());
  EXPECT_EQ("nowhere.invalid:51820", push.plan.peers[0].endpoint);
  push.drop_unresolved(node);
  done(push);
  EXPECT_TRUE(node_applied("east"));
  EXPECT_EQ("t", of_link("east", "resolve"));
  EXPECT_EQ("", host().peers[node].endpoint);
  EXPECT_EQ("f", of_delivery("due"));  // not at once
  EXPECT_EQ(1, full.retry_set_aside().value());
  auto again = next();
  ASSERT_EQ(1U, again.plan.peers.size());
  again.plan.peers[0].endpoint = "192.0.2.44:51820";
  done(again);
  EXPECT_EQ("f", of_link("east", "resolve"));
  EXPECT_EQ("192.0.2.44:51820", of_link("east", "resolved"));
  EXPECT_EQ("192.0.2.44:51820", host().peers[node].endpoint);
  EXPECT_EQ(0, full.retry_set_aside().value());
}

TEST_F(Nodes, ANodeThatTheHostRefusesIsSetAsideUntilItChanges) {
  link("srv", "east", node, "10.20.0.0/16");
  const auto push = next();
  EXPECT_EQ(node, push.lone_key());
  ASSERT_TRUE(full.fail(me, push, {"prefix_taken_on_host", "a stranger has it", "", Retry::never},
                        std::chrono::milliseconds(0), {push.lone_key(), false})
                  .has_value());
  execute({provision("p")});
  settle();
  EXPECT_TRUE(applied("p"));
  EXPECT_FALSE(node_applied("east"));
  EXPECT_FALSE(host().peers.contains(node));
  make_due("srv");
  db.execute("UPDATE node_links SET generation = (SELECT generation FROM servers)");
  settle();
  EXPECT_TRUE(node_applied("east"));
}

TEST_F(Nodes, AnEndThatIsNotReadYetGetsItsKeyWithTheFirstReading) {
  register_server("west");  // nobody has read its interface
  link("srv", "west", "", "10.30.0.0/16", {}, "west");
  settle();
  EXPECT_EQ(hosts["west"].key, of_link("west", "public_key"));
  EXPECT_TRUE(host().peers.contains(hosts["west"].key));
  EXPECT_TRUE(node_applied("west"));
}

TEST_F(Nodes, AServerInMaintenanceIsLeftAloneAndARetiredOneUnlessSomethingIsToGo) {
  execute({provision("p")});
  settle();
  execute({provision("q")});
  db.execute("UPDATE servers SET maintenance = true");
  EXPECT_TRUE(claimed(full, me, 10).empty());
  db.execute("UPDATE servers SET maintenance = false");
  ASSERT_EQ(1U, claimed(full, me, 10).size());
  db.execute("UPDATE servers SET maintenance = true");  // since it was claimed
  EXPECT_FALSE(full.plan(me, server_id(), kLimits)->has_value());
  EXPECT_EQ("", of_delivery("worker_id"));
  EXPECT_EQ("t", of_delivery("due"));
  db.execute("UPDATE servers SET maintenance = false, state = 'retired', retired_proven_at = now()");
  EXPECT_TRUE(claimed(full, me, 10).empty());
  db.execute(
      "INSERT INTO removals (server_id, public_key, peer_id) SELECT server_id, public_key, id FROM peers "
      "WHERE name = 'p'");
  EXPECT_EQ(1U, claimed(full, me, 10).size());
}

class Moves : public FullDeliveryTest {
 protected:
  Moves() {
    establish("a", {{"quarantine_seconds", 3600}});
    establish("b", {{"ipv4", "10.77.0.0/24"}, {"ipv6", nullptr}, {"reserved", nlohmann::json::array()}});
    execute({provision("p", {}, "a")});
    settle();
    offset = of_peer("p", "address_offset");
    network = of_peer("p", "network_id");
    execute({event("peer.move", {{"tenant", "acme"}, {"peer", "p"}, {"server", "b"}}, "acme/p")});
  }
  std::int64_t offset = 0;
  std::int64_t network = 0;
  std::int64_t free_offsets() {
    return db.number("SELECT count(*) FROM network_free WHERE network_id = " + std::to_string(network) +
                     " AND available_at > now() + interval '50 minutes'");
  }
};

TEST_F(Moves, TheOldServersKeyIsProvenGoneAndItsAddressRests) {
  ASSERT_EQ(server_id("b"), of_peer("p", "server_id"));
  db.execute("UPDATE deliveries SET next_attempt_at = now() + interval '1 hour' WHERE server_id = " +
             std::to_string(server_id("a")));
  settle();
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(hosts["b"].peers.contains(key_of("p")));
  EXPECT_TRUE(hosts["a"].peers.contains(key_of("p")));
  EXPECT_EQ(0, free_offsets());
  db.execute("UPDATE deliveries SET next_attempt_at = now()");
  const auto push = next();
  EXPECT_EQ("a", push.server.name);
  EXPECT_EQ(std::vector<std::string>{key_of("p")}, push.plan.removals);
  done(push);
  EXPECT_TRUE(hosts["a"].peers.empty());
  EXPECT_TRUE(hosts["b"].peers.contains(key_of("p")));
  EXPECT_TRUE(removal_keys().empty());
  EXPECT_EQ(1, free_offsets());
  EXPECT_EQ(1, db.number("SELECT count(*) FROM address_periods WHERE network_id = " + std::to_string(network) +
                         " AND address_offset = " + std::to_string(offset) + " AND until_at IS NOT NULL"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM address_periods WHERE until_at IS NULL"));
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ(0, settle());
}

TEST_F(Moves, AReadingOfTheOldServerProvesItToo) {
  hosts["a"].peers.clear();
  db.execute("UPDATE deliveries SET in_doubt = true WHERE server_id = " + std::to_string(server_id("a")));
  settle();
  EXPECT_TRUE(removal_keys().empty());
  EXPECT_EQ(1, free_offsets());
}

TEST_F(Moves, ARevokedPeersAddressWaitsForEveryKeyOfIt) {
  settle();
  // Once more on the old server, as after a move that it has not heard of.
  db.execute("INSERT INTO removals (server_id, public_key, peer_id) SELECT " + std::to_string(server_id("a")) +
             ", public_key, id FROM peers");
  const std::int64_t before = db.number("SELECT count(*) FROM network_free");
  execute({peer_event("revoke", "acme", "p")});
  settle();  // the old server is not due
  EXPECT_TRUE(hosts["b"].peers.empty());
  EXPECT_EQ(before, db.number("SELECT count(*) FROM network_free"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM removals WHERE address_offset IS NOT NULL"));
  make_due("a");
  settle();
  EXPECT_EQ(before + 1, db.number("SELECT count(*) FROM network_free"));
  EXPECT_TRUE(removal_keys().empty());
}

}  // namespace
}  // namespace peerwright::test
