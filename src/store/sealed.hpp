#pragma once

#include <string>
#include <string_view>

#include "peerwright/base/seal.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/events/outbound.hpp"

// Secrets in columns: standard base64 of what a Sealer made, bound to their place. One that an event brought has
// "sent:" before it.
namespace peerwright::store {

std::string preshared_key_place(const domain::Peer& peer);  // the peer with its tenant's name
std::string client_key_place(const domain::Peer& peer);
std::string server_key_place(const domain::Server& server);

// Errors: `sealed_value_damaged`, `sealed_with_other_key`; `encryption_key_missing` where there is no sealer.
Result<Secret> open_column(const Sealer* sealer, std::string_view column, const std::string& place);

// What a status says of the peer's secrets: sealed to the tenant's recipient key. Empty where there are none, where an
// event brought them, where the tenant has no key, or where they cannot be opened: a status is never kept back for
// them.
events::ClientSecrets client_secrets(const Sealer* sealer, const domain::Peer& peer, const domain::Tenant* tenant);

}  // namespace peerwright::store
