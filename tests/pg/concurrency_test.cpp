#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "store_support.hpp"

// Several workers at once on the same events: each event acts once, nobody's work is lost, no deadlock ends one.
namespace peerwright::test {
namespace {

constexpr int kWorkers = 4;
constexpr int kPeers = 60;
constexpr std::size_t kBatch = 25;
constexpr int kMostAttempts = 200;
constexpr int kMostPushes = 100'000;

class Concurrency : public StoreTest {
 protected:
  // The events in one partition per worker, each in an order of its own, executed in batches at the same time.
  void execute_by_all(const std::vector<TestEvent>& events) {
    std::vector<std::vector<const Message*>> parts(kWorkers);
    for (int worker = 0; worker < kWorkers; ++worker) {
      std::vector<TestEvent> shuffled = events;
      std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(static_cast<std::uint32_t>(worker + 1)));
      for (const TestEvent& event : shuffled) {
        parts[static_cast<std::size_t>(worker)].push_back(&log.append(event, worker));
      }
    }
    std::vector<std::thread> threads;
    for (const auto& part : parts) threads.emplace_back([this, &part] { work_off(part); });
    for (std::thread& thread : threads) thread.join();
  }

  // As the worker does: what can pass is tried again, what another has just taken is decided anew.
  void work_off(const std::vector<const Message*>& messages) {
    store::IntakeStore store(db.database(), sealer);
    for (std::size_t begin = 0; begin < messages.size(); begin += kBatch) {
      const auto end = messages.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kBatch, messages.size()));
      const std::vector<const Message*> part(messages.begin() + static_cast<std::ptrdiff_t>(begin), end);
      for (int attempt = 1;; ++attempt) {
        const auto report = execute(store, part);
        if (report) {
          executed += report->executed;
          duplicates += report->duplicates;
          dead += report->dead_letters;
          break;
        }
        const bool passes = report.error().retry == Retry::later || report.error().code == "db_unique";
        if (!passes || attempt == kMostAttempts) {
          ADD_FAILURE() << report.error().code << ": " << report.error().message;
          return;
        }
      }
    }
  }

  std::atomic<std::size_t> executed{0};
  std::atomic<std::size_t> duplicates{0};
  std::atomic<std::size_t> dead{0};
};

TEST_F(Concurrency, everyEventActsOnceHoweverManyWorkersReadIt) {
  register_server("one");
  register_server("two");
  const std::int64_t before = db.number("SELECT count(*) FROM audit WHERE source <> 'peerwright'");
  std::vector<TestEvent> events;
  for (int i = 0; i < kPeers; ++i) {
    const std::string peer = "p" + std::to_string(i);
    const std::string subscriber = "s" + std::to_string(i % 7);
    events.push_back(provision(peer, subscriber, i % 2 == 0 ? "one" : "two"));
    if (i % 3 == 0) events.push_back(peer_event("suspend", "acme", peer));
    if (i % 5 == 0) events.push_back(peer_event("revoke", "acme", peer).from("orchestrator"));
  }
  for (int i = 0; i < 7; ++i) events.push_back(subscriber_event("suspend", "acme", "s" + std::to_string(i)));
  for (int i = 0; i < 7; ++i) events.push_back(subscriber_event("resume", "acme", "s" + std::to_string(i)));
  execute_by_all(events);
  fan_out();
  EXPECT_EQ(events.size(), executed.load());
  EXPECT_EQ(events.size() * (kWorkers - 1), duplicates.load());
  EXPECT_EQ(0U, dead.load());
  EXPECT_EQ(static_cast<std::int64_t>(events.size()),
            db.number("SELECT count(*) FROM audit WHERE source <> 'peerwright'") - before);
  EXPECT_EQ(kPeers, db.number("SELECT count(*) FROM peers"));
  for (int i = 0; i < kPeers; ++i) {
    const char* wanted = i % 5 == 0 ? "revoked" : i % 3 == 0 ? "suspended" : "active";
    EXPECT_EQ(wanted, entitlement("p" + std::to_string(i))) << i;
  }
  EXPECT_EQ(0, db.number("SELECT count(*) FROM servers s WHERE peer_count <> (SELECT count(*) FROM peers p WHERE "
                         "p.server_id = s.id AND stage = 'provisioned')"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM peers p JOIN servers s ON s.id = p.server_id "
                         "WHERE p.generation > s.generation"));
}

TEST_F(Concurrency, idUnderLockKeepsEverySubjectsMessagesInTheOrderOfItsVersions) {
  register_server();
  std::vector<TestEvent> first;
  for (int i = 0; i < 5; ++i) first.push_back(provision("p" + std::to_string(i), "s"));
  execute(first);
  std::vector<std::thread> threads;
  for (int worker = 0; worker < kWorkers; ++worker) {
    std::vector<const Message*> messages;
    for (int i = 0; i < 40; ++i) {
      const std::string peer = "p" + std::to_string(i % 5);
      messages.push_back(&log.append(
          peer_event(i % 2 == 0 ? "suspend" : "resume", "acme", peer).from("source-" + std::to_string(worker)),
          worker + 1));
    }
    threads.emplace_back([this, messages] { work_off(messages); });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string disorder =
      "SELECT count(*) FROM (SELECT (body::jsonb ->> 'version')::bigint AS version, lag((body::jsonb ->> "
      "'version')::bigint) OVER (PARTITION BY body::jsonb ->> 'peer' ORDER BY id) AS before FROM outbox WHERE ce_type "
      "= "
      "'peerwright.peer.status.v1') v WHERE version < before";
  EXPECT_EQ(0, db.number(disorder));
  EXPECT_GT(db.number("SELECT count(*) FROM outbox"), 50);
}

TEST_F(Concurrency, noAddressIsGivenTwiceWhereEverybodyAllocates) {
  register_server("srv", {{"ipv4", "10.9.0.0/27"}, {"ipv6", "fd09::/64"}, {"reserved", {"10.9.0.1"}}});
  std::vector<TestEvent> events;
  for (int i = 0; i < 40; ++i) events.push_back(provision("p" + std::to_string(i)));
  execute_by_all(events);
  EXPECT_EQ(29, db.number("SELECT count(DISTINCT address_offset) FROM peers"));  // 32 without network, broadcast, own
  EXPECT_EQ(29, db.number("SELECT count(*) FROM peers WHERE stage = 'provisioned'"));
  EXPECT_EQ(11, db.number("SELECT count(*) FROM audit WHERE code = 'addresses_exhausted'"));
}

TEST_F(Concurrency, aContestedInterfaceGoesToOneServer) {
  register_server();
  const std::string host_key = db.value("SELECT ssh_host_key FROM servers");
  constexpr int kPlaces = 20;
  std::vector<TestEvent> events;
  for (int i = 0; i < kPlaces * 3; ++i) {
    const std::string server = "s" + std::to_string(i);
    events.push_back(event("server.register",
                           {{"server", server},
                            {"network", "net-srv"},
                            {"ssh", {{"host", "host" + std::to_string(i % kPlaces)}, {"host_key", host_key}}},
                            {"endpoint", "192.0.2.10:51820"}},
                           "server/" + server));
  }
  execute_by_all(events);
  EXPECT_EQ(kPlaces, db.number("SELECT count(*) FROM servers WHERE ssh_host LIKE 'host%' AND word IS NOT NULL"));
  EXPECT_EQ(kPlaces, db.number("SELECT count(DISTINCT ssh_host) FROM servers WHERE ssh_host LIKE 'host%'"));
  EXPECT_EQ(2 * kPlaces, db.number("SELECT count(*) FROM audit WHERE code = 'interface_taken'"));
}

TEST_F(Concurrency, aContestedKeyGoesToOneAndTheOthersAreRefused) {
  register_server("one");
  register_server("two");
  const TestEvent model = provision("p0", {}, "one");
  std::vector<TestEvent> events;
  for (int i = 0; i < 12; ++i) {
    events.push_back(peer_provision("acme", "p" + std::to_string(i), i % 2 == 0 ? "one" : "two", key_of("p0")));
  }
  execute_by_all(events);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM peers WHERE stage = 'provisioned'"));
  EXPECT_EQ(11, db.number("SELECT count(*) FROM audit WHERE code = 'key_unavailable'"));
  EXPECT_EQ(0U, dead.load());
}

TEST_F(Concurrency, deliveriesAndWordsAtOnceComeToRestAsWanted) {
  register_server();
  std::vector<TestEvent> first;
  for (int i = 0; i < 10; ++i) first.push_back(provision("p" + std::to_string(i), "s"));
  execute(first);
  std::atomic<bool> over{false};
  std::thread delivering([&] {
    store::DeliveryStore store(db.database());
    while (!over) deliver(store, me, host, kMostPushes);
  });
  std::thread sweeping([&] {
    store::SweepStore store(db.database());
    while (!over) EXPECT_TRUE(store.fan_out(3).has_value());
  });
  for (int round = 0; round < 15; ++round) {
    execute({subscriber_event(round % 2 == 0 ? "suspend" : "resume", "acme", "s")}, 1);
    const std::string peer = "p" + std::to_string(round % 10);
    execute({peer_event("suspend", "acme", peer).from("security"), peer_event("resume", "acme", peer).from("security")},
            2);
  }
  execute({subscriber_event("resume", "acme", "s")}, 1);
  const bool settled = eventually([&] {
    return db.number("SELECT (SELECT count(*) FROM deliveries WHERE due) + (SELECT count(*) FROM fan_outs)") == 0;
  });
  over = true;
  delivering.join();
  sweeping.join();
  EXPECT_TRUE(settled);
  EXPECT_EQ(10U, host.keys().size());
  EXPECT_EQ(10,
            db.number("SELECT count(*) FROM peers WHERE entitlement = 'active' AND applied_generation = generation"));
}

}  // namespace
}  // namespace peerwright::test
