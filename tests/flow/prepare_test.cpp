// A host's life up to its end: a bare one becomes a server, boots again, and is built anew from nothing.
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "flow.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class Prepare : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    bare.make_bare();
    installation.establish({server_register("ams1", "net", bare)});
  }

  Finished prepare(std::vector<std::string> more = {}, const std::string& server = "ams1") {
    // With what it says on stderr.
    std::vector<std::string> words{"sh",
                                   "-c",
                                   R"(exec "$@" 2>&1)",
                                   "sh",
                                   PEERWRIGHT_BINARY,
                                   "--config",
                                   installation.config_file(),
                                   "server",
                                   "prepare",
                                   server,
                                   "--user",
                                   "ada"};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  }
  void make_server() {
    const Finished done = prepare({"--wait", "--timeout", "60"});
    ASSERT_EQ(done.exit_status, 0) << done.out << installation.log_of("w1");
  }
  // A push that was tried may have left its lock file.
  [[nodiscard]] bool is_bare() const {
    return bare.sh(
               "ls /etc/wireguard/wg0.conf /etc/sysctl.d/99-*peerwright-* 2>/dev/null; ip -o link show dev wg0 "
               "2>/dev/null; cat /proc/sys/net/ipv4/ip_forward") == "0\n";
  }
  std::string of_server_row(const std::string& column) {
    return installation.db().value("SELECT " + column + " FROM servers WHERE name = 'ams1'");
  }
  json applied(const std::string& peer) {
    return wait_said(installation, "peer.status", json{{"peer", peer}, {"delivery", "applied"}});
  }
  // All of a host that a push could change, but for counters and handshakes.
  [[nodiscard]] std::string on_disk_and_in_kernel() const {
    return bare.sh(
        "sha256sum /etc/wireguard/wg0.conf /etc/wireguard/peerwright-wg0.nft; wg show wg0 allowed-ips | sort; "
        "nft list ruleset");
  }

  LabHost bare{2};
};

TEST_F(Prepare, ABareHostBecomesAServer) {
  const Finished asked = prepare({"--dry-run"});
  EXPECT_EQ(asked.exit_status, 6) << asked.out;
  EXPECT_THAT(asked.out, HasSubstr("would   publish server.rotate_key"));
  EXPECT_THAT(asked.out, HasSubstr("would   bring wg0 up"));
  EXPECT_TRUE(is_bare());
  EXPECT_EQ(of_server_row("private_key_sealed"), "");

  make_server();
  const std::string key = LabHost::unwiped(2).interface_key();
  EXPECT_EQ(of_server_row("public_key"), key);
  EXPECT_EQ(of_server_row("key_wanted"), "");
  EXPECT_NE(of_server_row("private_key_sealed"), "");
  EXPECT_EQ(prepare({"--dry-run"}).exit_status, 0);
  const Finished again = prepare({"-o", "json"});
  EXPECT_EQ(again.exit_status, 0) << again.out;
  EXPECT_THAT(again.out, Not(HasSubstr("\"did\"")));
  EXPECT_THAT(again.out, HasSubstr(R"({"step":"ok","server":"ams1","what":"bring wg0 up"})"));

  provision("P1", {{"client_routes", {"10.200.0.0/16", "fd00:200::/64"}}}, "ams1");
  const LabClient client("prepared", client_config(applied("P1"), keys("P1").private_key));
  EXPECT_TRUE(client.pings("10.200.0.1"));
  EXPECT_TRUE(client.pings("fd00:200::1"));
}

TEST_F(Prepare, ALiveHostKeepsItsKeyAndAnotherIsRefused) {
  expect(of_peer("provision", "P1", {{"server", "fra1"}, {"public_key", keys("P1").public_key}}));
  ASSERT_TRUE(comes_on("P1"));
  const std::string peers = host.sh("sed -n '/\\[Peer\\]/,$p' /etc/wireguard/wg0.conf");
  const Finished done = prepare({"--wait"}, "fra1");
  EXPECT_EQ(done.exit_status, 0) << done.out;
  EXPECT_EQ(LabHost::unwiped(1).interface_key(), host.interface_key());
  EXPECT_EQ(host.sh("sed -n '/\\[Peer\\]/,$p' /etc/wireguard/wg0.conf"), peers);
  EXPECT_THAT(host.sh("cat /etc/wireguard/wg0.conf"), HasSubstr("\nPreUp = test ! -e "));
  EXPECT_EQ(installation.db().value("SELECT private_key_sealed FROM servers WHERE name = 'fra1'"), "");
  EXPECT_TRUE(on_host("P1"));

  const std::string other = wireguard::generate_key_pair().public_key;
  installation.db().execute("UPDATE servers SET public_key = '" + other + "' WHERE name = 'fra1'");
  const Finished refused = prepare({}, "fra1");
  EXPECT_EQ(refused.exit_status, 4);
  EXPECT_THAT(refused.out, HasSubstr("interface_key_changed"));
  EXPECT_EQ(LabHost::unwiped(1).interface_key(), host.interface_key());
  EXPECT_EQ(prepare({}, "nowhere").exit_status, 3);
}

TEST_F(Prepare, AHostOfAnotherInstallationIsNotTouched) {
  expect(of_peer("provision", "P1", {{"server", "fra1"}, {"public_key", keys("P1").public_key}}));
  ASSERT_TRUE(comes_on("P1"));
  const auto state = [&] { return host.sh("wg show wg0 listen-port; cat /etc/wireguard/wg0.conf"); };
  const std::string before = state();
  Installation second;
  second.start_worker("s1");
  auto registered = server_register("fra1", "net", host);
  registered.cloud_event["data"]["listen_port"] = 51999;
  second.establish({network_set("net"), registered});
  for (const bool looks : {true, false}) {
    std::vector<std::string> words{"server", "prepare", "fra1", "--user", "ada"};
    if (looks) words.emplace_back("--dry-run");
    EXPECT_EQ(second.cli(words).exit_status, 4);
    EXPECT_EQ(state(), before);
  }
}

TEST_F(Prepare, ANewKeyForKnownClientsIsAskedFor) {
  const std::string lost = wireguard::generate_key_pair().public_key;
  installation.db().execute("UPDATE servers SET public_key = '" + lost + "' WHERE name = 'ams1'");
  const Finished refused = prepare();
  EXPECT_EQ(refused.exit_status, 2);
  EXPECT_THAT(refused.out, HasSubstr("all its clients need new configurations"));
  EXPECT_TRUE(is_bare());
  const Finished done = prepare({"--yes", "--wait"});
  EXPECT_EQ(done.exit_status, 0) << done.out;
  EXPECT_EQ(of_server_row("public_key"), LabHost::unwiped(2).interface_key());
}

TEST_F(Prepare, AHostIsNotTrustedWithoutItsPinnedKey) {
  installation.db().execute("UPDATE servers SET ssh_host_key = '" + host.host_key() + "' WHERE name = 'ams1'");
  const Finished refused = prepare();
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_THAT(refused.out, HasSubstr("ssh_host_key_changed"));
  EXPECT_TRUE(is_bare());
}

TEST_F(Prepare, AHostBuiltAnewGetsEverythingBackByOneReconcile) {
  make_server();
  expect(tenant_set({{"recipient_key", wireguard::generate_key_pair().public_key}}));
  std::vector<TestEvent> events;
  for (int i = 1; i <= 50; ++i) {
    const std::string peer = "P" + std::to_string(i);
    json data = {{"server", "ams1"}, {"public_key", keys(peer).public_key}};
    if (i > 1) data["make_preshared_key"] = true;
    if (i == 1) data["client_routes"] = {"10.200.0.0/16"};
    events.push_back(of_peer("provision", peer, data));
  }
  installation.publish(events);
  settle();
  const std::string config = client_config(applied("P1"), keys("P1").private_key);
  ASSERT_TRUE(LabClient("rebuilt", config).pings("10.200.0.1"));
  const std::string dump = "wg show wg0 dump | cut -f 1,2,4,8 | sort | sha256sum";  // with all keys
  const std::string before = bare.sh(dump);
  ASSERT_EQ(bare.kernel_peers().size(), 50U);

  bare.make_bare();
  make_server();
  EXPECT_EQ(bare.sh("wg show wg0 preshared-keys | grep -vc none"), "49\n");
  EXPECT_EQ(bare.kernel_peers(), wanted_peers(installation.db(), "ams1"));
  EXPECT_EQ(bare.file_peers(), wanted_peers(installation.db(), "ams1"));
  EXPECT_EQ(bare.sh(dump), before) << "the interface's key is the same, and so are the preshared keys";
  EXPECT_TRUE(LabClient("rebuilt", config).pings("10.200.0.1")) << "with the configuration that it had";
}

// Where a packet of the tunnel could come out while its rules are not there.
TEST_F(Prepare, AfterAReboot) {
  make_server();
  expect(tenant_set({{"walled_garden", {{{"to", "192.0.2.1/32"}, {"protocol", "any"}}}}}));
  expect(of_server("update", {{"default_action", "deny"}}, "ams1"));
  std::map<std::string, std::string> configs;
  std::map<std::string, std::unique_ptr<LabClient>> clients;
  std::string other;
  for (const std::string name : {"open", "other", "walled", "cut"}) {
    provision(name, {{"subscriber", name}, {"client_routes", {"10.200.0.0/16", "192.0.2.0/24"}}}, "ams1");
    const json said = applied(name);
    if (name != "cut") configs[name] = client_config(said, keys(name).private_key);
    if (name == "other") other = said["addresses"][0].get<std::string>();
  }
  other = other.substr(0, other.find('/'));
  // Machines that were on all the time would wait for a quarter of a minute before they shake hands anew.
  const auto start_clients = [&] {
    clients.clear();
    for (const auto& [name, config] : configs) clients[name] = std::make_unique<LabClient>("boot-" + name, config);
  };
  start_clients();
  for (auto& [name, client] : clients) ASSERT_TRUE(client->pings("10.200.0.1")) << name;
  expect(of_subscriber("suspend", {{"mode", "walled_garden"}}, "walled"));
  expect(of_subscriber("suspend", {{"mode", "cut"}}, "cut"));
  settle();
  const auto holds = [&] {
    bare.sh("ip addr replace 192.0.2.1/32 dev lo; ip addr replace 192.0.2.2/32 dev lo");
    EXPECT_TRUE(clients["open"]->pings("10.200.0.1"));
    EXPECT_TRUE(clients["other"]->pings("10.200.0.1"));
    EXPECT_TRUE(clients["walled"]->pings("192.0.2.1")) << "the way out of the garden";
    EXPECT_FALSE(clients["walled"]->pings("192.0.2.2", 1));
    EXPECT_FALSE(clients["open"]->pings(other, 1)) << "the default action is to deny";
    EXPECT_FALSE(bare.kernel_peers().contains(keys("cut").public_key));
  };
  holds();
  installation.worker("w1").signal(SIGTERM);  // so that its partitions are free at once
  ASSERT_EQ(installation.worker("w1").wait(std::chrono::seconds(30)), 0);
  const std::string before = on_disk_and_in_kernel();

  bare.lab("reboot");
  EXPECT_EQ(on_disk_and_in_kernel(), before);
  std::stringstream log;
  log << std::ifstream(std::string(std::getenv("PEERWRIGHT_LAB_DIR")) + "/hosts/2/boot.log").rdbuf();
  const std::string boot = log.str();
  EXPECT_LT(boot.find("|| nft -f /etc/wireguard/peerwright-wg0.nft"), boot.find("up dev wg0")) << boot;
  start_clients();
  holds();

  installation.start_worker("w2");
  const Finished reconciled =
      installation.cli({"server", "reconcile", "ams1", "--wait", "--timeout", "60", "--user", "ada"});
  EXPECT_EQ(reconciled.exit_status, 0) << reconciled.out;
  EXPECT_EQ(on_disk_and_in_kernel(), before) << "there was nothing to do";
}

}  // namespace
}  // namespace peerwright::test
