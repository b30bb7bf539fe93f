#include <algorithm>

#include "delivery_host.hpp"
#include "peerwright/base/sealed_box.hpp"
#include "peerwright/wireguard/key.hpp"

// What a push carries beside plain peers: preshared keys, second keys, endpoints, sites, the interface's own key.
namespace peerwright::test {
namespace {

using Full = FullDeliveryTest;
using nlohmann::json;
using Strings = std::vector<std::string>;

const wireguard::PeerConfig* config_in(const store::PlannedPush& push, const std::string& key) {
  for (const auto& peer : push.plan.peers) {
    if (peer.public_key == key) return &peer;
  }
  return nullptr;
}

TEST_F(Full, APresharedKeyGoesToTheHostAndIsNeverSaidInTheClear) {
  establish("srv");
  execute({provision("p"), provision("q")});
  const std::string private_half = give_recipient_key();
  const std::string key = give_preshared_key("p");
  const auto push = next();
  ASSERT_NE(nullptr, config_in(push, key_of("p")));
  EXPECT_EQ(key, config_in(push, key_of("p"))->preshared_key.reveal());
  EXPECT_TRUE(config_in(push, key_of("q"))->preshared_key.empty());
  done(push);
  EXPECT_EQ(key, hosts["srv"].peers[key_of("p")].preshared_key);
  EXPECT_TRUE(applied("p") && applied("q"));
  for (const auto& row : db.rows("SELECT body FROM outbox UNION ALL SELECT body FROM audit")) {
    EXPECT_EQ(std::string::npos, row[0].find(key));
  }
  EXPECT_EQ(std::string::npos, db.value("SELECT proven FROM peers WHERE name = 'p'").find(key));
  const auto said = said_of("p");
  EXPECT_EQ("applied", said["delivery"]);
  const auto opened =
      IntakeKey::create(Secret(private_half))->open(said["client"]["preshared_key_sealed"].get<std::string>());
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(key, opened->reveal());
  // Read anew, it is still as wanted, and nothing is written.
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(applied("p"));
}

TEST_F(Full, OneInterfaceIsOneServer) {
  establish("srv");
  execute({provision("p"), provision("q")});
  settle();
  const std::string host_key = db.value("SELECT ssh_host_key FROM servers");
  const auto named = [&](const std::string& server, const json& settings) {
    json data = {{"server", server},
                 {"network", "net-srv"},
                 {"ssh", {{"host", "srv.example.net"}, {"host_key", host_key}}},
                 {"endpoint", "192.0.2.10:51820"}};
    data.update(settings);
    return event("server.register", data, "server/" + server);
  };
  const TestEvent twin = named("twin", json::object());
  const TestEvent of_its_key = named("of-its-key", {{"interface", "wg7"}, {"public_key", hosts["srv"].key}});
  const TestEvent beside = named("wg8", {{"ssh", {{"host", "192.0.2.8"}, {"host_key", host_key}}}});
  const TestEvent moved =
      event("server.update", {{"server", "wg8"}, {"ssh", {{"host", "srv.example.net"}}}}, "server/wg8");
  execute({twin, of_its_key, beside, moved});
  EXPECT_EQ("accepted", decision(beside).first);
  for (const TestEvent& refused : {twin, of_its_key, moved}) {
    EXPECT_EQ(std::pair(std::string("rejected"), std::string("interface_taken")), decision(refused));
  }
}

// The same interface under another name of its host shows by its key: nothing is learned, so nothing is pushed.
TEST_F(Full, AnInterfaceOfAnotherServerIsNotLearned) {
  establish("srv");
  execute({provision("p")});
  settle();
  register_server("alias");
  execute({provision("n", {}, "alias")});
  hosts["alias"].key = hosts["srv"].key;
  const auto reading = next();
  ASSERT_EQ("alias", reading.server.name);
  const auto answer = hosts["alias"].run(reading).value();
  const auto proof = wireguard::prove_reading(reading.wanted, answer);
  const auto refused = full.finish(me, reading, answer, proof, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ("interface_taken", refused.error().code);
  ASSERT_TRUE(full.fail(me, reading, refused.error(), std::chrono::hours(1), {}).has_value());
  EXPECT_EQ("", db.value("SELECT public_key FROM servers WHERE name = 'alias'"));
  EXPECT_EQ("t", of_delivery("in_doubt", "alias"));
  // Once the other one is gone, it is this one's.
  execute({peer_event("revoke", "acme", "p")});
  settle();
  execute({event("server.retire", {{"server", "srv"}}, "server/srv")});
  settle();
  ASSERT_EQ("t", db.value("SELECT retired_proven_at IS NOT NULL FROM servers WHERE name = 'srv'"));
  db.execute("UPDATE deliveries SET next_attempt_at = now()");
  settle();
  EXPECT_TRUE(applied("n"));
}

TEST_F(Full, APresharedKeyThatSomebodySentIsNotSaidBack) {
  establish("srv");
  execute({provision("p")});
  give_recipient_key();
  const std::string key = give_preshared_key("p");
  change("p", "preshared_key_sealed = 'sent:' || preshared_key_sealed");
  settle();
  EXPECT_EQ(key, hosts["srv"].peers[key_of("p")].preshared_key);
  EXPECT_TRUE(applied("p"));
  EXPECT_FALSE(said_of("p")["client"].contains("preshared_key_sealed"));
}

TEST_F(Full, APresharedKeyThatTheHostChangedIsNotApplied) {
  establish("srv");
  execute({provision("p")});
  give_preshared_key("p");
  settle();
  hosts["srv"].peers[key_of("p")].preshared_key = wireguard::generate_key_pair().private_key.reveal();
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  done(next());
  EXPECT_FALSE(applied("p"));
  settle();
  EXPECT_TRUE(applied("p"));
}

TEST_F(Full, APeerWhosePresharedKeyCannotBeOpenedIsSetAsideAlone) {
  establish("srv");
  execute({provision("p"), provision("q")});
  // Sealed for somebody else's place.
  change("p", "preshared_key_sealed = '" + sealed("x", "peers/acme/q/preshared_key") + "'");
  settle();
  EXPECT_TRUE(applied("q"));
  EXPECT_FALSE(applied("p"));
  EXPECT_EQ("failed", said_of("p")["delivery"]);
  EXPECT_EQ("preshared_key_unreadable", db.value("SELECT delivery_error FROM peers WHERE name = 'p'"));
  EXPECT_FALSE(hosts["srv"].peers.contains(key_of("p")));
  const std::string key = give_preshared_key("p");
  settle();
  EXPECT_EQ(key, hosts["srv"].peers[key_of("p")].preshared_key);
  EXPECT_TRUE(applied("p"));
}

TEST_F(Full, SitesAndKeepaliveOfTheHubArePushedAndProven) {
  establish("srv");
  execute({provision("p")});
  change("p", "site_networks = '{192.168.7.0/24,fd12::/64}', hub_keepalive_seconds = 25");
  settle();
  const auto& shown = hosts["srv"].peers[key_of("p")].peer;
  EXPECT_EQ(1, std::count(shown.allowed_ips.begin(), shown.allowed_ips.end(), "192.168.7.0/24"));
  EXPECT_EQ(1, std::count(shown.allowed_ips.begin(), shown.allowed_ips.end(), "fd12::/64"));
  EXPECT_EQ(25, shown.keepalive_seconds);
  EXPECT_TRUE(applied("p"));
}

TEST_F(Full, AnEndpointIsSetWhenThePeerIsMadeAndWhenItChangesAndNotOtherwise) {
  establish("srv");
  execute({provision("p")});
  change("p", "endpoint = '192.0.2.7:51820'");
  settle();
  auto& shown = hosts["srv"].peers[key_of("p")];
  EXPECT_EQ("192.0.2.7:51820", shown.endpoint);
  shown.endpoint = "203.0.113.9:4000";  // it roamed
  change("p", "hub_keepalive_seconds = 20");
  settle();
  EXPECT_EQ("203.0.113.9:4000", shown.endpoint);
  EXPECT_EQ(20, shown.peer.keepalive_seconds);
  change("p", "endpoint = '192.0.2.8:51820'");
  EXPECT_EQ(1, settle());
  EXPECT_EQ("192.0.2.8:51820", shown.endpoint);
  EXPECT_TRUE(applied("p"));
}

TEST_F(Full, AnEndpointThatNamesNothingSetsItsPeerAside) {
  establish("srv");
  execute({provision("p"), provision("q")});
  change("p", "endpoint = 'nowhere.invalid:51820'");
  auto push = next();
  EXPECT_EQ("nowhere.invalid:51820", config_in(push, key_of("p"))->endpoint);
  push.drop_unresolved(key_of("p"));
  done(push);
  settle();
  EXPECT_TRUE(applied("q"));
  EXPECT_EQ("endpoint_unresolvable", db.value("SELECT delivery_error FROM peers WHERE name = 'p'"));
  EXPECT_EQ("failed", said_of("p")["delivery"]);
  EXPECT_FALSE(hosts["srv"].peers.contains(key_of("p")));
}

TEST_F(Full, ARemovalDoesNotWaitForAName) {
  establish("srv");
  execute({provision("p"), provision("q"), provision("r")});
  settle();
  execute({peer_event("suspend", "acme", "p")});
  change("q", "endpoint = 'slow.invalid:51820'");
  change("r", "endpoint = '192.0.2.9:1'");
  const auto push = next();
  EXPECT_EQ(Strings{key_of("p")}, push.plan.removals);
  EXPECT_EQ(nullptr, config_in(push, key_of("q")));
  EXPECT_NE(nullptr, config_in(push, key_of("r")));
  done(push);
  EXPECT_NE(nullptr, config_in(next(), key_of("q")));
}

class Rotation : public Full {
 protected:
  Rotation() : next_key(wireguard::generate_key_pair().public_key) {
    establish("srv");
    execute({provision("p")});
    preshared = give_preshared_key("p");
    settle();
    db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + next_key + "', id FROM peers");
    change("p", "staged_key = '" + next_key + "', staged_until = now() + interval '1 day'");
  }
  FullHost& host() { return hosts["srv"]; }
  std::string next_key;
  std::string preshared;
};

TEST_F(Rotation, TheStagedKeyStandsThereWithoutAddressesUntilItIsThePeersKey) {
  const Strings addresses = host().peers[key_of("p")].peer.allowed_ips;
  ASSERT_FALSE(addresses.empty());
  const auto push = next();
  EXPECT_EQ(2U, push.plan.peers.size());
  EXPECT_FALSE(applied("p"));
  done(push);
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ(addresses, host().peers[key_of("p")].peer.allowed_ips);
  ASSERT_TRUE(host().peers.contains(next_key));
  EXPECT_TRUE(host().peers[next_key].peer.allowed_ips.empty());
  EXPECT_EQ(preshared, host().peers[next_key].preshared_key);

  db.execute("INSERT INTO removals (server_id, public_key, peer_id) SELECT server_id, public_key, id FROM peers");
  change("p", "public_key = '" + next_key + "', staged_key = NULL", true);
  settle();
  EXPECT_EQ(1U, host().peers.size());
  EXPECT_EQ(addresses, host().peers[next_key].peer.allowed_ips);
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(removal_keys().empty());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM network_free"));
}

TEST_F(Rotation, OnlyBothKeysTogetherAreApplied) {
  settle();
  host().peers.erase(next_key);
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  done(next());
  EXPECT_FALSE(applied("p"));
  settle();
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(host().peers.contains(next_key));
}

TEST_F(Rotation, ASuspensionTakesBothKeys) {
  settle();
  execute({peer_event("suspend", "acme", "p")});
  const auto push = next();
  EXPECT_EQ(2U, push.plan.removals.size());
  done(push);
  EXPECT_TRUE(host().peers.empty());
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(removal_keys().empty());
  execute({peer_event("resume", "acme", "p")});
  settle();
  EXPECT_EQ(2U, host().peers.size());
  EXPECT_TRUE(applied("p"));
}

TEST_F(Rotation, AKeyThatWasRotatedOutGoesThoughItsPeerStays) {
  settle();
  const std::string third = wireguard::generate_key_pair().public_key;
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + third + "', id FROM peers");
  db.execute("INSERT INTO removals (server_id, public_key, peer_id) SELECT server_id, staged_key, id FROM peers");
  change("p", "staged_key = '" + third + "'");
  host().peers[next_key].peer.keepalive_seconds = 1;  // it is not as anybody wants it, and goes all the same
  settle();
  EXPECT_FALSE(host().peers.contains(next_key));
  EXPECT_TRUE(host().peers.contains(third));
  EXPECT_TRUE(removal_keys().empty());
}

class ServerKey : public Full {
 protected:
  ServerKey() {
    establish("srv");
    establish("hub");
    execute({provision("p")});
    link("hub", "srv", hosts["srv"].key, "10.9.0.0/24", {}, "srv");
    settle();
    old_key = hosts["srv"].key;
    auto pair = wireguard::generate_key_pair();
    new_key = pair.public_key;
    db.execute("UPDATE servers SET key_wanted = '" + new_key + "', private_key_sealed = '" +
               sealed(std::string(pair.private_key.reveal()), "servers/srv/private_key") + "' WHERE name = 'srv'");
    make_due("srv");
  }
  std::string of_server(const std::string& column) {
    return db.value("SELECT " + column + " FROM servers WHERE name = 'srv'");
  }
  std::string old_key, new_key;
};

TEST_F(ServerKey, ANewKeyIsTakenOnceTheHostShowsIt) {
  const auto push = next();
  EXPECT_FALSE(push.plan.interface_key.empty());
  EXPECT_EQ(old_key, of_server("public_key"));
  done(push);
  EXPECT_EQ(new_key, of_server("public_key"));
  EXPECT_EQ("", of_server("key_wanted"));
  EXPECT_EQ("1", of_server("(key_since IS NOT NULL)::int"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM wider_fan_outs WHERE kind = 'server'"));
  const auto said = nlohmann::json::parse(
      db.value("SELECT body FROM outbox WHERE ce_type = 'peerwright.server.status.v1' ORDER BY id DESC LIMIT 1"));
  EXPECT_EQ(new_key, said["public_key"]);
  settle();  // the other end learns it, and forgets the old one
  EXPECT_TRUE(hosts["hub"].peers.contains(new_key));
  EXPECT_FALSE(hosts["hub"].peers.contains(old_key));
  EXPECT_EQ("1", of_link("srv", "(applied_generation = generation)::int"));
  EXPECT_EQ(0, settle());
}

TEST_F(ServerKey, AHostThatKeepsItsOldKeyIsToldAgainLater) {
  hosts["srv"].ignores_key = true;
  done(next(), std::chrono::hours(1));
  EXPECT_EQ(old_key, of_server("public_key"));
  EXPECT_EQ(new_key, of_server("key_wanted"));
  EXPECT_EQ("proof_differs", of_delivery("error_code"));
  EXPECT_TRUE(claimed(full, me, 10).empty());
  hosts["srv"].ignores_key = false;
  db.execute("UPDATE deliveries SET next_attempt_at = now()");
  settle();
  EXPECT_EQ(new_key, of_server("public_key"));
}

TEST_F(ServerKey, AKeyThatWouldCutTheWorkerOffKeepsNobodyWaiting) {
  hosts["srv"].keeps_key = true;
  execute({provision("q")});
  settle();
  EXPECT_TRUE(applied("q"));
  EXPECT_EQ("own_way_cut", of_delivery("error_code"));
  EXPECT_EQ(old_key, of_server("public_key"));
  EXPECT_EQ(new_key, of_server("key_wanted"));
  hosts["srv"].keeps_key = false;  // it comes another way
  execute({event("server.reconcile", {{"server", "srv"}}, "server/srv")});
  settle();
  EXPECT_EQ(new_key, of_server("public_key"));
  EXPECT_EQ("", of_delivery("error_code"));
}

TEST_F(ServerKey, AKeyThatCannotBeOpenedKeepsNobodyWaiting) {
  db.execute("UPDATE servers SET private_key_sealed = 'broken' WHERE name = 'srv'");
  execute({provision("q")});
  settle();
  EXPECT_TRUE(applied("q"));
  EXPECT_EQ("interface_key_unreadable", of_delivery("error_code"));
  EXPECT_EQ(old_key, of_server("public_key"));
}

}  // namespace
}  // namespace peerwright::test
