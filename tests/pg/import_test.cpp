#include <algorithm>

#include "../src/store/adopt.hpp"
#include "delivery_host.hpp"
#include "peerwright/wireguard/key.hpp"
#include "recover_support.hpp"

// Adoption of what stands on a host, and claims of it by key: what becomes of the rows.
namespace peerwright::test {
namespace {

using nlohmann::json;

class ImportStore : public FullDeliveryTest {
 protected:
  ImportStore() { establish("srv"); }

  FullHost& srv() { return hosts["srv"]; }
  // A peer made by hand; its key. By default at the offset of the network's both families.
  std::string stands(int offset, const std::vector<std::string>& sites = {}) {
    std::vector<std::string> ips = {"10.200.0." + std::to_string(offset) + "/32", address6(offset)};
    ips.insert(ips.end(), sites.begin(), sites.end());
    return stands_with(ips);
  }
  std::string stands_with(std::vector<std::string> ips) {
    std::sort(ips.begin(), ips.end());
    const std::string key = key_pair();
    srv().peers[key].peer = {key, std::move(ips), 0};
    return key;
  }
  static std::string address6(int offset) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "fd00:200::%x/128", static_cast<unsigned>(offset));
    return text.data();
  }
  static TestEvent order(const std::string& tenant = "acme") {
    json data = {{"server", "srv"}};
    if (!tenant.empty()) data["tenant"] = tenant;
    return event("server.import", data, "server/srv");
  }
  // Imports; how many execs that took, the reading among them.
  int import() {
    execute({order()});
    return settle();
  }
  std::map<std::string, std::int64_t> left_alone() {
    return last_report()["left_alone"].get<std::map<std::string, std::int64_t>>();
  }
  json last_report() {
    return json::parse(
        db.value("SELECT body FROM outbox WHERE ce_type = 'peerwright.server.status.v1' AND body LIKE "
                 "'%\"import\":{%' ORDER BY id DESC LIMIT 1"))["import"];
  }
  static std::string name(const std::string& key) { return domain::adopted_name(key); }
  TestEvent claim(const std::string& peer, const std::string& key, const json& more = json::object(),
                  const std::string& tenant = "acme") {
    json data = {{"tenant", tenant}, {"peer", peer}, {"public_key", key}};
    data.update(more);
    return event("peer.provision", data, tenant + "/" + peer);
  }
  std::string of(const std::string& peer, const std::string& column) {
    return db.value("SELECT " + column + " FROM peers WHERE name = '" + peer + "'");
  }
  void expect(const TestEvent& event, const std::string& outcome, const std::string& code = "") {
    execute({event});
    EXPECT_EQ(decision(event), std::pair(outcome, code)) << event.text();
  }
};

TEST_F(ImportStore, WhatStandsThereIsProvenAsItWasRead) {
  const std::string one = stands(50);
  const std::string two = stands(51, {"192.168.7.0/24"});
  srv().peers[two].peer.keepalive_seconds = 25;
  EXPECT_EQ(1, import()) << "a reading, and no push";
  for (const std::string& key : {one, two}) {
    EXPECT_TRUE(applied(name(key)));
    EXPECT_EQ("provisioned active true", of(name(key), "stage || ' ' || entitlement || ' ' || adopted"));
    const json said = said_of(name(key));
    EXPECT_EQ("applied", said["delivery"]);
    EXPECT_EQ(true, said["adopted"]);
    EXPECT_EQ(1,
              db.number("SELECT count(*) FROM audit WHERE event_type = 'peerwright.peer.adopted.v1' AND key = 'acme/" +
                        name(key) + "'"));
  }
  EXPECT_EQ("50", of(name(one), "address_offset"));
  EXPECT_EQ("{192.168.7.0/24} 25", of(name(two), "site_networks::text || ' ' || hub_keepalive_seconds"));
  EXPECT_EQ(2, db.number("SELECT peer_count FROM servers"));
  EXPECT_EQ(2, db.number("SELECT peer_count FROM tenants WHERE name = 'acme'"));
  EXPECT_EQ(2, db.number("SELECT count(*) FROM address_periods WHERE until_at IS NULL"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM site_prefixes"));
  // A later reading finds all of it right.
  execute({event("server.reconcile", {{"server", "srv"}}, "server/srv")});
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(applied(name(one)) && applied(name(two)));
}

TEST_F(ImportStore, WhatCannotBeAPeerIsLeftAloneWithAReason) {
  establish("other");
  execute({provision("elsewhere", {}, "other"), provision("mine")});
  settle();
  change("mine", "site_networks = '{192.168.1.0/24}'");
  db.execute(
      "INSERT INTO site_prefixes (server_id, prefix, peer_id) SELECT server_id, '192.168.1.0/24', id FROM peers "
      "WHERE name = 'mine'");
  settle();
  execute({network_set("net-srv", {{"forbidden", {"172.16.5.0/24"}}})});
  settle();
  srv().peers[key_of("elsewhere")].peer = {key_of("elsewhere"), {"10.200.0.70/32", address6(70)}, 0};
  stands_with({"10.9.0.1/32"});
  stands_with({"10.200.0.71/32"});  // one family
  stands_with({"10.200.0.72/32", "10.200.0.73/32", address6(72)});
  stands_with({"10.200.0.74/32", address6(75)});
  stands(1);  // the server's own
  const auto taken = db.number("SELECT address_offset FROM peers WHERE name = 'mine'");
  srv().peers.erase(key_of("mine"));
  stands(static_cast<int>(taken));
  stands(80, {"192.168.1.128/25"});
  stands(81, {"172.16.0.0/16"});
  stands(82, {"8.8.8.0/24"});
  stands(83, {"0.0.0.0/0"});
  stands(84, {"10.200.4.0/24"});
  stands(85, {"10.1.0.0/16", "10.1.2.0/24"});
  const std::string good = stands(86);
  const auto before = srv().peers;
  execute({order()});
  done(next());
  const std::map<std::string, std::int64_t> reasons = {
      {"address_missing", 4}, {"address_reserved", 1}, {"address_taken", 1},
      {"prefix_taken", 2},    {"prefix_forbidden", 1}, {"prefix_public", 1},
      {"prefix_too_wide", 1}, {"prefix_covered", 1},   {"key_in_use", 1}};
  EXPECT_EQ(reasons, left_alone());
  EXPECT_EQ(1, last_report()["adopted"]);
  EXPECT_TRUE(applied(name(good)));
  EXPECT_EQ(before.size(), srv().peers.size());
}

TEST_F(ImportStore, StrangersThatOverlapEachOtherAreNotBothTaken) {
  stands(50, {"192.168.0.0/16"});
  stands(51, {"192.168.4.0/24"});
  import();
  EXPECT_EQ(1, last_report()["adopted"]);
  EXPECT_EQ((std::map<std::string, std::int64_t>{{"prefix_taken", 1}}), left_alone());
}

TEST_F(ImportStore, TheirAddressesAreNeverGivenToOthers) {
  const std::string two = stands(2);
  stands(4);
  import();
  execute({provision("a"), provision("b")});
  settle();
  EXPECT_EQ("3", of("a", "address_offset"));
  EXPECT_EQ("5", of("b", "address_offset"));
  expect(event("peer.revoke", {{"tenant", "acme"}, {"peer", name(two)}}, "acme/" + name(two)), "accepted");
  settle();
  EXPECT_FALSE(srv().peers.contains(two));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM network_free WHERE address_offset = 2"));
  EXPECT_EQ(3, db.number("SELECT peer_count FROM servers"));
}

TEST_F(ImportStore, AnImportMayBeRepeatedAndItsEventHasOneEffect) {
  const std::string one = stands(50);
  const TestEvent first = order();
  execute({first});
  settle();
  EXPECT_EQ(1U, execute({first}).duplicates);
  EXPECT_EQ(0, settle());
  const std::string two = stands(51);
  EXPECT_EQ(1, import());
  EXPECT_EQ(1, last_report()["adopted"]);
  EXPECT_TRUE(left_alone().empty());
  EXPECT_TRUE(applied(name(one)) && applied(name(two)));
  EXPECT_EQ("1", of(name(one), "version"));
}

TEST_F(ImportStore, WhoeverIsHeldAlreadyIsTakenOffAtOnce) {
  const std::string key = stands(50);
  execute({peer_event("suspend", "acme", name(key))});
  import();
  EXPECT_FALSE(srv().peers.contains(key));
  EXPECT_EQ("suspended", entitlement(name(key)));
  EXPECT_TRUE(applied(name(key)));
}

TEST_F(ImportStore, AFileThatDoesNotSayWhatStandsIsWrittenOnce) {
  const std::string key = stands(50);
  srv().unsaved.insert(key);
  EXPECT_EQ(2, import());
  EXPECT_TRUE(applied(name(key)));
}

TEST_F(ImportStore, AClaimTakesTheRowOverWithoutAPush) {
  const std::string key = stands(50, {"192.168.7.0/24"});
  import();
  const std::string adopted = name(key);
  expect(event("rule.set", {{"tenant", "acme"}, {"rule", "r"}, {"dest_peer", adopted}, {"action", "deny"}}, "acme"),
         "accepted");
  sweep_all();
  settle();
  const int runs = srv().runs;
  const auto provisioned = claim("router-1", key, {{"subscriber", "S1"}, {"description", "at home"}});
  expect(provisioned, "accepted");
  EXPECT_TRUE(applied("router-1"));
  EXPECT_EQ("provisioned 50 false at home", of("router-1",
                                               "stage || ' ' || address_offset || ' ' || adopted || ' ' || "
                                               "description"));
  EXPECT_EQ("{192.168.7.0/24}", of("router-1", "site_networks"));
  EXPECT_EQ("revoked", of(adopted, "stage"));
  EXPECT_EQ("applied", said_of("router-1")["delivery"]);
  EXPECT_EQ("revoked", said_of(adopted)["entitlement"]);
  EXPECT_EQ(2, db.number("SELECT count(*) FROM address_periods"));
  EXPECT_EQ("router-1", db.value("SELECT p.name FROM address_periods a JOIN peers p ON p.id = a.peer_id "
                                 "WHERE a.until_at IS NULL"));
  EXPECT_EQ("router-1", db.value("SELECT p.name FROM access_rules a JOIN peers p ON p.id = a.dest_peer_id"));
  EXPECT_EQ(1, db.number("SELECT peer_count FROM servers"));
  EXPECT_EQ(1, db.number("SELECT peer_count FROM tenants WHERE name = 'acme'"));
  sweep_all();
  settle();
  EXPECT_EQ(runs, srv().runs);
  expect(claim("router-1", key, {{"subscriber", "S1"}, {"description", "at home"}}), "unchanged");
  expect(claim("router-2", key), "rejected", "key_unavailable");
  // A reading still proves it, and nobody else has the key.
  execute({event("server.reconcile", {{"server", "srv"}}, "server/srv")});
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(applied("router-1"));
  expect(peer_event("suspend", "acme", "router-1"), "accepted");
  settle();
  EXPECT_FALSE(srv().peers.contains(key));
}

TEST_F(ImportStore, AClaimThatSaysOtherwiseForTheHostIsPushed) {
  const std::string key = stands(50);
  import();
  expect(claim("p", key, {{"site_networks", {"192.168.9.0/24"}}}), "accepted");
  EXPECT_FALSE(applied("p"));
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(applied("p"));
  const auto& ips = srv().peers[key].peer.allowed_ips;
  EXPECT_EQ(1, std::count(ips.begin(), ips.end(), "192.168.9.0/24"));
}

TEST_F(ImportStore, AClaimMayNameTheAdoptedPeerItself) {
  const std::string key = stands(50);
  import();
  expect(claim(name(key), key, {{"description", "mine"}}), "accepted");
  EXPECT_EQ("false mine", of(name(key), "adopted || ' ' || description"));
  EXPECT_TRUE(applied(name(key)));
  EXPECT_EQ(0, settle());
}

TEST_F(ImportStore, AClaimNeitherMovesNorServesOthers) {
  establish("other");
  const std::string key = stands(50);
  import();
  expect(claim("p", key, {{"server", "other"}}), "rejected", "adopted_elsewhere");
  expect(claim("p", key, {{"address", "10.200.0.51"}}), "rejected", "adopted_elsewhere");
  expect(claim("p", key, {{"server", "srv"}}, "rival"), "rejected", "key_unavailable");
  expect(event("reservation.create", {{"tenant", "acme"}, {"peer", "r"}, {"server", "srv"}}, "acme/r"), "accepted");
  expect(claim("r", key), "rejected", "adopted_elsewhere");
  EXPECT_EQ("t", of(name(key), "adopted"));
  expect(claim("p", key, {{"server", "srv"}, {"address", "10.200.0.50"}}), "accepted");
}

TEST_F(ImportStore, AHoldOnTheAdoptedNameGoesOverWithTheClaim) {
  const std::string key = stands(50);
  import();
  auto suspend = peer_event("suspend", "acme", name(key));
  suspend.from("security");
  execute({suspend, claim("p", key)});
  settle();
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_FALSE(srv().peers.contains(key));
  auto resume = peer_event("resume", "acme", "p");
  resume.from("security");
  expect(resume, "accepted");
  settle();
  EXPECT_TRUE(srv().peers.contains(key));
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ(0U, removal_keys().size());
}

TEST_F(ImportStore, APresharedKeyThatOnlyTheHostKnowsStaysThereUntilSomebodySaysIt) {
  const std::string key = stands(50);
  srv().peers[key].preshared_key = wireguard::generate_key_pair().private_key.reveal();
  EXPECT_EQ(1, import());
  execute({provision("q")});
  give_preshared_key("q");
  settle();
  EXPECT_TRUE(applied(name(key)) && applied("q"));
  execute({event("server.reconcile", {{"server", "srv"}}, "server/srv")});
  settle();
  EXPECT_TRUE(applied(name(key)) && applied("q"));
  expect(claim("p", key), "accepted");
  EXPECT_TRUE(applied("p"));
  establish("other");
  expect(event("peer.move", {{"tenant", "acme"}, {"peer", "p"}, {"server", "other"}}, "acme/p"), "rejected",
         "preshared_key_unknown");
  srv().peers.erase(key);
  execute({event("server.reconcile", {{"server", "srv"}}, "server/srv")});
  settle();
  EXPECT_FALSE(srv().peers.contains(key));
  EXPECT_EQ("preshared_key_unknown", said_of("p")["delivery_error"]);
  change("p", "preshared_key_unknown = false");
  give_preshared_key("p");
  settle();
  EXPECT_TRUE(applied("p"));
  EXPECT_FALSE(srv().peers[key].preshared_key.empty());
}

TEST_F(ImportStore, NobodysServerNeedsATenant) {
  expect(order(""), "rejected", "tenant_required");
  const std::string key = stands(50);
  register_server("owned", json::object(), {{"owner", "acme"}});
  expect(event("server.import", {{"server", "owned"}, {"tenant", "rival"}}, "server/owned"), "rejected",
         "server_of_other_tenant");
  expect(event("server.import", {{"server", "owned"}}, "server/owned"), "accepted");
}

TEST_F(ImportStore, WithoutAnEventTheServersOwnerGetsThem) {
  register_server("owned", json::object(), {{"owner", "acme"}});
  settle();
  const std::string key = key_pair();
  hosts["owned"].peers[key].peer = {key, {"10.200.0.50/32", address6(50)}, 0};
  const auto want = [&](const std::string& server) {
    store::Db connection(db.database(), "test");
    return connection
        .transact([&](store::Tx& tx) -> Result<bool> {
          return store::want_import(tx, server_id(server), "observe/" + server);
        })
        .value();
  };
  EXPECT_FALSE(want("srv"));
  EXPECT_TRUE(want("owned"));
  EXPECT_FALSE(want("owned")) << "it is wanted already";
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(applied(name(key)));
  EXPECT_EQ("observe/owned", of(name(key), "cause"));
}

TEST_F(ImportStore, ThousandsAreAdoptedAtOnce) {
  constexpr int kPeers = 3000;
  for (int i = 0; i < kPeers; ++i) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "fd00:200::%x/128", static_cast<unsigned>(256 + i));
    stands_with({"10.200." + std::to_string(1 + i / 256) + "." + std::to_string(i % 256) + "/32", text.data()});
  }
  EXPECT_EQ(1, import());
  EXPECT_EQ(kPeers, db.number("SELECT count(*) FROM peers WHERE adopted AND applied_generation = generation AND "
                              "proven IS NOT NULL"));
  EXPECT_EQ(kPeers, db.number("SELECT peer_count FROM servers"));
}

// Whom the import leaves alone for another stranger's sake has no row, and is no part of what is made anew.
TEST_F(ImportStore, ARebuiltDatabaseHasTheSamePeers) {
  record_installation_of(db);
  stands(50);
  const std::string claimed = stands(51, {"192.168.7.0/24"});
  stands(52, {"10.99.0.0/16"});
  stands(53, {"10.99.4.0/24"});
  import();
  EXPECT_EQ(1U, left_alone().size());
  EXPECT_EQ(3, db.number("SELECT count(*) FROM peers"));
  expect(claim("router-1", claimed), "accepted");
  settle();
  TestDatabase made;
  fold(made, audit_entries(db, me));
  expect_equal(db, made);
}

}  // namespace
}  // namespace peerwright::test
