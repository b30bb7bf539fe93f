#include <algorithm>

#include "batch.hpp"
#include "peerwright/domain/rules.hpp"

// Identities, locks and everything that the batch's decisions rest on: set by set, never event by event. What no event
// of the batch needs costs no statement.
namespace peerwright::store {
namespace {

using domain::Id;
using domain::Refs;

constexpr int kRegionCandidates = 16;

template <typename Names>
std::string text_array(const Names& names) {
  Column column;
  for (const auto& name : names) column.add(std::string_view(name));
  return column.text();
}

RowWriter rows_of(const std::set<std::pair<Id, std::string>>& named) {
  RowWriter rows;
  for (const auto& [tenant_id, name] : named) rows.add(tenant_id).add(name).end_row();
  return rows;
}

// The parameters of a statement that finds the named ones, and those with these ids.
pqxx::result find(Tx& tx, const char* statement, const std::set<std::pair<Id, std::string>>& named, const Ids& ids) {
  Column tenant, name;
  for (const auto& [tenant_id, text] : named) {
    tenant.add(tenant_id);
    name.add(std::string_view(text));
  }
  return tx.run(statement, tenant.text(), name.text(), array_of(ids));
}

}  // namespace

const domain::Tenant* Batch::tenant_of(const Refs& refs) const {
  return refs.tenant.empty() ? nullptr : state_.tenant(std::string_view(refs.tenant));
}

// A key has one holder across the peers, what they staged or used before, and the nodes of meshes; an interface is one
// server. No single constraint says so, hence this table's lock. It stands before all others.
void Batch::guard_keys() {
  bool gives = false;
  bool stages = false;
  for (const Arrival* arrival : fresh_) {
    if (arrival->verdict) continue;
    const Refs& refs = arrival->event->refs;
    stages = stages || refs.stages_key || !refs.keys.empty() || refs.places_server;
    gives = gives || !refs.public_key.empty() || !arrival->prepared.client_public_key.empty();
  }
  if (stages) {
    tx_.run("intake_guard_keys");
  } else if (gives) {
    tx_.run("intake_guard_keys_shared");
  }
}

void Batch::lock_tenants_by_name() {
  std::set<std::string> counted, unknown;
  for (const Refs* refs : named_) {
    for (const std::string* name : {&refs->tenant, &refs->owner_tenant}) {
      if (name->empty()) continue;
      tenants_.insert(*name);
      if (!known_.contains(*name)) unknown.insert(*name);
    }
    if (refs->counts_tenant && !refs->tenant.empty()) counted.insert(refs->tenant);
  }
  if (tenants_.empty()) return;
  if (!unknown.empty()) note_made("tenants", tx_.run("intake_tenants_insert", text_array(unknown)));
  Ids ids;
  const auto take = [&](const pqxx::result& rows) {
    for (const auto& row : rows) {
      state_.load(tenant_from(row));
      ids.push_back(int_at(row, 0));
    }
  };
  std::set<std::string> others;
  std::set_difference(tenants_.begin(), tenants_.end(), counted.begin(), counted.end(),
                      std::inserter(others, others.end()));
  if (!counted.empty()) take(tx_.run("intake_tenants_lock", text_array(counted)));
  if (!others.empty()) take(tx_.run("intake_tenants", text_array(others)));
  load_plans(tx_, ids, state_);
}

void Batch::make_identities() {
  for (const Arrival* arrival : fresh_) {
    if (!arrival->verdict) named_.push_back(&arrival->event->refs);
  }
  if (named_.empty()) return;
  guard_keys();
  lock_tenants_by_name();
  Named customers, subscribers, peers, rules;
  std::set<std::string> networks, meshes, servers;
  for (const Refs* refs : named_) {
    if (refs->makes_network) networks.insert(refs->network);
    if (refs->makes_server) servers.insert(refs->server);
    if (!refs->mesh.empty()) meshes.insert(refs->mesh);
    const domain::Tenant* tenant = tenant_of(*refs);
    if (tenant == nullptr) continue;
    if (!refs->customer.empty()) customers.emplace(tenant->id, refs->customer);
    if (!refs->subscriber.empty()) subscribers.emplace(tenant->id, refs->subscriber);
    if (!refs->peer.empty()) peers.emplace(tenant->id, refs->peer);
    if (!refs->rule.empty()) rules.emplace(tenant->id, refs->rule);
  }
  const auto insert = [&](const char* kind, const char* statement, const Named& named) {
    if (!named.empty()) note_made(kind, rows_of(named).run(tx_, statement));
  };
  insert("customers", "intake_customers_insert", customers);
  insert("subscribers", "intake_subscribers_insert", subscribers);
  if (!networks.empty()) note_made("networks", tx_.run("intake_networks_insert", text_array(networks)));
  if (!meshes.empty()) note_made("meshes", tx_.run("intake_meshes_insert", text_array(meshes)));
  if (!servers.empty()) note_made("servers", tx_.run("intake_servers_insert", text_array(servers)));
  insert("peers", "intake_peers_insert", peers);
  insert("rules", "intake_rules_insert", rules);
}

void Batch::note_made(const char* kind, const pqxx::result& ids) {
  for (const auto& row : ids) made_[kind].insert(int_at(row, 0));
}

void Batch::find_meshes(Levels& levels) {
  std::set<std::string> names;
  for (const Refs* refs : named_) {
    if (!refs->mesh.empty()) names.insert(refs->mesh);
  }
  if (names.empty()) return;
  for (const auto& row : tx_.run("intake_meshes_find", text_array(names))) {
    levels.meshes.push_back(int_at(row, 0));
    if (const auto server = maybe_int_at(row, 1)) levels.servers.push_back(*server);
  }
}

void Batch::find_rules(Levels& levels, Ids& rule_peers) {
  Named rules;
  for (const Refs* refs : named_) {
    const domain::Tenant* tenant = tenant_of(*refs);
    if (tenant != nullptr && !refs->rule.empty()) rules.emplace(tenant->id, refs->rule);
  }
  if (rules.empty()) return;
  for (const auto& row : rows_of(rules).run(tx_, "intake_rules_find")) {
    levels.rules.push_back(int_at(row, 0));
    for (const int column : {1, 2}) {
      if (const auto peer = maybe_int_at(row, column)) rule_peers.push_back(*peer);
    }
  }
}

void Batch::find_peers(Levels& levels, const Ids& rule_peers) {
  Named peers;
  for (const Refs* refs : named_) {
    const domain::Tenant* tenant = tenant_of(*refs);
    if (tenant == nullptr) continue;
    if (!refs->peer.empty()) peers.emplace(tenant->id, refs->peer);
    for (const std::string& name : refs->other_peers) peers.emplace(tenant->id, name);
  }
  if (peers.empty() && rule_peers.empty()) return;
  Column tenant, name, key_tenant, key;
  for (const auto& [tenant_id, text] : peers) {
    tenant.add(tenant_id);
    name.add(std::string_view(text));
  }
  for (const Refs* refs : named_) {
    if (refs->public_key.empty() || tenant_of(*refs) == nullptr) continue;
    key_tenant.add(tenant_of(*refs)->id);
    key.add(std::string_view(refs->public_key));
  }
  for (const auto& row :
       tx_.run("intake_peers_find", tenant.text(), name.text(), array_of(rule_peers), key_tenant.text(), key.text())) {
    levels.peers.push_back(int_at(row, 0));
    levels.add_pointers(row, 1);
  }
}

void Batch::find_subscribers(Levels& levels) {
  Named customers, subscribers;
  for (const Refs* refs : named_) {
    const domain::Tenant* tenant = tenant_of(*refs);
    if (tenant == nullptr) continue;
    if (!refs->customer.empty()) customers.emplace(tenant->id, refs->customer);
    if (!refs->subscriber.empty()) subscribers.emplace(tenant->id, refs->subscriber);
  }
  if (!customers.empty()) {
    for (const auto& row : rows_of(customers).run(tx_, "intake_customers_find"))
      levels.customers.push_back(int_at(row, 0));
  }
  normalise(levels.subscribers);
  if (subscribers.empty() && levels.subscribers.empty()) return;
  for (const auto& row : find(tx_, "intake_subscribers_find", subscribers, levels.subscribers)) {
    levels.subscribers.push_back(int_at(row, 0));
    if (const auto customer = maybe_int_at(row, 1)) levels.customers.push_back(*customer);
  }
}

void Batch::find_regions(Levels& levels) {
  std::set<std::pair<std::string, Id>> wanted;
  for (const Refs* refs : named_) {
    const domain::Tenant* tenant = tenant_of(*refs);
    if (!refs->region.empty()) wanted.emplace(refs->region, tenant != nullptr ? tenant->id : 0);
  }
  if (wanted.empty()) return;
  RowWriter rows;
  for (const auto& [region, tenant_id] : wanted) rows.add(region).add(tenant_id).add(kRegionCandidates).end_row();
  for (const auto& row : rows.run(tx_, "intake_region_find")) {
    regions_[text_at(row, 0)].push_back(int_at(row, 1));
    levels.servers.push_back(int_at(row, 1));
  }
}

void Batch::find_servers(Levels& levels) {
  std::set<std::string> servers, networks;
  for (const Refs* refs : named_) {
    if (!refs->server.empty()) servers.insert(refs->server);
    if (!refs->network.empty()) networks.insert(refs->network);
    servers.insert(refs->other_servers.begin(), refs->other_servers.end());
  }
  if (!networks.empty()) {
    for (const auto& row : tx_.run("intake_networks_find", text_array(networks))) {
      levels.networks.push_back(int_at(row, 0));
    }
  }
  find_regions(levels);
  normalise(levels.servers);
  if (servers.empty() && levels.servers.empty()) return;
  for (const auto& row : tx_.run("intake_servers_find", text_array(servers), array_of(levels.servers))) {
    levels.servers.push_back(int_at(row, 0));
    if (const auto network = maybe_int_at(row, 1)) levels.networks.push_back(*network);
  }
}

void Batch::find_subjects(Levels& levels) {
  Ids rule_peers;
  find_meshes(levels);
  find_rules(levels, rule_peers);
  normalise(rule_peers);
  find_peers(levels, rule_peers);
  find_subscribers(levels);
  find_servers(levels);
}

void Batch::lock_and_load() {
  if (named_.empty()) return;
  Levels levels;
  find_subjects(levels);
  lock_levels(tx_, levels, state_);
  load_keys();
  load_offsets();
  load_sites_of(levels);
  load_servers_beside();
  load_around(levels);
}

void Batch::load_servers_beside() {
  std::set<std::string> hosts, keys;
  for (const Refs* refs : named_) {
    const domain::Server* server = refs->places_server ? state_.server(std::string_view(refs->server)) : nullptr;
    if (server == nullptr) continue;
    for (const std::string& host : {refs->ssh_host, server->ssh_host}) {
      if (!host.empty()) hosts.insert(host);
    }
    if (!refs->server_key.empty()) keys.insert(refs->server_key);
  }
  if (hosts.empty()) return;
  for (const auto& row : tx_.run("intake_servers_beside", text_array(hosts), text_array(keys))) {
    state_.load_beside(server_from(row));
  }
}

void Batch::load_keys() {
  std::set<std::string> keys;
  Named claimed;
  for (const Refs* refs : named_) {
    if (!refs->public_key.empty()) keys.insert(refs->public_key);
    if (tenant_of(*refs) != nullptr) claimed.emplace(tenant_of(*refs)->id, refs->public_key);
    keys.insert(refs->keys.begin(), refs->keys.end());
  }
  if (keys.empty()) return;
  for (const auto& row : tx_.run("intake_keys_taken", text_array(keys))) {
    state_.load_taken_key(text_at(row, 0));
    const auto adopted = maybe_int_at(row, 1);
    if (adopted && claimed.contains({int_at(row, 2), text_at(row, 0)}) && state_.peer(*adopted) == nullptr) {
      throw pqxx::transaction_rollback("a peer was adopted while it was being locked");
    }
  }
}

std::map<Id, std::int64_t> Batch::demand() const {
  std::map<Id, std::int64_t> wanted;
  const auto count = [&](const domain::Server* server) {
    if (server != nullptr && server->network_id) ++wanted[*server->network_id];
  };
  for (const Refs* refs : named_) {
    if (!refs->takes_address) continue;
    if (!refs->server.empty()) {
      count(state_.server(std::string_view(refs->server)));
    } else if (const auto found = regions_.find(refs->region); found != regions_.end()) {
      std::set<Id> networks;  // each of them might be asked for one
      for (const Id server_id : found->second) {
        if (const auto network = state_.server(server_id)->network_id) networks.insert(*network);
      }
      for (const Id network_id : networks) ++wanted[network_id];
    }
  }
  return wanted;
}

void Batch::load_offsets() {
  RowWriter wanted, uses;
  std::map<Id, domain::Network> filled;
  for (const Refs* refs : named_) {
    if (!refs->makes_network) continue;
    // What a network no longer keeps back is only freed where nobody has it.
    const domain::Network& network = *state_.network(std::string_view(refs->network));
    for (const std::int64_t offset : network.reserved) uses.add(network.id).add(offset).end_row();
  }
  for (const auto& [network_id, count] : demand()) {
    const domain::Network& network = *state_.network(network_id);
    const std::int64_t most = count + static_cast<std::int64_t>(network.reserved.size());
    wanted.add(network_id).add(network.next_offset).add(most).add(domain::offsets_of(network)).end_row();
    for (const Refs* refs : named_) {
      if (refs->address.empty()) continue;
      const auto address = wireguard::Prefix::parse(refs->address);
      if (!address) continue;
      const auto& range = address->is_ipv4() ? network.net4 : network.net6;
      const auto offset = range ? range->offset_of(*address) : std::nullopt;
      if (offset) uses.add(network_id).add(*offset).end_row();
    }
  }
  if (!wanted.empty()) {
    for (const auto& row : wanted.run(tx_, "load_offsets")) {
      const Id network_id = int_at(row, 0);
      auto [entry, is_new] = filled.try_emplace(network_id);
      if (is_new) entry->second = *state_.network(network_id);
      (bool_at(row, 2) ? entry->second.free : entry->second.ahead).push_back(int_at(row, 1));
    }
  }
  for (auto& [network_id, network] : filled) {
    // An offset beyond the counter may have been given out and released again, more than once.
    network.ahead.erase(std::unique(network.ahead.begin(), network.ahead.end()), network.ahead.end());
    state_.load(std::move(network));
  }
  load_uses(tx_, uses, state_);
}

void Batch::load_sites_of(const Levels& levels) {
  std::set<std::string> prefixes;
  const auto add = [&](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      if (const auto prefix = wireguard::Prefix::parse(text)) prefixes.insert(prefix->network().text());
    }
  };
  for (const Refs* refs : named_) add(refs->site_networks);
  for (const Id peer_id : levels.peers) add(state_.peer(peer_id)->site_networks);  // it may move
  load_sites(tx_, levels.servers, prefixes, state_);
}

// What only some events, and the statuses that follow, need.
void Batch::load_around(const Levels& levels) {
  Ids linked;  // servers that a mesh is to link
  Ids owners;
  for (const Refs* refs : named_) {
    for (const std::string& name : refs->other_servers) {
      if (const auto* server = state_.server(std::string_view(name))) linked.push_back(server->id);
    }
    const auto* server = refs->tenant.empty() ? state_.server(std::string_view(refs->server)) : nullptr;
    if (server != nullptr && server->owner_tenant_id && state_.tenant(*server->owner_tenant_id) == nullptr) {
      owners.push_back(*server->owner_tenant_id);
    }
  }
  normalise(linked);
  normalise(owners);
  load_links(tx_, {}, linked, state_);
  load_tenants(tx_, owners, state_);
  Ids observed;
  for (const Id peer_id : levels.peers) {
    const domain::Peer& peer = *state_.peer(peer_id);
    if (peer.server_id && peer.generation > 0) observed.push_back(peer_id);
  }
  speaker_.load(tx_, observed);
}

}  // namespace peerwright::store
