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
