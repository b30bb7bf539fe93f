#include "keys.hpp"

#include <array>
#include <sstream>

namespace peerwright::ssh {
namespace {

struct KeyType {
  std::string_view name;
  ssh_keytypes_e type;
  const char* algorithms;
};

// RSA keys sign with SHA-2 here and never with SHA-1.
constexpr std::array<KeyType, 5> kKeyTypes{{
    {"ssh-ed25519", SSH_KEYTYPE_ED25519, "ssh-ed25519"},
    {"ssh-rsa", SSH_KEYTYPE_RSA, "rsa-sha2-512,rsa-sha2-256"},
    {"ecdsa-sha2-nistp256", SSH_KEYTYPE_ECDSA_P256, "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", SSH_KEYTYPE_ECDSA_P384, "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", SSH_KEYTYPE_ECDSA_P521, "ecdsa-sha2-nistp521"},
}};

tl::unexpected<Error> invalid_host_key(const std::string& why) {
  return permanent("ssh_host_key_invalid", "the pinned host key is not usable: " + why,
                   "register the host's public key as /etc/ssh/ssh_host_ed25519_key.pub on the host shows it, as in "
                   "\"ssh-ed25519 AAAA...\"");
}

// libssh asks here for the passphrase of an encrypted key; without this, OpenSSL would ask on the terminal.
int refuse_passphrase(const char* /*prompt*/, char* /*buffer*/, size_t /*size*/, int /*echo*/, int /*verify*/,
                      void* /*userdata*/) {
  return -1;
}

}  // namespace

Result<PinnedKey> parse_host_key(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string name;
  std::string base64;
  words >> name >> base64;
  if (base64.empty()) return invalid_host_key("it is not a type and a base64 text");
  for (const KeyType& known : kKeyTypes) {
    if (known.name != name) continue;
    ssh_key key = nullptr;
    if (ssh_pki_import_pubkey_base64(base64.c_str(), known.type, &key) != SSH_OK) {
      return invalid_host_key("its base64 text is no public key");
    }
    KeyHandle owner(key);
    // The type inside the text is what libssh goes by.
    if (ssh_key_type(key) != known.type) return invalid_host_key("its text is a key of another type");
    return PinnedKey{std::move(owner), known.algorithms};
  }
  return invalid_host_key("its type is none of ssh-ed25519, ssh-rsa and ecdsa-sha2-nistp256, -384 and -521");
}

Result<KeyHandle> import_private_key(const Secret& text) {
  std::string copy;
  copy.reserve(text.size() + 2);  // one allocation, so that wipe() reaches every copy made here
  copy.append(text.reveal()).append("\n");
  ssh_key key = nullptr;
  const int code = ssh_pki_import_privkey_base64(copy.c_str(), nullptr, refuse_passphrase, nullptr, &key);
  wipe(copy);
  KeyHandle owner(key);
  if (code == SSH_OK && owner != nullptr && ssh_key_is_private(key) == 1) return owner;
  return permanent("ssh_key_invalid", "the SSH private key cannot be read",
                   "give an unencrypted private key in OpenSSH or PEM format, such as ssh-keygen -t ed25519 makes");
}

}  // namespace peerwright::ssh
