// What the rendered firewall does to packets: a host with its tunnel, and machines on the other ends of it.
#include "peerwright/wireguard/firewall.hpp"
#include "push_script.hpp"

namespace peerwright::test {
namespace {

using wireguard::Firewall;
using wireguard::RuleAction;
using wireguard::RuleProtocol;

constexpr int kPort = 8080;
constexpr int kOtherPort = 8081;

// Two machines with tunnels (10.9.0.2, fd09::2 and 10.9.0.3, fd09::3) to the host (10.9.0.1, fd09::1), which also has a
// network of its own, 192.0.2.1 and 198.51.100.1, and forwards. TCP services are on kPort and kOtherPort of the host.
class FirewallTraffic : public PushScript {
 protected:
  FirewallTraffic() {
    firewall_.interface = "wg0";
    const auto set_up = lab_.run(
        "ip link set lo up && ip addr add 10.9.0.1/24 dev wg0 && ip addr add fd09::1/64 dev wg0 nodad && "
        "ip link set wg0 mtu 1280 up && ip addr add 192.0.2.1/32 dev lo && ip addr add 198.51.100.1/32 dev lo && "
        "echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    EXPECT_EQ(set_up.status, 0) << set_up.err;
    service_ = lab_.start(
        "exec python3 -c 'import signal, socket\nkept = [socket.create_server((\"::\", port), family=socket.AF_INET6, "
        "dualstack_ipv6=True, backlog=64) for port in (8080, 8081)]\nsignal.pause()'");
    first_.join("10.9.0.2/24 fd09::2/64", kRoutes);
    second_.join("10.9.0.3/24 fd09::3/64", kRoutes);
    PushPlan peers;
    peers.peers.push_back({first_.public_key(), {"10.9.0.2/32", "fd09::2/128"}, 0, Secret()});
    peers.peers.push_back({second_.public_key(), {"10.9.0.3/32", "fd09::3/128"}, 0, Secret()});
    EXPECT_TRUE(push(peers, ++number_));
    // Tunnels and services are up, and nothing is filtered yet.
    EXPECT_TRUE(eventually([&] { return first_.connects("10.9.0.1", kPort) && second_.pings("10.9.0.2"); }));
    EXPECT_TRUE(eventually([&] { return second_.pings("fd09::2"); }));
  }

  void load() {
    PushPlan plan;
    plan.firewall = render_firewall(firewall_);
    const auto got = push(plan, ++number_);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_TRUE(wireguard::proves_firewall(plan, *got));
  }

  static constexpr const char* kRoutes = "10.9.0.0/24,fd09::/64,192.0.2.0/24,198.51.100.0/24,172.31.3.0/24";
  Firewall firewall_;
  LabMachine first_{lab_, 1};
  LabMachine second_{lab_, 2};
  std::unique_ptr<Running> service_;
  std::int64_t number_ = 0;
};

TEST_F(FirewallTraffic, NothingOutOfTheTunnelReachesAForbiddenPrefix) {
  ASSERT_TRUE(first_.pings("192.0.2.1"));
  const LabMachine outside(lab_, 3);
  ASSERT_EQ(outside.run("ip route add default via 172.31.3.1").status, 0);
  ASSERT_TRUE(first_.pings("172.31.3.2"));
  firewall_.forbidden = {"192.0.2.0/24", "172.31.3.0/24", "fd09::3/128"};
  // Whatever else says.
  firewall_.rules = {
      {{}, {"192.0.2.0/24", "172.31.3.0/24", "fd09::/64"}, RuleProtocol::any, 0, RuleAction::allow, 0, ""}};
  firewall_.gardens = {{{"10.9.0.2"}, {{"0.0.0.0/0", RuleProtocol::any, 0}}}};
  load();
  EXPECT_TRUE(first_.misses("192.0.2.1"));   // the host's own address
  EXPECT_TRUE(first_.misses("172.31.3.2"));  // behind the host
  EXPECT_TRUE(first_.misses("fd09::3"));     // another peer
  EXPECT_TRUE(first_.pings("198.51.100.1"));
  EXPECT_TRUE(outside.pings("192.0.2.1"));  // not out of the tunnel
}

TEST_F(FirewallTraffic, AWalledGardenLetsItsDestinationThroughAndNothingElse) {
  firewall_.gardens = {{{"10.9.0.2/32", "fd09::2/128"}, {{"10.9.0.1/32", RuleProtocol::tcp, kPort}}}};
  firewall_.rules = {{{}, {}, RuleProtocol::any, 0, RuleAction::allow, 0, "all"}};
  firewall_.default_action = RuleAction::allow;
  load();
  EXPECT_TRUE(first_.connects("10.9.0.1", kPort));
  EXPECT_TRUE(first_.misses("10.9.0.1", kOtherPort));
  EXPECT_TRUE(first_.misses("fd09::1", kPort));
  EXPECT_TRUE(first_.misses("10.9.0.1"));
  EXPECT_TRUE(first_.misses("10.9.0.3"));
  EXPECT_TRUE(second_.misses("10.9.0.2"));  // nor does a peer reach it
  EXPECT_TRUE(second_.misses("fd09::2"));
  EXPECT_TRUE(second_.connects("10.9.0.1", kOtherPort));
  EXPECT_EQ(lab_.run("ping -n -c 1 -W 2 10.9.0.2").status, 0);  // the host looks at it

  // Another peer as the destination, with its replies.
  firewall_.gardens[0].destinations = {{"10.9.0.3", RuleProtocol::any, 0}};
  load();
  EXPECT_TRUE(first_.pings("10.9.0.3"));
  EXPECT_TRUE(first_.misses("10.9.0.1", kPort));
  EXPECT_TRUE(second_.misses("10.9.0.2"));
}

TEST_F(FirewallTraffic, RulesComeInTheirOrderAndThenTheDefault) {
  firewall_.default_action = RuleAction::deny;
  firewall_.rules = {{{"10.9.0.2"}, {"10.9.0.3"}, RuleProtocol::any, 0, RuleAction::allow, 10, "there"}};
  load();
  EXPECT_TRUE(first_.pings("10.9.0.3"));  // with the reply
  EXPECT_TRUE(second_.misses("10.9.0.2"));
  EXPECT_TRUE(second_.misses("fd09::2"));
  EXPECT_TRUE(first_.connects("10.9.0.1", kPort));  // the host is no peer

  // A flow that stands ends with the rule that denies it.
  const std::string log = lab_.config().string() + ".ping";
  const auto flow = first_.start("exec ping -n -O -i 0.2 10.9.0.3 >" + log);
  ASSERT_TRUE(eventually([&] { return read_file(log).find("icmp_seq=2 ttl") != std::string::npos; }));
  firewall_.rules.push_back({{}, {"10.9.0.3"}, RuleProtocol::any, 0, RuleAction::deny, 5, "not there"});
  load();
  EXPECT_TRUE(eventually([&] { return read_file(log).find("no answer yet") != std::string::npos; }));
}

TEST_F(FirewallTraffic, TunnelOnlyPortsAreClosedFromOutside) {
  const LabMachine outside(lab_, 3);
  ASSERT_TRUE(outside.connects("172.31.3.1", kPort));
  firewall_.tunnel_only_ports = {{RuleProtocol::tcp, kPort}};
  load();
  EXPECT_TRUE(outside.misses("172.31.3.1", kPort));
  EXPECT_TRUE(outside.connects("172.31.3.1", kOtherPort));
  EXPECT_TRUE(first_.connects("10.9.0.1", kPort));
  EXPECT_TRUE(first_.connects("fd09::1", kPort));
  EXPECT_EQ(lab_.run("timeout 1 bash -c ': <>/dev/tcp/127.0.0.1/8080'").status, 0);
}

TEST_F(FirewallTraffic, MasqueradeHidesTheTunnelsAddresses) {
  const LabMachine outside(lab_, 3);  // knows no way back to 10.9.0.0/24
  ASSERT_TRUE(first_.misses("172.31.3.2"));
  firewall_.masquerade = true;
  firewall_.tunnel_networks = {"10.9.0.0/24", "fd09::/64"};
  firewall_.default_action = RuleAction::deny;
  load();
  EXPECT_TRUE(first_.pings("172.31.3.2"));
  EXPECT_TRUE(first_.misses("10.9.0.3"));
}

}  // namespace
}  // namespace peerwright::test
