#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peerwright/wireguard/host.hpp"

namespace peerwright::wireguard {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

constexpr std::int64_t kNumber = 12;
const std::string kInterface = "Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=";
const std::string kKeyA = "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=";
const std::string kKeyB = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
const std::string kKernelHash(64, 'a');
const std::string kFileHash(64, 'b');
const std::string kConfigHash(64, '0');
const std::string kTableHash(64, 'c');

const std::string kHead = "interface " + kInterface + "\n";
const std::string kKernel =
    "kernel " + kKeyA + " 25 fd00::2/128,10.0.0.2/32 psk\nkernel " + kKeyB + " off (none) none\n";
const std::string kFile = "file " + kKeyA + " 25 10.0.0.2/32,FD00::2 psk\n";
const std::string kHashes = "secrets " + kKernelHash + " " + kFileHash + "\nconfig " + kConfigHash + " " + kInterface +
                            "\nfirewall " + kTableHash + " " + kKernelHash + " -\n";
const std::string kWhole = kHead + kKernel + kFile + kHashes + "end 12 ok 2 1\n";

std::string code_of(const std::string& output, std::optional<int> status = 0) {
  const auto answer = parse_answer(output, status, kNumber);
  return answer ? "ok" : answer.error().code;
}

TEST(HostAnswer, IsReadWhole) {
  const auto answer = parse_answer(kWhole, 0, kNumber);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->interface_key, kInterface);
  EXPECT_EQ(answer->push_number, kNumber);
  ASSERT_EQ(answer->kernel.size(), 2U);
  EXPECT_EQ(answer->kernel[0], (HostPeer{kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, true}));
  EXPECT_EQ(answer->kernel[1], (HostPeer{kKeyB, {}, 0}));
  ASSERT_EQ(answer->file.size(), 1U);
  EXPECT_EQ(answer->file[0], answer->kernel[0]);
  EXPECT_EQ(answer->kernel_secrets_hash, kKernelHash);
  EXPECT_EQ(answer->file_secrets_hash, kFileHash);
  EXPECT_EQ(answer->file_hash, kConfigHash);
  EXPECT_EQ(answer->file_interface_key, kInterface);
  EXPECT_EQ(answer->firewall_loaded, kTableHash);
  EXPECT_EQ(answer->firewall_state, kKernelHash);
  EXPECT_EQ(answer->firewall_file, "");
}

TEST(HostAnswer, WhatIsEqualNeedNotBeSpeltOut) {
  std::vector<PeerConfig> wanted;
  wanted.push_back({kKeyB, {}, 0, Secret()});
  wanted.push_back({kKeyA, {"fd00::2/128", "10.0.0.2/32"}, 25, Secret("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=")});
  const std::string equal = kHead + "equal\n" + kHashes + "end 12 ok 2 2\n";
  const auto answer = parse_answer(equal, 0, kNumber, wanted);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->kernel, (std::vector<HostPeer>{{kKeyB, {}, 0}, {kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, true}}));
  EXPECT_EQ(answer->file, answer->kernel);
  // Equal to nothing that was asked, or to more than there is, is no answer.
  EXPECT_EQ(parse_answer(equal, 0, kNumber).error().code, "host_answer_incomplete");
  wanted.pop_back();
  EXPECT_EQ(parse_answer(equal, 0, kNumber, wanted).error().code, "host_answer_incomplete");
}

TEST(HostAnswer, AClosedWayIsSaidWhereItIsCertain) {
  const auto closed = [](WayIn way, std::optional<int> status, const std::string& out, const std::string& err) {
    const auto why = closed_way(way, status, out, err);
    return why ? why->code : "";
  };
  const std::string not_allowed = "Sorry, user wgadmin is not allowed to execute '...' as root on ams-1.\n";
  EXPECT_EQ(closed(WayIn::sudo, 1, "", "sudo: a password is required\n"), "host_sudo_refused");
  EXPECT_EQ(closed(WayIn::sudo, 1, "", not_allowed), "host_sudo_refused");
  EXPECT_EQ(closed(WayIn::sudo, 1, "", "sudo: /usr/local/lib/peerwright/hand: command not found\n"),
            "host_script_outdated");
  EXPECT_EQ(closed(WayIn::sudo, 127, "", "sh: 1: sudo: not found\n"), "host_tool_missing");
  EXPECT_EQ(closed(WayIn::forced, 127, "", "sh: 1: push: not found\n"), "host_script_outdated");
  EXPECT_EQ(closed(WayIn::forced, 1, "", "sudo: a password is required\n"), "host_sudo_refused") << "a key of both";
  for (const WayIn way : {WayIn::shell, WayIn::sudo, WayIn::forced}) {
    EXPECT_EQ(closed(way, std::nullopt, "", ""), "");
    EXPECT_EQ(closed(way, 0, "", ""), "");
    EXPECT_EQ(closed(way, 10, "", ""), "");
    EXPECT_EQ(closed(way, 1, "error", ""), "") << "it spoke";
  }
  EXPECT_EQ(closed(WayIn::shell, 127, "", ""), "") << "as before";
}

TEST(HostAnswer, MayShowNoPeersAndAnInterfaceWithoutKey) {
  const auto answer = parse_answer("interface (none)\n" + kHashes + "end 12 ok 0 0\n", 0, kNumber);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->interface_key, "");
  EXPECT_TRUE(answer->kernel.empty() && answer->file.empty());
}

TEST(HostAnswer, TheFileMayHaveNoKey) {
  std::string text = kWhole;
  const std::string line = kConfigHash + " " + kInterface;
  text.replace(text.find(line), line.size(), kConfigHash + " (none)");
  const auto answer = parse_answer(text, 0, kNumber);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->file_interface_key, "");
}

TEST(HostAnswer, OfTheEndIsWholeOrNone) {
  const std::string whole = "absent interface firewall config\nend 12 ok 0 0\n";
  const auto answer = parse_retired(whole, 0, kNumber);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->push_number, kNumber);
  EXPECT_EQ(answer->interface_key + answer->file_hash + answer->firewall_loaded + answer->firewall_state, "");
  const auto code = [](const std::string& output, std::optional<int> status, std::int64_t number = kNumber) {
    const auto got = parse_retired(output, status, number);
    return got ? "ok" : got.error().code;
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    ASSERT_EQ(code(whole.substr(0, at), 0), "host_answer_incomplete");
    ASSERT_EQ(code(whole.substr(0, at) + whole.substr(at + 1), 0), "host_answer_incomplete");
  }
  EXPECT_EQ(code(whole, 0, 13), "host_answer_incomplete");
  EXPECT_EQ(code(whole, std::nullopt), "host_answer_incomplete");
  EXPECT_EQ(code(whole, 28), "host_answer_incomplete");
  EXPECT_EQ(code(kWhole, 0), "host_answer_incomplete") << "of a reading";
  EXPECT_EQ(code("error peers_left_on_host " + kKeyA + "\nend 12 peers_left_on_host\n", 28), "peers_left_on_host");
  EXPECT_EQ(code("error host_step_failed x\nend 12 host_step_failed\n", 26), "host_step_failed");
}

TEST(HostAnswer, CutAtAnyByteIsNone) {
  for (std::size_t bytes = 0; bytes < kWhole.size(); ++bytes) {
    const auto answer = parse_answer(kWhole.substr(0, bytes), 0, kNumber);
    ASSERT_FALSE(answer) << bytes;
    ASSERT_EQ(answer.error().code, "host_answer_incomplete");
    ASSERT_EQ(answer.error().retry, Retry::later);
  }
}

TEST(HostAnswer, WithoutAnyOneOfItsLinesIsNone) {
  std::size_t start = 0;
  while (start < kWhole.size()) {
    const std::size_t end = kWhole.find('\n', start) + 1;
    const std::string line = kWhole.substr(start, end - start);
    EXPECT_EQ(code_of(kWhole.substr(0, start) + kWhole.substr(end)), "host_answer_incomplete") << "without " << line;
    EXPECT_EQ(code_of(kWhole.substr(0, end) + line + kWhole.substr(end)), "host_answer_incomplete") << "twice " << line;
    start = end;
  }
}

TEST(HostAnswer, WithAnyCharacterTakenOutIsNoneOrTellsAnotherKey) {
  for (std::size_t at = 0; at < kWhole.size(); ++at) {
    const auto answer = parse_answer(kWhole.substr(0, at) + kWhole.substr(at + 1), 0, kNumber);
    // Only prefixes and keepalives have no fixed length; such damage is a difference and so no proof.
    if (!answer) continue;
    EXPECT_NE(std::make_pair(answer->kernel, answer->file),
              std::make_pair(parse_answer(kWhole, 0, kNumber)->kernel, parse_answer(kWhole, 0, kNumber)->file))
        << at;
  }
}

TEST(HostAnswer, RefusesOddLines) {
  const auto with_kernel = [](const std::string& line) { return kHead + line + "\n" + kHashes + "end 12 ok 1 0\n"; };
  ASSERT_EQ(code_of(with_kernel("kernel " + kKeyA + " off (none) none")), "ok");
  for (const std::string& line :
       {"kernel " + kKeyA, "kernel " + kKeyA + " off (none)", "kernel " + kKeyA + " off (none) key",
        "kernel " + kKeyA + " off ", "kernel  " + kKeyA + " off (none) none",
        "kernel " + kKeyA + " off (none) none more", "kernel " + kKeyA + " off 10.0.0.2/33 none",
        "kernel " + kKeyA + " off 10.0.0.2/32, none", "kernel " + kKeyA + " off (hidden) none",
        "kernel " + kKeyA + " of (none) none", "kernel " + kKeyA + " 65536 (none) none",
        "kernel " + kKeyA + " -1 (none) none", "kernel " + kKeyA + " ? (none) none",
        "kernel " + kKeyA.substr(1) + " off (none) none", "Kernel " + kKeyA + " off (none) none", std::string("hello"),
        std::string()}) {
    EXPECT_EQ(code_of(with_kernel(line)), "host_answer_incomplete") << line;
  }
}

TEST(HostAnswer, TellsANewKeyThatWasNotTaken) {
  EXPECT_FALSE(parse_answer(kWhole, 0, kNumber)->keeps_interface_key);
  const std::string rest = kWhole.substr(kHead.size());
  const auto kept = parse_answer("interface " + kInterface + " kept\n" + rest, 0, kNumber);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->keeps_interface_key);
  EXPECT_EQ(kept->interface_key, kInterface);
  EXPECT_EQ(code_of("interface " + kInterface + " taken\n" + rest), "host_answer_incomplete");
  EXPECT_EQ(code_of("interface " + kInterface + " kept kept\n" + rest), "host_answer_incomplete");
}

TEST(HostAnswer, ALoginThatPrintsSomethingIsSaid) {
  for (const std::string noise : {"Welcome!\n", "Welcome! ", "\n\n", "end of maintenance: 12\n"}) {
    EXPECT_EQ(code_of(noise + kWhole), "host_login_prints") << noise;
    EXPECT_EQ(code_of(noise + kWhole.substr(0, kWhole.size() - 1)), "host_answer_incomplete") << "and was cut short";
  }
  EXPECT_EQ(code_of("Welcome!\nerror host_busy lock\nend 12 host_busy\n", 18), "host_busy") << "a refusal is one";
  EXPECT_EQ(code_of("Welcome!\nend 12 ok 0 0\n"), "host_answer_incomplete");
}

TEST(HostAnswer, AFileMayHoldAnything) {
  const auto answer = parse_answer(
      kHead + "file " + kKeyA + " ? ? none\nfile " + kKeyA + " 70000 10.0.0.2 psk\n" + kHashes + "end 12 ok 0 2\n", 0,
      kNumber);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->file[0], (HostPeer{kKeyA, {"?"}, kUnreadableKeepalive}));
  EXPECT_EQ(answer->file[1], (HostPeer{kKeyA, {"10.0.0.2/32"}, kUnreadableKeepalive, true}));
}

TEST(HostAnswer, OfAnotherPushIsNone) {
  for (const std::int64_t number : {1, 2, 11, 13, 120, 121}) {
    EXPECT_FALSE(parse_answer(kWhole, 0, number)) << number;
  }
}

TEST(HostAnswer, OnlyExitStatusZeroMakesIt) {
  EXPECT_EQ(code_of(kWhole, std::nullopt), "host_answer_incomplete");
  for (int status = 1; status < 256; ++status) EXPECT_NE(code_of(kWhole, status), "ok") << status;
}

TEST(HostAnswer, RefusalsHaveTheirCodes) {
  const std::tuple<int, std::string, std::string, Retry> cases[] = {
      {10, "plan_incomplete", "host_answer_incomplete", Retry::later},
      {11, "push_number_refused", "push_number_refused", Retry::later},
      {12, "host_of_other_installation", "host_of_other_installation", Retry::never},
      {13, "prefix_taken_on_host", "prefix_taken_on_host", Retry::never},
      {14, "host_tool_missing", "host_tool_missing", Retry::never},
      {15, "host_config_missing", "host_config_missing", Retry::never},
      {16, "interface_missing", "interface_missing", Retry::never},
      {17, "wg_refused", "wg_refused", Retry::never},
      {18, "host_busy", "host_busy", Retry::later},
      {19, "host_storage_failed", "host_storage_failed", Retry::later},
      {20, "interface_key_changed", "interface_key_changed", Retry::never},
      {21, "nft_refused", "nft_refused", Retry::never},
      {22, "host_script_outdated", "host_script_outdated", Retry::never},
      {23, "host_command_refused", "host_command_refused", Retry::never},
  };
  for (const auto& [status, said, code, retry] : cases) {
    const std::string output = "error " + said + " some detail\nend 12 " + said + "\n";
    const auto answer = parse_answer(output, status, kNumber);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code);
    EXPECT_EQ(answer.error().retry, retry) << code;
    EXPECT_THAT(answer.error().message, EndsWith(" some detail"));
    EXPECT_FALSE(answer.error().remedy.empty()) << code;
    // Another exit status, another push, or a cut: unknown.
    EXPECT_EQ(code_of(output, status + 20), "host_answer_incomplete");
    EXPECT_EQ(code_of(output, 0), "host_answer_incomplete");
    EXPECT_EQ(code_of(output, std::nullopt), "host_answer_incomplete");
    EXPECT_EQ(parse_answer(output, status, kNumber + 1).error().code, "host_answer_incomplete");
    for (std::size_t bytes = 0; bytes < output.size(); ++bytes) {
      ASSERT_EQ(code_of(output.substr(0, bytes), status), "host_answer_incomplete") << bytes;
    }
  }
}

TEST(HostAnswer, NamesTheNumberThatTheHostHasSeen) {
  const auto answer = parse_answer("error push_number_refused 41\nend 12 push_number_refused\n", 11, kNumber);
  EXPECT_THAT(answer.error().message, EndsWith(" 41"));
}

TEST(HostAnswer, DetailsAreBoundedAndPrintable) {
  const auto answer =
      parse_answer("error host_busy \x1b[31m" + std::string(5000, 'x') + "\nend 12 host_busy\n", 18, kNumber);
  ASSERT_EQ(answer.error().code, "host_busy");
  EXPECT_LT(answer.error().message.size(), 300U);
  EXPECT_THAT(answer.error().message, HasSubstr("?[31m"));
}

TEST(HostAnswer, KnowsWhenTheScriptDidNotEnd) {
  for (const int status : {124, 137, 143}) {
    const auto answer = parse_answer("", status, kNumber);
    EXPECT_EQ(answer.error().code, "host_timeout");
    EXPECT_EQ(answer.error().retry, Retry::later);
  }
  EXPECT_EQ(code_of("", 127), "host_tool_missing");
  EXPECT_EQ(code_of("interface x\n", 127), "host_answer_incomplete");
  EXPECT_EQ(code_of("", 1), "host_answer_incomplete");
  EXPECT_EQ(code_of("", 255), "host_answer_incomplete");
}

}  // namespace
}  // namespace peerwright::wireguard
