#pragma once

#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

namespace peerwright {

// Seals what is stored and must not be read from a copy of the database: XChaCha20-Poly1305 (libsodium's
// crypto_aead_xchacha20poly1305_ietf) under a key of 32 bytes. Sealed form: version byte 1, key id (8 bytes: the start
// of BLAKE2b over the key), nonce (24 bytes), ciphertext with tag. `place` (table/column/row) is bound as associated
// data, so that a value moved to another row does not open.
class Sealer {
 public:
  // `key`: 32 raw bytes, or 64 hexadecimal digits, or standard base64 of 32 bytes. Error: `encryption_key_invalid`.
  static Result<Sealer> create(const Secret& key);

  [[nodiscard]] std::string seal(std::string_view plain, std::string_view place) const;
  // Errors: `sealed_with_other_key`, `sealed_value_damaged`.
  [[nodiscard]] Result<Secret> open(std::string_view sealed, std::string_view place) const;
  [[nodiscard]] const std::string& key_id() const { return key_id_; }

 private:
  Sealer(Secret key, std::string key_id) : key_(std::move(key)), key_id_(std::move(key_id)) {}
  Secret key_;
  std::string key_id_;
};

// SHA-256 as lower-case hexadecimal; `sha256_raw` as 32 bytes.
std::string sha256_hex(std::string_view bytes);
std::string sha256_raw(std::string_view bytes);
std::string hex_of(std::string_view bytes);

}  // namespace peerwright
