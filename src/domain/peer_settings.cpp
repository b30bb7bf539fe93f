#include "peer_settings.hpp"

#include <tuple>

#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

template <typename Value>
void put(const std::optional<Value>& said, Value& value) {
  if (said) value = *said;
}

Decision refused_secret(const std::string& code) {
  if (code == "intake_key_missing") {
    return rejected(code, "the workers have no key to open sealed values with",
                    "let an operator set encryption.intake_key_file, or leave the sealed value out");
  }
  return rejected(code, "a sealed value of the event cannot be used",
                  "seal it to the present intake key of this installation and send it again");
}

auto host_side(const Peer& peer) {
  return std::tie(peer.endpoint, peer.site_networks, peer.hub_keepalive_seconds, peer.preshared_key_hash,
                  peer.preshared_key_unknown);
}

}  // namespace

std::optional<Decision> refuse_secrets(bool makes_key, const PeerSettings& settings, const Tenant& tenant,
                                       const State& state) {
  const Prepared& prepared = state.prepared;
  if (!prepared.refusal.empty()) return refused_secret(prepared.refusal);
  const bool makes_preshared_key = settings.preshared_key && settings.sealed_preshared_key.empty();
  if ((makes_key || makes_preshared_key) && tenant.recipient_key.empty()) {
    return rejected("recipient_key_missing", "a secret would be made here, and the tenant has no key to seal it to",
                    "set recipient_key with tenant.set, or make the keys on the client");
  }
  if ((makes_key && prepared.client_public_key.empty()) ||
      (settings.preshared_key && prepared.preshared_key_sealed.empty())) {
    return rejected("secret_not_made", "a secret that the event asks for was not made",
                    "send the event again under a new id, or make the keys on the client");
  }
  return std::nullopt;
}

std::optional<Decision> refuse_change(const Peer& peer, const Word& word) {
  if (peer.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "provision a peer of another name");
  }
  if (auto refusal = refuse_by_order(word, peer.word)) return refusal;
  if (peer.stage == Stage::unknown) {
    return rejected("peer_not_provisioned", "the peer is neither reserved nor provisioned",
                    "send peer.provision first");
  }
  return std::nullopt;
}

void put_settings(const PeerSettings& settings, const std::vector<wireguard::Prefix>& sites, const Prepared& prepared,
                  Peer& peer) {
  put(settings.display_name, peer.display_name);
  put(settings.user_id, peer.user_id);
  put(settings.description, peer.description);
  put(settings.endpoint, peer.endpoint);
  put(settings.client_routes, peer.client_routes);
  put(settings.keepalive_seconds, peer.keepalive_seconds);
  put(settings.hub_keepalive_seconds, peer.hub_keepalive_seconds);
  put(settings.dns, peer.dns);
  put(settings.mtu, peer.mtu);
  put(settings.expires_at, peer.expires_at);
  put(settings.quota_bytes, peer.quota_bytes);
  put(settings.metadata, peer.metadata);
  if (settings.site_networks) peer.site_networks = texts_of(sites);
  // The same key sealed anew is no change.
  if (settings.preshared_key && prepared.preshared_key_hash != peer.preshared_key_hash) {
    peer.preshared_key_sealed = prepared.preshared_key_sealed;
    peer.preshared_key_hash = prepared.preshared_key_hash;
    peer.preshared_key_unknown = false;
  }
}

bool same_on_host(const Peer& one, const Peer& other) { return host_side(one) == host_side(other); }

bool same_settings(const Peer& one, const Peer& other) {
  const auto told = [](const Peer& peer) {
    return std::tie(peer.display_name, peer.user_id, peer.description, peer.client_routes, peer.keepalive_seconds,
                    peer.dns, peer.mtu, peer.expires_at, peer.quota_bytes, peer.metadata);
  };
  return same_on_host(one, other) && told(one) == told(other);
}

}  // namespace peerwright::domain
