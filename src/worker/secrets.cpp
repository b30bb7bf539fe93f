#include "secrets.hpp"

#include <sodium.h>

#include <array>

#include "peerwright/wireguard/key.hpp"

namespace peerwright::worker {
namespace {

constexpr std::size_t kPresharedKeyBytes = 32;
constexpr const char* kSent = "sent:";
constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;

std::string base64_of(const void* bytes, std::size_t size) {
  std::string text(sodium_base64_encoded_len(size, kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), static_cast<const unsigned char*>(bytes), size, kVariant);
  text.pop_back();  // the terminating zero
  return text;
}

Secret make_preshared_key() {
  std::array<unsigned char, kPresharedKeyBytes> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string text = base64_of(bytes.data(), bytes.size());
  sodium_memzero(bytes.data(), bytes.size());
  Secret key(text);
  wipe(text);
  return key;
}

std::string sealed_at(const Sealer& sealer, const Secret& secret, const std::string& place) {
  const std::string sealed = sealer.seal(secret.reveal(), place);
  return base64_of(sealed.data(), sealed.size());
}

// The preshared key that was sent; the code of the refusal where it cannot be used.
tl::expected<Secret, const char*> open_sent(const std::string& sealed, const IntakeKey* intake_key) {
  if (intake_key == nullptr) return tl::unexpected<const char*>("intake_key_missing");
  auto opened = intake_key->open(sealed);
  // A preshared key looks as a public one does, and a zero one would be none.
  if (!opened || !wireguard::check_public_key(opened->reveal()))
    return tl::unexpected<const char*>("sealed_value_unreadable");
  return *std::move(opened);
}

}  // namespace

domain::Prepared prepare_secrets(const events::SecretsWanted& wanted, const Sealer& sealer,
                                 const IntakeKey* intake_key) {
  domain::Prepared prepared;
  const auto put_preshared_key = [&](const Secret& key) {
    prepared.preshared_key_sealed = sealed_at(sealer, key, wanted.place + "/preshared_key");
    prepared.preshared_key_hash = sha256_hex(key.reveal());
  };
  if (!wanted.sealed_preshared_key.empty()) {
    const auto sent = open_sent(wanted.sealed_preshared_key, intake_key);
    if (!sent) {
      prepared.refusal = sent.error();
      return prepared;
    }
    put_preshared_key(*sent);
    prepared.preshared_key_sealed.insert(0, kSent);  // what was sent is never said back
  } else if (wanted.makes_preshared_key) {
    put_preshared_key(make_preshared_key());
  }
  if (wanted.makes_client_key) {
    const wireguard::KeyPair pair = wireguard::generate_key_pair();
    prepared.client_public_key = pair.public_key;
    prepared.client_key_sealed = sealed_at(sealer, pair.private_key, wanted.place + "/client_key");
  }
  if (wanted.makes_server_key) {
    const wireguard::KeyPair pair = wireguard::generate_key_pair();
    prepared.server_public_key = pair.public_key;
    prepared.server_key_sealed = sealed_at(sealer, pair.private_key, wanted.place + "/private_key");
  }
  return prepared;
}

}  // namespace peerwright::worker
