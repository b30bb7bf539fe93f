#include <atomic>
#include <random>
#include <thread>

#include "peerwright/base/seal.hpp"
#include "store_support.hpp"

// What the whole language needs of the database.
namespace peerwright::test {
namespace {

class Language : public StoreTest {
 protected:
  // One line per table that must not change; positions and times of reading aside.
  std::map<std::string, std::string> fingerprint() {
    std::map<std::string, std::string> all;
    for (const auto& row : db.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND "
                                   "table_type = 'BASE TABLE' AND table_name NOT IN ('intake', 'workers')")) {
      all[row[0]] =
          db.value("SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM " + row[0] + " t");
    }
    return all;
  }
  TestEvent in_region(const std::string& peer, const std::string& tenant = "acme") {
    TestEvent made = peer_provision(tenant, peer, "srv", key_pair());
    made.cloud_event["data"].erase("server");
    made.cloud_event["data"]["region"] = "eu";
    return made;
  }
  std::string server_of(const std::string& peer) {
    return db.value("SELECT s.name FROM peers p JOIN servers s ON s.id = p.server_id WHERE p.name = '" + peer + "'");
  }
};

TEST_F(Language, aBatchListExecutedAgainFromItsBeginningChangesNothing) {
  register_server();
  TestEvent dunning = subscriber_event("suspend", "acme", "s");
  dunning.cloud_event["data"].update({{"grace_seconds", 60}});
  std::vector<TestEvent> events = {
      event("tenant.set", {{"tenant", "acme"}, {"max_peers", 3}, {"plans", {{"gold", 1}}}}, "acme"),
      provision("p", "s"),
      provision("q", "s"),
      provision("r"),
      provision("one too many"),
      peer_event("suspend", "acme", "q"),
      dunning,
      event("reservation.create", {{"tenant", "acme"}, {"peer", "later"}, {"server", "srv"}}, "acme/later"),
      event("rule.set",
            {{"tenant", "acme"}, {"rule", "deny"}, {"source_peer", "p"}, {"dest_peer", "r"}, {"action", "deny"}},
            "acme"),
      event("peer.rotate_key", {{"tenant", "acme"}, {"peer", "p"}, {"public_key", key_pair()}}, "acme/p"),
      peer_event("revoke", "acme", "r")};
  events[4].cloud_event["data"]["peer"] = "too-many";
  std::vector<const Message*> first, second;
  for (std::size_t i = 0; i < events.size(); ++i) (i % 2 == 0 ? first : second).push_back(&log.append(events[i], 5));
  std::vector<const Message*> all;
  for (std::size_t i = 0; i < events.size(); ++i) all.push_back(i % 2 == 0 ? first[i / 2] : second[i / 2]);
  for (std::size_t i = 0; i < all.size(); i += 3) {
    const std::vector<const Message*> part(all.begin() + static_cast<std::ptrdiff_t>(i),
                                           all.begin() + static_cast<std::ptrdiff_t>(std::min(i + 3, all.size())));
    const auto report = StoreTest::execute(intake, part);
    ASSERT_TRUE(report.has_value()) << report.error().message;
  }
  EXPECT_EQ(0, db.number("SELECT count(*) FROM dead_letters"));
  EXPECT_LT(0, db.number("SELECT count(*) FROM audit WHERE outcome = 'accepted' AND event_type LIKE '%rule.set%'"));
  const auto before = fingerprint();
  db.execute("UPDATE intake SET next_offset = 0 WHERE partition = 5");
  const auto again = StoreTest::execute(intake, all);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(all.size(), again->duplicates);
  EXPECT_EQ(before, fingerprint());
}

TEST_F(Language, aRegionGivesTheLeastUsedServerWithRoom) {
  register_server("full", nlohmann::json::object(), {{"region", "eu"}, {"max_peers", 1}});
  register_server("busy", {{"ipv4", "10.201.0.0/16"}, {"ipv6", "fd00:201::/64"}, {"reserved", {"10.201.0.1"}}},
                  {{"region", "eu"}, {"max_peers", 10}});
  register_server("calm", {{"ipv4", "10.202.0.0/16"}, {"ipv6", "fd00:202::/64"}, {"reserved", {"10.202.0.1"}}},
                  {{"region", "eu"}, {"max_peers", 100}});
  execute({provision("a", {}, "full"), provision("b", {}, "busy"), provision("c", {}, "calm")});
  const TestEvent placed = in_region("p");
  execute({placed});
  EXPECT_EQ("calm", server_of("p")) << decision(placed).second;
  db.execute("UPDATE servers SET state = 'draining' WHERE name = 'calm'");
  execute({in_region("q")});
  EXPECT_EQ("busy", server_of("q"));
  TestEvent nowhere = in_region("r");
  nowhere.cloud_event["data"]["region"] = "mars";
  execute({nowhere});
  EXPECT_EQ("unknown_region", decision(nowhere).second);
  db.execute("UPDATE servers SET peer_count = max_peers");
  const TestEvent full = in_region("s");
  execute({full});
  EXPECT_EQ("region_full", decision(full).second);
}

TEST_F(Language, aServerOfATenantIsNobodyElses) {
  register_server("srv", nlohmann::json::object(), {{"owner", "acme"}, {"region", "eu"}});
  const TestEvent named = peer_provision("globex", "p", "srv", key_pair());
  const TestEvent placed = in_region("q", "globex");
  execute({named, placed});
  EXPECT_EQ("unknown_server", decision(named).second);
  EXPECT_EQ("unknown_region", decision(placed).second);
  execute({in_region("mine")});
  EXPECT_EQ("srv", server_of("mine"));
}

TEST_F(Language, theSameNamesOfTwoTenantsAreStrangers) {
  register_server();
  execute({provision("p", "s"), peer_provision("globex", "p", "srv", key_pair(), "s")});
  execute({subscriber_event("suspend", "globex", "s"), peer_event("revoke", "globex", "p")});
  sweep_all();
  EXPECT_EQ("active", db.value("SELECT entitlement FROM peers p JOIN tenants t ON t.id = p.tenant_id "
                               "WHERE t.name = 'acme' AND p.name = 'p'"));
  EXPECT_EQ(1, db.number("SELECT peer_count FROM tenants WHERE name = 'acme'"));
  EXPECT_EQ(0, db.number("SELECT peer_count FROM tenants WHERE name = 'globex'"));
}

TEST_F(Language, whoHeldAnAddressWhenIsOneQuery) {
  register_server("srv", {{"quarantine_seconds", 3600}});
  TestEvent asked = provision("p");
  asked.cloud_event["data"]["address"] = "10.200.0.9";
  execute({asked});
  EXPECT_EQ(9, of_peer("p", "address_offset")) << decision(asked).second;
  const std::string holder =
      "SELECT p.name FROM address_periods a JOIN peers p ON p.id = a.peer_id WHERE a.address_offset = 9 AND "
      "a.from_at <= clock_now() AND (a.until_at IS NULL OR a.until_at > clock_now())";
  EXPECT_EQ("p", db.value(holder));
  TestEvent taken = provision("q");
  taken.cloud_event["data"]["address"] = "10.200.0.9";
  execute({taken});
  EXPECT_EQ("address_taken", decision(taken).second);
  // The counter passes what was given out ahead of it.
  std::vector<TestEvent> many;
  for (int i = 0; i < 10; ++i) many.push_back(provision("n" + std::to_string(i)));
  const auto report = execute(many);
  EXPECT_EQ(many.size(), report.executed);
  EXPECT_EQ(11, db.number("SELECT count(*) FROM peers WHERE address_offset IS NOT NULL"));
  EXPECT_EQ(11, db.number("SELECT count(*) FROM address_periods WHERE until_at IS NULL"));
}

TEST_F(Language, anAddressThatAPeerHoldsIsNeitherOfferedNorFreed) {
  register_server("srv", {{"ipv4", "10.200.0.0/29"}, {"ipv6", nullptr}});
  execute({provision("a"), provision("b"), provision("c"), provision("d"), provision("e")});
  EXPECT_EQ(5, db.number("SELECT count(*) FROM peers WHERE address_offset IS NOT NULL"));
  db.execute(
      "INSERT INTO network_free (network_id, address_offset, available_at) "
      "SELECT network_id, address_offset, now() - interval '1 day' FROM peers WHERE name = 'b'");
  const TestEvent one_more = provision("f");
  execute({one_more});
  EXPECT_EQ("rejected", decision(one_more).first);
  EXPECT_EQ("", db.value("SELECT host(wg_get_next_available_ip('10.200.0.0/29'))"));
  db.execute("DELETE FROM network_free");
  execute({peer_event("suspend", "acme", "a")});
  db.execute(
      "UPDATE removals d SET network_id = p.network_id, address_offset = p.address_offset FROM peers p "
      "WHERE p.name = 'b'");
  execute({peer_event("resume", "acme", "a")});
  EXPECT_EQ(0, db.number("SELECT count(*) FROM removals"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM network_free"));
  EXPECT_EQ(5, db.number("SELECT count(*) FROM address_periods WHERE until_at IS NULL"));
}

TEST_F(Language, anAddressThatIsReplacedOnARemovalEndsItsPeriod) {
  register_server();
  register_server("two", {{"ipv4", "10.201.0.0/24"}, {"ipv6", nullptr}, {"reserved", {"10.201.0.1"}}});
  execute({provision("p")});
  execute({peer_event("suspend", "acme", "p")});
  db.execute("UPDATE removals d SET network_id = p.network_id, address_offset = 99 FROM peers p");
  db.execute("INSERT INTO address_periods (network_id, address_offset, peer_id) SELECT network_id, 99, id FROM peers");
  const TestEvent moved = event("peer.move", {{"tenant", "acme"}, {"peer", "p"}, {"server", "two"}}, "acme/p");
  execute({moved});
  ASSERT_EQ("accepted", decision(moved).first) << decision(moved).second;
  EXPECT_EQ(
      2, db.number("SELECT address_offset FROM removals d JOIN servers s ON s.id = d.server_id WHERE s.name = 'srv'"));
  EXPECT_EQ(99, db.number("SELECT address_offset FROM network_free"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM address_periods WHERE address_offset = 99 AND until_at IS NULL"));
}

// The others' firewalls name a ruled peer by its address.
TEST_F(Language, aRuledPeerThatMovesOrGoesReachesTheServersOfItsTenant) {
  register_server();
  register_server("two", {{"ipv4", "10.201.0.0/24"}, {"ipv6", nullptr}, {"reserved", {"10.201.0.1"}}});
  const auto waiting = [&] { return db.number("SELECT count(*) FROM wider_fan_outs WHERE kind = 'tenant'"); };
  execute({provision("p"), provision("q", {}, "two"), provision("r", {}, "two")});
  const TestEvent rule =
      event("rule.set", {{"tenant", "acme"}, {"rule", "r"}, {"dest_peer", "p"}, {"action", "deny"}}, "acme");
  execute({rule});
  ASSERT_EQ("accepted", decision(rule).first) << decision(rule).second;
  sweep_all();
  execute({peer_event("revoke", "acme", "r"), peer_event("suspend", "acme", "p")});
  EXPECT_EQ(0, waiting());
  const TestEvent moved = event("peer.move", {{"tenant", "acme"}, {"peer", "p"}, {"server", "two"}}, "acme/p");
  EXPECT_TRUE(execute({moved}).sweep);
  ASSERT_EQ("accepted", decision(moved).first) << decision(moved).second;
  EXPECT_EQ(1, waiting());
  sweep_all();
  const std::string generation = "SELECT generation FROM servers WHERE name = 'two'";
  const std::int64_t before = db.number(generation);
  execute({peer_event("revoke", "acme", "p")});
  EXPECT_EQ(1, waiting());
  sweep_all();
  EXPECT_LT(before, db.number(generation));
}

TEST_F(Language, aTenantThatMerelyCountsSaysNothing) {
  register_server();
  execute(
      {event("tenant.set",
             {{"tenant", "acme"}, {"mass_suspension", {{"limit", 9}, {"window_seconds", 3600}, {"action", "alert"}}}},
             "acme"),
       provision("p")});
  const auto said = [&] {
    return db.number("SELECT count(*) FROM outbox WHERE ce_type LIKE 'peerwright.tenant.status.%'");
  };
  EXPECT_EQ(1, said());
  const TestEvent again = peer_event("suspend", "acme", "p").from("security");
  execute({peer_event("suspend", "acme", "p"), again});
  EXPECT_EQ("unchanged", decision(again).first);
  EXPECT_EQ(1, said());
}

// Views show what they show to whoever may read them, and the functions work with the caller's own rights.
TEST_F(Language, rolesHaveTheRightsThatTheyWereGiven) {
  register_server();
  execute({provision("p"), peer_event("suspend", "acme", "named")});
  const std::string peer = db.value("SELECT id FROM peers WHERE name = 'named'");
  const std::string reader = "reader_" + me.substr(0, 8), writer = "writer_" + me.substr(0, 8);
  const std::string allocate = "SELECT wg_allocate_ip(" + peer + ", '10.200.0.0/16')";
  Other other(db);  // rolls back: the roles are never there for anybody else
  other.execute("CREATE ROLE " + reader + "; CREATE ROLE " + writer);
  other.execute("GRANT SELECT ON wireguard_server_stats, wireguard_peers, wg_ip_pool TO " + reader);
  other.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + writer);
  other.execute("SET LOCAL ROLE " + reader);
  EXPECT_EQ(1, other.execute("SELECT active_peers FROM wireguard_server_stats")[0][0].as<int>());
  EXPECT_FALSE(other.execute("SELECT is_online FROM wireguard_peers")[0][0].as<bool>());
  // Nobody's clock stands before the installation's.
  other.execute("RESET ROLE");
  const std::string clock = "SELECT clock_now() - now() < interval '1 hour'";
  other.execute("CREATE TEMP TABLE installation AS SELECT interval '1 day' AS clock_offset");
  EXPECT_TRUE(other.execute(clock)[0][0].as<bool>());
  other.execute("DROP TABLE pg_temp.installation; SET LOCAL ROLE " + writer);
  EXPECT_EQ("10.200.0.3", other.execute(allocate)[0][0].as<std::string>());
  other.execute("RESET ROLE; SET LOCAL ROLE " + reader);
  EXPECT_THROW(other.execute(allocate), pqxx::insufficient_privilege);
}

TEST_F(Language, prefixesBehindPeersNeverOverlapOnAServer) {
  register_server();
  TestEvent first = provision("p");
  first.cloud_event["data"]["site_networks"] = {"192.168.1.0/24"};
  TestEvent second = provision("q");
  second.cloud_event["data"]["site_networks"] = {"192.168.0.0/16"};
  execute({first});
  execute({second});
  EXPECT_EQ("accepted", decision(first).first) << decision(first).second;
  EXPECT_EQ("prefix_taken", decision(second).second);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM site_prefixes"));
  execute({event("peer.update", {{"tenant", "acme"}, {"peer", "p"}, {"site_networks", {"192.168.7.0/24"}}}, "acme/p")});
  EXPECT_EQ("192.168.7.0/24", db.value("SELECT string_agg(prefix::text, ',') FROM site_prefixes"));
}

// Batches about the same subjects, on two partitions and in any order, beside the sweep: everybody waits for the others
// in one order, so nobody is ever the victim of a deadlock.
TEST_F(Language, locksStandInOneOrder) {
  register_server("srv", nlohmann::json::object(), {{"region", "eu"}});
  register_server("two", {{"ipv4", "10.201.0.0/16"}, {"ipv6", "fd00:201::/64"}, {"reserved", {"10.201.0.1"}}},
                  {{"region", "eu"}});
  constexpr int kBatches = 25;
  constexpr int kPerBatch = 8;
  std::atomic<int> refused{0};
  std::atomic<bool> over{false};
  const auto random_event = [this](std::mt19937& random) {
    const auto name = [&](const char* kind, unsigned most) { return kind + std::to_string(random() % most); };
    const std::string peer = name("p", 12), subscriber = name("s", 4), tenant = name("t", 2);
    switch (random() % 8) {
      case 0:
        return subscriber_event("suspend", tenant, subscriber);
      case 1:
        return subscriber_event("resume", tenant, subscriber);
      case 2:
        return event("peer.rotate_key", {{"tenant", tenant}, {"peer", peer}, {"public_key", key_pair()}}, tenant);
      case 3:
        return event("peer.move", {{"tenant", tenant}, {"peer", peer}, {"region", "eu"}}, tenant);
      case 4:
        return event("subscriber.suspend", {{"tenant", tenant}, {"customer", name("c", 2)}}, tenant);
      case 5:
        return peer_event("suspend", tenant, peer);
      default:
        return peer_provision(tenant, peer, random() % 2 == 0 ? "srv" : "two", key_pair(), subscriber);
    }
  };
  const auto publisher = [&](int partition) {
    std::mt19937 random(static_cast<unsigned>(partition));
    store::IntakeStore store(db.database(), sealer);
    Log own;
    for (int batch = 0; batch < kBatches; ++batch) {
      std::vector<const Message*> messages;
      for (int i = 0; i < kPerBatch; ++i) messages.push_back(&own.append(random_event(random), partition));
      const auto executed = [&] {
        const auto report = StoreTest::execute(store, messages);
        if (!report && report.error().code != "db_conflict" && report.error().code != "db_unique") ++refused;
        return report.has_value();
      };
      EXPECT_TRUE(eventually(executed));
    }
  };
  std::thread sweeping([&] {
    store::SweepStore store(db.database(), &sealer);
    while (!over) {
      EXPECT_TRUE(store.wider_fan_out(3).has_value());
      const auto step = store.fan_out(3);
      if (!step && step.error().code != "db_conflict") ++refused;
    }
  });
  std::thread one([&] { publisher(6); });
  std::thread other([&] { publisher(7); });
  one.join();
  other.join();
  over = true;
  sweeping.join();
  EXPECT_EQ(0, refused);
  db.execute("SELECT pg_stat_clear_snapshot()");
  EXPECT_EQ(0, db.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"));
  EXPECT_EQ(db.number("SELECT sum(peer_count) FROM servers"), db.number("SELECT sum(peer_count) FROM tenants"));
  EXPECT_EQ(db.number("SELECT count(*) FROM peers WHERE stage = 'provisioned'"),
            db.number("SELECT sum(peer_count) FROM servers"));
}

}  // namespace
}  // namespace peerwright::test
