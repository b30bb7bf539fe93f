#include "peerwright/base/sealed_box.hpp"

#include <sodium.h>

#include <array>
#include <vector>

namespace peerwright {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
constexpr std::size_t kKeyBytes = crypto_box_PUBLICKEYBYTES;
using Key = std::array<unsigned char, kKeyBytes>;

// The sealed or plain bytes of a text in base64; nothing where it is none.
std::vector<unsigned char> bytes_of(std::string_view text) {
  std::vector<unsigned char> bytes(text.size());
  std::size_t size = 0;
  if (sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr, kVariant) != 0) {
    return {};
  }
  bytes.resize(size);
  return bytes;
}

bool read_key(std::string_view text, Key& key) {
  auto bytes = bytes_of(text);
  const bool fits = bytes.size() == kKeyBytes;
  if (fits) std::copy(bytes.begin(), bytes.end(), key.begin());
  sodium_memzero(bytes.data(), bytes.size());
  return fits;
}

std::string base64_of(const unsigned char* bytes, std::size_t size) {
  std::string text(sodium_base64_encoded_len(size, kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes, size, kVariant);
  text.pop_back();  // the terminating zero
  return text;
}

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

Result<void> check_recipient_key(std::string_view recipient_public_key) {
  Key key{};
  if (read_key(recipient_public_key, key)) return {};
  return permanent("recipient_key_invalid", "the recipient's key is not base64 of 32 bytes",
                   "send the X25519 public key in standard base64");
}

Result<std::string> seal_for(std::string_view recipient_public_key, const Secret& secret) {
  Key key{};
  if (auto valid = check_recipient_key(recipient_public_key); !valid) return tl::unexpected(valid.error());
  read_key(recipient_public_key, key);
  std::vector<unsigned char> sealed(secret.size() + crypto_box_SEALBYTES);
  if (crypto_box_seal(sealed.data(), raw(secret.reveal()), secret.size(), key.data()) != 0) {
    return permanent("recipient_key_invalid", "nothing can be sealed to the recipient's key",
                     "send the X25519 public key of a pair that was made for this");
  }
  return base64_of(sealed.data(), sealed.size());
}

Result<IntakeKey> IntakeKey::create(const Secret& private_key) {
  Key key{};
  Key public_key{};
  if (sodium_init() < 0 || !read_key(private_key.reveal(), key) ||
      crypto_scalarmult_base(public_key.data(), key.data()) != 0) {
    return permanent("intake_key_invalid", "the intake key is not base64 of 32 bytes",
                     "make one with `head -c 32 /dev/urandom | base64`");
  }
  Secret raw_key(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()));
  sodium_memzero(key.data(), key.size());
  return IntakeKey(std::move(raw_key), base64_of(public_key.data(), public_key.size()));
}

Result<Secret> IntakeKey::open(std::string_view sealed) const {
  const auto unreadable = permanent("sealed_value_unreadable", "a sealed value cannot be opened",
                                    "seal it to the worker's present intake key (crypto_box_seal, standard base64)");
  const auto bytes = bytes_of(sealed);
  const auto public_key = bytes_of(public_key_);
  if (bytes.size() < crypto_box_SEALBYTES) return unreadable;
  std::string plain(bytes.size() - crypto_box_SEALBYTES, '\0');
  if (crypto_box_seal_open(reinterpret_cast<unsigned char*>(plain.data()), bytes.data(), bytes.size(),
                           public_key.data(), raw(private_key_.reveal())) != 0) {
    return unreadable;
  }
  Secret secret(plain);
  wipe(plain);
  return secret;
}

}  // namespace peerwright
