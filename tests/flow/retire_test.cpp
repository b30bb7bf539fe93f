// The end of a server: its keys and its interface are gone by proof, or it is by an operator's word; and what holds it
// back before.
#include <csignal>

#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Retire : public FlowTest {
 protected:
  void TearDown() override {
    host.lab("thaw");
    host.lab("start");
  }
  json ended(const std::string& how) {
    return wait_said(installation, "server.status", json{{"server", "fra1"}, {"retirement", how}});
  }
  Finished retire(const std::vector<std::string>& more) {
    std::vector<std::string> words{"server", "retire", "fra1", "--yes", "--user", "ada"};
    words.insert(words.end(), more.begin(), more.end());
    return installation.cli(words);
  }
  // Nothing of a server but the fence; no private key.
  [[nodiscard]] bool is_gone() const {
    return host.sh(
               "ip -o link show dev wg0 2>/dev/null; nft list ruleset; ls /etc/wireguard; "
               "grep -rli privatekey /etc/wireguard || true") == "wg0.conf.lock\nwg0.conf.push\n";
  }
  std::string of_delivery(const std::string& column) {
    return installation.db().value("SELECT " + column + " FROM deliveries");
  }
  std::string add_stranger() {
    const std::string key = make_client_keys().public_key;
    host.sh("wg set wg0 peer " + key + " allowed-ips 10.200.99.1/32");
    return key;
  }
  // Of the network, given back and free again.
  std::int64_t free_addresses() { return installation.db().number("SELECT count(*) FROM network_free"); }
};

TEST_F(Retire, IsProvenOnceTheLastKeyIsReadToBeGone) {
  provision("P1");
  provision("P2");
  // The host is away: nothing can be proven.
  host.lab("freeze");
  accept({of_peer("revoke", "P1"), of_peer("revoke", "P2"), of_server("retire")});
  const json pending = ended("pending");
  EXPECT_EQ(pending["state"], "retired");
  EXPECT_FALSE(pending.contains("retired_proven_at"));
  EXPECT_EQ(free_addresses(), 0);
  EXPECT_EQ(installation.db().value("SELECT retired_proven_at FROM servers WHERE name = 'fra1'"), "");

  host.lab("thaw");
  const json proven = ended("proven");
  EXPECT_TRUE(proven.contains("retired_proven_at"));
  EXPECT_GT(proven["version"].get<int>(), pending["version"].get<int>());
  EXPECT_TRUE(is_gone());
  EXPECT_EQ(free_addresses(), 2);
  // The proof stands: a word says nothing any more, and nobody goes there.
  expect(of_server("retire", {{"operator_word", "sold"}}), "unchanged");
  settle();
  EXPECT_EQ(installation.db().value("SELECT retired_word FROM servers WHERE name = 'fra1'"), "");
}

TEST_F(Retire, IsFollowedToItsProof) {
  provision("P1");
  expect(of_peer("revoke", "P1"));
  const Finished done = retire({"--wait", "--timeout", "60"});
  EXPECT_EQ(done.exit_status, 0) << done.out;
  EXPECT_NE(done.out.find("proven"), std::string::npos) << done.out;
  ended("proven");
  const json row = json::parse(installation.cli({"server", "show", "fra1", "-o", "json"}).out);
  EXPECT_EQ(row["state"], "retired");
  EXPECT_FALSE(row["retired_proven_at"].is_null());
}

TEST_F(Retire, IsNotProvenByAFileThatBringsAnOldKeyBack) {
  provision("P1");
  const std::string old_key = keys("P1").public_key;
  expect(of_peer("rotate_key", "P1", {{"public_key", make_client_keys().public_key}, {"stage_seconds", 0}}));
  settle();
  ASSERT_FALSE(host.file_peers().contains(old_key));
  host.sh("printf '[Peer]\\nPublicKey = " + old_key + "\\nAllowedIPs = 10.200.0.99/32\\n' >>/etc/wireguard/wg0.conf");
  ASSERT_TRUE(host.file_peers().contains(old_key));
  accept({of_peer("revoke", "P1"), of_server("retire")});
  ended("proven");
  EXPECT_TRUE(is_gone());
}

TEST_F(Retire, OfAHostThatIsGoneIsAnOperatorsWord) {
  provision("P1");
  host.lab("kill");
  accept({of_peer("revoke", "P1"), of_server("retire")});
  ended("pending");
  EXPECT_EQ(free_addresses(), 0);
  const Finished done = retire({"--operator-word", "burnt down", "--wait"});
  host.lab("start");
  EXPECT_EQ(done.exit_status, 0) << done.out;
  const json word = ended("operator_word");
  EXPECT_EQ(word["retired_word"], "burnt down");
  EXPECT_FALSE(word.contains("retired_proven_at"));
  EXPECT_EQ(free_addresses(), 1) << "what it had counts as gone";
  settle();
  EXPECT_TRUE(host.kernel_peers().contains(keys("P1").public_key)) << "nobody went there";
}

TEST_F(Retire, ComesBackByARegistrationAndIsPreparedAnew) {
  const std::string before = host.interface_key();
  ASSERT_EQ(retire({"--wait"}).exit_status, 0);
  ended("proven");
  ASSERT_TRUE(is_gone());
  expect(server_register("fra1", "net", host));
  EXPECT_EQ(installation.db().value("SELECT retired_proven_at FROM servers WHERE name = 'fra1'"), "");
  EXPECT_TRUE(eventually([&] { return of_delivery("error_code") == "host_config_missing"; }));
  const auto prepare = [&] {
    return installation.cli({"server", "prepare", "fra1", "--wait", "--timeout", "60", "--user", "ada"}).exit_status;
  };
  ASSERT_EQ(prepare(), 0) << "nobody is asked whether a key that is gone may go";
  provision("P1");
  EXPECT_TRUE(on_host("P1"));
  const std::string made = LabHost::unwiped(1).interface_key();
  EXPECT_NE(made, before);

  // A key that the worker made is stored, and comes back.
  expect(of_peer("revoke", "P1"));
  ASSERT_EQ(retire({"--wait", "--timeout", "60"}).exit_status, 0);
  ASSERT_TRUE(is_gone());
  expect(server_register("fra1", "net", host));
  ASSERT_EQ(prepare(), 0);
  EXPECT_EQ(LabHost::unwiped(1).interface_key(), made);
}

TEST_F(Retire, AStrangerKeepsTheInterface) {
  expect(of_server("update", {{"drift_policy", "report"}}));
  provision("P1");
  const std::string stranger = add_stranger();
  accept({of_peer("revoke", "P1"), of_server("retire")});
  const json held =
      wait_said(installation, "server.status", json{{"server", "fra1"}, {"error_code", "peers_left_on_host"}});
  EXPECT_EQ(held["retirement"], "pending");
  EXPECT_EQ(held["alert"], "guard_retired");
  EXPECT_EQ(host.kernel_peers(), (LabHost::Peers{{stranger, "10.200.99.1/32"}}));
  EXPECT_FALSE(on_host("P1")) << "ours has gone";
  const Finished waits = retire({"--wait", "--timeout", "1"});
  EXPECT_EQ(waits.exit_status, 1);
  const json row = json::parse(installation.cli({"server", "show", "fra1", "-o", "json"}).out);
  EXPECT_EQ(row["delivery"]["error_code"], "peers_left_on_host") << row;

  expect(of_server("approve", {{"keys", 1}}));
  ended("proven");
  EXPECT_TRUE(is_gone());
}

TEST_F(Retire, WhoStaysOnAWordIsRemovedByHandOrNever) {
  expect(of_server("update", {{"drift_policy", "report"}}));
  const std::string stranger = add_stranger();
  expect(of_server("retire"));
  wait_said(installation, "server.status", json{{"server", "fra1"}, {"alert", "guard_retired"}});
  expect(of_server("approve", {{"approved", false}}));
  EXPECT_TRUE(eventually([&] {
    return of_delivery("error_message || in_doubt") == "peers that are not ours stand on the interface: 1true";
  })) << of_delivery("error_message");
  EXPECT_TRUE(host.kernel_peers().contains(stranger));
  host.sh("wg set wg0 peer " + stranger + " remove; wg-quick save wg0");
  expect(of_server("reconcile"));
  ended("proven");
  EXPECT_TRUE(is_gone());
}

TEST_F(Retire, AHostThatWentDownInTheMiddleIsTakenDownAgain) {
  provision("P1");
  expect(of_peer("revoke", "P1"));
  settle();
  {
    // The interface is gone by then, and the file with the key is not, however often it is tried.
    host.sh("rm -rf /run/killed");
    const HostShim shim(host, "rm", "case $* in *wg0.conf*) mkdir -p /run/killed; kill -9 $PPID ;; esac");
    expect(of_server("retire"));
    ASSERT_TRUE(eventually([&] { return host.sh("test ! -d /run/killed || echo yes") == "yes\n"; }));
    EXPECT_EQ(host.sh("ip -o link show dev wg0 2>/dev/null || echo none"), "none\n");
    EXPECT_EQ(installation.db().value("SELECT retired_proven_at FROM servers"), "");
    host.lab("reboot");
  }
  ended("proven");
  EXPECT_TRUE(is_gone());
}

TEST_F(Retire, AWorkerThatDiesAfterwardsLeavesItToTheNext) {
  provision("P1");
  expect(of_peer("revoke", "P1"));
  settle();
  installation.worker("w1").signal(SIGTERM);  // so that its partitions are free at once
  ASSERT_EQ(installation.worker("w1").wait(std::chrono::seconds(30)), 0);
  Process& doomed = installation.start_worker("w2", {{"PEERWRIGHT_CRASH_AT", "deliver.exec.after:1"}});
  installation.publish(of_server("retire"));
  ASSERT_TRUE(doomed.wait(std::chrono::seconds(30)));
  EXPECT_TRUE(is_gone()) << "nobody has read the answer";
  EXPECT_EQ(installation.db().value("SELECT retired_proven_at FROM servers"), "");
  installation.start_worker("w3");
  ended("proven");
}

TEST_F(Retire, ADrainedServerIsNoPlaceForNewPeersAndKeepsItsOwn) {
  const LabHost second(2);
  expect(of_server("update", {{"region", "eu"}}));
  expect(server_register("fra2", "net", second));
  expect(of_server("update", {{"region", "eu"}}, "fra2"));
  provision("P1");
  provision("P2", json::object(), "fra2");
  provision("P3", json::object(), "fra2");  // fra1 is the least used of its region
  expect(of_server("drain"));
  json data = {{"region", "eu"}, {"public_key", keys("P4").public_key}};
  expect(of_peer("provision", "P4", data));
  settle();
  EXPECT_TRUE(second.kernel_peers().contains(keys("P4").public_key));
  EXPECT_TRUE(on_host("P1"));
  expect(of_peer("suspend", "P1", {{"mode", "cut"}}));
  EXPECT_TRUE(goes_off("P1")) << "what it has is looked after";
}

TEST_F(Retire, MaintenanceHoldsPushesAndNothingElse) {
  provision("P1");
  expect(of_server("maintenance"));
  expect(of_peer("provision", "P2", {{"server", "fra1"}, {"public_key", keys("P2").public_key}}));
  expect(of_peer("suspend", "P1", {{"mode", "cut"}}));
  const std::string observed =
      "SELECT observed_at FROM server_runtime r JOIN servers s ON s.id = r.server_id WHERE s.name = 'fra1'";
  const std::string before = installation.db().rows(observed).empty() ? "" : installation.db().value(observed);
  expect(of_server("observe"));
  EXPECT_TRUE(eventually([&] {
    const auto rows = installation.db().rows(observed);
    return !rows.empty() && rows[0][0] != before;
  })) << "it is looked at";
  EXPECT_EQ(of("P1", "entitlement"), "suspended");
  EXPECT_TRUE(on_host("P1"));
  EXPECT_FALSE(on_host("P2"));
  expect(of_server("maintenance", {{"on", false}}));
  EXPECT_TRUE(goes_off("P1"));
  EXPECT_TRUE(comes_on("P2"));
}

}  // namespace
}  // namespace peerwright::test
