// Access rules, tunnel-only ports, masquerade and forbidden networks, felt by real clients through a real tunnel.
#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Rules : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    for (const char* peer : {"P1", "P2"}) {
      provision(peer, {{"client_routes", {"10.200.0.0/16", "fd00:200::/64", "192.0.2.0/24", "198.51.100.0/24"}}});
      const json said = wait_said(installation, "peer.status", json{{"peer", peer}, {"delivery", "applied"}});
      addresses[peer] = said["addresses"];
      clients.push_back(std::make_unique<LabClient>(std::string("rules-") + (peer[1] == '1' ? "one" : "two"),
                                                    client_config(said, keys(peer).private_key)));
    }
    // Each client has spoken, so the host knows where both are.
    for (const auto& client : clients) ASSERT_TRUE(client->pings("10.200.0.1"));
  }
  std::string address(const std::string& peer, std::size_t family) {
    const std::string text = addresses[peer][family];
    return text.substr(0, text.find('/'));
  }
  TestEvent rule(const std::string& name, const json& more) {
    json data = {{"tenant", "acme"}, {"rule", name}, {"action", "deny"}};
    data.update(more);
    return event("rule.set", data, "acme");
  }
  bool one_reaches_two(int seconds = 5) { return clients[0]->pings(address("P2", 0), seconds); }
  bool one_reaches_two_by_ipv6(int seconds = 5) { return clients[0]->pings(address("P2", 1), seconds); }

  std::map<std::string, json> addresses;
  std::vector<std::unique_ptr<LabClient>> clients;
};

TEST_F(Rules, TheDefaultActionIsStatedPerServer) {
  EXPECT_TRUE(one_reaches_two());
  expect(of_server("update", {{"default_action", "deny"}}));
  settle();
  EXPECT_FALSE(one_reaches_two(2));
  EXPECT_FALSE(one_reaches_two_by_ipv6(2));
  EXPECT_TRUE(clients[0]->pings("10.200.0.1")) << "the default is about peers, not about the host";
  expect(of_server("update", {{"default_action", "allow"}}));
  settle();
  EXPECT_TRUE(one_reaches_two());
}

TEST_F(Rules, ARuleLetsOnePeerReachAnotherInBothFamilies) {
  expect(of_server("update", {{"default_action", "deny"}}));
  expect(rule("one-to-two", {{"source_peer", "P1"}, {"dest_peer", "P2"}, {"action", "allow"}}));
  settle();
  EXPECT_TRUE(one_reaches_two());
  EXPECT_TRUE(one_reaches_two_by_ipv6());
  EXPECT_FALSE(clients[1]->pings(address("P1", 0), 2)) << "a rule has a direction";
  expect(event("rule.remove", {{"tenant", "acme"}, {"rule", "one-to-two"}}, "acme"));
  settle();
  EXPECT_FALSE(one_reaches_two(2));
}

TEST_F(Rules, TheLowerPriorityComesFirst) {
  expect(rule("open", {{"dest_peer", "P2"}, {"action", "allow"}, {"priority", 20}}));
  expect(rule("shut", {{"source_peer", "P1"}, {"dest_peer", "P2"}, {"action", "deny"}, {"priority", 10}}));
  settle();
  EXPECT_FALSE(one_reaches_two(2));
  expect(rule("shut", {{"source_peer", "P1"}, {"dest_peer", "P2"}, {"action", "deny"}, {"priority", 30}}));
  settle();
  EXPECT_TRUE(one_reaches_two());
}

TEST_F(Rules, PortsAndProtocols) {
  expect(of_server("update", {{"default_action", "deny"}}));
  expect(rule("web", {{"source_peer", "P1"},
                      {"dest_peer", "P2"},
                      {"dest_port", 8080},
                      {"dest_protocol", "tcp"},
                      {"action", "allow"}}));
  settle();
  const std::string connect =
      "python3 -c \"import socket; socket.create_connection(('" + address("P2", 0) + "', %), 3)\"";
  const auto to_port = [&](const std::string& port) {
    std::string command = connect;
    command.replace(command.find('%'), 1, port);
    return clients[0]->sh(command + " 2>&1 | grep -c -i refused || true").out;
  };
  // Nobody listens there: a refusal comes from the other client and shows that the packet went through.
  EXPECT_EQ(to_port("8080"), "1\n");
  EXPECT_EQ(to_port("8081"), "0\n");
}

TEST_F(Rules, TrafficToForbiddenNetworksIsDroppedWhateverTheClientsConfigurationSays) {
  host.sh("ip addr replace 192.0.2.1/32 dev lo; ip addr replace 198.51.100.1/32 dev lo");
  ASSERT_TRUE(clients[0]->pings("192.0.2.1"));
  expect(network_set("net", {{"forbidden", {"192.0.2.0/24"}}}));
  expect(of_server("update", {{"description", "the network's settings are rendered with the next change"}}));
  EXPECT_TRUE(eventually([&] { return !clients[0]->pings("192.0.2.1", 1); }));
  EXPECT_TRUE(clients[0]->pings("198.51.100.1"));
  // Not even a rule opens it.
  expect(rule("all", {{"action", "allow"}, {"priority", 1}}));
  settle();
  EXPECT_FALSE(clients[0]->pings("192.0.2.1", 2));
}

TEST_F(Rules, TunnelOnlyPortsAreShutFromOutside) {
  host.sh("nohup python3 -m http.server 8443 --bind 0.0.0.0 >/dev/null 2>&1 & echo $! > /run/web.pid");
  const std::string from_outside = "import socket; socket.create_connection(('" + host.address() + "', 8443), 2)";
  const auto reachable = [&] { return run_command({"python3", "-c", from_outside}).exit_status == 0; };
  EXPECT_TRUE(eventually(reachable));
  expect(of_server("update", {{"tunnel_only_ports", {{{"protocol", "tcp"}, {"port", 8443}}}}}));
  settle();
  EXPECT_FALSE(reachable());
  EXPECT_EQ(
      clients[0]->sh("python3 -c \"import socket; socket.create_connection(('10.200.0.1', 8443), 3)\"").exit_status, 0);
  host.sh("kill $(cat /run/web.pid)");
}

TEST_F(Rules, TheFirewallIsSavedForAReboot) {
  expect(of_server("update", {{"default_action", "deny"}}));
  settle();
  const std::string saved = host.sh("cat /etc/wireguard/peerwright-wg0.nft");
  EXPECT_NE(saved.find("drop"), std::string::npos) << "what a reboot loads before the interface comes up";
  EXPECT_NE(host.sh("nft list tables").find("peerwright"), std::string::npos);
}

TEST_F(Rules, MasqueradeIsASettingForBothFamilies) {
  expect(of_server("update", {{"masquerade", true}}));
  settle();
  const std::string rules = host.sh("nft list ruleset");
  EXPECT_NE(rules.find("masquerade"), std::string::npos);
  EXPECT_NE(rules.find("10.200.0.0/16"), std::string::npos);
  EXPECT_NE(rules.find("fd00:200::/64"), std::string::npos);
}

TEST_F(Rules, OfOneTenantAreNotOfAnother) {
  expect(event("peer.provision",
               {{"tenant", "rival"}, {"peer", "X"}, {"server", "fra1"}, {"public_key", keys("X").public_key}},
               "rival/X"));
  expect(event("rule.set", {{"tenant", "rival"}, {"rule", "all"}, {"action", "deny"}, {"priority", 1}}, "rival"));
  settle();
  EXPECT_TRUE(one_reaches_two()) << "another tenant's rule about all its peers touched these";
}

}  // namespace
}  // namespace peerwright::test
