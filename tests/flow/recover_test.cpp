#include <atomic>
#include <csignal>
#include <fstream>
#include <pqxx/pqxx>
#include <thread>

#include "flow.hpp"
#include "peerwright/broker/admin.hpp"
#include "support/process.hpp"

// The database is lost: what a backup and the audit topic bring back, and that no host notices.
namespace peerwright::test {
namespace {

using nlohmann::json;

// Looks all the time whether a key stands on the host.
class Watch {
 public:
  Watch(const LabHost& host, std::string key)
      : thread_([this, &host, key = std::move(key)] {
          while (!stop_) {
            seen_ = seen_ || host.kernel_peers().contains(key);
            ++looks_;
          }
        }) {}
  ~Watch() { end(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  bool saw_it() {
    end();
    return seen_;
  }
  [[nodiscard]] int looks() const { return looks_; }

 private:
  void end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::atomic<bool> stop_ = false;
  std::atomic<bool> seen_ = false;
  std::atomic<int> looks_ = 0;
  std::thread thread_;
};

class Recover : public FlowTest {
 protected:
  // A is suspended, B revoked, C new and D moved within what the backup does not know.
  void live_on() {
    accept({of_peer("suspend", "A"), of_peer("revoke", "B")});
    provision("C");
    settle();
    ASSERT_FALSE(on_host("A"));
  }
  void back_up(const std::string& file) {
    ASSERT_EQ(0, run_command({"pg_dump", "--clean", "--if-exists", "-f", file, installation.db().dsn()}).exit_status);
  }
  void restore(const std::string& file, TestDatabase& into) {
    ASSERT_EQ(0, run_command({"psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, into.dsn()}).exit_status);
    into.reconnect();
  }
  void end_worker(const std::string& name) {
    installation.worker(name).signal(SIGTERM);
    ASSERT_EQ(0, installation.worker(name).wait(std::chrono::seconds(20)));
  }
  void start_on(const TestDatabase& database, const std::string& name) {
    installation.start_worker(name, {{"PEERWRIGHT_POSTGRES_DSN", database.dsn()}});
  }
  Finished cli_on(const TestDatabase& database, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "json", "--set", "postgres.dsn=" + database.dsn()});
    return installation.cli(arguments);
  }
  // Two names whose events come in different partitions.
  std::pair<std::string, std::string> names_apart() {
    const auto position = [&] {
      return installation.db().rows("SELECT topic || partition, next_offset FROM intake ORDER BY 1");
    };
    std::map<std::string, std::string> of_partition;
    for (int i = 0; of_partition.size() < 2 && i < 50; ++i) {
      const std::string name = "N" + std::to_string(i);
      const auto before = position();
      accept({of_peer("suspend", name)});
      for (const auto& row : position()) {
        if (std::find(before.begin(), before.end(), row) == before.end()) of_partition.try_emplace(row[0], name);
      }
    }
    return {of_partition.begin()->second, of_partition.rbegin()->second};
  }
  TestEvent provision_as(const std::string& peer, const std::string& key) {
    return event("peer.provision",
                 {{"tenant", "acme"}, {"peer", peer}, {"server", "fra1"}, {"public_key", keys(peer).public_key}},
                 "acme/" + key);
  }
  std::int64_t push_number() {
    const std::string text = host.sh("cat /etc/wireguard/wg0.conf.push");
    return std::stoll(text.substr(text.find(' ') + 1));
  }
  // Nothing is due, and nothing waits to be said.
  bool at_rest(TestDatabase& database) {
    return database.number(
               "SELECT (SELECT count(*) FROM deliveries WHERE due OR in_doubt) + (SELECT count(*) FROM outbox)"
               " + (SELECT count(*) FROM wider_fan_outs) + (SELECT chain_no - published_no FROM audit_head)"
               " + (SELECT count(*) FROM audit WHERE chain_no IS NULL)") == 0;
  }
  void expect_caught_up(TestDatabase& database, const std::string& worker) {
    ASSERT_TRUE(eventually([&] { return at_rest(database); }, std::chrono::seconds(60))) << installation.log_of(worker);
    EXPECT_EQ(host.kernel_peers(), wanted_peers(database, "fra1"));
    EXPECT_EQ(host.file_peers(), host.kernel_peers());
    EXPECT_EQ(0, cli_on(database, {"audit", "verify"}).exit_status);
  }
};

TEST_F(Recover, ARestoredBackupStopsItselfAndCatchesUp) {
  provision("A");
  provision("B");
  const std::string file = installation.directory() / "backup.sql";
  back_up(file);
  live_on();
  end_worker("w1");
  const std::int64_t before = push_number();

  TestDatabase restored;
  restore(file, restored);
  ASSERT_EQ("active", restored.value("SELECT entitlement FROM peers WHERE name = 'A'"));
  Watch watch(host, keys("A").public_key);
  start_on(restored, "w2");
  start_on(restored, "w3");
  for (const char* worker : {"w2", "w3"}) {
    EXPECT_TRUE(eventually([&] { return installation.log_of(worker).find("database_is_older") != std::string::npos; }))
        << installation.log_of(worker);
    EXPECT_NE(std::string::npos, installation.log_of(worker).find("peerwright recover"));
  }
  // Neither executes what it is told, nor touches the host.
  const auto told = of_peer("provision", "D", {{"server", "fra1"}, {"public_key", keys("D").public_key}});
  installation.publish(told);
  EXPECT_EQ(before, push_number());
  EXPECT_EQ(0, restored.number("SELECT count(*) FROM inbox WHERE id = '" + told.id() + "'"));

  EXPECT_EQ(0, cli_on(restored, {"recover", "--dry-run"}).exit_status);
  EXPECT_EQ("database_is_older", restored.value("SELECT halted_code FROM installation"));
  const Finished recovered = cli_on(restored, {"recover", "--yes"});
  ASSERT_EQ(0, recovered.exit_status) << recovered.out;
  ASSERT_TRUE(eventually([&] { return on_host("D"); }, std::chrono::seconds(60))) << installation.log_of("w2");
  expect_caught_up(restored, "w2");
  EXPECT_TRUE(on_host("C"));
  EXPECT_FALSE(on_host("B"));
  EXPECT_EQ("suspended", restored.value("SELECT entitlement FROM peers WHERE name = 'A'"));
  EXPECT_LT(0, watch.looks());
  EXPECT_FALSE(watch.saw_it()) << "a suspended peer was on the host in between";
  EXPECT_LT(before, push_number());
}

// Postgres is replaced by a backup while workers run, one of them with a batch in its hands.
TEST_F(Recover, ABatchInHandIsNotExecutedOnABackup) {
  const auto [busy, quiet] = names_apart();
  ASSERT_NE(busy, quiet);
  settle();
  const std::string file = installation.directory() / "backup.sql";
  back_up(file);
  accept({provision_as("lost", busy)});
  settle();
  TestDatabase restored;
  restore(file, restored);
  pqxx::connection cluster(required_environment("PG_DSN"));
  const auto run = [&](const std::string& sql) { pqxx::nontransaction(cluster).exec(sql); };
  const auto name_of = [](TestDatabase& database) { return database.value("SELECT current_database()"); };
  const std::string live = name_of(installation.db()), copy = name_of(restored), old = live + "_old";
  run("ALTER DATABASE " + live + " ALLOW_CONNECTIONS false");
  const auto end_all = [&](const std::string& name) {
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'");
  };
  end_all(live);
  end_all(copy);
  const auto told = provision_as("other", quiet);
  installation.publish(told);
  ASSERT_TRUE(eventually([&] { return installation.log_of("w1").find("a batch waits") != std::string::npos; }));
  run("ALTER DATABASE " + live + " RENAME TO " + old);
  run("ALTER DATABASE " + copy + " RENAME TO " + live);
  installation.db().reconnect();
  TestDatabase& db = installation.db();
  ASSERT_TRUE(eventually([&] { return db.value("SELECT halted_code FROM installation") == "database_is_older"; }));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM inbox WHERE id = '" + told.id() + "'"));
  ASSERT_EQ(0, cli_on(db, {"recover", "--yes"}).exit_status);
  ASSERT_TRUE(eventually([&] { return on_host("other"); }, std::chrono::seconds(60))) << installation.log_of("w1");
  expect_caught_up(db, "w1");
  EXPECT_TRUE(on_host("lost"));
  EXPECT_EQ("2", db.value("SELECT count(*) FROM peers WHERE name IN ('lost', 'other')"));
  run("DROP DATABASE " + old + " WITH (FORCE)");
}

TEST_F(Recover, AnEmptiedAuditTopicStopsTooAndIsFilledAgain) {
  provision("A");
  settle();
  end_worker("w1");
  const std::string anew = installation.topic("audit-anew");
  const broker::Connection connection{required_environment("KAFKA_BROKERS"), {}, {}};
  ASSERT_TRUE(broker::create_topics(connection, {{anew, 4, {}}}, std::chrono::seconds(10)).has_value());
  TestDatabase& db = installation.db();
  installation.start_worker("w2", {}, {{"kafka.audit_topic", anew}});
  ASSERT_TRUE(eventually([&] { return db.value("SELECT halted_code FROM installation") == "audit_topic_empty"; }))
      << installation.log_of("w2");
  const Finished recovered = cli_on(db, {"recover", "--yes", "--set", "kafka.audit_topic=" + anew});
  ASSERT_EQ(0, recovered.exit_status) << recovered.out;
  expect_caught_up(db, "w2");
  EXPECT_TRUE(on_host("A"));
  end_worker("w2");
  const std::string digest = json::parse(cli_on(db, {"audit", "digest"}).out).back()["sum"];
  TestDatabase made;
  const Finished rebuilt = cli_on(made, {"rebuild", "--from-audit", "--set", "kafka.audit_topic=" + anew});
  ASSERT_EQ(0, rebuilt.exit_status) << rebuilt.out;
  EXPECT_EQ(digest, json::parse(rebuilt.out)["digest"]);
}

TEST_F(Recover, TheAuditAloneMakesTheDatabaseAnew) {
  provision("A");
  provision("B");
  live_on();
  end_worker("w1");
  const auto peers = host.kernel_peers();
  const std::string saved = host.sh("cat /etc/wireguard/wg0.conf");
  const std::int64_t before = push_number();
  const json tables = json::parse(cli_on(installation.db(), {"audit", "digest"}).out);

  TestDatabase made;
  const Finished rebuilt = cli_on(made, {"rebuild", "--from-audit"});
  ASSERT_EQ(0, rebuilt.exit_status) << rebuilt.out;
  EXPECT_EQ(tables.back()["sum"], json::parse(rebuilt.out)["digest"]);
  EXPECT_EQ(4, cli_on(installation.db(), {"rebuild", "--from-audit"}).exit_status) << "a database that is not empty";

  start_on(made, "w2");
  ASSERT_TRUE(eventually([&] { return push_number() > before; })) << installation.log_of("w2");
  expect_caught_up(made, "w2");
  EXPECT_EQ(peers, host.kernel_peers());
  EXPECT_EQ(saved, host.sh("cat /etc/wireguard/wg0.conf"));
}

}  // namespace
}  // namespace peerwright::test
