#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "peerwright/wireguard/key.hpp"

namespace peerwright::wireguard {
namespace {

// As `wg pubkey` answers.
constexpr std::string_view kPrivate = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
constexpr std::string_view kPublic = "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=";

TEST(Key, TakesWhatWireGuardWrites) {
  EXPECT_TRUE(check_public_key(kPublic));
  EXPECT_TRUE(check_public_key(kPrivate));
}

class BadKey : public testing::TestWithParam<std::string_view> {};

TEST_P(BadKey, IsRefusedAndNotRepeated) {
  const auto checked = check_public_key(GetParam());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, "key_invalid");
  EXPECT_EQ(checked.error().retry, Retry::never);
  EXPECT_FALSE(checked.error().remedy.empty());
  if (GetParam().size() >= 8) {
    EXPECT_THAT(checked.error().message + checked.error().remedy,
                testing::Not(testing::HasSubstr(std::string(GetParam().substr(0, 8)))));
  }
  const auto derived = public_key_of(Secret(GetParam()));
  ASSERT_FALSE(derived);
  EXPECT_EQ(derived.error().code, "private_key_invalid");
}

INSTANTIATE_TEST_SUITE_P(Key, BadKey,
                         testing::Values("", "=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",  // all zero
                                         "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZg==",           // 31 bytes
                                         "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm",           // 33 bytes
                                         "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogl=",           // unused bits set
                                         "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk",            // no padding
                                         "pOCSkrZRwni5dyxWn1-puxPZBrRqtoyd-dwrRAn4ogk=",  // the alphabet of URLs
                                         "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4og =",  // a space
                                         "pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk=\n",
                                         " pOCSkrZRwni5dyxWn1+puxPZBrRqtoyd+dwrRAn4ogk",
                                         "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209"));

TEST(Key, OfEveryChangedCharacterOnlyCanonicalOnesPass) {
  // The last character before the padding carries four bits: 16 of 64 are canonical.
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int passed = 0;
  for (const char c : kAlphabet) {
    std::string key(kPublic);
    key[42] = c;
    if (check_public_key(key)) ++passed;
  }
  EXPECT_EQ(passed, 16);
}

TEST(Key, DerivesThePublicKey) {
  const auto derived = public_key_of(Secret(kPrivate));
  ASSERT_TRUE(derived);
  EXPECT_EQ(*derived, kPublic);
}

TEST(Key, MakesPairsThatBelongTogetherAndNeverAgain) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const KeyPair pair = generate_key_pair();
    EXPECT_EQ(pair.private_key.size(), 44U);
    EXPECT_TRUE(check_public_key(pair.public_key));
    EXPECT_EQ(public_key_of(pair.private_key).value(), pair.public_key);
    EXPECT_TRUE(seen.insert(pair.public_key).second);
    EXPECT_TRUE(seen.insert(std::string(pair.private_key.reveal())).second);
    // Clamped: the three lowest bits are in the first character's six, the highest two in the last byte's.
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::string_view text = pair.private_key.reveal();
    const std::size_t first_byte = kAlphabet.find(text[0]) << 2U | kAlphabet.find(text[1]) >> 4U;
    const std::size_t last_byte = (kAlphabet.find(text[41]) & 15U) << 4U | kAlphabet.find(text[42]) >> 2U;
    EXPECT_EQ(first_byte & 7U, 0U);
    EXPECT_EQ(last_byte & 0xc0U, 0x40U);
  }
}

}  // namespace
}  // namespace peerwright::wireguard
