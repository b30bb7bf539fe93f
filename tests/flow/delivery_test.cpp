// Several workers, many servers, hosts that do not answer: who delivers where, and what a push costs.
#include <gtest/gtest.h>

#include "support/cutting_proxy.hpp"
#include "support/installation.hpp"
#include "support/said.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using Settings = std::map<std::string, std::string>;

class Delivery : public testing::Test {
 protected:
  void expect_as_wanted(const LabHost& at, const std::string& server, const std::string& interface = "wg0") {
    const auto wanted = wanted_peers(installation.db(), server);
    EXPECT_EQ(at.kernel_peers(interface), wanted) << server;
    EXPECT_EQ(at.file_peers(interface), wanted) << server;
  }
  static TestEvent provision(const std::string& peer, const std::string& server) {
    return peer_provision("acme", peer, server, make_client_keys().public_key);
  }
  static TestEvent register_at(const std::string& server, const LabHost& at, int port) {
    auto event = server_register(server, "net", at);
    event.cloud_event["data"]["ssh"]["host"] = "127.0.0.1";
    event.cloud_event["data"]["ssh"]["port"] = port;
    return event;
  }

  const Settings delivers = {{"roles", "deliver"}};
  LabHost host{1};
  Installation installation{{.partitions = 1,
                             .settings = {{"worker.dead_after_ms", "1000"},
                                          {"deliver.threads", "8"},
                                          {"ssh.connect_timeout_ms", "2000"},
                                          {"deliver.retry_max_ms", "200"}}}};
};

// Its push is through on the host, but what it says cannot be stored: meanwhile another takes over, and something newer
// is proven.
TEST_F(Delivery, AWorkerThatIsCutOffFromPostgresLosesItsServersAndStoresNothing) {
  auto& db = installation.db();
  CuttingProxy postgres("127.0.0.1", std::stoi(required_environment("PGPORT")));
  installation.start_worker("others", {}, {{"roles", "intake, sweep, publish"}});
  Settings cut_off = delivers;
  cut_off["postgres.dsn"] = db.dsn() + " port=" + std::to_string(postgres.port());
  installation.start_worker("w1", {}, cut_off);
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  ASSERT_TRUE(installation.wait_settled()) << installation.log_of("w1");

  HostGate gate(host, "wg", "addconf*");
  const auto p1 = provision("P1", "fra1");
  installation.publish(p1);
  ASSERT_TRUE(eventually([&] { return gate.holds(); })) << installation.log_of("w1");
  // While the host is at work, no transaction of the worker stays open.
  const std::string open =
      "SELECT pid, xact_start FROM pg_stat_activity WHERE datname = current_database()"
      " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()";
  const auto at_first = db.rows(open);
  const std::string beat = db.value("SELECT max(heartbeat_at) FROM workers WHERE name = 'w1'");
  ASSERT_TRUE(eventually([&] {
    return db.value("SELECT max(heartbeat_at) > timestamptz '" + beat +
                    "' + interval '1 s' FROM workers WHERE name = 'w1'") == "t";
  }));
  for (const auto& row : db.rows(open)) {
    EXPECT_EQ(std::count(at_first.begin(), at_first.end(), row), 0) << "a transaction stays open";
  }

  postgres.stall(true);
  gate.open();
  ASSERT_TRUE(eventually([&] { return gate.passed(); }));
  installation.start_worker("w2", {}, delivers);
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"entitlement", "active"}, {"delivery", "applied"}});
  installation.publish(peer_event("suspend", "acme", "P1"));
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"entitlement", "suspended"}, {"delivery", "applied"}});
  ASSERT_TRUE(installation.wait_settled()) << installation.log_of("w2");
  const auto rows = db.rows("SELECT d.push_no, d.in_doubt, d.due, p.proven, p.version FROM deliveries d, peers p");

  postgres.stall(false);
  EXPECT_TRUE(eventually([&] { return installation.log_of("w1").find("push_overtaken") != std::string::npos; }))
      << installation.log_of("w1");
  ASSERT_TRUE(installation.wait_settled());
  EXPECT_EQ(db.rows("SELECT d.push_no, d.in_doubt, d.due, p.proven, p.version FROM deliveries d, peers p"), rows)
      << "who came late has stored something";
  expect_as_wanted(host, "fra1");
}

TEST_F(Delivery, AWorkerThatDiesLeavesItsServersToTheOthers) {
  installation.start_worker("others", {}, {{"roles", "intake, sweep, publish"}});
  installation.start_worker("w1", {}, delivers);
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  ASSERT_TRUE(installation.wait_settled());
  installation.kill_worker("w1");
  installation.publish(provision("P1", "fra1"));
  installation.start_worker("w2", {}, delivers);
  ASSERT_TRUE(installation.wait_settled()) << installation.log_of("w2");
  expect_as_wanted(host, "fra1");
}

// Fifteen of twenty servers swallow what they get: whoever lives goes on, and the silent get a part of the threads.
TEST_F(Delivery, SilentHostsKeepNoLivingOneWaiting) {
  constexpr int kLiving = 5, kSilent = 15, kThreads = 8;
  auto& db = installation.db();
  LabHost second(2), third(3);
  CuttingProxy nowhere(host.address(), 22);
  installation.start_worker("w1");
  installation.establish({network_set("net")});
  std::vector<std::unique_ptr<LabInterface>> interfaces;
  std::vector<std::pair<const LabHost*, std::string>> where = {{&host, "wg0"}, {&second, "wg0"}, {&third, "wg0"}};
  for (const LabHost* one : {&host, &second}) {
    interfaces.push_back(std::make_unique<LabInterface>(*one, 1));
    where.emplace_back(one, "wg1");
  }
  for (int i = 0; i < kLiving; ++i) {
    const auto& [at, interface] = where[static_cast<std::size_t>(i)];
    auto server = server_register("living" + std::to_string(i), "net", *at);
    server.cloud_event["data"]["interface"] = interface;
    installation.establish({server});
  }
  ASSERT_TRUE(installation.wait_settled()) << installation.log_of("w1");
  nowhere.stall(true);
  for (int i = 0; i < kSilent; ++i) {
    auto silent = register_at("silent" + std::to_string(i), host, nowhere.port());
    silent.cloud_event["data"]["interface"] = "wg" + std::to_string(100 + i);
    installation.publish(silent);
  }
  const std::string held =
      "SELECT count(*) FROM deliveries d JOIN servers s ON s.id = d.server_id"
      " WHERE d.worker_id IS NOT NULL AND s.name LIKE 'silent%'";
  ASSERT_TRUE(eventually([&] { return db.number(held) > 0; }));
  std::int64_t most_held = 0;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < kLiving; ++i) {
      installation.publish(
          provision("P" + std::to_string(round) + "-" + std::to_string(i), "living" + std::to_string(i)));
    }
    ASSERT_TRUE(eventually([&] {
      most_held = std::max(most_held, db.number(held));
      return db.number("SELECT count(*) FROM peers WHERE applied_generation >= generation") == (round + 1) * kLiving;
    })) << installation.unsettled();
  }
  EXPECT_LE(most_held, kThreads / 4);
  for (int i = 0; i < kLiving; ++i) {
    const auto& [at, interface] = where[static_cast<std::size_t>(i)];
    expect_as_wanted(*at, "living" + std::to_string(i), interface);
  }
  nowhere.stall(false);
}

TEST_F(Delivery, AServerInMaintenanceIsLeftAloneUntilItIsOver) {
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  installation.publish(provision("P1", "fra1"));
  ASSERT_TRUE(installation.wait_settled());
  const auto before = host.kernel_peers();
  ASSERT_EQ(before.size(), 1U);
  const auto maintenance = [](bool on) {
    return event("server.maintenance", {{"server", "fra1"}, {"on", on}}, "server/fra1");
  };
  installation.establish({maintenance(true), peer_event("suspend", "acme", "P1"), provision("P2", "fra1")});
  const json late = wait_said(installation, "server.status", json{{"alert", "urgent_late"}});
  EXPECT_EQ(late["maintenance"], true) << "that somebody is still on is said, whatever the reason";
  EXPECT_EQ(host.kernel_peers(), before);
  installation.establish({maintenance(false)});
  ASSERT_TRUE(installation.wait_settled()) << installation.log_of("w1");
  expect_as_wanted(host, "fra1");
  EXPECT_EQ(host.kernel_peers().size(), 1U);
}

}  // namespace
}  // namespace peerwright::test
