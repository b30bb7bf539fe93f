#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/observation.hpp"

namespace peerwright::wireguard {
namespace {

constexpr const char* kKeyA = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
constexpr const char* kKeyB = "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=";
constexpr const char* kKeyC = "Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=";
constexpr const char* kPreshared = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
constexpr const char* kZeroKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

std::string golden(const std::string& name) {
  std::ifstream file(PEERWRIGHT_SOURCE_DIR "/tests/unit/golden/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

TEST(PushPlan, IsRenderedForWg) {
  PushPlan plan;
  plan.removals = {kKeyC};
  plan.peers.push_back({kKeyA, {"fd00::2/128", "10.0.0.2/32"}, 25, Secret(kPreshared)});
  plan.peers.push_back({kKeyB, {}, 0, Secret()});
  EXPECT_EQ(render_push(plan).reveal(), golden("push_plan.txt"));
}

// What a host is told, case by case: a change of any of it is a change of the protocol.
TEST(PushPlan, EachCaseHasItsText) {
  const std::string a(kKeyA), b(kKeyB), psk("PresharedKey = " + std::string(kPreshared) + "\n");
  const auto text = [](PushPlan plan) { return std::string(render_push(plan).reveal()); };
  const auto of_peer = [&text](PeerConfig peer) {
    PushPlan plan;
    plan.peers.push_back(std::move(peer));
    return text(std::move(plan));
  };
  const auto section = [](const std::string& key, const std::string& rest) {
    return "[Peer]\nPublicKey = " + key + "\n" + rest;
  };
  const std::string one = "#plan 0 1\n", end = "#end\n", hash_a = "#hash " + a + "\n" + end;

  PushPlan removal;
  removal.removals = {a, b};
  EXPECT_EQ(text(std::move(removal)), "#plan 2 0\n#remove " + a + "\n#remove " + b + "\n#end\n");
  // An addition and a change are one: all of the peer is said, and the script takes away what it had besides.
  EXPECT_EQ(of_peer({a, {"10.0.0.2/32"}, 0, Secret(), {}}), one + section(a, "AllowedIPs = 10.0.0.2/32\n") + end);
  EXPECT_EQ(of_peer({a, {"10.0.0.2/32"}, 0, Secret(kPreshared), {}}),
            one + section(a, psk + "AllowedIPs = 10.0.0.2/32\n") + hash_a);
  EXPECT_EQ(of_peer({a, {"10.0.0.2/32"}, 25, Secret(), {}}),
            one + section(a, "AllowedIPs = 10.0.0.2/32\nPersistentKeepalive = 25\n") + end);
  EXPECT_EQ(of_peer({a, {"10.0.0.2/32"}, 0, Secret(), "192.0.2.1:51820"}),
            one + section(a, "AllowedIPs = 10.0.0.2/32\nEndpoint = 192.0.2.1:51820\n") + end);
  PushPlan staged;  // the new key of a peer stands beside the old one, without addresses
  staged.peers.push_back({a, {"10.0.0.2/32"}, 0, Secret(), {}});
  staged.peers.push_back({b, {}, 0, Secret(), {}});
  EXPECT_EQ(text(std::move(staged)), "#plan 0 2\n" + section(a, "AllowedIPs = 10.0.0.2/32\n") + section(b, "") + end);
  PushPlan firewall;
  firewall.firewall = "table inet x {\n}\n";
  EXPECT_EQ(text(std::move(firewall)), "#plan 0 0\n#firewall 2\n#nft table inet x {\n#nft }\n#end\n");
  PushPlan no_firewall;
  no_firewall.firewall = "";
  EXPECT_EQ(text(std::move(no_firewall)), "#plan 0 0\n#firewall 0\n#end\n");
  PushPlan interface_key;
  interface_key.interface_key = Secret(kPreshared);
  EXPECT_EQ(text(std::move(interface_key)), "#plan 0 0\n#key " + std::string(kPreshared) + "\n#end\n");
  PushPlan reading;
  reading.hashed_keys = {a};
  EXPECT_EQ(text(std::move(reading)), "#plan 0 0\n" + hash_a);
}

TEST(PushPlan, CarriesFirewallKeyAndEndpoint) {
  PushPlan plan;
  plan.peers.push_back({kKeyA, {"10.0.0.2/32"}, 0, Secret(), "[2001:db8::1]:51820"});
  plan.firewall = "table inet x {\n\n\tchain y {}\n}";
  plan.interface_key = Secret(kPreshared);
  EXPECT_EQ(render_push(plan).reveal(), golden("host_plan.txt"));
  const HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "", "i-1"};
  EXPECT_THAT(exec_command(where, PushMode::push, 7, 30, "x").value(), testing::Not(testing::HasSubstr("AwMD")));
}

TEST(PushPlan, SaysThatAFirewallIsToBeGone) {
  PushPlan plan;
  EXPECT_EQ(render_push(plan).reveal(), "#plan 0 0\n#end\n");
  plan.firewall = "";
  EXPECT_EQ(render_push(plan).reveal(), "#plan 0 0\n#firewall 0\n#end\n");
}

TEST(PushPlan, AReadingOnlyNamesTheKeysToHashAndWhatNeedNotBeSpeltOut) {
  PushPlan plan;
  plan.hashed_keys = {kKeyA, kKeyB, kKeyA};
  std::vector<PeerConfig> wanted;
  wanted.push_back({kKeyB, {}, 0, Secret()});
  wanted.push_back({kKeyA, {"fd00::2/128", "10.0.0.2/32"}, 25, Secret(kPreshared)});
  plan.equal_listing = equal_listing(wanted);
  const std::string a = kKeyA + std::string(" 25 10.0.0.2/32,fd00::2/128 psk\n");
  const std::string b = kKeyB + std::string(" off (none) none\n");
  EXPECT_EQ(plan.equal_listing, sha256_hex(b + a));
  EXPECT_EQ(render_push(plan).reveal(), golden("reading_plan.txt"));
}

TEST(Fingerprint, IsEqualForEqualStatesOnly) {
  const PeerConfig peer{kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, Secret(kPreshared)};
  EXPECT_EQ(fingerprint(peer),
            std::string(kKeyA) + " allowed_ips=10.0.0.2/32,fd00::2/128 keepalive=25 psk=" + "ad5fee2a8352a2a0");
  EXPECT_EQ(fingerprint({kKeyA, {"fd00::2/128", "10.0.0.2/32"}, 25, Secret(kPreshared)}), fingerprint(peer));
  EXPECT_EQ(fingerprint({kKeyA, {}, 0, Secret()}), std::string(kKeyA) + " allowed_ips= keepalive=off psk=none");
  EXPECT_EQ(fingerprint({kKeyA, {}, 0, Secret(kZeroKey)}), fingerprint({kKeyA, {}, 0, Secret()}));
  EXPECT_EQ(fingerprint({kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, Secret(kPreshared), "192.0.2.1:1"}),
            fingerprint(peer));
  EXPECT_NE(fingerprint({kKeyB, {"10.0.0.2/32", "fd00::2/128"}, 25, Secret(kPreshared)}), fingerprint(peer));
  EXPECT_NE(fingerprint({kKeyA, {"10.0.0.2/32"}, 25, Secret(kPreshared)}), fingerprint(peer));
  EXPECT_NE(fingerprint({kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 0, Secret(kPreshared)}), fingerprint(peer));
  EXPECT_NE(fingerprint({kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, Secret(kKeyB)}), fingerprint(peer));
  EXPECT_THAT(fingerprint(peer), testing::Not(testing::HasSubstr("AwMD")));
}

TEST(ExecCommand, QuotesTheScript) {
  const HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "", "i-1"};
  EXPECT_EQ(exec_command(where, PushMode::push, 7, 30, "echo 'a' \"$1\"\n").value(),
            "timeout -k 5 30 sh -c 'echo '\\''a'\\'' \"$1\"\n' peerwright wg0 /etc/wireguard/wg0.conf i-1 7 push '' "
            "\"$SSH_CONNECTION\"");
  const HostInterface inside{"wg0", "/config/wg0.conf", "podman exec -i wg", "i-1"};
  EXPECT_EQ(exec_command(inside, PushMode::reading, 8, 5, "x").value(),
            "podman exec -i wg timeout -k 5 5 sh -c 'x' peerwright wg0 /config/wg0.conf i-1 8 reading '' "
            "\"$SSH_CONNECTION\"");
  EXPECT_EQ(exec_command(inside, PushMode::retire, 9, 5, "x").value(),
            "podman exec -i wg timeout -k 5 5 sh -c 'x' peerwright wg0 /config/wg0.conf i-1 9");
}

TEST(ExecCommand, NamesTheScriptByItsHashWhereItLiesOnTheHost) {
  const std::string hash = sha256_hex("the script");
  HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "", "i-1", kKeyA, WayIn::forced};
  const std::string words = "push " + hash + " 30 wg0 /etc/wireguard/wg0.conf i-1 7 push " + kKeyA;
  EXPECT_EQ(exec_command(where, PushMode::push, 7, 30, "the script").value(), words);
  where.way = WayIn::sudo;
  EXPECT_EQ(exec_command(where, PushMode::push, 7, 30, "the script").value(),
            "sudo -n /usr/local/lib/peerwright/hand " + words);
  EXPECT_EQ(exec_command(where, PushMode::retire, 7, 30, "the script").value(),
            "sudo -n /usr/local/lib/peerwright/hand retire " + hash + " 30 wg0 /etc/wireguard/wg0.conf i-1 7 " + kKeyA);
  EXPECT_EQ(observe_command(where, 20, "the script").value(),
            "sudo -n /usr/local/lib/peerwright/hand observe " + hash + " 20 wg0 /etc/wireguard/wg0.conf");
  where.exec_prefix = "podman exec -i wg";
  EXPECT_EQ(exec_command(where, PushMode::push, 7, 30, "the script").error().code, "host_setting_invalid");
  for (const WayIn way : {WayIn::shell, WayIn::sudo, WayIn::forced}) EXPECT_EQ(way_in_from(name_of(way)), way);
  EXPECT_FALSE(way_in_from("su"));
}

TEST(ExecCommand, RefusesWhatCouldBeTakenForSomethingElse) {
  const HostInterface good{"wg0", "/etc/wireguard/wg0.conf", "", "i-1"};
  const auto code = [](const HostInterface& where, std::int64_t number = 1, int timeout_seconds = 10) {
    const auto command = exec_command(where, PushMode::push, number, timeout_seconds, "x");
    return command ? "ok" : command.error().code;
  };
  ASSERT_EQ(code(good), "ok");
  for (const auto* name : {"", "-wg", ".", "..", "wg 0", "wg/0", "wg'0", "sixteen-letters0", "wg\n0", "w\xc3\xa9"}) {
    HostInterface bad = good;
    bad.interface = name;
    EXPECT_EQ(code(bad), "host_setting_invalid") << name;
  }
  for (const auto* path :
       {"", "wg0.conf", "/", "/etc/", "/a b", "/a'b", "/a/../b", "/a//b", "/a\nb", "/a$b", "/a;b", "/*"}) {
    HostInterface bad = good;
    bad.config_path = path;
    EXPECT_EQ(code(bad), "host_setting_invalid") << path;
  }
  for (const auto* prefix :
       {" sudo", "sudo ", "a  b", "a;b", "a|b", "$(a)", "`a`", "a\nb", "A=1 b", "a 'b'", "-x", "a>b", "a&"}) {
    HostInterface bad = good;
    bad.exec_prefix = prefix;
    EXPECT_EQ(code(bad), "host_setting_invalid") << prefix;
  }
  for (const auto& installation : {std::string(), std::string("a b"), std::string("a/b"), std::string(65, 'a')}) {
    HostInterface bad = good;
    bad.installation_id = installation;
    EXPECT_EQ(code(bad), "host_setting_invalid") << installation;
  }
  EXPECT_EQ(code(good, 0), "host_setting_invalid");
  EXPECT_EQ(code(good, -1), "host_setting_invalid");
  EXPECT_EQ(code(good, 1, 0), "host_setting_invalid");
  EXPECT_EQ(code(good, 1, 1 << 30), "host_setting_invalid");
}

}  // namespace
}  // namespace peerwright::wireguard
