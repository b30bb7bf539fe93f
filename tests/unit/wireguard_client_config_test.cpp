#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "peerwright/wireguard/client_config.hpp"

namespace peerwright::wireguard {
namespace {

std::string golden(const std::string& name) {
  std::ifstream file(PEERWRIGHT_SOURCE_DIR "/tests/unit/golden/" + name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

TEST(ClientConfig, SaysAllThatIsKnown) {
  ClientConfig config;
  config.private_key = Secret("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
  config.addresses = {"10.0.0.2/32", "fd00::2/128"};
  config.dns = {"10.0.0.1", "fd00::1"};
  config.mtu = 1380;
  config.server_public_key = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
  config.preshared_key = Secret("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=");
  config.endpoint = "vpn.example.org:51820";
  config.routes = {"0.0.0.0/0", "::/0"};
  config.keepalive_seconds = 25;
  EXPECT_EQ(render_client_config(config).reveal(), golden("client_full.conf"));
}

TEST(ClientConfig, LeavesOutWhatIsNot) {
  ClientConfig config;
  config.addresses = {"10.0.0.2/32"};
  config.server_public_key = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
  config.endpoint = "192.0.2.1:51820";
  config.routes = {"10.0.0.0/24"};
  EXPECT_EQ(render_client_config(config).reveal(), golden("client_least.conf"));
}

}  // namespace
}  // namespace peerwright::wireguard
