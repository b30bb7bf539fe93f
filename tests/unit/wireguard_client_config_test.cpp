#include <gmock/gmock.h>
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

TEST(ClientConfig, IsSaidInCommandsForRouterOs) {
  ClientConfig config;
  config.private_key = Secret("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
  config.addresses = {"10.0.0.2/32", "fd00::2/128"};
  config.dns = {"10.0.0.1", "fd00::1", "example.org"};
  config.mtu = 1380;
  config.server_public_key = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
  config.preshared_key = Secret("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=");
  config.endpoint = "[2001:db8::1]:51820";
  config.routes = {"10.0.0.0/24", "::/0"};
  config.keepalive_seconds = 25;
  EXPECT_EQ(render_routeros(config, "wg-office").reveal(), golden("client.rsc"));
}

TEST(ClientConfig, RouterOsTakesNoValueForACommand) {
  ClientConfig config;
  config.addresses = {"10.0.0.2/32"};
  config.server_public_key = "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=";
  config.endpoint = "vpn.example.org:51820\"; /system reset";
  const Secret secret = render_routeros(config, "wg\"\n/quit $x [:put 1] \\ ?");
  const std::string text(secret.reveal());
  EXPECT_THAT(text,
              testing::StartsWith("/interface wireguard add name=\"wg\\22\\0A/quit \\24x \\5B:put 1\\5D \\5C \\3F\" "
                                  "private-key=\"REPLACE_WITH_YOUR_PRIVATE_KEY\"\n"));
  EXPECT_THAT(text, testing::HasSubstr(" endpoint-address=\"vpn.example.org\" endpoint-port=\"51820\\22\\3B /system"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("preshared-key")));
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
