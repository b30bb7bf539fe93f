// Connections that break in the middle of a push, hosts that were touched by hand, services that go away: the host ends
// equal to the database, and nothing is called applied that was not read back.
#include <gtest/gtest.h>

#include <random>

#include "support/cutting_proxy.hpp"
#include "support/installation.hpp"

namespace peerwright::test {
namespace {

void expect_host_as_wanted(Installation& installation, const LabHost& host) {
  ASSERT_TRUE(installation.wait_settled()) << installation.unsettled() << installation.log_of("w1");
  const auto wanted = wanted_peers(installation.db(), "fra1");
  EXPECT_EQ(host.kernel_peers(), wanted);
  EXPECT_EQ(host.file_peers(), wanted);
}

TestEvent register_behind(const CuttingProxy& proxy, const LabHost& host) {
  auto event = server_register("fra1", "net", host);
  event.cloud_event["data"]["ssh"]["host"] = "127.0.0.1";
  event.cloud_event["data"]["ssh"]["port"] = proxy.port();
  return event;
}

TEST(Doubt, AConnectionCutAnywhereInAPushLeavesTheHostAsTheDatabaseWantsIt) {
  constexpr int kCuts = 40;
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  std::mt19937 random(seed);
  LabHost host(1);
  CuttingProxy proxy(host.address(), 22);
  Installation installation({.partitions = 1, .settings = {{"deliver.retry_max_ms", "100"}}});
  installation.start_worker("w1");
  installation.establish({network_set("net"), register_behind(proxy, host)});
  expect_host_as_wanted(installation, host);
  std::set<std::string> on;
  int cuts = 0;
  for (int round = 0; round < kCuts; ++round) {
    // A whole push is some 12 kB there (the script and the plan) and 2 kB back; a new session comes before it at times.
    const auto direction = round % 2 == 0 ? CuttingProxy::Direction::to_host : CuttingProxy::Direction::from_host;
    const int most = direction == CuttingProxy::Direction::to_host ? 14000 : 3000;
    proxy.cut_after(direction, std::uniform_int_distribution<int>(0, most)(random));
    const std::string name = "P" + std::to_string(round / 2);
    if (round % 2 == 0) {
      installation.publish(peer_provision("acme", name, "fra1", make_client_keys().public_key));
    } else {
      installation.publish(peer_event(round % 4 == 1 ? "suspend" : "revoke", "acme", name));
    }
    expect_host_as_wanted(installation, host);
    cuts += proxy.has_cut() ? 1 : 0;
  }
  EXPECT_GT(cuts, kCuts / 4) << "the proxy hardly ever cut: the test shows nothing";
}

TEST(Doubt, AForeignPeersPrefixParksTheOneWhoNeedsItAndNobodyElse) {
  LabHost host(1);
  Installation installation({.partitions = 1, .settings = {{"deliver.retry_max_ms", "200"}}});
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  const std::string leaver = make_client_keys().public_key;
  installation.publish(peer_provision("acme", "leaver", "fra1", leaver));
  expect_host_as_wanted(installation, host);
  // By hand, on the host: the address that the next peer will get.
  const std::string foreign = make_client_keys().public_key;
  host.sh("wg set wg0 peer " + foreign + " allowed-ips 10.200.0.3/32");
  const std::string blocked = make_client_keys().public_key, neighbour = make_client_keys().public_key;
  installation.publish({peer_provision("acme", "blocked", "fra1", blocked),
                        peer_provision("acme", "neighbour", "fra1", neighbour),
                        peer_event("suspend", "acme", "leaver")});
  EXPECT_TRUE(eventually([&] {
    const auto peers = host.kernel_peers();
    return peers.contains(neighbour) && !peers.contains(leaver);
  })) << installation.unsettled();
  EXPECT_TRUE(eventually([&] {
    return installation.db().value("SELECT delivery_error FROM peers WHERE name = 'blocked'") == "prefix_taken_on_host";
  }));
  const auto peers = host.kernel_peers();
  EXPECT_EQ(peers.at(foreign), "10.200.0.3/32") << "a live peer's prefix was stolen";
  EXPECT_FALSE(peers.contains(blocked));
}

TEST(Doubt, AWorkerKilledBetweenPushAndFinishLeavesAReadingToTheNext) {
  LabHost host(1);
  Installation installation({.partitions = 1, .settings = {{"worker.dead_after_ms", "1000"}}});
  Process& doomed = installation.start_worker("doomed", {{"PEERWRIGHT_CRASH_AT", "deliver.exec.after:2"}});
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  const std::string key = make_client_keys().public_key;
  installation.publish(peer_provision("acme", "P1", "fra1", key));
  ASSERT_EQ(doomed.wait(std::chrono::seconds(20)), 128 + SIGKILL);
  EXPECT_TRUE(host.kernel_peers().contains(key)) << "the push had reached the host";
  EXPECT_EQ(installation.db().value("SELECT applied_generation FROM peers WHERE name = 'P1'"), "0")
      << "called applied though nobody read it back";
  installation.start_worker("w1");
  expect_host_as_wanted(installation, host);
  EXPECT_EQ(installation.db().value("SELECT applied_generation = generation FROM peers WHERE name = 'P1'"), "t");
}

TEST(Doubt, AnUnboundSourceCannotUseUpSomebodyElsesEventId) {
  LabHost host(1);
  Installation installation({.partitions = 1, .settings = {}});
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  installation.publish(peer_provision("other", "P1", "fra1", make_client_keys().public_key));
  auto real = peer_event("suspend", "other", "P1").from("reseller");
  real.cloud_event["data"]["tenant"] = "other";  // reseller is bound to acme alone
  auto owner = peer_event("suspend", "acme", "P2").from("reseller").with_id(real.id());
  installation.publish({real, owner});
  ASSERT_TRUE(installation.wait_settled());
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM dead_letters"), 0);
  EXPECT_EQ(installation.db().value("SELECT entitlement FROM peers WHERE name = 'P2'"), "suspended");
  EXPECT_EQ(installation.db().value("SELECT entitlement FROM peers WHERE name = 'P1'"), "active");
}

}  // namespace
}  // namespace peerwright::test
