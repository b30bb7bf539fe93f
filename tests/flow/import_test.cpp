// Peers that stood on a host before anybody spoke of them: adopted, claimed by key, and never disturbed.
#include "flow.hpp"
#include "peerwright/domain/adopt.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Import : public FlowTest {
 protected:
  // Registered, and left as it is.
  void SetUp() override {
    installation.start_worker("w1");
    TestEvent server = server_register("fra1", "net", host);
    server.cloud_event["data"]["drift_policy"] = "report";
    installation.establish({network_set("net"), server});
    settle();
  }
  void by_hand(const std::string& peer, const std::string& allowed_ips, const std::string& more = {}) {
    host.sh("wg set wg0 peer " + keys(peer).public_key + ' ' + more + " allowed-ips " + allowed_ips);
  }
  void with_preshared_key(const std::string& peer, const std::string& allowed_ips) {
    host.sh("wg genpsk | wg set wg0 peer " + keys(peer).public_key + " preshared-key /dev/stdin allowed-ips " +
            allowed_ips);
  }
  void save_by_hand() {
    host.sh(
        "cd /etc/wireguard; umask 077; { awk '/^\\[Peer\\]/{exit} {print}' wg0.conf; "
        "wg showconf wg0 | awk '/^\\[Peer\\]/{on=1} on'; } >wg0.conf.by_hand; mv wg0.conf.by_hand wg0.conf");
  }
  json import() {
    expect(of_server("import", {{"tenant", "acme"}}));
    settle();
    return wait_said(installation, "server.status", [](const json& body) { return body.contains("import"); });
  }
  std::string name(const std::string& peer) { return domain::adopted_name(keys(peer).public_key); }
  std::string client_of(const std::string& peer, const std::string& addresses) {
    return "[Interface]\nPrivateKey = " + keys(peer).private_key + "\nAddress = " + addresses +
           "\n\n[Peer]\nPublicKey = " + host.interface_key() + "\nEndpoint = " + host.endpoint() +
           "\nAllowedIPs = 10.200.0.0/16, fd00:200::/64\n";
  }
  // What a write to the host would change.
  std::string file_of_host() { return host.sh("cd /etc/wireguard; sha256sum wg0.conf; stat -c %Y.%i wg0.conf"); }
  std::string handshake_of(const std::string& peer) {
    return host.sh("wg show wg0 latest-handshakes | grep -F " + keys(peer).public_key);
  }
};

TEST_F(Import, WhatStandsThereIsAdoptedAndClaimedWithoutALostPacket) {
  by_hand("one", "10.200.0.50/32,fd00:200::32/128");
  with_preshared_key("two", "10.200.0.51/32,fd00:200::33/128,192.168.77.0/24");
  by_hand("odd", "10.77.0.1/32");
  save_by_hand();
  const LabClient client("import-one", client_of("one", "10.200.0.50/32, fd00:200::32/128"));
  ASSERT_TRUE(client.pings("10.200.0.1"));
  const std::string handshake = handshake_of("one");
  const std::string file = file_of_host();
  (void)client.sh("ping -n -i 0.05 10.200.0.1 >/tmp/import-ping 2>&1 & echo $! >/tmp/import-ping.pid");

  const json said = import();
  EXPECT_EQ(said["import"], (json{{"tenant", "acme"}, {"adopted", 2}, {"left_alone", {{"address_missing", 1}}}}));
  EXPECT_EQ(of(name("one"), "address_offset"), "50");
  EXPECT_EQ(of(name("two"), "site_networks"), "{192.168.77.0/24}");
  const json adopted = wait_said(installation, "peer.status", json{{"peer", name("two")}});
  EXPECT_EQ(adopted["entitlement"], "active");
  EXPECT_EQ(adopted["delivery"], "applied");
  EXPECT_EQ(adopted["adopted"], true);
  EXPECT_NE(installation.cli({"peer", "list", "--tenant", "acme"}).out.find(name("one")), std::string::npos);

  expect(of_peer("provision", "router-1", {{"public_key", keys("one").public_key}, {"subscriber", "S1"}}));
  const json claimed = wait_said(installation, "peer.status", json{{"peer", "router-1"}});
  EXPECT_EQ(claimed["delivery"], "applied");
  EXPECT_EQ(claimed["addresses"], (json{"10.200.0.50/32", "fd00:200::32/128"}));
  settle();

  EXPECT_EQ(file_of_host(), file) << "nothing was pushed";
  EXPECT_EQ(handshake_of("one"), handshake);
  // Every one was answered, up to the last, whose answer may have been on its way.
  std::istringstream answered(client
                                  .sh("kill -INT $(cat /tmp/import-ping.pid); for i in $(seq 50); do "
                                      "grep -q loss /tmp/import-ping && break; sleep 0.1; done; "
                                      "sed -n 's/.*icmp_seq=\\([0-9]*\\) ttl.*/\\1/p' /tmp/import-ping")
                                  .out);
  int pings = 0;
  for (int number = 0; answered >> number;) ASSERT_EQ(number, ++pings) << "a packet was lost";
  EXPECT_GT(pings, 5);

  // Their addresses are theirs, and who comes after them disturbs nobody.
  const std::string preshared_key = host.sh("wg show wg0 preshared-keys | grep -F " + keys("two").public_key);
  expect(of_peer("provision", "asks",
                 {{"server", "fra1"}, {"public_key", keys("asks").public_key}, {"address", "10.200.0.51"}}),
         "rejected", "address_taken");
  provision("new");
  EXPECT_TRUE(on_host("new"));
  EXPECT_EQ(host.sh("wg show wg0 preshared-keys | grep -F " + keys("two").public_key), preshared_key);
  EXPECT_EQ(host.kernel_peers()[keys("odd").public_key], "10.77.0.1/32");
  EXPECT_EQ(handshake_of("one"), handshake);

  expect(of_peer("suspend", name("two")));
  EXPECT_TRUE(goes_off("two"));
}

TEST_F(Import, ADryRunShowsWhatWouldBeAndChangesNothing) {
  by_hand("one", "10.200.0.50/32,fd00:200::32/128");
  by_hand("odd", "10.200.0.60/32,10.200.0.61/32");
  const std::string number = host.sh("cat /etc/wireguard/wg0.conf.push");
  const auto shown = installation.cli({"server", "import", "fra1", "--tenant", "acme", "--dry-run", "-o", "json"});
  ASSERT_EQ(shown.exit_status, 0) << shown.out;
  std::map<std::string, json> by_key;
  for (const json& row : json::parse(shown.out)) by_key[row["public_key"]] = row;
  EXPECT_EQ(by_key[keys("one").public_key]["peer"], name("one"));
  EXPECT_EQ(by_key[keys("one").public_key]["addresses"], (json{"10.200.0.50/32", "fd00:200::32/128"}));
  EXPECT_EQ(by_key[keys("odd").public_key]["left_alone"], "address_missing");
  EXPECT_EQ(host.sh("cat /etc/wireguard/wg0.conf.push"), number);
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM peers"), 0);
}

TEST_F(Import, WhoseKeyOnlyTheHostKnowsIsNeverPushed) {
  with_preshared_key("one", "10.200.0.50/32,fd00:200::32/128");
  save_by_hand();
  import();
  EXPECT_EQ(of(name("one"), "preshared_key_unknown"), "t");
  host.sh("wg set wg0 peer " + keys("one").public_key + " remove");
  save_by_hand();
  expect(of_server("reconcile"));
  const json said = wait_said(installation, "peer.status", json{{"peer", name("one")}, {"delivery", "failed"}});
  EXPECT_EQ(said["delivery_error"], "preshared_key_unknown");
  EXPECT_FALSE(on_host("one"));
}

}  // namespace
}  // namespace peerwright::test
