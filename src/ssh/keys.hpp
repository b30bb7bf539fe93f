#pragma once

#include <string>
#include <string_view>

#include "handles.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

namespace peerwright::ssh {

struct PinnedKey {
  KeyHandle key;
  std::string algorithms;  // what the key exchange may use with a key of this type, as SSH_OPTIONS_HOSTKEYS takes it
};

// Reads "type base64 [comment]". Error: `ssh_host_key_invalid` (never).
Result<PinnedKey> parse_host_key(std::string_view text);

// Reads an unencrypted private key, OpenSSH or PEM. Error: `ssh_key_invalid` (never); it says nothing of the key.
Result<KeyHandle> import_private_key(const Secret& text);

}  // namespace peerwright::ssh
