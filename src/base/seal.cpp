#include "peerwright/base/seal.hpp"

#include <sodium.h>

#include <array>
#include <stdexcept>

namespace peerwright {
namespace {

constexpr std::size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kKeyIdBytes = 8;
constexpr char kVersion = 1;
constexpr std::size_t kHeaderBytes = 1 + kKeyIdBytes + kNonceBytes;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

bool start_sodium() {
  static const bool started = sodium_init() >= 0;
  return started;
}

// The key in whichever of the three forms it was written; empty where it is none of them.
Secret decode_key(std::string_view text) {
  if (text.size() == kKeyBytes) return Secret(text);
  std::string raw(kKeyBytes, '\0');
  std::size_t length = 0;
  const bool hex = text.size() == 2 * kKeyBytes &&
                   sodium_hex2bin(bytes_of(raw), raw.size(), text.data(), text.size(), nullptr, &length, nullptr) == 0;
  const bool base64 = !hex && sodium_base642bin(bytes_of(raw), raw.size(), text.data(), text.size(), nullptr, &length,
                                                nullptr, sodium_base64_VARIANT_ORIGINAL) == 0;
  Secret key((hex || base64) && length == kKeyBytes ? std::string_view(raw) : std::string_view());
  wipe(raw);
  return key;
}

}  // namespace

Result<Sealer> Sealer::create(const Secret& key) {
  Secret raw = start_sodium() ? decode_key(key.reveal()) : Secret();
  if (raw.empty()) {
    return permanent("encryption_key_invalid", "the encryption key is not 32 bytes (raw, hexadecimal or base64)",
                     "make one with: openssl rand -hex 32 > FILE");
  }
  std::string id(kKeyIdBytes, '\0');
  std::array<unsigned char, crypto_generichash_BYTES> digest{};
  crypto_generichash(digest.data(), digest.size(), bytes_of(raw.reveal()), raw.size(), nullptr, 0);
  id.assign(reinterpret_cast<const char*>(digest.data()), kKeyIdBytes);
  return Sealer(std::move(raw), std::move(id));
}

std::string Sealer::seal(std::string_view plain, std::string_view place) const {
  std::string out(kHeaderBytes + plain.size() + kTagBytes, '\0');
  out[0] = kVersion;
  out.replace(1, kKeyIdBytes, key_id_);
  unsigned char* nonce = bytes_of(out) + 1 + kKeyIdBytes;
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(out) + kHeaderBytes, nullptr, bytes_of(plain), plain.size(),
                                             bytes_of(place), place.size(), nullptr, nonce, bytes_of(key_.reveal()));
  return out;
}

Result<Secret> Sealer::open(std::string_view sealed, std::string_view place) const {
  if (sealed.size() < kHeaderBytes + kTagBytes || sealed[0] != kVersion) {
    return permanent("sealed_value_damaged", "a sealed value is too short or of an unknown version",
                     "restore the row from a backup or from the audit topic");
  }
  if (sealed.substr(1, kKeyIdBytes) != key_id_) {
    return permanent("sealed_with_other_key", "a value was sealed with another encryption key",
                     "configure the key file that was in force when the value was written");
  }
  std::string plain(sealed.size() - kHeaderBytes - kTagBytes, '\0');
  const std::string_view body = sealed.substr(kHeaderBytes);
  const unsigned char* nonce = bytes_of(sealed) + 1 + kKeyIdBytes;
  const int rc =
      crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(plain), nullptr, nullptr, bytes_of(body), body.size(),
                                                 bytes_of(place), place.size(), nonce, bytes_of(key_.reveal()));
  Secret opened(rc == 0 ? std::string_view(plain) : std::string_view());
  wipe(plain);
  if (rc != 0) {
    return permanent("sealed_value_damaged", "a sealed value does not open at its place",
                     "restore the row from a backup or from the audit topic");
  }
  return opened;
}

std::string sha256_raw(std::string_view bytes) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(bytes_of(digest), bytes_of(bytes), bytes.size());
  return digest;
}

std::string hex_of(std::string_view bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_of(bytes), bytes.size());
  text.pop_back();
  return text;
}

std::string sha256_hex(std::string_view bytes) { return hex_of(sha256_raw(bytes)); }

}  // namespace peerwright
