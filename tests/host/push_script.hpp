#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "host_lab.hpp"
#include "peerwright/ssh/session.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {

using wireguard::HostAnswer;
using wireguard::PeerConfig;
using wireguard::PushMode;
using wireguard::PushPlan;

constexpr int kTimeoutSeconds = 60;

inline PeerConfig clone(const PeerConfig& peer) {
  return {peer.public_key, peer.allowed_ips, peer.keepalive_seconds, peer.preshared_key.clone(), peer.endpoint};
}

// The script that a push runs on a host, on a host of its own for each test.
class PushScript : public testing::Test {
 protected:
  PeerConfig peer(std::vector<std::string> allowed_ips, int keepalive_seconds = 0, bool with_preshared_key = false) {
    PeerConfig made{wireguard::generate_key_pair().public_key, std::move(allowed_ips), keepalive_seconds, Secret()};
    if (with_preshared_key) {
      made.preshared_key = wireguard::generate_key_pair().private_key;
      secrets_.emplace_back(made.preshared_key.reveal());
    }
    return made;
  }

  static PushPlan plan(std::vector<std::string> removals, std::initializer_list<const PeerConfig*> peers) {
    PushPlan made;
    made.removals = std::move(removals);
    for (const auto* one : peers) made.peers.push_back(clone(*one));
    return made;
  }

  [[nodiscard]] std::string command(std::int64_t number, PushMode mode = PushMode::push,
                                    const std::string& installation = "one", const std::string& expected = {}) const {
    const wireguard::HostInterface where{"wg0", lab_.config().string(), "", installation, expected};
    return wireguard::exec_command(where, mode, number, kTimeoutSeconds, script_).value();
  }

  // What the script said has no secret in it, whatever it was.
  Result<HostAnswer> answer(const Outcome& outcome, std::int64_t number, const std::vector<PeerConfig>& peers = {}) {
    auto secrets = secrets_;
    secrets.push_back(lab_.private_key());
    for (const auto& secret : secrets) {
      EXPECT_THAT(outcome.out, testing::Not(testing::HasSubstr(secret.substr(0, 20))));
      EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr(secret.substr(0, 20))));
    }
    last_ = outcome;
    return wireguard::parse_answer(outcome.out, outcome.status, number, peers);
  }

  Result<HostAnswer> push(const PushPlan& what, std::int64_t number) {
    return answer(lab_.run(command(number), wireguard::render_push(what).reveal()), number, what.peers);
  }

  // A reading asked for the preshared keys of `wanted`.
  Result<HostAnswer> read(const std::vector<const PeerConfig*>& wanted, std::int64_t number) {
    PushPlan what;
    for (const auto* one : wanted) {
      if (!one->preshared_key.empty()) what.hashed_keys.push_back(one->public_key);
    }
    return answer(lab_.run(command(number, PushMode::reading), wireguard::render_push(what).reveal()), number);
  }

  // All that a push could change.
  [[nodiscard]] std::string state() const {
    return lab_.wg_show("dump | sort") + read_file(lab_.config()) + read_file(lab_.config().string() + ".push") +
           tables() + read_file(nft_file());
  }

  [[nodiscard]] std::filesystem::path nft_file() const { return lab_.config().parent_path() / "peerwright-wg0.nft"; }
  [[nodiscard]] std::string tables() const { return lab_.run("nft list ruleset").out; }

  void expect_proven(const PushPlan& what, const Result<HostAnswer>& got) {
    ASSERT_TRUE(got) << got.error().code << ": " << got.error().message << last_.err;
    const auto proof = wireguard::prove_push(what, *got);
    for (const auto& one : what.peers) EXPECT_EQ(proof.at(one.public_key), wireguard::fingerprint(one));
    for (const auto& key : what.removals) EXPECT_EQ(proof.at(key), "");
  }

  static std::string code(const Result<HostAnswer>& got) { return got ? "ok" : got.error().code; }

  HostLab lab_;
  std::string script_ = std::string(ssh::push_script());
  std::vector<std::string> secrets_;
  Outcome last_;
};

}  // namespace peerwright::test
