#include <gtest/gtest.h>

#include <random>

#include "peerwright/wireguard/prefix.hpp"

namespace peerwright::wireguard {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 62U;

Prefix of(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  EXPECT_TRUE(prefix) << text;
  return prefix.value_or(Prefix());
}

TEST(Prefix, IsWrittenCanonically) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"10.0.0.0/8", "10.0.0.0/8"},
      {"10.0.0.1", "10.0.0.1/32"},
      {"0.0.0.0/0", "0.0.0.0/0"},
      {"10.1.2.3/24", "10.1.2.3/24"},
      {"::/0", "::/0"},
      {"::1", "::1/128"},
      {"FD00:0:0:0:0:0:0:1/64", "fd00::1/64"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1/128"},     // the first of two longest runs
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1/128"},           // the longest run
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1/128"},  // a single zero is no run
      {"2001:0db8::0001", "2001:db8::1/128"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1/128"},
      {"::ffff:c000:201", "::ffff:192.0.2.1/128"},
  };
  for (const auto& [given, written] : cases) {
    EXPECT_EQ(of(given).text(), written);
    EXPECT_EQ(of(of(given).text()), of(given));
  }
  EXPECT_EQ(of("10.0.0.1").text(false), "10.0.0.1");
  EXPECT_EQ(of("fd00::1/128").text(false), "fd00::1");
  EXPECT_EQ(of("10.0.0.0/24").text(false), "10.0.0.0/24");
}

TEST(Prefix, RefusesWhatIsNone) {
  using namespace std::string_view_literals;
  for (const auto text : {""sv,
                          "/"sv,
                          "10.0.0.0/"sv,
                          "10.0.0.0/33"sv,
                          "10.0.0/24"sv,
                          "10.0.0.256"sv,
                          "10.0.0.01"sv,
                          "0x0a.0.0.1"sv,
                          "10.0.0.0/+8"sv,
                          "10.0.0.0/-1"sv,
                          "10.0.0.0/08"sv,
                          "10.0.0.0/8/8"sv,
                          "10.0.0.0 /8"sv,
                          " 10.0.0.0"sv,
                          "fd00::/129"sv,
                          "fd00:::/64"sv,
                          "fd00::1::2"sv,
                          "fe80::1%eth0"sv,
                          "[::1]"sv,
                          "::1/0128"sv,
                          "host.example"sv,
                          "10.0.0.0/8\n"sv,
                          "10.0.0.1\0/8"sv,
                          "10.0.0.0/99999999999"sv,
                          "::g"sv,
                          "1:2:3:4:5:6:7"sv,
                          "1:2:3:4:5:6:7:8:9"sv,
                          "10.0.0.0/8a"sv}) {
    const auto prefix = Prefix::parse(text);
    ASSERT_FALSE(prefix) << text;
    EXPECT_EQ(prefix.error().code, "prefix_invalid");
  }
  EXPECT_LT(Prefix::parse(std::string(100000, '1')).error().message.size(), 200U);
}

TEST(Prefix, ClearsHostBits) {
  EXPECT_EQ(of("10.1.2.3/24").network().text(), "10.1.2.0/24");
  EXPECT_EQ(of("10.1.2.255/25").network().text(), "10.1.2.128/25");
  EXPECT_EQ(of("255.255.255.255/0").network().text(), "0.0.0.0/0");
  EXPECT_EQ(of("fd00:1:2:3:4::5/61").network().text(), "fd00:1:2::/61");
  EXPECT_TRUE(of("10.1.2.0/24").is_network());
  EXPECT_FALSE(of("10.1.2.1/24").is_network());
  EXPECT_TRUE(of("10.1.2.1").is_network());
}

TEST(Prefix, ContainsAndOverlaps) {
  EXPECT_TRUE(of("10.0.0.0/8").contains(of("10.255.0.0/16")));
  EXPECT_TRUE(of("10.9.9.9/8").contains(of("10.1.1.1")));  // host bits do not count
  EXPECT_FALSE(of("10.255.0.0/16").contains(of("10.0.0.0/8")));
  EXPECT_TRUE(of("10.255.0.0/16").overlaps(of("10.0.0.0/8")));
  EXPECT_FALSE(of("10.0.0.0/24").overlaps(of("10.0.1.0/24")));
  EXPECT_TRUE(of("0.0.0.0/0").contains(of("255.255.255.255")));
  EXPECT_FALSE(of("0.0.0.0/0").overlaps(of("::/0")));
  EXPECT_FALSE(of("::/0").contains(of("10.0.0.1")));
  EXPECT_TRUE(of("fd00::/64").contains(of("fd00::ffff:ffff:ffff:ffff")));
  EXPECT_FALSE(of("fd00::/64").contains(of("fd00:0:0:1::")));
}

TEST(Prefix, CountsAndNumbersItsAddresses) {
  EXPECT_EQ(of("10.0.0.0/24").size(), 256);
  EXPECT_EQ(of("10.0.0.1").size(), 1);
  EXPECT_EQ(of("0.0.0.0/0").size(), std::int64_t{1} << 32U);
  EXPECT_EQ(of("fd00::/66").size(), kMost);
  EXPECT_EQ(of("fd00::/64").size(), kMost);
  EXPECT_EQ(of("::/0").size(), kMost);

  EXPECT_EQ(of("10.0.0.0/24").at(0)->text(), "10.0.0.0/32");
  EXPECT_EQ(of("10.0.0.77/24").at(255)->text(), "10.0.0.255/32");
  EXPECT_FALSE(of("10.0.0.0/24").at(256));
  EXPECT_FALSE(of("10.0.0.0/24").at(-1));
  EXPECT_EQ(of("10.0.0.0/22").at(1023)->text(), "10.0.3.255/32");
  EXPECT_EQ(of("fd00::/64").at(0x10000)->text(), "fd00::1:0/128");
  EXPECT_EQ(of("fd00::/64").at(kMost - 1)->text(), "fd00::3fff:ffff:ffff:ffff/128");
  EXPECT_FALSE(of("fd00::/64").at(kMost));
  EXPECT_FALSE(of("10.0.0.1").at(1));

  EXPECT_FALSE(of("10.0.0.0/24").offset_of(of("10.0.1.0")));
  EXPECT_FALSE(of("10.0.0.0/24").offset_of(of("10.0.0.0/25")));  // no single address
  EXPECT_FALSE(of("10.0.0.0/24").offset_of(of("fd00::1")));
  EXPECT_FALSE(of("fd00::/64").offset_of(of("fd00::4000:0:0:0")));  // beyond 2^62
  EXPECT_FALSE(of("::/0").offset_of(of("fd00::1")));
  EXPECT_EQ(of("::/0").offset_of(of("::2:0:0:5")), (std::int64_t{2} << 48U) + 5);
}

TEST(Prefix, OffsetsAndTextsComeBackForRandomOnes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const bool ipv4 = i % 2 == 0;
    const int full = ipv4 ? 32 : 128;
    std::string text;
    for (int part = 0; part < (ipv4 ? 4 : 8); ++part) {
      const bool zero = random() % 3 == 0;
      const auto value = zero ? 0U : static_cast<unsigned>(random() % (ipv4 ? 256 : 65536));
      char digits[8];
      snprintf(digits, sizeof digits, ipv4 ? "%u" : "%x", value);
      text += (part == 0 ? "" : (ipv4 ? "." : ":")) + std::string(digits);
    }
    const int length = static_cast<int>(random() % static_cast<unsigned>(full + 1));
    const Prefix prefix = of(text + "/" + std::to_string(length));
    ASSERT_EQ(of(prefix.text()), prefix);
    const Prefix network = prefix.network();
    ASSERT_TRUE(network.is_network());
    ASSERT_EQ(network.network(), network);
    ASSERT_TRUE(network.contains(prefix) && prefix.contains(network) && prefix.overlaps(network));

    const auto offset = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(prefix.size()));
    const auto address = prefix.at(offset);
    ASSERT_TRUE(address);
    ASSERT_TRUE(prefix.contains(*address));
    ASSERT_EQ(prefix.offset_of(*address), offset);
    ASSERT_FALSE(prefix.at(prefix.size()));

    // Two prefixes overlap exactly where the shorter one holds the other's first address.
    const Prefix other = of(address->text(false) + "/" + std::to_string(random() % static_cast<unsigned>(full + 1)));
    ASSERT_TRUE(prefix.overlaps(other) && other.overlaps(prefix));
  }
}

TEST(Prefix, IsWidenedToItsNetworks) {
  EXPECT_EQ(of("10.1.2.3").widened(8), of("10.0.0.0/8"));
  EXPECT_EQ(of("fd00::1:2").widened(112), of("fd00::1:0/112"));
  EXPECT_EQ(of("10.1.2.0/24").widened(32), of("10.1.2.0/24"));
  EXPECT_EQ(of("10.1.2.0/24").widened(0), of("0.0.0.0/0"));
}

}  // namespace
}  // namespace peerwright::wireguard
