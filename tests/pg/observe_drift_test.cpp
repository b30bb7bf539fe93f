// A host is compared with what is proven only where nobody is changing it.
#include "observe_support.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class ObserveDrift : public ObserveTest {};

TEST_F(ObserveDrift, WhatTheHostLostIsPutInDoubtAndComesBack) {
  look();
  host().peers.erase(key_of("p"));
  const auto looked = look();
  EXPECT_TRUE(looked.due);
  EXPECT_EQ(1, looked.drift.at("missing"));
  EXPECT_EQ(json({{"missing", 1}}), drift());
  EXPECT_EQ("t", of_delivery("in_doubt"));
  EXPECT_NE("", db.value("SELECT proven FROM peers WHERE name = 'p'")) << "a look proves nothing";
  const auto servers = said("server.status");
  ASSERT_EQ(1U, servers.size());
  EXPECT_EQ(1, servers[0]["drift"]["missing"]);
  EXPECT_FALSE(look().due) << "not while the delivery is in doubt";
  EXPECT_EQ(json({{"missing", 1}}), drift());
  settle();
  EXPECT_TRUE(host().peers.contains(key_of("p")));
  look();
  EXPECT_EQ(json::object(), drift());
  EXPECT_EQ(1U, said("server.status").size());
}

TEST_F(ObserveDrift, NothingIsComparedThatChangedMeanwhile) {
  const auto lost = [this] {
    auto shown = seen();
    shown.peers.clear();
    return shown;
  };
  auto plan = planned();
  change("q", "");
  EXPECT_FALSE(observe.finish(me, plan, lost(), {})->due);
  settle();
  plan = planned();
  change("q", "");
  settle();  // at rest again, with another push
  EXPECT_FALSE(observe.finish(me, plan, lost(), {})->due);
  plan = planned();
  db.execute("UPDATE servers SET generation = generation + 1");
  EXPECT_FALSE(observe.finish(me, plan, lost(), {})->due);
  EXPECT_TRUE(look(lost()).due);
}

TEST_F(ObserveDrift, AnAlteredPeerIsPutRight) {
  look();
  auto shown = seen();
  for (auto& peer : shown.peers) {
    peer.state = wireguard::open_state(host().peers.at(peer.public_key).peer);
  }
  EXPECT_FALSE(look(shown).due);
  shown.peers[0].state = wireguard::open_state({shown.peers[0].public_key, {"10.99.0.0/24"}, 0});
  EXPECT_TRUE(look(shown).due);
  EXPECT_EQ(json({{"altered", 1}}), drift());
}

TEST_F(ObserveDrift, AnInterfaceThatWasMadeAnewIsReadAgain) {
  auto shown = seen();
  shown.ifindex = 4;
  EXPECT_FALSE(look(shown).due);
  shown.ifindex = 7;
  EXPECT_TRUE(look(shown).due);
  EXPECT_EQ(json({{"interface", 1}}), drift());
  settle();
  shown = seen();
  shown.ifindex = 7;
  EXPECT_FALSE(look(shown).due);
}

TEST_F(ObserveDrift, AForeignKeyIsOnlyReportedWhereThePolicySaysSo) {
  db.execute("UPDATE servers SET drift_policy = 'report'");
  const std::string foreign = wireguard::generate_key_pair().public_key;
  host().peers[foreign].peer.public_key = foreign;
  EXPECT_FALSE(look().due);
  EXPECT_EQ(json({{"foreign", 1}}), drift());
  EXPECT_EQ(1U, said("server.status").size());
  look();
  EXPECT_EQ(0U, said("server.status").size());
  EXPECT_EQ(0, settle());
  EXPECT_TRUE(host().peers.contains(foreign));
}

TEST_F(ObserveDrift, AKeyThatHasToBeOffGoesAgain) {
  execute({peer_event("suspend", "acme", "p"), peer_event("revoke", "acme", "q")});
  const auto before = host().peers;
  settle();
  ASSERT_TRUE(host().peers.empty());
  const std::string rotated = wireguard::generate_key_pair().public_key;
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + rotated + "', id FROM peers WHERE name = 'q'");
  host().peers = before;  // an old snapshot
  host().peers[rotated].peer.public_key = rotated;
  const auto looked = look();
  EXPECT_TRUE(looked.due);
  EXPECT_EQ(3, looked.drift.at("unwanted"));
  EXPECT_NE("", of_delivery("urgent_since"));
  settle();
  EXPECT_TRUE(host().peers.empty());
  look();
  EXPECT_EQ(json::object(), drift());
}

TEST_F(ObserveDrift, AKeyThatHasToBeOffGoesWhateverThePolicySays) {
  db.execute("UPDATE servers SET drift_policy = 'report'");
  execute({peer_event("suspend", "acme", "p")});
  const auto before = host().peers;
  settle();
  host().peers = before;
  EXPECT_TRUE(look().due);
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("p")));
}

TEST_F(ObserveDrift, ThePolicyMayBeOnlyToReport) {
  db.execute("UPDATE servers SET drift_policy = 'report'");
  host().peers.erase(key_of("p"));
  EXPECT_FALSE(look().due);
  EXPECT_EQ(json({{"missing", 1}}), drift());
  EXPECT_EQ(0, settle());
}

TEST_F(ObserveDrift, FileInterfaceAndPushNumberAreCompared) {
  auto other = seen();
  other.file_hash = sha256_hex("edited");
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"file", 1}}), drift());
  settle();
  other = seen();
  other.interface_key = wireguard::generate_key_pair().public_key;
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"interface_key", 1}}), drift());
  settle();
  other = seen();
  other.push_number -= 1;
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"push_number", 1}}), drift());
}

TEST_F(ObserveDrift, AFirewallThatWasChangedByHandIsPushedAnew) {
  wall("p");
  settle();
  const int pushed = host().firewalls;
  auto other = seen();
  other.firewall_state = sha256_hex("as nft shows a rule more");
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"firewall", 1}}), drift());
  settle();
  EXPECT_EQ(pushed + 1, host().firewalls);
  look();
  EXPECT_EQ(json::object(), drift());
}

// Nodes that are called by name: whoever is silent may have another address by now.
TEST_F(ObserveDrift, ASilentNodesNameIsLookedUpAgain) {
  const std::string named = wireguard::generate_key_pair().public_key;
  const std::string literal = wireguard::generate_key_pair().public_key;
  link("srv", "named", named, "10.20.0.0/16", "branch.example.net:51820");
  link("srv", "literal", literal, "10.21.0.0/16", "192.0.2.33:51820");
  settle();
  ASSERT_EQ("branch.example.net:51820", host().peers[named].endpoint) << "this test resolves no names";
  clients[named].handshake_epoch_seconds = clients[literal].handshake_epoch_seconds = host_now - 10;
  look();
  EXPECT_EQ(0, full.retry_set_aside().value()) << "whoever speaks is left alone";
  pass(600);
  const auto looked = look();
  EXPECT_TRUE(looked.drift.at("missing") == 0 && looked.drift.at("foreign") == 0);
  EXPECT_EQ("t", of_link("named", "resolve"));
  EXPECT_EQ("f", of_link("literal", "resolve")) << "an address is what it is";
  EXPECT_EQ(1, full.retry_set_aside().value());
  host().peers[named].endpoint = "198.51.100.1:1";  // where it was
  EXPECT_EQ(1, settle());
  EXPECT_EQ("branch.example.net:51820", host().peers[named].endpoint) << "the endpoint is told anew";
  EXPECT_EQ("f", of_link("named", "resolve"));
  EXPECT_EQ(0, full.retry_set_aside().value());
}

}  // namespace
}  // namespace peerwright::test
