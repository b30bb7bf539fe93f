#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peerwright/wireguard/observation.hpp"

namespace peerwright::wireguard {
namespace {

const std::string kInterface = "Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=";
const std::string kKeyA = "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=";
const std::string kKeyB = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
const std::string kHash(64, 'a');
const std::string kTable(64, 'b');
const std::string kHead =
    "now 1767225600\nuptime 5021.37\ninterface " + kInterface +
    " up 7\nport 51820 open\nforwarding 4 1\nforwarding 6 0\nunit active enabled\nfile root 600 " + kHash +
    "\nfirewall " + kTable + " " + kHash + " " + kTable + "\npush 41\n";
const std::string kPeers = "peer " + kKeyA +
                           " 1767225500 1024 5000000000 192.0.2.1:5000 25 10.0.0.9/32,10.0.0.10/32\npeer " + kKeyB +
                           " 0 0 0 (none) off (none)\n";
const std::string kWhole = kHead + kPeers + "end ok 2\n";

std::string code_of(const std::string& output, std::optional<int> status = 0) {
  const auto seen = parse_observation(output, status);
  return seen ? "ok" : seen.error().code;
}

std::string with(const std::string& line, const std::string& instead) {
  std::string text = kWhole;
  return text.replace(text.find(line), line.size(), instead);
}

TEST(Observation, IsReadWhole) {
  const auto seen = parse_observation(kWhole, 0);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->interface_key, kInterface);
  EXPECT_TRUE(seen->up && seen->listening && seen->forwarding4);
  EXPECT_FALSE(seen->forwarding6);
  EXPECT_EQ(seen->now_epoch_seconds, 1767225600);
  EXPECT_DOUBLE_EQ(seen->uptime_seconds.value(), 5021.37);
  EXPECT_EQ(seen->listen_port, 51820);
  EXPECT_EQ(seen->unit_active, "active");
  EXPECT_EQ(seen->unit_enabled, "enabled");
  EXPECT_EQ(seen->file_owner, "root");
  EXPECT_EQ(seen->file_mode, "600");
  EXPECT_EQ(seen->file_hash, kHash);
  EXPECT_EQ(seen->firewall_loaded, kTable);
  EXPECT_EQ(seen->firewall_state, kHash);
  EXPECT_EQ(seen->firewall_file, kTable);
  EXPECT_EQ(seen->push_number, 41);
  ASSERT_EQ(seen->peers.size(), 2U);
  EXPECT_EQ(seen->peers[0].public_key, kKeyA);
  EXPECT_EQ(seen->peers[0].handshake_epoch_seconds, 1767225500);
  EXPECT_EQ(seen->peers[0].rx_bytes, 1024);
  EXPECT_EQ(seen->peers[0].tx_bytes, 5000000000);
  EXPECT_EQ(seen->peers[0].endpoint, "192.0.2.1:5000");
  EXPECT_EQ(seen->peers[0].state, kKeyA + " allowed_ips=10.0.0.10/32,10.0.0.9/32 keepalive=25");
  EXPECT_EQ(seen->peers[1].endpoint, "");
  EXPECT_EQ(seen->ifindex, 7);
}

TEST(Observation, MayShowLittle) {
  const auto seen = parse_observation(
      "now 1\nuptime -\ninterface (none) down 0\nport 0 closed\nforwarding 4 0\nforwarding 6 0\nunit unknown unknown\n"
      "file - - -\nfirewall - - -\npush 0\nend ok 0\n",
      0);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->interface_key + seen->file_owner + seen->file_mode + seen->file_hash, "");
  EXPECT_EQ(seen->firewall_loaded + seen->firewall_state + seen->firewall_file, "");
  EXPECT_FALSE(seen->up || seen->listening || seen->uptime_seconds);
  EXPECT_TRUE(seen->peers.empty());
}

TEST(Observation, CutAtAnyByteIsNone) {
  for (std::size_t bytes = 0; bytes < kWhole.size(); ++bytes) {
    ASSERT_EQ(code_of(kWhole.substr(0, bytes)), "host_answer_incomplete") << bytes;
  }
  EXPECT_EQ(code_of(kWhole, std::nullopt), "host_answer_incomplete");
  for (int status = 1; status < 256; ++status) EXPECT_NE(code_of(kWhole, status), "ok") << status;
}

TEST(Observation, WithoutAnyOneOfItsLinesIsNone) {
  std::size_t start = 0;
  while (start < kWhole.size()) {
    const std::size_t end = kWhole.find('\n', start) + 1;
    const std::string line = kWhole.substr(start, end - start);
    EXPECT_EQ(code_of(kWhole.substr(0, start) + kWhole.substr(end)), "host_answer_incomplete") << "without " << line;
    EXPECT_EQ(code_of(kWhole.substr(0, end) + line + kWhole.substr(end)), "host_answer_incomplete") << "twice " << line;
    start = end;
  }
}

TEST(Observation, RefusesOddLines) {
  const std::pair<std::string, std::string> odd[] = {
      {"now 1767225600", "now -1"},
      {"now 1767225600", "now 1e9"},
      {"now 1767225600", "now 99999999999999999999"},
      {"now 1767225600", "now 68719476737"},
      {"uptime 5021.37", "uptime nan"},
      {"uptime 5021.37", "uptime inf"},
      {"uptime 5021.37", "uptime 1e300"},
      {"uptime 5021.37", "uptime -3"},
      {"uptime 5021.37", "uptime 5 3"},
      {" up 7\n", " upp 7\n"},
      {" up 7\n", " up\n"},
      {" up 7\n", " up x\n"},
      {kInterface + " up", kInterface.substr(1) + " up"},
      {"port 51820", "port 65536"},
      {"51820 open", "51820 opened"},
      {"forwarding 4 1", "forwarding 6 1"},
      {"forwarding 6 0", "forwarding 6 2"},
      {"active enabled", "active "},
      {"file root 600", "file root"},
      {"firewall " + kTable, "firewall " + kTable.substr(1)},
      {"push 41", "push x"},
      {" 1024 ", " -1024 "},
      {" 1767225500 ", " 9223372036854775807 "},
      {" 1024 ", " 4611686018427387904 "},
      {" 5000000000 ", " 9223372036854775807 "},
      {"192.0.2.1:5000", ""},
      {"192.0.2.1:5000", "192.0.2.1:5000 more"},
      {" 25 10.0.0.9/32", " 70000 10.0.0.9/32"},
      {"10.0.0.9/32,", "10.0.0.9/33,"},
      {"end ok 2", "end ok 3"},
  };
  for (const auto& [line, instead] : odd) {
    EXPECT_EQ(code_of(with(line, instead)), "host_answer_incomplete") << instead;
  }
}

TEST(Observation, ALoginThatPrintsSomethingIsSaid) {
  EXPECT_EQ(code_of("Welcome!\n" + kWhole), "host_login_prints");
  EXPECT_EQ(code_of(kWhole + "Bye!\n"), "host_answer_incomplete");
}

TEST(Observation, RefusalsHaveTheirCodes) {
  const std::tuple<int, std::string, Retry> cases[] = {{14, "host_tool_missing", Retry::never},
                                                       {16, "interface_missing", Retry::never},
                                                       {17, "wg_refused", Retry::never},
                                                       {21, "nft_refused", Retry::never},
                                                       {27, "own_way_cut", Retry::never}};
  for (const auto& [status, code, retry] : cases) {
    const std::string output = "error " + code + " some detail\nend " + code + "\n";
    const auto seen = parse_observation(output, status);
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code, code);
    EXPECT_EQ(seen.error().retry, retry);
    EXPECT_EQ(code_of(output, status + 1), "host_answer_incomplete");
    EXPECT_EQ(code_of(output, 0), "host_answer_incomplete");
  }
  EXPECT_EQ(code_of("", 124), "host_timeout");
  EXPECT_EQ(code_of("", 127), "host_tool_missing");
  EXPECT_EQ(code_of("", 255), "host_answer_incomplete");
}

TEST(Observation, CommandNamesInterfaceAndFileOnly) {
  const HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "sudo -n", "i-1"};
  EXPECT_EQ(observe_command(where, 20, "x").value(),
            "sudo -n timeout -k 5 20 sh -c 'x' peerwright wg0 /etc/wireguard/wg0.conf");
  HostInterface bad = where;
  bad.interface = "wg 0";
  EXPECT_EQ(observe_command(bad, 20, "x").error().code, "host_setting_invalid");
  EXPECT_EQ(observe_command(where, 0, "x").error().code, "host_setting_invalid");
}

}  // namespace
}  // namespace peerwright::wireguard
