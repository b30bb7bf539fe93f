// Removals that no event caused, on a real host: a few are carried out, many wait for an operator; what events caused
// never waits.
#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

InstallationOptions looks_often() {
  InstallationOptions options;
  options.settings = {
      {"observe.interval_ms", "300"}, {"observe.waiting_interval_ms", "300"}, {"deliver.guard_keys", "2"}};
  return options;
}

class Guard : public FlowTest {
 protected:
  Guard() : FlowTest(looks_often()) {}
  void SetUp() override {
    FlowTest::SetUp();
    for (const char* peer : {"P1", "P2", "P3"}) provision(peer);
  }
  // Somebody adds peers by hand.
  std::vector<std::string> add_by_hand(int count) {
    std::vector<std::string> added;
    for (int i = 0; i < count; ++i) {
      added.push_back(make_client_keys().public_key);
      host.sh("wg set wg0 peer " + added.back() + " allowed-ips 10.200.99." + std::to_string(100 + i) + "/32");
    }
    return added;
  }
  std::size_t standing(const std::vector<std::string>& keys) {
    const auto peers = host.kernel_peers();
    return static_cast<std::size_t>(
        std::count_if(keys.begin(), keys.end(), [&](const std::string& key) { return peers.contains(key); }));
  }
  json stopped() {
    return wait_said(installation, "server.status",
                     [](const json& server) { return server.value("alert", "") == "guard_too_many"; });
  }
};

TEST_F(Guard, AFewStrangersGoByThemselves) {
  const auto added = add_by_hand(2);
  EXPECT_TRUE(eventually([&] { return standing(added) == 0; })) << installation.log_of("w1");
  EXPECT_TRUE(on_host("P1") && on_host("P2") && on_host("P3"));
}

TEST_F(Guard, ManyWaitForAnOperatorWhileEventsGoOn) {
  const auto added = add_by_hand(3);
  const json status = stopped();
  EXPECT_EQ(3, status["guard_held"]);
  expect(of_peer("suspend", "P1"));
  EXPECT_TRUE(goes_off("P1"));
  provision("P4");
  EXPECT_EQ(3U, standing(added));
  EXPECT_EQ("3", installation.db().value("SELECT guard_held FROM servers"));
  expect(of_server("approve", {{"digest", "0123456789abcdef"}}), "rejected", "guard_changed");
  expect(of_server("approve", {{"keys", 3}, {"digest", status["guard_digest"]}}));
  EXPECT_TRUE(eventually([&] { return standing(added) == 0; })) << installation.log_of("w1");
  wait_said(installation, "server.status", [](const json& server) {
    return server.value("alert", "").empty() && server.contains("drift") && server["drift"].empty() &&
           server["cause"].get<std::string>().starts_with("obs");
  });
  EXPECT_TRUE(on_host("P2") && on_host("P3") && on_host("P4") && !on_host("P1"));
}

TEST_F(Guard, AHostRestoredFromAnOldSnapshotLosesAtOnceWhoIsOff) {
  host.sh("cp /etc/wireguard/wg0.conf /root/snapshot && cp /etc/wireguard/wg0.conf.push /root/snapshot.push");
  for (const char* peer : {"P1", "P2"}) expect(of_peer("suspend", peer));
  expect(of_peer("revoke", "P3"));
  provision("P4");
  ASSERT_TRUE(goes_off("P1") && goes_off("P2") && goes_off("P3"));
  // As one step: under the lock that each push takes, for the worker puts right at once what it sees.
  const std::string restored = host.sh(
      "flock /etc/wireguard/wg0.conf.lock sh -c 'cp /root/snapshot /etc/wireguard/wg0.conf && "
      "cp /root/snapshot.push /etc/wireguard/wg0.conf.push && "
      "wg-quick strip wg0 >/root/strip && wg setconf wg0 /root/strip && wg show wg0 peers'");
  for (const char* peer : {"P1", "P2", "P3"}) ASSERT_NE(restored.find(keys(peer).public_key), std::string::npos);
  ASSERT_EQ(restored.find(keys("P4").public_key), std::string::npos);
  EXPECT_TRUE(goes_off("P1") && goes_off("P2") && goes_off("P3")) << installation.log_of("w1");
  EXPECT_TRUE(comes_on("P4"));
  EXPECT_EQ("0", installation.db().value("SELECT guard_held FROM servers"));
}

}  // namespace
}  // namespace peerwright::test
