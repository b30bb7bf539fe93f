#include "changes.hpp"
#include "columns.hpp"

// Subjects into rows: the last after-image of everything that changed.
namespace peerwright::store {
namespace {

using domain::Changes;
using domain::Id;
using domain::State;

std::string texts_of(const std::vector<wireguard::Prefix>& prefixes) {
  std::vector<std::string> texts;
  texts.reserve(prefixes.size());
  for (const wireguard::Prefix& prefix : prefixes) texts.push_back(prefix.text());
  return joined(texts);
}

using WiderFanOuts = decltype(Changes::wider_fan_outs);

void run(Tx& tx, const char* statement, const RowWriter& rows) {
  if (!rows.empty()) rows.run(tx, statement);
}

void store_tenants(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows, plans;
  for (const Id tenant_id : changes.tenants) {
    const domain::Tenant& t = *state.tenant(tenant_id);
    std::vector<std::int64_t> reserved_at;
    for (const Time at : t.reserved_at) reserved_at.push_back(micros_of(at));
    rows.add(t.id).add(t.version).add(t.word).add(t.max_peers).add(t.peer_count).add(t.reservations_per_hour);
    rows.add(joined(reserved_at)).add(t.suspensions_limit).add(t.suspensions_window_seconds);
    rows.add(domain::name_of(t.suspensions_action)).add(t.suspensions_since).add(t.suspensions_count);
    rows.add(text_of(t.garden)).add(t.recipient_key).add(t.dns).end_row();
    for (const auto& [name, plan] : t.plans) {
      plans.add(t.id).add(name).add(plan.max_peers).add(plan.peer_count).add(plan.listed).end_row();
    }
  }
  run(tx, "store_tenants", rows);
  run(tx, "store_plans", plans);
}

void store_customers(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id customer_id : changes.customers) {
    const domain::Customer& c = *state.customer(customer_id);
    rows.add(c.id).add(c.version).add(c.released_at).add(c.revoked).end_row();
  }
  run(tx, "store_customers", rows);
}

void store_subscribers(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id subscriber_id : changes.subscribers) {
    const domain::Subscriber& s = *state.subscriber(subscriber_id);
    rows.add(s.id).add(s.version).add(s.customer_id).add(s.released_at).add(s.revoked).end_row();
  }
  run(tx, "store_subscribers", rows);
}

void store_networks(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows, taken;
  for (const Id network_id : changes.networks) {
    const domain::Network& n = *state.network(network_id);
    rows.add(n.id).add_or_null(n.net4 ? n.net4->text() : "").add_or_null(n.net6 ? n.net6->text() : "");
    rows.add(joined(n.reserved)).add(n.next_offset).add(n.quarantine_seconds).add(n.word);
    rows.add(texts_of(n.forbidden)).add(n.allow_public).end_row();
  }
  run(tx, "store_networks", rows);
  for (const auto& [network_id, offsets] : changes.taken_offsets) {
    for (const std::int64_t offset : offsets) taken.add(network_id).add(offset).end_row();
  }
  run(tx, "store_taken_offsets", taken);
}

void store_meshes(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id mesh_id : changes.meshes) {
    const domain::Mesh& m = *state.mesh(mesh_id);
    rows.add(m.id).add(m.active).add(text_of(m.members)).add(m.version).add(m.word).end_row();
  }
  run(tx, "store_meshes", rows);
}

void store_links(Tx& tx, const Changes& changes) {
  RowWriter rows;
  for (const auto& [ends, l] : changes.links) {
    rows.add(l.mesh_id).add(l.server_id).add(l.other).add(l.other_server_id).add(l.public_key).add(l.allowed_ips);
    rows.add(l.endpoint).add(l.keepalive_seconds).add(l.wanted).add(l.generation).end_row();
  }
  if (rows.empty()) return;
  Ids ids;
  for (const auto& row : rows.run(tx, "store_links")) ids.push_back(int_at(row, 0));
  tx.run("store_link_sites_gone", array_of(ids));
  tx.run("store_link_sites", array_of(ids));
}

void store_servers(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id server_id : changes.servers) {
    const domain::Server& s = *state.server(server_id);
    rows.add(s.id).add(s.network_id).add(s.ssh_host).add(s.ssh_port).add(s.ssh_user).add(s.ssh_host_key);
    const domain::JumpHost jump = s.ssh_jump.value_or(domain::JumpHost());
    rows.add(wireguard::name_of(s.ssh_way)).add(jump.host).add(jump.port).add(jump.user).add(jump.host_key);
    rows.add(s.exec_prefix).add(s.interface).add(s.config_path).add(s.public_key).add(s.endpoint).add(s.mtu).add(s.dns);
    rows.add(s.keepalive_seconds).add(s.max_peers).add(s.peer_count).add(s.generation).add(s.version).add(s.word);
    rows.add(s.owner_tenant_id).add(domain::name_of(s.state)).add(s.maintenance).add(s.region).add(s.location);
    rows.add(s.description).add(s.listen_port).add(s.default_action ? name_of(*s.default_action) : "");
    rows.add(text_of(s.tunnel_only_ports)).add(s.masquerade).add(s.drift_policy).add(s.metadata);
    rows.add(s.private_key_sealed).add(s.key_wanted).add(s.key_since).add(s.post_up).add(s.post_down);
    rows.add(s.retired_word).add(s.created_by).add(s.updated_by).end_row();
  }
  run(tx, "store_servers", rows);
}

void store_peers(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows, details, sites;
  for (const Id peer_id : changes.peers) {
    const domain::Peer& p = *state.peer(peer_id);
    const bool readdressed = changes.readdressed_peers.contains(p.id);
    rows.add(p.id).add(domain::name_of(p.stage)).add(domain::name_of(p.entitlement)).add(p.subscriber_id);
    rows.add(p.server_id).add(p.network_id).add(p.address_offset).add_or_null(p.public_key).add(p.client_routes);
    rows.add(p.keepalive_seconds).add(p.word).add(p.cause).add(p.changed_at).add(p.version).add(p.generation);
    rows.add(p.delivery_error).add(p.reserved_until).add(p.provisioned_at).add(p.created_by).add(readdressed).end_row();
    if (readdressed && p.server_id) {
      for (const std::string& prefix : p.site_networks) sites.add(*p.server_id).add(prefix).add(p.id).end_row();
    }
    if (!changes.detailed_peers.contains(p.id)) continue;
    details.add(p.id).add(p.description).add(p.display_name).add(p.user_id).add(domain::name_of(p.type)).add(p.plan);
    details.add(p.endpoint).add(p.site_networks).add(p.dns).add(p.mtu).add(p.hub_keepalive_seconds).add(p.metadata);
    details.add(p.expires_at).add(p.expired).add(p.quota_bytes).add(p.over_quota);
    details.add(domain::name_of(p.reservation)).add(p.preshared_key_sealed).add(p.preshared_key_hash);
    details.add(p.client_key_sealed).add_or_null(p.staged_key).add(p.staged_until).add(p.staged_client_key_sealed);
    details.add(p.adopted).add(p.preshared_key_unknown).end_row();
  }
  run(tx, "store_peers", rows);
  run(tx, "store_peer_details", details);
  run(tx, "store_sites", sites);
}

// Who takes the place of an adopted peer gets all that is known of it, before its row is written.
void store_claims(Tx& tx, const Changes& changes) {
  if (changes.claims.empty()) return;
  Column adopted, peers;
  for (const auto& [adopted_id, peer_id] : changes.claims) {
    adopted.add(adopted_id);
    peers.add(peer_id);
  }
  tx.run("store_claims_ended", adopted.text());
  tx.run("store_claims", adopted.text(), peers.text());
}

void store_rules(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id rule_id : changes.rules) {
    const domain::AccessRule& r = *state.rule(rule_id);
    rows.add(r.id).add(r.active).add(r.source_peer_id).add(r.dest_peer_id).add(r.dest_port);
    rows.add(name_of(r.dest_protocol)).add(name_of(r.action)).add(r.priority).add(r.word).end_row();
  }
  run(tx, "store_rules", rows);
}

void store_holds(Tx& tx, const Changes& changes) {
  RowWriter rows;
  for (const auto& [key, hold] : changes.holds) {
    rows.add(domain::name_of(hold.scope.kind)).add(hold.scope.id).add(hold.owner).add(hold.held).add(hold.reason);
    rows.add(domain::text_of(hold.word)).add(domain::name_of(hold.level)).add(text_of(hold.steps)).add(hold.since);
    rows.end_row();
  }
  run(tx, "store_holds", rows);
}

void free_all(Tx& tx, const pqxx::result& addresses) {
  RowWriter rows;
  for (const auto& row : addresses) {
    if (!row[1].is_null()) rows.add(int_at(row, 0)).add(int_at(row, 1)).end_row();
  }
  run(tx, "free_addresses", rows);
}

void store_removals(Tx& tx, const Changes& changes) {
  RowWriter gone, back;
  for (const auto& [key, r] : changes.removals) {
    if (r.wanted_gone) {
      gone.add(r.server_id).add(r.public_key).add(r.peer_id).add(r.network_id).add(r.address_offset).end_row();
    } else {
      back.add(r.server_id).add(r.public_key).end_row();
    }
  }
  if (!gone.empty()) free_all(tx, gone.run(tx, "store_removals_gone"));
  if (!back.empty()) free_all(tx, back.run(tx, "store_removals_wanted_again"));
}

void store_timers(Tx& tx, const Changes& changes) {
  RowWriter set, gone;
  for (const auto& [key, timer] : changes.timers) {
    RowWriter& rows = timer.due_at ? set : gone;
    rows.add(domain::name_of(timer.kind)).add(timer.subject_id).add(timer.owner);
    if (timer.due_at) rows.add(*timer.due_at);
    rows.end_row();
  }
  run(tx, "store_timers", set);
  run(tx, "store_timers_gone", gone);
}

void store_used_keys(Tx& tx, const Changes& changes) {
  RowWriter rows;
  for (const auto& [key, peer_id] : changes.used_keys) rows.add(key).add(peer_id).end_row();
  run(tx, "store_used_keys", rows);
}

void store_fan_outs(Tx& tx, const Changes& changes, const WiderFanOuts& all_wider) {
  RowWriter narrow, wider;
  for (const auto& [subscriber_id, cause] : changes.fan_outs) narrow.add(subscriber_id).add(cause).end_row();
  run(tx, "store_fan_outs", narrow);
  for (const auto& [subject, cause] : all_wider) {
    wider.add(domain::name_of(subject.first)).add(subject.second).add(cause).end_row();
  }
  run(tx, "store_wider_fan_outs", wider);
}

void store_due(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id server_id : changes.due_servers) {
    rows.add(server_id).add(state.server(server_id)->generation).add(changes.urgent_servers.contains(server_id));
    rows.end_row();
  }
  run(tx, "store_due", rows);
  const Ids doubtful(changes.doubtful_servers.begin(), changes.doubtful_servers.end());
  if (!doubtful.empty()) tx.run("store_doubts", array_of(doubtful));
  RowWriter imports;
  for (const auto& [server_id, import] : changes.imports) {
    imports.add(server_id).add(import.tenant_id).add(import.cause).end_row();
  }
  run(tx, "store_imports", imports);
  const Ids observed(changes.observe_servers.begin(), changes.observe_servers.end());
  if (!observed.empty()) tx.run("store_observe", array_of(observed));
  rows = RowWriter();
  for (const auto& [server_id, goes] : changes.approved_servers) rows.add(server_id).add(goes).end_row();
  run(tx, "foreign_approve", rows);
}

// Hosts that are gone on an operator's word: what was to go from there counts as gone, also what comes later.
void store_abandoned(Tx& tx, const Changes& changes, const State& state) {
  Ids servers(changes.abandoned_servers.begin(), changes.abandoned_servers.end());
  for (const auto& [key, removal] : changes.removals) {
    const domain::Server* server = state.server(removal.server_id);
    const bool abandoned =
        server != nullptr && server->state == domain::ServerState::retired && !server->retired_word.empty();
    if (abandoned) servers.push_back(server->id);
  }
  if (servers.empty()) return;
  normalise(servers);
  free_all(tx, tx.run("abandon_removals", array_of(servers)));
  tx.run("abandon_deliveries", array_of(servers));
}

void store_freed(Tx& tx, const Changes& changes) {
  RowWriter rows;
  for (const auto& address : changes.freed) rows.add(address.network_id).add(address.address_offset).end_row();
  run(tx, "free_addresses", rows);
}

// The firewalls of all servers with peers of the tenant name a ruled peer by its address: they follow it.
WiderFanOuts ruled_tenants(Tx& tx, const Changes& changes, const State& state) {
  RowWriter rows;
  for (const Id peer_id : changes.peers) {
    const domain::Peer& p = *state.peer(peer_id);
    if (!changes.readdressed_peers.contains(p.id) && p.stage != domain::Stage::revoked) continue;
    rows.add(p.id).add(domain::name_of(p.stage)).add(p.server_id).add(p.network_id).add(p.address_offset).add(p.cause);
    rows.end_row();
  }
  WiderFanOuts wider;
  if (rows.empty()) return wider;
  for (const auto& row : rows.run(tx, "ruled_tenants")) {
    wider[{domain::FanOut::tenant, int_at(row, 0)}] = text_at(row, 1);
  }
  return wider;
}

}  // namespace

bool store_changes(Tx& tx, const Changes& changes, const State& state) {
  WiderFanOuts wider = ruled_tenants(tx, changes, state);  // compares with the peers as they are stored
  for (const auto& [subject, cause] : changes.wider_fan_outs) wider[subject] = cause;
  store_tenants(tx, changes, state);
  store_customers(tx, changes, state);
  store_subscribers(tx, changes, state);
  store_networks(tx, changes, state);
  store_meshes(tx, changes, state);
  store_servers(tx, changes, state);
  store_links(tx, changes);
  store_claims(tx, changes);
  store_peers(tx, changes, state);
  store_freed(tx, changes);  // asks whether a peer still holds them
  store_rules(tx, changes, state);
  store_holds(tx, changes);
  store_removals(tx, changes);
  store_timers(tx, changes);
  store_used_keys(tx, changes);
  store_fan_outs(tx, changes, wider);
  store_due(tx, changes, state);
  store_abandoned(tx, changes, state);
  return !changes.fan_outs.empty() || !wider.empty();
}

}  // namespace peerwright::store
