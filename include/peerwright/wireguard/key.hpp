#pragma once

#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

namespace peerwright::wireguard {

// Whether `text` is a key as WireGuard writes it: canonical base64 (RFC 4648, with padding, unused bits zero) of 32
// bytes that are not all zero. `ok` or Error `key_invalid`; the message never repeats the text, for it could be a
// private key in the wrong field.
Result<void> check_public_key(std::string_view text);

struct KeyPair {
  Secret private_key;      // base64, 44 characters
  std::string public_key;  // base64, 44 characters
};

// A new Curve25519 pair, clamped as in RFC 7748, section 5.
KeyPair generate_key_pair();

// The public key of a private key in base64. Error: `private_key_invalid`.
Result<std::string> public_key_of(const Secret& private_key);

}  // namespace peerwright::wireguard
