#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "command_line.hpp"
#include "peerwright/base/seal.hpp"
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

TEST_F(PeerConfigTest, ItsOwnSettingsGoBeforeTheTenantsAndTheServers) {
  cli_.db().execute("UPDATE tenants SET dns = '{10.200.0.53}'");
  EXPECT_THAT(cli_.run({"peer", "config", "acme/own"}).out, HasSubstr("DNS = 10.200.0.53\n"));
  cli_.db().execute("UPDATE peers SET dns = '{10.200.0.54,example.net}', mtu = 1280 WHERE name = 'own'");
  EXPECT_THAT(cli_.run({"peer", "config", "acme/own"}).out, HasSubstr("DNS = 10.200.0.54, example.net\nMTU = 1280\n"));
}

TEST_F(PeerConfigTest, ThePresharedKeyIsOpenedWithTheKeyFileAlone) {
  const std::string preshared = wireguard::generate_key_pair().public_key;
  const std::string sealed = hex_of(cli_.sealer().seal(preshared, "peers/acme/own/preshared_key"));
  cli_.db().execute("UPDATE peers SET preshared_key_sealed = replace(encode(decode('" + sealed +
                    "', 'hex'), 'base64'), E'\\n', '') WHERE name = 'own'");
  Answer answer = cli_.run({"peer", "config", "acme/own"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("\nPresharedKey = " + preshared + "\n"));
  const std::string other = cli_.write("other-key", std::string(64, 'a'));
  answer = cli_.run({"peer", "config", "acme/own", "--set", "encryption.key_file=" + other});
  EXPECT_EQ(answer.exit, 0);
  EXPECT_THAT(answer.out, HasSubstr("\nPresharedKey = REPLACE_WITH_THE_PRESHARED_KEY\n"));
  EXPECT_THAT(answer.err, HasSubstr("note: a placeholder stands for the preshared key: sealed_with_other_key"));
}

TEST_F(PeerConfigTest, RoutersAndPicturesHaveTheirOwnForms) {
  const Answer router = cli_.run({"peer", "config", "acme/own", "--format", "routeros", "--interface", "wg-vpn"});
  EXPECT_EQ(router.exit, 0) << router.err;
  EXPECT_THAT(router.out, testing::AllOf(HasSubstr("wg-vpn"), HasSubstr(kServerKey)));

  const Answer svg = cli_.run({"peer", "config", "acme/own", "--format", "svg"});
  EXPECT_EQ(svg.exit, 0) << svg.err;
  EXPECT_THAT(svg.out, testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "));
  EXPECT_THAT(svg.out, testing::EndsWith("</svg>\n"));
  const std::string drawn = cli_.run({"peer", "config", "acme/own", "--qr"}).out;
  EXPECT_EQ(cli_.run({"peer", "config", "acme/own", "--format", "qr"}).out, drawn);
  const auto modules = modules_of(drawn);
  std::size_t dark = 0;
  for (const auto& row : modules) dark += static_cast<std::size_t>(std::ranges::count(row, true));
  std::size_t squares = 0;
  for (std::size_t at = 0; (at = svg.out.find("h1v1h-1z", at)) != std::string::npos; ++at) ++squares;
  EXPECT_EQ(squares, dark) << "the same code";

  const Answer png = cli_.run({"peer", "config", "acme/own", "--format", "png", "--out", cli_.path("own.png")});
  EXPECT_EQ(png.exit, 0) << png.err;
  const std::string bytes = content("own.png");
  ASSERT_GT(bytes.size(), 24U);
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  const auto side = static_cast<std::size_t>(static_cast<unsigned char>(bytes[18])) << 8U |
                    static_cast<std::size_t>(static_cast<unsigned char>(bytes[19]));
  EXPECT_EQ(side, (modules.size() + 8) * 8) << "with its margin, eight pixels a module";
  EXPECT_EQ(mode("own.png"), 0600U);
  EXPECT_EQ(cli_.run({"peer", "config", "acme/own", "--format", "gif"}).exit, 2);
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
