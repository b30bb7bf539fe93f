#pragma once

#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

namespace peerwright {

// Secrets on the way between parties: anonymous boxes of libsodium (crypto_box_seal: X25519, XSalsa20-Poly1305), as
// standard base64. Whoever has the recipient's public key can seal, only the recipient can open.

// Error: `recipient_key_invalid` (not base64 of 32 bytes).
Result<std::string> seal_for(std::string_view recipient_public_key, const Secret& secret);
Result<void> check_recipient_key(std::string_view recipient_public_key);

// The worker's intake key: publishers seal secrets to its public half.
class IntakeKey {
 public:
  // `private_key`: base64 of 32 bytes (X25519). Error: `intake_key_invalid`.
  static Result<IntakeKey> create(const Secret& private_key);
  [[nodiscard]] const std::string& public_key() const { return public_key_; }
  // Error: `sealed_value_unreadable`; it never tells more.
  [[nodiscard]] Result<Secret> open(std::string_view sealed) const;

 private:
  IntakeKey(Secret private_key, std::string public_key)
      : private_key_(std::move(private_key)), public_key_(std::move(public_key)) {}
  Secret private_key_;  // raw
  std::string public_key_;
};

}  // namespace peerwright
