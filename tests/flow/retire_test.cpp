// The end of a server: its keys are gone by proof, or by an operator's word; and what holds it back before.
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
  EXPECT_TRUE(host.kernel_peers().empty());
  EXPECT_TRUE(host.file_peers().empty());
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
  EXPECT_TRUE(host.kernel_peers().empty());
  EXPECT_TRUE(host.file_peers().empty());
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

TEST_F(Retire, ComesBackByARegistration) {
  ASSERT_EQ(retire({"--wait"}).exit_status, 0);
  ended("proven");
  expect(server_register("fra1", "net", host));
  provision("P1");
  EXPECT_TRUE(on_host("P1"));
  EXPECT_EQ(installation.db().value("SELECT retired_proven_at FROM servers WHERE name = 'fra1'"), "");
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
