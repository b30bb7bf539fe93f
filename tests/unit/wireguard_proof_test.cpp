#include <gtest/gtest.h>

#include <algorithm>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::wireguard {
namespace {

const std::string kKeyA = "Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=";
const std::string kKeyB = "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=";
const std::string kKeyC = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
const std::string kPreshared = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
const std::string kOtherPreshared = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const std::string kZeroKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

PeerConfig peer_a() { return {kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, Secret(kPreshared)}; }
PeerConfig peer_b() { return {kKeyB, {"10.0.0.3/32"}, 0, Secret()}; }
HostPeer shown_a() { return {kKeyA, {"10.0.0.2/32", "fd00::2/128"}, 25, true}; }
HostPeer shown_b() { return {kKeyB, {"10.0.0.3/32"}, 0}; }
std::string line_a() { return kKeyA + " " + kPreshared + "\n"; }

// A host that shows A and B as planned.
HostAnswer as_planned() {
  HostAnswer answer;
  answer.kernel = {shown_b(), shown_a()};
  answer.file = {shown_a(), shown_b()};
  answer.kernel_secrets_hash = answer.file_secrets_hash = sha256_hex(line_a());
  return answer;
}

PushPlan plan_of_both() {
  PushPlan plan;
  plan.removals = {kKeyC};
  plan.peers.push_back(peer_b());
  plan.peers.push_back(peer_a());
  return plan;
}

std::vector<PeerConfig> wanted_both() {
  std::vector<PeerConfig> wanted;
  wanted.push_back(peer_b());
  wanted.push_back(peer_a());
  return wanted;
}

using Shows = std::optional<std::string>;
const Shows kUnproven = std::nullopt;
const Shows kAbsent = "";

TEST(ProvePush, ProvesWhatKernelAndFileShow) {
  const auto proof = prove_push(plan_of_both(), as_planned());
  EXPECT_EQ(proof, (Proof{{kKeyA, fingerprint(peer_a())}, {kKeyB, fingerprint(peer_b())}, {kKeyC, kAbsent}}));
}

TEST(ProvePush, AZeroPresharedKeyIsNone) {
  auto plan = plan_of_both();
  plan.peers[0].preshared_key = Secret(kZeroKey);
  EXPECT_EQ(prove_push(plan, as_planned()).at(kKeyB), fingerprint(peer_b()));
}

TEST(ProvePush, TheOrderOfPrefixesDoesNotCount) {
  auto plan = plan_of_both();
  std::reverse(plan.peers[1].allowed_ips.begin(), plan.peers[1].allowed_ips.end());
  EXPECT_EQ(prove_push(plan, as_planned()).at(kKeyA), fingerprint(peer_a()));
}

TEST(ProvePush, ARemovalNeedsAbsenceInBoth) {
  auto answer = as_planned();
  answer.kernel.push_back({kKeyC, {}, 0});
  EXPECT_EQ(prove_push(plan_of_both(), answer).at(kKeyC), kUnproven);
  answer = as_planned();
  answer.file.push_back({kKeyC, {}, 0});
  EXPECT_EQ(prove_push(plan_of_both(), answer).at(kKeyC), kUnproven);
}

TEST(ProvePush, AMovedPrefixIsNoProof) {
  auto answer = as_planned();
  answer.kernel[0].allowed_ips = {};  // B lost it to somebody
  auto proof = prove_push(plan_of_both(), answer);
  EXPECT_EQ(proof.at(kKeyB), kUnproven);
  EXPECT_EQ(proof.at(kKeyA), fingerprint(peer_a()));
  answer = as_planned();
  std::swap(answer.kernel[0].allowed_ips, answer.kernel[1].allowed_ips);
  std::swap(answer.file[0].allowed_ips, answer.file[1].allowed_ips);
  proof = prove_push(plan_of_both(), answer);
  EXPECT_EQ(proof.at(kKeyA), kUnproven);
  EXPECT_EQ(proof.at(kKeyB), kUnproven);
}

TEST(ProvePush, KernelAndFileMustAgree) {
  for (const bool kernel : {true, false}) {
    for (const int change : {0, 1, 2, 3}) {
      auto answer = as_planned();
      auto& peers = kernel ? answer.kernel : answer.file;
      auto& hash = kernel ? answer.kernel_secrets_hash : answer.file_secrets_hash;
      const auto b = std::find(peers.begin(), peers.end(), shown_b());
      if (change == 0) b->keepalive_seconds = 25;
      if (change == 1) b->allowed_ips.emplace_back("10.0.0.9/32");
      if (change == 2) peers.push_back(shown_b());  // twice
      if (change == 3) {
        peers.erase(b);
        hash = sha256_hex(line_a());
      }
      const auto proof = prove_push(plan_of_both(), answer);
      EXPECT_EQ(proof.at(kKeyB), kUnproven) << kernel << change;
      EXPECT_EQ(proof.at(kKeyA), fingerprint(peer_a())) << kernel << change;
    }
  }
}

TEST(ProvePush, APeerThatIsNowhereIsShownAsAbsent) {
  auto answer = as_planned();
  answer.kernel = {shown_a()};
  answer.file = {shown_a()};
  answer.kernel_secrets_hash = answer.file_secrets_hash = sha256_hex(line_a());
  const auto proof = prove_push(plan_of_both(), answer);
  EXPECT_EQ(proof.at(kKeyB), kAbsent);
  EXPECT_EQ(proof.at(kKeyA), fingerprint(peer_a()));
}

TEST(ProvePush, OneWrongPresharedKeyLeavesAllThatHaveOneUnproven) {
  const std::string wrong = sha256_hex(kKeyA + " " + kOtherPreshared + "\n");
  const std::string missing = sha256_hex(kKeyA + " none\n");
  for (const auto& hash : {wrong, missing, sha256_hex(""), std::string()}) {
    for (const bool kernel : {true, false}) {
      auto answer = as_planned();
      (kernel ? answer.kernel_secrets_hash : answer.file_secrets_hash) = hash;
      const auto proof = prove_push(plan_of_both(), answer);
      EXPECT_EQ(proof.at(kKeyA), kUnproven);
      EXPECT_EQ(proof.at(kKeyB), fingerprint(peer_b()));  // no preshared key is part of these
      EXPECT_EQ(proof.at(kKeyC), kAbsent);
    }
  }
}

TEST(ProvePush, AnEmptyPlanProvesNothing) { EXPECT_TRUE(prove_push(PushPlan(), as_planned()).empty()); }

TEST(ProveReading, TellsOfEveryKey) {
  auto answer = as_planned();
  answer.kernel.push_back({kKeyC, {"10.0.0.4/32"}, 0});
  auto proof = prove_reading(wanted_both(), answer);
  EXPECT_EQ(proof, (Proof{{kKeyA, fingerprint(peer_a())}, {kKeyB, fingerprint(peer_b())}, {kKeyC, kUnproven}}));
  answer = as_planned();
  answer.file.push_back({kKeyC, {"10.0.0.4/32"}, 0});
  EXPECT_EQ(prove_reading(wanted_both(), answer).at(kKeyC), kUnproven);
}

TEST(ProveReading, AnEmptyHostShowsAllAsAbsent) {
  HostAnswer answer;
  answer.kernel_secrets_hash = answer.file_secrets_hash = sha256_hex("");
  EXPECT_EQ(prove_reading(wanted_both(), answer), (Proof{{kKeyA, kAbsent}, {kKeyB, kAbsent}}));
}

TEST(ProveReading, WhatIsMissingDoesNotUnproveTheRest) {
  auto answer = as_planned();
  answer.kernel = {shown_a()};
  answer.kernel_secrets_hash = sha256_hex(line_a());
  EXPECT_EQ(prove_reading(wanted_both(), answer), (Proof{{kKeyA, fingerprint(peer_a())}, {kKeyB, kUnproven}}));
}

TEST(ProveReading, OneWrongPresharedKeyLeavesAllThatHaveOneUnproven) {
  auto answer = as_planned();
  answer.file_secrets_hash = sha256_hex(kKeyA + " " + kOtherPreshared + "\n");
  EXPECT_EQ(prove_reading(wanted_both(), answer), (Proof{{kKeyA, kUnproven}, {kKeyB, fingerprint(peer_b())}}));
}

TEST(ProveFirewall, NeedsItLoadedAndSaved) {
  const std::string text = "table inet x {}\n";
  PushPlan plan;
  HostAnswer answer;
  answer.firewall_loaded = "other";
  EXPECT_TRUE(proves_firewall(plan, answer));  // untouched
  plan.firewall = text;
  EXPECT_FALSE(proves_firewall(plan, answer));
  answer.firewall_loaded = answer.firewall_file = firewall_hash(text);
  EXPECT_FALSE(proves_firewall(plan, answer));  // there is no table
  answer.firewall_state = sha256_hex("as shown");
  EXPECT_TRUE(proves_firewall(plan, answer));
  answer.firewall_file = "";
  EXPECT_FALSE(proves_firewall(plan, answer));
}

TEST(ProveInterfaceKey, NeedsItOnTheInterfaceAndSaved) {
  PushPlan plan;
  HostAnswer answer;
  EXPECT_TRUE(proves_interface_key(plan, answer));
  auto keys = generate_key_pair();
  plan.interface_key = std::move(keys.private_key);
  EXPECT_FALSE(proves_interface_key(plan, answer));
  answer.interface_key = keys.public_key;
  EXPECT_FALSE(proves_interface_key(plan, answer));
  answer.file_interface_key = keys.public_key;
  EXPECT_TRUE(proves_interface_key(plan, answer));
  plan.interface_key = Secret("no key");
  EXPECT_FALSE(proves_interface_key(plan, answer));
}

TEST(ProveFirewall, NeedsItGone) {
  PushPlan plan;
  plan.firewall = "";
  EXPECT_TRUE(proves_firewall(plan, HostAnswer()));
  for (auto field : {&HostAnswer::firewall_loaded, &HostAnswer::firewall_state, &HostAnswer::firewall_file}) {
    HostAnswer answer;
    answer.*field = sha256_hex("left");
    EXPECT_FALSE(proves_firewall(plan, answer));
  }
}

}  // namespace
}  // namespace peerwright::wireguard
