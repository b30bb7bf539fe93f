// Whoever is to go goes first, however many wait to come in; and where that cannot be done in time, it is said.
#include <gtest/gtest.h>

#include "support/installation.hpp"
#include "support/said.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Urgent : public testing::Test {
 protected:
  // One thread, so that servers have to wait for each other, and chunks so small that they outlast the test.
  Urgent()
      : installation({.partitions = 1,
                      .settings = {{"deliver.threads", "1"},
                                   {"deliver.chunk_peers", "10"},
                                   {"deliver.urgent_limit_ms", "500"},
                                   {"worker.dead_after_ms", "1000"}}}) {}

  static std::string server_of(std::size_t i) { return "srv" + std::to_string(i); }
  // Takes the hosts' interfaces into service, `servers` of them.
  void establish(std::size_t servers) {
    installation.start_worker("others", {}, {{"roles", "intake, sweep, publish"}});
    std::vector<TestEvent> events = {network_set("net")};
    for (std::size_t i = 0; i < servers; ++i) {
      const LabHost& host = hosts[i % hosts.size()];
      auto server = server_register(server_of(i), "net", host);
      if (const std::size_t number = i / hosts.size(); number > 0) {
        interfaces.push_back(std::make_unique<LabInterface>(host, static_cast<int>(number)));
        server.cloud_event["data"]["interface"] = interfaces.back()->name();
      }
      events.push_back(server);
    }
    installation.establish(events);
  }
  void publish_adds(std::size_t servers, std::size_t each) {
    constexpr std::size_t kAtOnce = 5000;
    const std::int64_t all =
        installation.db().number("SELECT count(*) FROM peers") + static_cast<std::int64_t>(servers * each);
    std::vector<TestEvent> events;
    for (std::size_t i = 0; i < servers * each; ++i) {
      events.push_back(
          peer_provision("acme", "P" + std::to_string(i), server_of(i % servers), make_client_keys().public_key));
      if (events.size() == kAtOnce || i + 1 == servers * each) {
        installation.publish(events);
        events.clear();
      }
    }
    ASSERT_TRUE(eventually([&] { return installation.db().number("SELECT count(*) FROM peers") == all; },
                           std::chrono::minutes(10)));
  }
  // Writes down what happens, in its order: a push that begins, a removal that is decided, and its proof.
  void keep_a_log() {
    installation.db().execute(
        "CREATE TABLE happened (id bigserial, what text, server_id bigint);"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  INSERT INTO happened (what, server_id) VALUES (TG_ARGV[0], coalesce(NEW.server_id, OLD.server_id));"
        "  RETURN NULL; END $$;"
        "CREATE TRIGGER begun AFTER UPDATE ON deliveries FOR EACH ROW WHEN (NEW.push_no > OLD.push_no)"
        "  EXECUTE FUNCTION note('begun');"
        "CREATE TRIGGER decided AFTER INSERT ON removals FOR EACH ROW EXECUTE FUNCTION note('decided');"
        "CREATE TRIGGER proven AFTER DELETE ON removals FOR EACH ROW EXECUTE FUNCTION note('proven')");
  }
  void overtakes(std::size_t servers, std::size_t adds_each);
  // Which server is where in its turn, for a failure's message.
  std::string whereabouts() {
    return installation.db().value(
        "SELECT string_agg(format(E'%s: due %s since %s, attempts %s at %s, held %s, pushed %s times\\n', s.name, "
        "d.due,"
        " d.due_since, d.attempts, d.next_attempt_at, d.worker_id, (SELECT count(*) FROM happened h WHERE h.what ="
        " 'begun' AND h.server_id = s.id)), '' ORDER BY d.due_since) || now()"
        " FROM deliveries d JOIN servers s ON s.id = d.server_id");
  }
  int count_in_logs(const std::string& text, const std::vector<std::string>& workers) const {
    int count = 0;
    for (const auto& worker : workers) {
      const std::string log = installation.log_of(worker);
      for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    }
    return count;
  }

  std::vector<LabHost> hosts = {LabHost(1), LabHost(2), LabHost(3)};
  std::vector<std::unique_ptr<LabInterface>> interfaces;
  Installation installation;
};

// The only thread is held at work on a chunk until somebody is to go, and the next gate is closed before this one
// opens: however fast the machine is, the worker never runs through what waits.
void Urgent::overtakes(std::size_t servers, std::size_t adds_each) {
  auto& db = installation.db();
  establish(servers);
  installation.start_worker("first", {}, {{"roles", "deliver"}});
  std::vector<TestEvent> leavers;
  for (std::size_t i = 0; i < servers; ++i) {
    leavers.push_back(peer_provision("acme", "L" + std::to_string(i), server_of(i), make_client_keys().public_key));
  }
  installation.publish(leavers);
  ASSERT_TRUE(installation.wait_settled());
  installation.kill_worker("first");
  publish_adds(servers, adds_each);
  keep_a_log();
  const auto happened = [&](const std::string& what) {
    return db.number("SELECT count(*) FROM happened WHERE what = '" + what + "'");
  };
  const std::string waiting =
      "SELECT count(*) FROM peers WHERE applied_generation < generation AND entitlement = 'active'";
  const std::int64_t before = db.number(waiting);
  auto gate = std::make_unique<HostGate>(hosts[0], "wg", "addconf*");
  installation.start_worker("w1", {}, {{"roles", "deliver"}});
  for (std::size_t round = 0; round < hosts.size(); ++round) {
    ASSERT_TRUE(eventually([&] { return gate->holds(); }))
        << round << ' ' << whereabouts() << installation.log_of("w1");
    // The leaver is behind neither gate, on the server whose turn has just been: by turns, all others would come first.
    const LabHost& elsewhere = hosts[(round + 2) % hosts.size()];
    const std::string leaver = db.value(
        "SELECT p.name FROM peers p JOIN servers s ON s.id = p.server_id JOIN deliveries d ON d.server_id = s.id"
        " WHERE p.name LIKE 'L%' AND d.due AND s.ssh_host = '" +
        elsewhere.address() + "' ORDER BY d.due_since DESC, p.id LIMIT 1");
    db.execute("DELETE FROM happened");
    installation.publish(peer_event("suspend", "acme", leaver));
    ASSERT_TRUE(eventually([&] { return happened("decided") == 1; }));
    auto next = std::make_unique<HostGate>(hosts[(round + 1) % hosts.size()], "wg", "addconf*");
    gate->open();
    ASSERT_TRUE(eventually([&] { return happened("proven") == 1; })) << installation.unsettled();
    EXPECT_EQ(db.number("SELECT count(*) FROM happened b, happened p WHERE b.what = 'begun' AND p.what = 'proven'"
                        " AND b.id < p.id"),
              1)
        << "more than the chunk that was under way came first";
    EXPECT_EQ(
        db.value("SELECT applied_generation >= generation AND proven = '' FROM peers WHERE name = '" + leaver + "'"),
        "t");
    gate = std::move(next);
  }
  EXPECT_GT(db.number(waiting), before / 2) << "hardly anybody waited any more: nothing was overtaken";
}

// A host that stands still, so that no attempt ends, and two workers that look.
TEST_F(Urgent, WhatIsLateIsSaidAtTheLimitOnceAndTakenBackOnceItIsProven) {
  establish(1);
  const std::vector<std::string> workers = {"w1", "w2"};
  for (const auto& worker : workers) installation.start_worker(worker, {}, {{"roles", "deliver"}});
  installation.publish(peer_provision("acme", "P1", server_of(0), make_client_keys().public_key));
  ASSERT_TRUE(installation.wait_settled());
  hosts[0].lab("freeze");
  installation.publish(peer_event("suspend", "acme", "P1"));
  const json late = wait_said(installation, "server.status", json{{"alert", "urgent_late"}});
  EXPECT_EQ(installation.db().value("SELECT attempts FROM deliveries"), "0") << "it was said with a failure only";
  hosts[0].lab("thaw");
  ASSERT_FALSE(late.is_null());
  EXPECT_EQ(late["server"], server_of(0));
  EXPECT_EQ(late["urgent_late"]["keys"], 1);
  EXPECT_TRUE(late["urgent_late"].contains("since"));

  const json proven = wait_said(installation, "server.status", json{{"urgent_late", json::object()}});
  EXPECT_FALSE(proven.contains("alert"));
  EXPECT_GT(proven["version"], late["version"]);
  ASSERT_TRUE(installation.wait_settled());
  EXPECT_TRUE(hosts[0].kernel_peers().empty());
  EXPECT_EQ(count_in_logs("an urgent change is late", workers), 1);
}

TEST_F(Urgent, ASuspensionIsProvenBehindOneChunkOfTheManyThatWait) { overtakes(6, 250); }

// The size that was promised takes minutes, most of them for its hundred thousand events: it is not among those that
// every change has to pass.
class UrgentLong : public Urgent {};
TEST_F(UrgentLong, ASuspensionIsProvenBehindOneChunkOfAHundredThousandAdds) { overtakes(20, 5000); }

}  // namespace
}  // namespace peerwright::test
