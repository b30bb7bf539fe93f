#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "command_line.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PeerConfigTest : public testing::Test {
 protected:
  PeerConfigTest() {
    cli_.execute(usual_events());
    cli_.execute({peer_provision("acme", "own", "ams-1", keys_.public_key)});
    cli_.write("private", std::string(keys_.private_key.reveal()) + '\n');
  }
  [[nodiscard]] std::string expected(const std::string& private_key) const {
    return "[Interface]\n"
           "PrivateKey = " +
           private_key +
           "\n"
           "Address = 10.200.0.5/32, fd00:200::5/128\n"
           "DNS = 10.200.0.1\n"
           "MTU = 1420\n"
           "\n"
           "[Peer]\n"
           "PublicKey = " +
           std::string(kServerKey) +
           "\n"
           "AllowedIPs = 0.0.0.0/0, ::/0\n"
           "Endpoint = ams-1.example.net:51820\n"
           "PersistentKeepalive = 25\n";
  }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(cli_.path(name)).rdbuf();
    return text.str();
  }
  [[nodiscard]] unsigned mode(const std::string& name) const {
    struct stat found {};
    EXPECT_EQ(stat(cli_.path(name).c_str(), &found), 0);
    return found.st_mode & 07777U;
  }
  wireguard::KeyPair keys_ = wireguard::generate_key_pair();
  CommandLine cli_;
};

TEST_F(PeerConfigTest, WithoutAKeyItHoldsAPlaceholder) {
  const Answer answer = cli_.run({"peer", "config", "acme/own"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(answer.out, expected("REPLACE_WITH_YOUR_PRIVATE_KEY"));
}

TEST_F(PeerConfigTest, ThePrivateKeyComesFromAFile) {
  const Answer answer = cli_.run({"peer", "config", "acme/own", "--private-key-file", cli_.path("private")});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(answer.out, expected(std::string(keys_.private_key.reveal())));
}

TEST_F(PeerConfigTest, AnotherPeersPrivateKeyIsRefused) {
  const Answer answer = cli_.run({"peer", "config", "acme/laptop", "--private-key-file", cli_.path("private")});
  EXPECT_EQ(answer.exit, 4);
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_THAT(answer.err, HasSubstr("private_key_mismatch"));
  EXPECT_THAT(answer.err, Not(HasSubstr(std::string(keys_.private_key.reveal()))));
}

TEST_F(PeerConfigTest, TheFileIsItsOwnersAloneAndNeverOverwrittenUnasked) {
  const std::vector<std::string> command = {"peer", "config", "acme/own", "--out", cli_.path("wg.conf")};
  const mode_t before = umask(0);
  Answer answer = cli_.run(command);
  umask(before);
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_EQ(content("wg.conf"), expected("REPLACE_WITH_YOUR_PRIVATE_KEY"));
  EXPECT_EQ(mode("wg.conf"), 0600U);

  cli_.write("wg.conf", "mine");
  answer = cli_.run(command);
  EXPECT_EQ(answer.exit, 4);
  EXPECT_THAT(answer.err, HasSubstr("file_exists"));
  EXPECT_EQ(content("wg.conf"), "mine");
}

TEST_F(PeerConfigTest, ForceReplacesTheFileAndItsMode) {
  cli_.write("wg.conf", "old");
  ASSERT_EQ(chmod(cli_.path("wg.conf").c_str(), 0644), 0);
  const Answer answer = cli_.run({"peer", "config", "acme/own", "--out", cli_.path("wg.conf"), "--force"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(content("wg.conf"), expected("REPLACE_WITH_YOUR_PRIVATE_KEY"));
  EXPECT_EQ(mode("wg.conf"), 0600U);
}

TEST_F(PeerConfigTest, ALinkIsNotFollowed) {
  ASSERT_EQ(symlink(cli_.path("target").c_str(), cli_.path("link").c_str()), 0);
  EXPECT_EQ(cli_.run({"peer", "config", "acme/own", "--out", cli_.path("link")}).exit, 4);
  EXPECT_FALSE(std::filesystem::exists(cli_.path("target")));
}

TEST_F(PeerConfigTest, ARevokedPeerHasNoConfiguration) {
  cli_.execute({peer_event("revoke", "acme", "own")});
  cli_.deliver();
  const Answer answer = cli_.run({"peer", "config", "acme/own"});
  EXPECT_EQ(answer.exit, 4);
  EXPECT_THAT(answer.err, HasSubstr("peer_not_configurable"));
}

// The modules of a drawn code, true for dark, without the margin.
std::vector<std::vector<bool>> modules_of(const std::string& drawing) {
  constexpr std::size_t kMargin = 4;
  std::vector<std::vector<bool>> rows;
  std::istringstream in(drawing);
  for (std::string line; std::getline(in, line);) {
    std::vector<bool> upper, lower;
    while (!line.empty()) {
      const std::string glyph = line.substr(0, line[0] == ' ' ? 1 : 3);
      line.erase(0, glyph.size());
      upper.push_back(glyph == " " || glyph == "▄");
      lower.push_back(glyph == " " || glyph == "▀");
    }
    rows.push_back(std::move(upper));
    rows.push_back(std::move(lower));
  }
  const std::size_t side = rows.empty() ? 0 : rows.front().size();
  rows.resize(side);  // a line of half blocks may end below an odd side
  std::vector<std::vector<bool>> inner;
  for (std::size_t y = kMargin; y + kMargin < side; ++y) {
    inner.emplace_back(rows[y].begin() + kMargin, rows[y].end() - kMargin);
  }
  return inner;
}

TEST_F(PeerConfigTest, TheQrCodeIsOne) {
  const std::vector<std::string> command = {"peer", "config", "acme/own", "--qr"};
  const Answer answer = cli_.run(command);
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(cli_.run(command).out, answer.out);
  const auto code = modules_of(answer.out);
  ASSERT_GE(code.size(), 21U);
  EXPECT_EQ((code.size() - 17) % 4, 0U) << "sides are 17 + 4 * version";
  // The finder pattern in three of the corners: a dark ring, a light one, a dark core of three.
  const auto is_finder = [&](std::size_t top, std::size_t left) {
    for (std::size_t y = 0; y < 7; ++y) {
      for (std::size_t x = 0; x < 7; ++x) {
        const bool ring = y == 0 || y == 6 || x == 0 || x == 6;
        const bool core = y >= 2 && y <= 4 && x >= 2 && x <= 4;
        if (code[top + y][left + x] != (ring || core)) return false;
      }
    }
    return true;
  };
  EXPECT_TRUE(is_finder(0, 0));
  EXPECT_TRUE(is_finder(0, code.size() - 7));
  EXPECT_TRUE(is_finder(code.size() - 7, 0));
  EXPECT_FALSE(is_finder(code.size() - 7, code.size() - 7));
}

TEST_F(PeerConfigTest, WhatDoesNotFitIsRefused) {
  nlohmann::json routes = nlohmann::json::array();
  for (int i = 0; i < 250; ++i) routes.push_back("10.1." + std::to_string(i) + ".0/24");
  const std::string key = wireguard::generate_key_pair().public_key;
  cli_.execute({event(
      "peer.provision",
      {{"tenant", "acme"}, {"peer", "wide"}, {"server", "ams-1"}, {"public_key", key}, {"client_routes", routes}},
      "acme/wide")});
  const Answer answer = cli_.run({"peer", "config", "acme/wide", "--qr"});
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_THAT(answer.err, HasSubstr("qr_too_long"));
}

}  // namespace
}  // namespace peerwright::test
