#include "outbound_parts.hpp"

// peer.status, reservation.status and peer.usage.
namespace peerwright::events {
namespace {

using domain::Entitlement;
using domain::Peer;
using domain::Stage;

std::vector<std::string> addresses_in(const Peer& peer, const PeerContext& context) {
  return context.network != nullptr ? domain::addresses_of(peer, *context.network) : std::vector<std::string>();
}

// The peer's own, else its tenant's, else its server's.
const std::vector<std::string>& dns_for(const Peer& peer, const PeerContext& context) {
  if (!peer.dns.empty()) return peer.dns;
  if (context.tenant != nullptr && !context.tenant->dns.empty()) return context.tenant->dns;
  return context.server->dns;
}

// All that the client's own configuration needs but a private key that it made itself. There is a server.
void write_client(JsonWriter& body, const Peer& peer, const PeerContext& context,
                  const std::vector<std::string>& addresses, const ClientSecrets& secrets) {
  const domain::Server& server = *context.server;
  body.begin_object("client");
  body.text_unless_empty("server_public_key", server.public_key);
  body.text("endpoint", server.endpoint);
  body.texts("addresses", addresses);
  body.texts("dns", dns_for(peer, context));
  if (const int mtu = peer.mtu > 0 ? peer.mtu : server.mtu; mtu > 0) body.number("mtu", mtu);
  body.texts("routes", peer.client_routes);
  body.number("keepalive_seconds", peer.keepalive_seconds);
  body.text_unless_empty("preshared_key_sealed", secrets.preshared_key_sealed);
  body.text_unless_empty("private_key_sealed", secrets.private_key_sealed);
  body.end_object();
}

bool may_configure(const Peer& peer) {
  return peer.entitlement != Entitlement::unprovisioned && peer.entitlement != Entitlement::revoked;
}

const char* said_entitlement(Entitlement entitlement) {
  return domain::name_of(entitlement == Entitlement::walled_garden ? Entitlement::suspended : entitlement);
}

const char* classic_state(const Peer& peer, const PeerContext& context) {
  if (peer.stage == Stage::reserved) return "pending";
  if (peer.delivery() == domain::Delivery::failed || context.limit_missed) return "failed";
  if (context.connected_at) return "connected";
  if (peer.delivery() == domain::Delivery::applied || context.vps_ready_at) return "vps_ready";
  return "configured";
}

void write_classic(JsonWriter& body, const Peer& peer, const PeerContext& context) {
  if (peer.stage != Stage::reserved && peer.stage != Stage::provisioned) return;
  body.begin_object("classic");
  body.text("state", classic_state(peer, context));
  body.time("pending_at", context.pending_at);
  body.time("configured_at", context.configured_at ? context.configured_at : peer.provisioned_at);
  body.time("vps_ready_at", context.vps_ready_at);
  body.time("connected_at", context.connected_at);
  body.end_object();
}

// Who it is, for those who look at it.
void write_who(JsonWriter& body, const Peer& peer, const std::string& customer) {
  body.text("tenant", peer.tenant);
  body.text("peer", peer.name);
  body.text_unless_empty("customer", customer);
  body.text_unless_empty("subscriber", peer.subscriber);
  body.text_unless_empty("name", peer.display_name);
  body.text_unless_empty("user_id", peer.user_id);
  if (peer.stage != Stage::unknown) body.text("type", domain::name_of(peer.type));
  body.text_unless_empty("plan", peer.plan);
}

void write_connectivity(JsonWriter& body, const PeerContext& context) {
  if (context.connectivity.empty()) return;
  body.text("connectivity", context.connectivity);
  body.time("connectivity_since", context.connectivity_since);
  body.time("last_handshake_at", context.last_handshake_at);
}

void write_terms(JsonWriter& body, const Peer& peer) {
  body.time("expires_at", peer.expires_at);
  if (peer.stage == Stage::reserved) body.time("reserved_until", peer.reserved_until);
  body.number_unless_zero("quota_bytes", peer.quota_bytes);
  body.flag_if_set("over_quota", peer.over_quota);
  body.texts_unless_empty("site_networks", peer.site_networks);
  body.object_text("metadata", peer.metadata);
}

std::string status_id(const Peer& peer) { return joined(joined(peer.tenant, peer.name), std::to_string(peer.version)); }

}  // namespace

Outbound peer_status(const Peer& peer, const PeerContext& context, const ClientSecrets& secrets) {
  const auto addresses = addresses_in(peer, context);
  JsonWriter body;
  body.begin_object();
  write_who(body, peer, context.customer);
  body.text("entitlement", said_entitlement(peer.entitlement));
  body.flag_if_set("walled_garden", peer.entitlement == Entitlement::walled_garden);
  body.flag_if_set("adopted", peer.adopted);
  body.text("delivery", domain::name_of(peer.delivery()));
  if (peer.delivery() == domain::Delivery::failed) body.text("delivery_error", peer.delivery_error);
  if (context.server != nullptr) body.text("server", context.server->name);
  body.texts("addresses", addresses);
  body.text_unless_empty("public_key", peer.public_key);
  body.text_unless_empty("next_public_key", peer.staged_key);
  if (!peer.staged_key.empty()) body.time("next_key_at", peer.staged_until);
  body.number("generation", peer.generation);
  body.number("version", peer.version);
  body.text("cause", peer.cause);
  body.text("changed_at", rfc3339(peer.changed_at));
  if (context.latency_ms >= 0) body.number("latency_ms", context.latency_ms);
  write_terms(body, peer);
  write_connectivity(body, context);
  write_classic(body, peer, context);
  if (context.server != nullptr && may_configure(peer)) write_client(body, peer, context, addresses, secrets);
  body.end_object();
  // The peer's own key, which never changes: with the subscriber's, which it may get only with its provision, its
  // statuses would lie in two partitions and have no order.
  return outbound("peer.status", status_id(peer), joined(peer.tenant, peer.name), std::move(body));
}

Outbound peer_status(const Peer& peer, const domain::Server* server, const domain::Network* network,
                     std::int64_t latency_ms, const ClientSecrets& secrets) {
  PeerContext context;
  context.server = server;
  context.network = network;
  context.latency_ms = latency_ms;
  return peer_status(peer, context, secrets);
}

Outbound reservation_status(const Peer& peer, const PeerContext& context, const ClientSecrets& secrets) {
  const auto addresses = addresses_in(peer, context);
  const bool reserved = peer.reservation == domain::Reservation::reserved;
  JsonWriter body;
  body.begin_object();
  write_who(body, peer, context.customer);
  body.text("state", domain::name_of(peer.reservation));
  body.time("reserved_until", peer.reserved_until);
  if (context.server != nullptr) body.text("server", context.server->name);
  body.texts("addresses", addresses);
  body.number("version", peer.version);
  body.text("cause", peer.cause);
  body.text("changed_at", rfc3339(peer.changed_at));
  body.object_text("metadata", peer.metadata);
  if (reserved && context.server != nullptr) write_client(body, peer, context, addresses, secrets);
  body.end_object();
  return outbound("reservation.status", status_id(peer), joined(peer.tenant, peer.name), std::move(body));
}

Outbound reservation_status(const Peer& peer, const domain::Server* server, const domain::Network* network,
                            const ClientSecrets& secrets) {
  PeerContext context;
  context.server = server;
  context.network = network;
  return reservation_status(peer, context, secrets);
}

Outbound peer_usage(const Peer& peer, const Usage& usage, const std::string& server, const std::string& customer) {
  JsonWriter body;
  body.begin_object();
  body.text("tenant", peer.tenant);
  body.text("peer", peer.name);
  body.text_unless_empty("customer", customer);
  body.text_unless_empty("subscriber", peer.subscriber);
  body.text_unless_empty("user_id", peer.user_id);
  body.text_unless_empty("plan", peer.plan);
  body.text_unless_empty("server", server);
  body.text("from", rfc3339(usage.from));
  body.text("until", rfc3339(usage.until));
  body.number("rx_bytes", usage.rx_bytes);
  body.number("tx_bytes", usage.tx_bytes);
  body.number("rx_bytes_total", usage.rx_bytes_total);
  body.number("tx_bytes_total", usage.tx_bytes_total);
  body.number_unless_zero("quota_bytes", peer.quota_bytes);
  body.flag("online", usage.online);
  body.end_object();
  const std::string subject = joined(peer.tenant, peer.name);
  return outbound("peer.usage", joined(subject, std::to_string(micros_of(usage.until))), subject, std::move(body));
}

}  // namespace peerwright::events
