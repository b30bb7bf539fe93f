#include <algorithm>
#include <stdexcept>

#include "changes.hpp"
#include "columns.hpp"

// Rows into subjects.
namespace peerwright::store {

using domain::Id;

void normalise(Ids& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

std::string array_of(const Ids& ids) {
  Column column;
  for (const Id id : ids) column.add(id);
  return column.text();
}

domain::Tenant tenant_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Tenant tenant;
  tenant.id = read.number();
  tenant.name = read.text();
  tenant.version = read.number();
  tenant.word = read.word();
  tenant.max_peers = read.maybe_number();
  tenant.peer_count = read.number();
  tenant.reservations_per_hour = read.small();
  for (const std::string& micros : read.list()) tenant.reserved_at.push_back(time_from_micros(std::stoll(micros)));
  if (const auto limit = read.maybe_number()) tenant.suspensions_limit = static_cast<int>(*limit);
  tenant.suspensions_window_seconds = read.small();
  tenant.suspensions_action = domain::mass_action_from(read.text()).value_or(domain::MassAction::alert);
  tenant.suspensions_since = read.time();
  tenant.suspensions_count = read.small();
  tenant.garden = garden_from(read.text());
  tenant.recipient_key = read.text();
  tenant.dns = read.list();
  return tenant;
}

domain::Customer customer_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Customer customer;
  customer.id = read.number();
  customer.tenant_id = read.number();
  customer.name = read.text();
  customer.version = read.number();
  customer.released_at = read.maybe_time();
  customer.revoked = read.flag();
  return customer;
}

domain::Subscriber subscriber_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Subscriber subscriber;
  subscriber.id = read.number();
  subscriber.tenant_id = read.number();
  subscriber.name = read.text();
  subscriber.version = read.number();
  subscriber.customer_id = read.maybe_number();
  subscriber.released_at = read.maybe_time();
  subscriber.revoked = read.flag();
  return subscriber;
}

domain::Network network_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Network network;
  network.id = read.number();
  network.name = read.text();
  network.net4 = read.maybe_prefix();
  network.net6 = read.maybe_prefix();
  for (const std::string& offset : read.list()) network.reserved.push_back(std::stoll(offset));
  network.next_offset = read.number();
  network.quarantine_seconds = read.small();
  network.word = read.word();
  for (const std::string& range : read.list()) {
    auto prefix = wireguard::Prefix::parse(range);
    if (!prefix) throw std::runtime_error("a network range was expected in a column");
    network.forbidden.push_back(*prefix);
  }
  network.allow_public = read.flag();
  return network;
}

domain::Server server_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Server server;
  server.id = read.number();
  server.name = read.text();
  server.network_id = read.maybe_number();
  server.ssh_host = read.text();
  server.ssh_port = read.small();
  server.ssh_user = read.text();
  server.ssh_host_key = read.text();
  server.ssh_way = wireguard::way_in_from(read.text()).value_or(wireguard::WayIn::shell);
  domain::JumpHost jump;
  jump.host = read.text();
  jump.port = read.small();
  jump.user = read.text();
  jump.host_key = read.text();
  if (!jump.host.empty()) server.ssh_jump = std::move(jump);
  server.exec_prefix = read.text();
  server.interface = read.text();
  server.config_path = read.text();
  server.public_key = read.text();
  server.endpoint = read.text();
  server.mtu = read.small();
  server.dns = read.list();
  server.keepalive_seconds = read.small();
  server.max_peers = read.number();
  server.peer_count = read.number();
  server.generation = read.number();
  server.version = read.number();
  server.word = read.word();
  server.owner_tenant_id = read.maybe_number();
  server.state = domain::server_state_from(read.text()).value_or(domain::ServerState::active);
  server.maintenance = read.flag();
  server.region = read.text();
  server.location = read.text();
  server.description = read.text();
  server.listen_port = read.small();
  server.default_action = action_from(read.text());
  server.tunnel_only_ports = ports_from(read.text());
  server.masquerade = read.flag();
  server.drift_policy = read.text();
  server.metadata = read.text();
  server.private_key_sealed = read.text();
  server.key_wanted = read.text();
  server.key_since = read.maybe_time();
  server.post_up = read.text();
  server.post_down = read.text();
  server.retired_word = read.text();
  server.created_by = read.text();
  server.updated_by = read.text();
  server.retired_proven_at = read.maybe_time();
  server.guard_held = read.small();
  server.guard_digest = read.text();
  return server;
}

domain::Peer peer_from(const pqxx::row& row, const domain::State& state) {
  RowReader read(row);
  domain::Peer peer;
  peer.id = read.number();
  peer.tenant_id = read.number();
  if (const domain::Tenant* tenant = state.tenant(peer.tenant_id)) peer.tenant = tenant->name;
  peer.name = read.text();
  peer.stage = domain::stage_from(read.text()).value_or(domain::Stage::unknown);
  peer.entitlement = domain::entitlement_from(read.text()).value_or(domain::Entitlement::unprovisioned);
  peer.subscriber_id = read.maybe_number();
  if (peer.subscriber_id) {
    if (const auto* subscriber = state.subscriber(*peer.subscriber_id)) peer.subscriber = subscriber->name;
  }
  peer.server_id = read.maybe_number();
  peer.network_id = read.maybe_number();
  peer.address_offset = read.maybe_number();
  peer.public_key = read.text();
  peer.description = read.text();
  peer.client_routes = read.list();
  peer.keepalive_seconds = read.small();
  peer.word = read.word();
  peer.cause = read.text();
  peer.changed_at = read.time();
  peer.version = read.number();
  peer.generation = read.number();
  peer.applied_generation = read.number();
  peer.delivery_error = read.text();
  peer.display_name = read.text();
  peer.user_id = read.text();
  peer.type = domain::peer_type_from(read.text()).value_or(domain::PeerType::client);
  peer.plan = read.text();
  peer.endpoint = read.text();
  peer.site_networks = read.list();
  peer.dns = read.list();
  peer.mtu = read.small();
  peer.hub_keepalive_seconds = read.small();
  peer.metadata = read.text();
  peer.expires_at = read.maybe_time();
  peer.expired = read.flag();
  peer.quota_bytes = read.number();
  peer.over_quota = read.flag();
  peer.reservation = domain::reservation_from(read.text()).value_or(domain::Reservation::none);
  peer.reserved_until = read.maybe_time();
  peer.provisioned_at = read.maybe_time();
  peer.preshared_key_sealed = read.text();
  peer.preshared_key_hash = read.text();
  peer.client_key_sealed = read.text();
  peer.staged_key = read.text();
  peer.staged_until = read.maybe_time();
  peer.staged_client_key_sealed = read.text();
  peer.created_by = read.text();
  peer.adopted = read.flag();
  peer.preshared_key_unknown = read.flag();
  return peer;
}

domain::Hold hold_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Hold hold;
  hold.scope.kind = domain::scope_kind_from(read.text()).value_or(domain::ScopeKind::peer);
  hold.scope.id = read.number();
  hold.owner = read.text();
  hold.held = read.flag();
  hold.reason = read.text();
  hold.word = read.word().value_or(domain::Word{});
  hold.level = domain::hold_level_from(read.text()).value_or(domain::HoldLevel::cut);
  hold.steps = steps_from(read.text());
  hold.since = read.maybe_time();
  return hold;
}

domain::AccessRule rule_from(const pqxx::row& row) {
  RowReader read(row);
  domain::AccessRule rule;
  rule.id = read.number();
  rule.tenant_id = read.number();
  rule.name = read.text();
  rule.active = read.flag();
  rule.source_peer_id = read.maybe_number();
  rule.dest_peer_id = read.maybe_number();
  rule.dest_port = read.small();
  rule.dest_protocol = protocol_from(read.text());
  rule.action = action_from(read.text()).value_or(wireguard::RuleAction::deny);
  rule.priority = read.small();
  rule.word = read.word();
  return rule;
}

domain::Mesh mesh_from(const pqxx::row& row) {
  RowReader read(row);
  domain::Mesh mesh;
  mesh.id = read.number();
  mesh.name = read.text();
  mesh.active = read.flag();
  mesh.members = members_from(read.text());
  mesh.version = read.number();
  mesh.word = read.word();
  return mesh;
}

domain::NodeLink link_from(const pqxx::row& row) {
  RowReader read(row);
  domain::NodeLink link;
  link.id = read.number();
  link.mesh_id = read.number();
  link.server_id = read.number();
  link.other = read.text();
  link.other_server_id = read.maybe_number();
  link.public_key = read.text();
  link.allowed_ips = read.list();
  link.endpoint = read.text();
  link.keepalive_seconds = read.small();
  link.wanted = read.flag();
  link.generation = read.number();
  return link;
}

namespace {

template <typename From>
void load_all(Tx& tx, const char* statement, const Ids& ids, domain::State& state, From from) {
  if (ids.empty()) return;
  for (const auto& row : tx.run(statement, array_of(ids))) state.load(from(row));
}

}  // namespace

void lock_tenants(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "lock_tenants", ids, state, tenant_from);
}
void load_tenants(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "load_tenants", ids, state, tenant_from);
}

void load_plans(Tx& tx, const Ids& tenants, domain::State& state) {
  if (tenants.empty()) return;
  std::map<Id, domain::Tenant> filled;
  for (const auto& row : tx.run("load_plans", array_of(tenants))) {
    RowReader read(row);
    const Id tenant_id = read.number();
    auto [entry, is_new] = filled.try_emplace(tenant_id);
    if (is_new) entry->second = *state.tenant(tenant_id);
    domain::PlanLimit& plan = entry->second.plans[read.text()];
    plan.max_peers = read.number();
    plan.peer_count = read.number();
    plan.listed = read.flag();
  }
  for (auto& [id, tenant] : filled) state.load(std::move(tenant));
}

void lock_customers(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "lock_customers", ids, state, customer_from);
}
void load_customers(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "load_customers", ids, state, customer_from);
}
void lock_subscribers(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "lock_subscribers", ids, state, subscriber_from);
}
void load_subscribers(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "load_subscribers", ids, state, subscriber_from);
}
void lock_networks(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "lock_networks", ids, state, network_from);
}
void load_networks(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "load_networks", ids, state, network_from);
}
void lock_meshes(Tx& tx, const Ids& ids, domain::State& state) { load_all(tx, "lock_meshes", ids, state, mesh_from); }

void load_links(Tx& tx, const Ids& meshes, const Ids& servers, domain::State& state) {
  if (meshes.empty() && servers.empty()) return;
  for (const auto& row : tx.run("load_links", array_of(meshes), array_of(servers))) state.load(link_from(row));
}

void lock_servers(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "lock_servers", ids, state, server_from);
}
void load_servers(Tx& tx, const Ids& ids, domain::State& state) {
  load_all(tx, "load_servers", ids, state, server_from);
}

std::vector<domain::Peer> lock_peers(Tx& tx, const Ids& ids, domain::State& state) {
  std::vector<domain::Peer> peers;
  if (ids.empty()) return peers;
  for (const auto& row : tx.run("lock_peers", array_of(ids))) {
    peers.push_back(peer_from(row, state));
    state.load(peers.back());
  }
  return peers;
}

std::vector<domain::Peer> load_whole_peers(Tx& tx, const Ids& ids, domain::State& state) {
  Ids tenants, subscribers;
  for (const domain::Peer& peer : lock_peers(tx, ids, state)) {
    tenants.push_back(peer.tenant_id);
    if (peer.subscriber_id) subscribers.push_back(*peer.subscriber_id);
  }
  normalise(tenants);
  normalise(subscribers);
  load_tenants(tx, tenants, state);
  load_subscribers(tx, subscribers, state);
  return lock_peers(tx, ids, state);
}

void lock_rules(Tx& tx, const Ids& ids, domain::State& state) { load_all(tx, "lock_rules", ids, state, rule_from); }

void load_uses(Tx& tx, const RowWriter& addresses, domain::State& state) {
  if (addresses.empty()) return;
  for (const auto& row : addresses.run(tx, "load_uses")) {
    const auto use = bool_at(row, 2)   ? domain::AddressUse::taken
                     : bool_at(row, 3) ? domain::AddressUse::quarantined
                                       : domain::AddressUse::free;
    state.load_use(int_at(row, 0), int_at(row, 1), use);
  }
}

void load_sites(Tx& tx, const Ids& servers, const std::set<std::string>& prefixes, domain::State& state) {
  if (prefixes.empty() || servers.empty()) return;
  Column texts;
  for (const std::string& prefix : prefixes) texts.add(std::string_view(prefix));
  for (const auto& row : tx.run("load_sites", array_of(servers), texts.text())) {
    RowReader read(row);
    domain::SitePrefix site;
    site.server_id = read.number();
    site.prefix = read.maybe_prefix().value();
    site.peer_id = read.maybe_number();
    site.mesh_id = read.maybe_number();
    site.other = read.text();
    state.load(std::move(site));
  }
}

void load_holds(Tx& tx, const Ids& customers, const Ids& subscribers, const Ids& peers, domain::State& state) {
  if (customers.empty() && subscribers.empty() && peers.empty()) return;
  RowWriter scopes;
  const auto add = [&](domain::ScopeKind scope, const Ids& ids) {
    for (const Id scope_id : ids) scopes.add(domain::name_of(scope)).add(scope_id).end_row();
  };
  add(domain::ScopeKind::customer, customers);
  add(domain::ScopeKind::subscriber, subscribers);
  add(domain::ScopeKind::peer, peers);
  for (const auto& row : scopes.run(tx, "load_holds")) state.load(hold_from(row));
}

}  // namespace peerwright::store
