// What is seen on real hosts with real clients: who is connected, what they use, and what stands otherwise than it
// should.
#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

InstallationOptions looks_often() {
  InstallationOptions options;
  options.settings = {{"observe.interval_ms", "300"}, {"observe.waiting_interval_ms", "300"}};
  return options;
}

class Observe : public FlowTest {
 protected:
  Observe() : FlowTest(looks_often()) {}

  json provisioned(const std::string& peer, const json& more = json::object()) {
    provision(peer, more);
    return wait_said(installation, "peer.status", json{{"peer", peer}, {"delivery", "applied"}});
  }
  bool logged(const std::string& type) {
    return installation.db().number("SELECT count(*) FROM wg_connection_log WHERE event_type = '" + type + "'") > 0;
  }
};

TEST_F(Observe, AClientConnectsUsesItsTunnelAndGoes) {
  const json status = provisioned("P1");
  auto client = std::make_unique<LabClient>("observe-1", client_config(status, keys("P1").private_key));
  ASSERT_TRUE(client->pings("10.200.0.1"));
  const json connected = wait_said(installation, "peer.status", json{{"peer", "P1"}, {"connectivity", "connected"}});
  EXPECT_EQ("connected", connected["classic"]["state"]);
  EXPECT_TRUE(connected.contains("last_handshake_at"));
  EXPECT_EQ("t", installation.db().value("SELECT endpoint ~ '^[0-9.]+:[0-9]+$' FROM peer_runtime"));
  EXPECT_TRUE(logged("handshake"));
  EXPECT_TRUE(logged("data_transfer"));

  const auto used = [](const json& usage) { return usage["rx_bytes_total"].get<std::int64_t>(); };
  const std::int64_t before =
      used(wait_said(installation, "peer.usage", [](const json& usage) { return usage["peer"] == "P1"; }));
  ASSERT_TRUE(client->pings("10.200.0.1"));
  const json more =
      wait_said(installation, "peer.usage", [&](const json& usage) { return used(usage) >= before + 84; });
  EXPECT_EQ(true, more["online"]);
  EXPECT_GT(more["rx_bytes"].get<std::int64_t>(), 0);
  EXPECT_GT(more["tx_bytes_total"].get<std::int64_t>(), 0);

  client.reset();
  move_clock(installation, std::chrono::minutes(10));
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"connectivity", "disconnected"}});
  EXPECT_TRUE(eventually([&] { return logged("disconnect"); }));
}

TEST_F(Observe, AUsedUpQuotaPutsItsPeerOff) {
  const json status = provisioned("P1", {{"quota_bytes", 1}});
  provision("P2");
  const LabClient client("observe-quota", client_config(status, keys("P1").private_key));
  (void)client.pings("10.200.0.1", 3);
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"entitlement", "suspended"}, {"over_quota", true}});
  EXPECT_TRUE(goes_off("P1"));
  EXPECT_TRUE(on_host("P2"));
  settle();
  EXPECT_FALSE(client.pings("10.200.0.1", 1));
  expect(of_peer("update", "P1", {{"quota_bytes", 1'000'000'000}}));
  EXPECT_TRUE(comes_on("P1"));
}

TEST_F(Observe, ANewKeyTakesOverWithItsFirstHandshake) {
  const json status = provisioned("P1");
  const ClientKeys next = make_client_keys();
  expect(of_peer("rotate_key", "P1", {{"public_key", next.public_key}, {"stage_seconds", 3600}}));
  settle();
  EXPECT_TRUE(on_host("P1"));
  ASSERT_TRUE(host.kernel_peers().contains(next.public_key));
  EXPECT_EQ(of("P1", "public_key"), keys("P1").public_key);
  const LabClient client("observe-rotate", client_config(status, next.private_key));
  EXPECT_TRUE(client.pings("10.200.0.1", 30)) << installation.log_of("w1");
  EXPECT_EQ(of("P1", "public_key"), next.public_key);
  settle();
  EXPECT_FALSE(on_host("P1"));
}

TEST_F(Observe, WhatWasTakenAwayOrAlteredByHandIsPutRight) {
  provision("P1");
  host.sh("wg set wg0 peer " + keys("P1").public_key + " remove");
  wait_said(installation, "server.status",
            [](const json& server) { return server.contains("drift") && server["drift"].value("missing", 0) == 1; });
  EXPECT_TRUE(comes_on("P1"));
  wait_said(installation, "server.status", [](const json& server) {
    return server.contains("drift") && server["drift"].empty() && server["cause"].get<std::string>().starts_with("obs");
  });
  host.sh("wg set wg0 peer " + keys("P1").public_key + " allowed-ips 10.200.99.99/32 persistent-keepalive 7");
  wait_said(installation, "server.status",
            [](const json& server) { return server.contains("drift") && server["drift"].value("altered", 0) == 1; });
  const auto right = host.file_peers().at(keys("P1").public_key);
  EXPECT_TRUE(eventually([&] { return host.kernel_peers().at(keys("P1").public_key) == right; }));
}

TEST_F(Observe, AFirewallThatWasChangedByHandIsPutRight) {
  expect(of_server("update", {{"tunnel_only_ports", {{{"protocol", "tcp"}, {"port", 8443}}}}}));
  settle();
  const std::string before = host.sh("nft list ruleset");
  ASSERT_NE(before.find("8443"), std::string::npos);
  host.sh(
      "t=$(nft list tables | sed -n 's/^table inet //p' | grep peerwright) && "
      "c=$(nft list table inet $t | sed -n 's/^.*chain \\([a-z]*\\) {.*/\\1/p' | sed -n 1p) && "
      "nft insert rule inet $t $c accept");
  ASSERT_NE(before, host.sh("nft list ruleset"));
  EXPECT_TRUE(eventually([&] { return host.sh("nft list ruleset") == before; })) << installation.log_of("w1");
}

TEST_F(Observe, AHostThatIsAwayIsSaidToBe) {
  const auto reachable = [](bool wanted) {
    return [wanted](const json& server) { return server.contains("reachable") && server["reachable"] == wanted; };
  };
  host.lab("kill");
  const json away = wait_said(installation, "server.status", reachable(false));
  EXPECT_EQ("ssh_unreachable", away["error_code"]);
  host.lab("start");
  wait_said(installation, "server.status", reachable(true));
}

}  // namespace
}  // namespace peerwright::test
