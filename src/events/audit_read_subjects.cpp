#include "audit_members.hpp"

// Those whom decisions are about, read back: member by member as audit_subjects.cpp writes them.
namespace peerwright::events {
namespace {

wireguard::Prefix prefix_of(const Members::Json& text) {
  auto prefix = wireguard::Prefix::parse(text.get<std::string>());
  if (!prefix) throw std::runtime_error("a prefix was expected");
  return *prefix;
}

void read_settings(const Members& from, domain::Peer& peer) {
  from.get("public_key", peer.public_key);
  from.get("name", peer.display_name);
  from.get("user_id", peer.user_id);
  from.get_named("peer_type", peer.type, domain::peer_type_from);
  from.get("plan", peer.plan);
  from.get("description", peer.description);
  from.get("endpoint", peer.endpoint);
  from.get("client_routes", peer.client_routes);
  from.get("site_networks", peer.site_networks);
  from.get("dns", peer.dns);
  from.get("mtu", peer.mtu);
  from.get("keepalive_seconds", peer.keepalive_seconds);
  from.get("hub_keepalive_seconds", peer.hub_keepalive_seconds);
  from.get_object_text("metadata", peer.metadata);
  from.get("expires_at", peer.expires_at);
  from.get("expired", peer.expired);
  from.get("quota_bytes", peer.quota_bytes);
  from.get("over_quota", peer.over_quota);
  from.get_named("reservation", peer.reservation, domain::reservation_from);
  from.get("reserved_until", peer.reserved_until);
  from.get("provisioned_at", peer.provisioned_at);
}

void read_secrets(const Members& from, domain::Peer& peer) {
  from.get("preshared_key_sealed", peer.preshared_key_sealed);
  from.get("preshared_key_hash", peer.preshared_key_hash);
  from.get("client_key_sealed", peer.client_key_sealed);
  from.get("staged_key", peer.staged_key);
  from.get("staged_until", peer.staged_until);
  from.get("staged_client_key_sealed", peer.staged_client_key_sealed);
}

void read_more(const Members& from, domain::Server& server) {
  from.get("owner_tenant_id", server.owner_tenant_id);
  from.get_named("state", server.state, domain::server_state_from);
  from.get("maintenance", server.maintenance);
  from.get("region", server.region);
  from.get("location", server.location);
  from.get("description", server.description);
  from.get("listen_port", server.listen_port);
  from.get_named("default_action", server.default_action, action_named);
  from.each("tunnel_only_ports", [&](const Members::Json& item) {
    wireguard::PortUse use;
    Members(item).get("port", use.port);
    Members(item).get_named("protocol", use.protocol, protocol_named);
    server.tunnel_only_ports.push_back(use);
  });
  from.get("masquerade", server.masquerade);
  from.get("drift_policy", server.drift_policy);
  from.get_object_text("metadata", server.metadata);
  from.get("private_key_sealed", server.private_key_sealed);
  from.get("key_wanted", server.key_wanted);
  from.get("key_since", server.key_since);
  from.get("post_up", server.post_up);
  from.get("post_down", server.post_down);
  from.get("retired_word", server.retired_word);
  from.get("retired_proven_at", server.retired_proven_at);
  from.get("created_by", server.created_by);
  from.get("updated_by", server.updated_by);
}

}  // namespace

void read_thing(const Members& from, domain::Tenant& tenant) {
  from.get("id", tenant.id);
  from.get("tenant", tenant.name);
  from.get("version", tenant.version);
  from.get("max_peers", tenant.max_peers);
  from.get("peers", tenant.peer_count);
  from.each("plans", [&](const Members::Json& item) {
    const Members plan(item);
    std::string name;
    domain::PlanLimit limit;
    plan.get("plan", name);
    plan.get("max_peers", limit.max_peers);
    plan.get("peers", limit.peer_count);
    plan.get("listed", limit.listed);
    tenant.plans[name] = limit;
  });
  from.get("reservations_per_hour", tenant.reservations_per_hour);
  from.each("reserved_at", [&](const Members::Json& at) { tenant.reserved_at.push_back(Members::time_of(at)); });
  from.get("suspensions_limit", tenant.suspensions_limit);
  from.get("suspensions_window_seconds", tenant.suspensions_window_seconds);
  from.get_named("suspensions_action", tenant.suspensions_action, domain::mass_action_from);
  from.get("suspensions_since", tenant.suspensions_since);
  from.get("suspensions_count", tenant.suspensions_count);
  from.each("walled_garden", [&](const Members::Json& item) {
    const Members destination(item);
    wireguard::GardenDestination to;
    destination.get("to", to.prefix);
    destination.get_named("protocol", to.protocol, protocol_named);
    destination.get("port", to.port);
    tenant.garden.push_back(to);
  });
  from.get("recipient_key", tenant.recipient_key);
  from.get("dns", tenant.dns);
  from.get("word", tenant.word);
}

void read_thing(const Members& from, domain::Customer& customer) {
  from.get("id", customer.id);
  from.get("tenant_id", customer.tenant_id);
  from.get("customer", customer.name);
  from.get("version", customer.version);
  from.get("released_at", customer.released_at);
  from.get("revoked", customer.revoked);
}

void read_thing(const Members& from, domain::Subscriber& subscriber) {
  from.get("id", subscriber.id);
  from.get("tenant_id", subscriber.tenant_id);
  from.get("subscriber", subscriber.name);
  from.get("version", subscriber.version);
  from.get("customer_id", subscriber.customer_id);
  from.get("released_at", subscriber.released_at);
  from.get("revoked", subscriber.revoked);
}

void read_thing(const Members& from, domain::Network& network) {
  from.get("id", network.id);
  from.get("network", network.name);
  if (const auto* range = from.find("ipv4")) network.net4 = prefix_of(*range);
  if (const auto* range = from.find("ipv6")) network.net6 = prefix_of(*range);
  from.get("reserved_offsets", network.reserved);
  from.get("next_offset", network.next_offset);
  from.get("quarantine_seconds", network.quarantine_seconds);
  from.each("forbidden", [&](const Members::Json& prefix) { network.forbidden.push_back(prefix_of(prefix)); });
  from.get("allow_public", network.allow_public);
  from.get("word", network.word);
}

void read_thing(const Members& from, domain::Server& server) {
  from.get("id", server.id);
  from.get("server", server.name);
  from.get("network_id", server.network_id);
  from.get("ssh_host", server.ssh_host);
  from.get("ssh_port", server.ssh_port);
  from.get("ssh_user", server.ssh_user);
  from.get("ssh_host_key", server.ssh_host_key);
  from.get_named("ssh_way", server.ssh_way, wireguard::way_in_from);
  if (const auto* jump = from.find("ssh_jump")) {
    const Members host(*jump);
    server.ssh_jump.emplace();
    host.get("host", server.ssh_jump->host);
    host.get("port", server.ssh_jump->port);
    host.get("user", server.ssh_jump->user);
    host.get("host_key", server.ssh_jump->host_key);
  }
  from.get("exec_prefix", server.exec_prefix);
  from.get("interface", server.interface);
  from.get("config_path", server.config_path);
  from.get("public_key", server.public_key);
  from.get("endpoint", server.endpoint);
  from.get("mtu", server.mtu);
  from.get("dns", server.dns);
  from.get("keepalive_seconds", server.keepalive_seconds);
  from.get("max_peers", server.max_peers);
  from.get("peers", server.peer_count);
  from.get("generation", server.generation);
  from.get("version", server.version);
  read_more(from, server);
  from.get("word", server.word);
}

void read_thing(const Members& from, domain::Peer& peer) {
  from.get("id", peer.id);
  from.get("tenant_id", peer.tenant_id);
  from.get("tenant", peer.tenant);
  from.get("peer", peer.name);
  from.get_named("stage", peer.stage, domain::stage_from);
  from.get_named("entitlement", peer.entitlement, domain::entitlement_from);
  from.get("subscriber_id", peer.subscriber_id);
  from.get("subscriber", peer.subscriber);
  from.get("server_id", peer.server_id);
  from.get("network_id", peer.network_id);
  from.get("address_offset", peer.address_offset);
  read_settings(from, peer);
  read_secrets(from, peer);
  from.get("cause", peer.cause);
  from.get("changed_at", peer.changed_at);
  from.get("version", peer.version);
  from.get("generation", peer.generation);
  from.get("applied_generation", peer.applied_generation);
  from.get("delivery_error", peer.delivery_error);
  from.get("created_by", peer.created_by);
  from.get("adopted", peer.adopted);
  from.get("preshared_key_unknown", peer.preshared_key_unknown);
  from.get("word", peer.word);
}

}  // namespace peerwright::events
