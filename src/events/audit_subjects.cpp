#include "audit_parts.hpp"
#include "outbound_parts.hpp"
#include "peerwright/events/audit.hpp"

// After-images of those whom decisions are about.
namespace peerwright::events {
namespace {

void write_released(JsonWriter& body, const std::optional<Time>& released_at, bool revoked) {
  body.time("released_at", released_at);
  body.flag_if_set("revoked", revoked);
}

void write_plans(JsonWriter& body, const domain::Tenant& tenant) {
  if (tenant.plans.empty()) return;
  body.begin_array("plans");
  for (const auto& [plan, limit] : tenant.plans) {
    body.begin_object();
    body.text("plan", plan);
    body.number("max_peers", limit.max_peers);
    body.number("peers", limit.peer_count);
    body.flag("listed", limit.listed);
    body.end_object();
  }
  body.end_array();
}

void write_secrets(JsonWriter& body, const domain::Peer& peer) {
  body.text_unless_empty("preshared_key_sealed", peer.preshared_key_sealed);
  body.text_unless_empty("preshared_key_hash", peer.preshared_key_hash);
  body.text_unless_empty("client_key_sealed", peer.client_key_sealed);
  body.text_unless_empty("staged_key", peer.staged_key);
  body.time("staged_until", peer.staged_until);
  body.text_unless_empty("staged_client_key_sealed", peer.staged_client_key_sealed);
  body.flag_if_set("adopted", peer.adopted);
  body.flag_if_set("preshared_key_unknown", peer.preshared_key_unknown);
}

void write_settings(JsonWriter& body, const domain::Peer& peer) {
  body.text_unless_empty("public_key", peer.public_key);
  body.text_unless_empty("name", peer.display_name);
  body.text_unless_empty("user_id", peer.user_id);
  body.text("peer_type", domain::name_of(peer.type));
  body.text_unless_empty("plan", peer.plan);
  body.text_unless_empty("description", peer.description);
  body.text_unless_empty("endpoint", peer.endpoint);
  body.texts("client_routes", peer.client_routes);
  body.texts_unless_empty("site_networks", peer.site_networks);
  body.texts_unless_empty("dns", peer.dns);
  body.number_unless_zero("mtu", peer.mtu);
  body.number("keepalive_seconds", peer.keepalive_seconds);
  body.number_unless_zero("hub_keepalive_seconds", peer.hub_keepalive_seconds);
  body.object_text("metadata", peer.metadata);
  body.time("expires_at", peer.expires_at);
  body.flag_if_set("expired", peer.expired);
  body.number_unless_zero("quota_bytes", peer.quota_bytes);
  body.flag_if_set("over_quota", peer.over_quota);
  body.text_unless_empty("reservation", domain::name_of(peer.reservation));
  body.time("reserved_until", peer.reserved_until);
  body.time("provisioned_at", peer.provisioned_at);
}

void write_more(JsonWriter& body, const domain::Server& server) {
  write_if(body, "owner_tenant_id", server.owner_tenant_id);
  body.text("state", domain::name_of(server.state));
  body.flag_if_set("maintenance", server.maintenance);
  body.text_unless_empty("region", server.region);
  body.text_unless_empty("location", server.location);
  body.text_unless_empty("description", server.description);
  body.number("listen_port", server.listen_port);
  if (server.default_action) body.text("default_action", name_of(*server.default_action));
  if (!server.tunnel_only_ports.empty()) write_ports(body, "tunnel_only_ports", server.tunnel_only_ports);
  body.flag_if_set("masquerade", server.masquerade);
  body.text("drift_policy", server.drift_policy);
  body.object_text("metadata", server.metadata);
  body.text_unless_empty("private_key_sealed", server.private_key_sealed);
  body.text_unless_empty("key_wanted", server.key_wanted);
  body.time("key_since", server.key_since);
  body.text_unless_empty("post_up", server.post_up);
  body.text_unless_empty("post_down", server.post_down);
  body.text_unless_empty("retired_word", server.retired_word);
  body.time("retired_proven_at", server.retired_proven_at);
  body.text_unless_empty("created_by", server.created_by);
  body.text_unless_empty("updated_by", server.updated_by);
}

}  // namespace

void write(JsonWriter& body, const domain::Tenant& tenant) {
  body.number("id", tenant.id);
  body.text("tenant", tenant.name);
  body.number("version", tenant.version);
  write_if(body, "max_peers", tenant.max_peers);
  body.number("peers", tenant.peer_count);
  write_plans(body, tenant);
  body.number("reservations_per_hour", tenant.reservations_per_hour);
  if (!tenant.reserved_at.empty()) {
    body.begin_array("reserved_at");
    for (const Time at : tenant.reserved_at) body.text({}, rfc3339(at));
    body.end_array();
  }
  write_if(body, "suspensions_limit", tenant.suspensions_limit);
  body.number("suspensions_window_seconds", tenant.suspensions_window_seconds);
  body.text("suspensions_action", domain::name_of(tenant.suspensions_action));
  if (tenant.suspensions_since != Time{}) body.text("suspensions_since", rfc3339(tenant.suspensions_since));
  body.number_unless_zero("suspensions_count", tenant.suspensions_count);
  if (!tenant.garden.empty()) write_garden(body, "walled_garden", tenant.garden);
  body.text_unless_empty("recipient_key", tenant.recipient_key);
  body.texts_unless_empty("dns", tenant.dns);
  if (tenant.word) write_word(body, *tenant.word);
}

void write(JsonWriter& body, const domain::Customer& customer) {
  body.number("id", customer.id);
  body.number("tenant_id", customer.tenant_id);
  body.text("customer", customer.name);
  body.number("version", customer.version);
  write_released(body, customer.released_at, customer.revoked);
}

void write(JsonWriter& body, const domain::Subscriber& subscriber) {
  body.number("id", subscriber.id);
  body.number("tenant_id", subscriber.tenant_id);
  body.text("subscriber", subscriber.name);
  body.number("version", subscriber.version);
  write_if(body, "customer_id", subscriber.customer_id);
  write_released(body, subscriber.released_at, subscriber.revoked);
}

void write(JsonWriter& body, const domain::Network& network) {
  body.number("id", network.id);
  body.text("network", network.name);
  if (network.net4) body.text("ipv4", network.net4->text());
  if (network.net6) body.text("ipv6", network.net6->text());
  body.numbers("reserved_offsets", network.reserved);
  body.number("next_offset", network.next_offset);
  body.number("quarantine_seconds", network.quarantine_seconds);
  if (!network.forbidden.empty()) {
    body.begin_array("forbidden");
    for (const wireguard::Prefix& prefix : network.forbidden) body.text({}, prefix.text());
    body.end_array();
  }
  body.flag_if_set("allow_public", network.allow_public);
  if (network.word) write_word(body, *network.word);
}

void write(JsonWriter& body, const domain::Server& server) {
  body.number("id", server.id);
  body.text("server", server.name);
  write_if(body, "network_id", server.network_id);
  body.text("ssh_host", server.ssh_host);
  body.number("ssh_port", server.ssh_port);
  body.text("ssh_user", server.ssh_user);
  body.text("ssh_host_key", server.ssh_host_key);
  body.text("ssh_way", wireguard::name_of(server.ssh_way));
  if (server.ssh_jump) {
    body.begin_object("ssh_jump");
    body.text("host", server.ssh_jump->host);
    body.number("port", server.ssh_jump->port);
    body.text("user", server.ssh_jump->user);
    body.text("host_key", server.ssh_jump->host_key);
    body.end_object();
  }
  body.text_unless_empty("exec_prefix", server.exec_prefix);
  body.text("interface", server.interface);
  body.text("config_path", server.config_path);
  body.text_unless_empty("public_key", server.public_key);
  body.text("endpoint", server.endpoint);
  body.number("mtu", server.mtu);
  body.texts("dns", server.dns);
  body.number("keepalive_seconds", server.keepalive_seconds);
  body.number("max_peers", server.max_peers);
  body.number("peers", server.peer_count);
  body.number("generation", server.generation);
  body.number("version", server.version);
  write_more(body, server);
  if (server.word) write_word(body, *server.word);
}

void write(JsonWriter& body, const domain::Peer& peer) {
  body.number("id", peer.id);
  body.number("tenant_id", peer.tenant_id);
  body.text("tenant", peer.tenant);
  body.text("peer", peer.name);
  body.text("stage", domain::name_of(peer.stage));
  body.text("entitlement", domain::name_of(peer.entitlement));
  write_if(body, "subscriber_id", peer.subscriber_id);
  body.text_unless_empty("subscriber", peer.subscriber);
  write_if(body, "server_id", peer.server_id);
  write_if(body, "network_id", peer.network_id);
  write_if(body, "address_offset", peer.address_offset);
  write_settings(body, peer);
  write_secrets(body, peer);
  body.text("cause", peer.cause);
  body.text("changed_at", rfc3339(peer.changed_at));
  body.number("version", peer.version);
  body.number("generation", peer.generation);
  body.number("applied_generation", peer.applied_generation);
  body.text_unless_empty("delivery_error", peer.delivery_error);
  body.text_unless_empty("created_by", peer.created_by);
  if (peer.word) write_word(body, *peer.word);
}

void write_settled(JsonWriter& body, const domain::Peer& peer) {
  body.number("id", peer.id);
  body.text("stage", domain::name_of(peer.stage));
  body.text("entitlement", domain::name_of(peer.entitlement));
  body.text("cause", peer.cause);
  body.text("changed_at", rfc3339(peer.changed_at));
  body.number("version", peer.version);
  body.number("generation", peer.generation);
  body.text_unless_empty("delivery_error", peer.delivery_error);
}

void overlay(domain::Peer& peer, const domain::Peer& settled) {
  peer.stage = settled.stage;
  peer.entitlement = settled.entitlement;
  peer.cause = settled.cause;
  peer.changed_at = settled.changed_at;
  peer.version = settled.version;
  peer.generation = settled.generation;
  peer.delivery_error = settled.delivery_error;
}

bool differs_by_settling(const domain::Peer& before, const domain::Peer& after) {
  domain::Peer expected = before;
  overlay(expected, after);
  const auto image = [](const domain::Peer& peer) {
    JsonWriter body;
    body.begin_object();
    write(body, peer);
    body.end_object();
    return body.take();
  };
  return image(expected) == image(after);
}

}  // namespace peerwright::events
