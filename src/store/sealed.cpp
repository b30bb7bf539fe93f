#include "sealed.hpp"

#include <sodium.h>

#include "peerwright/base/sealed_box.hpp"

namespace peerwright::store {
namespace {

std::string of_peer(const domain::Peer& peer, const char* column) {
  return "peers/" + peer.tenant + '/' + peer.name + '/' + column;
}

constexpr std::string_view kSentPrefix = "sent:";  // as the worker stores it

bool was_sent(std::string_view column) { return column.substr(0, kSentPrefix.size()) == kSentPrefix; }

std::string sealed_again(const Sealer* sealer, const std::string& column, const std::string& place,
                         const std::string& recipient) {
  if (column.empty()) return {};
  const auto secret = open_column(sealer, column, place);
  return secret ? seal_for(recipient, *secret).value_or(std::string()) : std::string();
}

}  // namespace

std::string preshared_key_place(const domain::Peer& peer) { return of_peer(peer, "preshared_key"); }
std::string client_key_place(const domain::Peer& peer) { return of_peer(peer, "client_key"); }
std::string server_key_place(const domain::Server& server) { return "servers/" + server.name + "/private_key"; }

Result<Secret> open_column(const Sealer* sealer, std::string_view column, const std::string& place) {
  if (was_sent(column)) column.remove_prefix(kSentPrefix.size());
  if (sealer == nullptr) {
    return permanent("encryption_key_missing", "a sealed value is needed, and no encryption key is set",
                     "set encryption.key_file for this role");
  }
  std::string sealed(column.size(), '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(sealed.data()), sealed.size(), column.data(), column.size(),
                        nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0) {
    return permanent("sealed_value_damaged", "a sealed column is not base64", "restore the row from a backup");
  }
  sealed.resize(size);
  return sealer->open(sealed, place);
}

events::ClientSecrets client_secrets(const Sealer* sealer, const domain::Peer& peer, const domain::Tenant* tenant) {
  if (sealer == nullptr || tenant == nullptr || tenant->recipient_key.empty()) return {};
  // What somebody sent is known to its owner, and may have been copied from another tenant's event by one who is not.
  const std::string made_here = was_sent(peer.preshared_key_sealed) ? std::string() : peer.preshared_key_sealed;
  return {sealed_again(sealer, made_here, preshared_key_place(peer), tenant->recipient_key),
          sealed_again(sealer, peer.client_key_sealed, client_key_place(peer), tenant->recipient_key)};
}

}  // namespace peerwright::store
