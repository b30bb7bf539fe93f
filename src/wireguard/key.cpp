#include "peerwright/wireguard/key.hpp"

#include <sodium.h>

#include <array>
#include <optional>

namespace peerwright::wireguard {
namespace {

constexpr std::size_t kKeyBytes = crypto_scalarmult_curve25519_BYTES;
constexpr std::size_t kKeyChars = 44;
static_assert(sodium_base64_ENCODED_LEN(kKeyBytes, sodium_base64_VARIANT_ORIGINAL) == kKeyChars + 1);

using RawKey = std::array<unsigned char, kKeyBytes>;
using KeyText = std::array<char, kKeyChars + 1>;

KeyText encode(const RawKey& raw) {
  KeyText text{};
  sodium_bin2base64(text.data(), text.size(), raw.data(), raw.size(), sodium_base64_VARIANT_ORIGINAL);
  return text;
}

// The bytes of a key in canonical base64 that are not all zero; false leaves `raw` empty of anything secret.
bool decode(std::string_view text, RawKey& raw) {
  std::size_t length = 0;
  bool good = text.size() == kKeyChars &&
              sodium_base642bin(raw.data(), raw.size(), text.data(), text.size(), nullptr, &length, nullptr,
                                sodium_base64_VARIANT_ORIGINAL) == 0 &&
              length == raw.size() && sodium_is_zero(raw.data(), raw.size()) == 0;
  if (good) {
    KeyText again = encode(raw);
    good = sodium_memcmp(again.data(), text.data(), kKeyChars) == 0;
    sodium_memzero(again.data(), again.size());
  }
  if (!good) sodium_memzero(raw.data(), raw.size());
  return good;
}

std::string public_half(const RawKey& private_key) {
  RawKey public_key{};
  crypto_scalarmult_curve25519_base(public_key.data(), private_key.data());
  return {encode(public_key).data(), kKeyChars};
}

}  // namespace

Result<void> check_public_key(std::string_view text) {
  RawKey raw{};
  const bool good = decode(text, raw);
  // It may have been a private key.
  sodium_memzero(raw.data(), raw.size());
  if (!good) {
    return permanent("key_invalid", "a key is not canonical base64 of 32 bytes that are not all zero",
                     "give the public key as `wg pubkey` prints it: 44 characters");
  }
  return {};
}

KeyPair generate_key_pair() {
  RawKey raw{};
  randombytes_buf(raw.data(), raw.size());
  raw[0] &= 248U;
  raw[31] = static_cast<unsigned char>((raw[31] & 127U) | 64U);
  KeyText text = encode(raw);
  KeyPair pair{Secret({text.data(), kKeyChars}), public_half(raw)};
  sodium_memzero(text.data(), text.size());
  sodium_memzero(raw.data(), raw.size());
  return pair;
}

Result<std::string> public_key_of(const Secret& private_key) {
  RawKey raw{};
  if (!decode(private_key.reveal(), raw)) {
    return permanent("private_key_invalid", "a private key is not canonical base64 of 32 bytes that are not all zero",
                     "give the private key as `wg genkey` prints it: 44 characters");
  }
  std::string public_key = public_half(raw);
  sodium_memzero(raw.data(), raw.size());
  return public_key;
}

}  // namespace peerwright::wireguard
