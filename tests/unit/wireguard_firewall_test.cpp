#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"

namespace peerwright::wireguard {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string golden(const std::string& name) {
  std::ifstream file(PEERWRIGHT_SOURCE_DIR "/tests/unit/golden/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

Firewall full() {
  Firewall firewall;
  firewall.interface = "wg0";
  firewall.default_action = RuleAction::deny;
  firewall.rules = {
      {{"10.0.0.2/32"}, {"10.0.0.3/32", "fd00::3/128"}, RuleProtocol::tcp, 22, RuleAction::allow, 10, "ssh"},
      {{}, {}, RuleProtocol::udp, 0, RuleAction::deny, 5, ""},
      {{"fd00::2", "10.0.0.2"}, {}, RuleProtocol::any, 53, RuleAction::allow, 10, "dns"},
      {{"10.0.0.0/24"}, {}, RuleProtocol::any, 0, RuleAction::deny, 10, "rest"},
  };
  firewall.gardens = {{{"10.0.0.9/32", "fd00::9/128"},
                       {{"10.0.0.1/32", RuleProtocol::any, 53},
                        {"192.0.2.0/24", RuleProtocol::tcp, 443},
                        {"2001:db8::1/128", RuleProtocol::tcp, 443}}},
                      {{"10.0.0.8"}, {}}};
  firewall.forbidden = {"192.168.0.0/16", "192.168.1.0/24", "fc00::/7", "192.168.0.0/16"};
  firewall.tunnel_only_ports = {{RuleProtocol::tcp, 5432}, {RuleProtocol::any, 53}, {RuleProtocol::tcp, 80}};
  firewall.masquerade = true;
  firewall.tunnel_networks = {"10.0.0.0/24", "fd00::/64"};
  return firewall;
}

TEST(Firewall, IsRenderedForNft) { EXPECT_EQ(render_firewall(full()), golden("firewall.nft")); }

TEST(Firewall, CarriesTheHashOfItsText) {
  const std::string text = render_firewall(full());
  const std::string hash = firewall_hash(text);
  const std::string line = "\tchain text_" + hash + " {}\n";
  const std::size_t at = text.find(line);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(hash, sha256_hex(text.substr(0, at) + text.substr(at + line.size())));
  auto other = full();
  other.rules.pop_back();
  EXPECT_NE(firewall_hash(render_firewall(other)), hash);
  EXPECT_EQ(firewall_hash(""), "");
  EXPECT_EQ(firewall_hash("by hand\n"), sha256_hex("by hand\n"));
  EXPECT_EQ(firewall_hash("a\n\tchain text_cut"), sha256_hex("a\n"));
}

TEST(Firewall, IsEqualForEqualStates) {
  auto shuffled = full();
  std::reverse(shuffled.rules.begin(), shuffled.rules.end());
  shuffled.rules.push_back(shuffled.rules.back());
  for (auto& rule : shuffled.rules) std::reverse(rule.destinations.begin(), rule.destinations.end());
  std::reverse(shuffled.forbidden.begin(), shuffled.forbidden.end());
  std::reverse(shuffled.tunnel_only_ports.begin(), shuffled.tunnel_only_ports.end());
  std::reverse(shuffled.tunnel_networks.begin(), shuffled.tunnel_networks.end());
  // The same garden, said in two.
  auto split = shuffled.gardens[0];
  std::reverse(split.destinations.begin(), split.destinations.end());
  split.destinations[0].prefix = "2001:db8:0::1";
  split.addresses = {"10.0.0.9"};
  shuffled.gardens.insert(shuffled.gardens.begin(), split);
  std::reverse(shuffled.gardens.begin(), shuffled.gardens.end());
  EXPECT_EQ(render_firewall(shuffled), render_firewall(full()));
}

TEST(Firewall, OfTheSamePriorityDeniesFirst) {
  Firewall firewall;
  firewall.interface = "wg0";
  firewall.rules = {{{}, {}, RuleProtocol::tcp, 1, RuleAction::allow, 7, ""},
                    {{}, {}, RuleProtocol::tcp, 2, RuleAction::deny, 7, ""},
                    {{}, {}, RuleProtocol::tcp, 3, RuleAction::allow, -7, ""}};
  const std::string text = render_firewall(firewall);
  EXPECT_LT(text.find("dport 3 accept"), text.find("dport 2 drop"));
  EXPECT_LT(text.find("dport 2 drop"), text.find("dport 1 accept"));
  EXPECT_THAT(text, Not(HasSubstr("iifname \"wg0\" oifname \"wg0\" drop")));
  EXPECT_THAT(text, Not(HasSubstr("iifname \"wg0\" oifname \"wg0\" accept")));
}

TEST(Firewall, IsNoneWhereItWouldFilterNothing) {
  Firewall firewall;
  firewall.interface = "wg0";
  firewall.default_action = RuleAction::allow;
  firewall.gardens = {{{}, {{"10.0.0.1", RuleProtocol::any, 0}}}};
  firewall.tunnel_networks = {"10.0.0.0/24"};
  EXPECT_TRUE(firewall.empty());
  EXPECT_EQ(render_firewall(firewall), "");
  firewall.masquerade = true;
  EXPECT_THAT(render_firewall(firewall), HasSubstr("masquerade"));
  firewall.masquerade = false;
  firewall.default_action = RuleAction::deny;
  EXPECT_THAT(render_firewall(firewall), HasSubstr("\t\tiifname \"wg0\" oifname \"wg0\" drop\n"));
}

TEST(Firewall, RulesBetweenFamiliesAreNone) {
  Firewall firewall;
  firewall.interface = "wg0";
  firewall.rules = {{{"10.0.0.2"}, {"fd00::3"}, RuleProtocol::any, 0, RuleAction::deny, 0, "none"}};
  EXPECT_THAT(render_firewall(firewall), Not(HasSubstr("none")));
}

TEST(Firewall, LetsNothingOutOfItsQuotes) {
  Firewall firewall;
  firewall.interface = "wg0";
  firewall.rules = {
      {{}, {}, RuleProtocol::any, 0, RuleAction::deny, 0, "a\" accept\n\t\taccept # \\" + std::string(200, 'x')}};
  EXPECT_THAT(render_firewall(firewall), HasSubstr("comment \"a_ accept___accept _ _xx"));
  firewall.rules = {{{"10.0.0.2; accept"}, {"fd00::/64"}, RuleProtocol::any, 0, RuleAction::deny, 0, ""}};
  firewall.forbidden = {"10.0.0.0/8", "}"};
  const std::string text = render_firewall(firewall);
  EXPECT_THAT(text, HasSubstr("ip6 saddr ? ip6 daddr fd00::/64 drop"));
  EXPECT_THAT(text, HasSubstr("{ ?, 10.0.0.0/8 }"));
  EXPECT_THAT(text, Not(HasSubstr("; accept")));
}

TEST(Firewall, TableNamesAreOnesForNft) {
  EXPECT_EQ(firewall_table("wg0"), "peerwright_wg0");
  EXPECT_EQ(firewall_table("wg+a=b.c-d"), "peerwright_wg/pa/eb.c-d");
}

}  // namespace
}  // namespace peerwright::wireguard
