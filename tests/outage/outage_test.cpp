// Postgres and Kafka go away and come back while events stream in: nothing is lost, nothing is skipped, nothing dies.
// These tests stop the services that all others use: they run alone.
#include <gtest/gtest.h>

#include "support/installation.hpp"

namespace peerwright::test {
namespace {

constexpr int kPeers = 40;

void tool(const std::string& name, const std::string& verb) {
  const Finished done = run_command({std::string(PEERWRIGHT_SOURCE_DIR) + "/tools/" + name, verb});
  ASSERT_EQ(done.exit_status, 0) << "tools/" << name << " " << verb;
}

std::vector<TestEvent> provisions(int from, int to) {
  std::vector<TestEvent> events;
  for (int i = from; i < to; ++i) {
    events.push_back(peer_provision("acme", "P" + std::to_string(i), "fra1", make_client_keys().public_key));
  }
  return events;
}

class Outage : public testing::Test {
 protected:
  void SetUp() override {
    installation.start_worker("w1");
    installation.establish({network_set("net"), server_register("fra1", "net", host)});
  }
  void expect_all_on_the_host() {
    ASSERT_TRUE(installation.worker("w1").running()) << installation.log_of("w1");
    ASSERT_TRUE(installation.wait_settled(std::chrono::seconds(90))) << installation.log_of("w1");
    EXPECT_EQ(installation.db().number("SELECT count(*) FROM peers WHERE stage = 'provisioned'"), kPeers);
    EXPECT_EQ(installation.db().number("SELECT count(*) FROM dead_letters"), 0);
    EXPECT_EQ(host.kernel_peers(), wanted_peers(installation.db(), "fra1"));
  }
  LabHost host{1};
  Installation installation;
};

TEST_F(Outage, PostgresIsKilledAndStartedAgain) {
  installation.publish(provisions(0, kPeers / 2));
  tool("pg", "kill");
  installation.publish(provisions(kPeers / 2, kPeers));
  tool("pg", "up");
  installation.db().reconnect();
  expect_all_on_the_host();
}

TEST_F(Outage, PostgresRefusesWritesForAWhile) {
  // What a fail-over looks like from here: connections work, every change is refused.
  installation.publish(provisions(0, kPeers / 2));
  ASSERT_TRUE(installation.wait_settled());
  const std::string name = installation.db().value("SELECT current_database()");
  installation.db().execute("ALTER DATABASE " + name + " SET default_transaction_read_only = on");
  installation.db().execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid()");
  installation.publish(provisions(kPeers / 2, kPeers));
  EXPECT_TRUE(eventually([&] { return installation.log_of("w1").find("a batch waits") != std::string::npos; }));
  installation.db().execute("ALTER DATABASE " + name + " RESET default_transaction_read_only");
  installation.db().execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid()");
  expect_all_on_the_host();
}

TEST_F(Outage, KafkaIsFrozenAndKilled) {
  installation.publish(provisions(0, kPeers / 2));
  tool("kafka", "freeze");
  tool("kafka", "thaw");
  installation.publish(provisions(kPeers / 2, kPeers));
  ASSERT_TRUE(eventually(
      [&] { return installation.db().number("SELECT count(*) FROM peers WHERE stage = 'provisioned'") == kPeers; }));
  tool("kafka", "kill");
  tool("kafka", "up");
  expect_all_on_the_host();
}

}  // namespace
}  // namespace peerwright::test
