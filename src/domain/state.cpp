#include "peerwright/domain/state.hpp"

#include <algorithm>

namespace peerwright::domain {
namespace {

template <typename Map, typename Key>
const typename Map::mapped_type* find_in(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

std::size_t State::PairHash::operator()(const NamePair& pair) const {
  const std::hash<std::string> hash;
  return hash(pair.first) * 31 + hash(pair.second);
}

const Tenant* State::tenant(std::string_view name) const { return find_in(tenants_, std::string(name)); }

const Tenant* State::tenant(Id id) const {
  const std::string* name = find_in(tenant_names_, id);
  return name == nullptr ? nullptr : tenant(std::string_view(*name));
}

const Subscriber* State::subscriber(std::string_view tenant, std::string_view name) const {
  const Id* id = find_in(subscriber_ids_, NamePair(tenant, name));
  return id == nullptr ? nullptr : subscriber(*id);
}

const Peer* State::peer(std::string_view tenant, std::string_view name) const {
  const Id* id = find_in(peer_ids_, NamePair(tenant, name));
  return id == nullptr ? nullptr : peer(*id);
}

const Peer* State::peer(Id id) const { return find_in(peers_, id); }

bool State::key_taken(std::string_view public_key) const { return taken_keys_.contains(std::string(public_key)); }

const Peer* State::adopted_peer(Id tenant_id, std::string_view public_key) const {
  const Id* id = find_in(adopted_ids_, std::string(public_key));
  const Peer* adopted = id == nullptr ? nullptr : peer(*id);
  return adopted != nullptr && adopted->tenant_id == tenant_id ? adopted : nullptr;
}

const Server* State::server(std::string_view name) const {
  const Id* id = find_in(server_ids_, std::string(name));
  return id == nullptr ? nullptr : server(*id);
}

const Server* State::server(Id id) const { return find_in(servers_, id); }

const Network* State::network(std::string_view name) const {
  const Id* id = find_in(network_ids_, std::string(name));
  return id == nullptr ? nullptr : network(*id);
}

const Network* State::network(Id id) const { return find_in(networks_, id); }
const Subscriber* State::subscriber(Id id) const { return find_in(subscribers_, id); }

const Hold* State::hold(Scope scope, std::string_view owner) const {
  const auto* owners = find_in(holds_, scope);
  return owners == nullptr ? nullptr : find_in(*owners, owner);
}

bool State::held_by_others(Scope scope, std::string_view owner) const {
  const auto* owners = find_in(holds_, scope);
  return owners != nullptr && std::any_of(owners->begin(), owners->end(),
                                          [&](const auto& entry) { return entry.second.held && entry.first != owner; });
}

HoldLevel State::level_by_others(Scope scope, std::string_view owner) const {
  const auto* owners = find_in(holds_, scope);
  HoldLevel strictest = HoldLevel::none;
  if (owners == nullptr) return strictest;
  for (const auto& [name, hold] : *owners) {
    if (!hold.held || name == owner) continue;
    if (hold.level == HoldLevel::cut) return HoldLevel::cut;
    strictest = HoldLevel::walled_garden;
  }
  return strictest;
}

std::vector<const Hold*> State::holds_of(Scope scope) const {
  std::vector<const Hold*> all;
  if (const auto* owners = find_in(holds_, scope)) {
    for (const auto& [name, hold] : *owners) all.push_back(&hold);
  }
  return all;
}

const Customer* State::customer(std::string_view tenant, std::string_view name) const {
  const Id* id = find_in(customer_ids_, NamePair(tenant, name));
  return id == nullptr ? nullptr : customer(*id);
}

const Customer* State::customer(Id id) const { return find_in(customers_, id); }

const AccessRule* State::rule(std::string_view tenant, std::string_view name) const {
  const Id* id = find_in(rule_ids_, NamePair(tenant, name));
  return id == nullptr ? nullptr : rule(*id);
}

const AccessRule* State::rule(Id id) const { return find_in(rules_, id); }

const Mesh* State::mesh(std::string_view name) const {
  const Id* id = find_in(mesh_ids_, std::string(name));
  return id == nullptr ? nullptr : mesh(*id);
}

const Mesh* State::mesh(Id id) const { return find_in(meshes_, id); }

std::vector<const NodeLink*> State::links_of_mesh(Id mesh_id) const {
  std::vector<const NodeLink*> all;
  if (const auto* links = find_in(links_, mesh_id)) {
    for (const auto& [ends, link] : *links) all.push_back(&link);
  }
  return all;
}

std::vector<const Server*> State::servers_beside(Id server_id) const {
  std::map<Id, const Server*> all;
  for (const auto& [id, server] : beside_) all[id] = &server;
  for (const auto& [id, server] : servers_) all[id] = &server;  // as this batch has left it
  all.erase(server_id);
  std::vector<const Server*> listed;
  listed.reserve(all.size());
  for (const auto& [id, server] : all) listed.push_back(server);
  return listed;
}

std::vector<const Server*> State::servers_in(std::string_view region) const {
  std::vector<const Server*> all;
  for (const auto& [id, server] : servers_) {
    if (server.region == region) all.push_back(&server);
  }
  std::sort(all.begin(), all.end(), [](const Server* a, const Server* b) { return a->id < b->id; });
  return all;
}

AddressUse State::use_of(Id network_id, std::int64_t address_offset) const {
  const AddressUse* use = find_in(uses_, std::pair(network_id, address_offset));
  return use == nullptr ? AddressUse::free : *use;
}

bool State::site_taken(Id server_id, const wireguard::Prefix& prefix, Id peer_id) const {
  const auto* sites = find_in(sites_, server_id);
  return sites != nullptr && std::any_of(sites->begin(), sites->end(), [&](const SitePrefix& site) {
           return site.peer_id != peer_id && site.prefix.overlaps(prefix);
         });
}

bool State::site_taken_beside(Id mesh_id, Id server_id, const wireguard::Prefix& prefix) const {
  const auto* sites = find_in(sites_, server_id);
  return sites != nullptr && std::any_of(sites->begin(), sites->end(), [&](const SitePrefix& site) {
           return site.mesh_id != mesh_id && site.prefix.overlaps(prefix);
         });
}

void State::load(Tenant tenant) {
  tenant_names_[tenant.id] = tenant.name;
  const std::string name = tenant.name;
  tenants_[name] = std::move(tenant);
}

void State::load(Subscriber subscriber) {
  subscriber_ids_[{tenant_names_[subscriber.tenant_id], subscriber.name}] = subscriber.id;
  const Id id = subscriber.id;
  subscribers_[id] = std::move(subscriber);
}

void State::load(Peer peer) {
  peer_ids_[{peer.tenant, peer.name}] = peer.id;
  if (!peer.public_key.empty()) taken_keys_.insert(peer.public_key);
  if (!peer.staged_key.empty()) taken_keys_.insert(peer.staged_key);
  const Id id = peer.id;
  if (peer.adopted) {
    adopted_ids_[peer.public_key] = id;
  } else if (const Peer* before = find_in(peers_, id); before != nullptr && before->adopted) {
    adopted_ids_.erase(before->public_key);
  }
  // What a decision of this batch took is taken for the next one.
  if (peer.network_id && peer.address_offset) uses_[{*peer.network_id, *peer.address_offset}] = AddressUse::taken;
  if (const Peer* before = find_in(peers_, id); before != nullptr && before->server_id) {
    std::erase_if(sites_[*before->server_id], [&](const SitePrefix& site) { return site.peer_id == id; });
  }
  if (peer.server_id) {
    auto& sites = sites_[*peer.server_id];
    std::erase_if(sites, [&](const SitePrefix& site) { return site.peer_id == id; });
    for (const std::string& prefix : peer.site_networks) {
      if (auto parsed = wireguard::Prefix::parse(prefix)) sites.push_back({*peer.server_id, *parsed, id});
    }
  }
  peers_[id] = std::move(peer);
}

void State::load(Server server) {
  server_ids_[server.name] = server.id;
  const Id id = server.id;
  servers_[id] = std::move(server);
}

void State::load_beside(Server server) {
  const Id id = server.id;
  beside_[id] = std::move(server);
}

void State::load(Network network) {
  network_ids_[network.name] = network.id;
  const Id id = network.id;
  networks_[id] = std::move(network);
}

void State::load(Hold hold) {
  auto& owners = holds_[hold.scope];
  const std::string owner = hold.owner;
  owners[owner] = std::move(hold);
}

void State::load(Customer customer) {
  customer_ids_[{tenant_names_[customer.tenant_id], customer.name}] = customer.id;
  const Id id = customer.id;
  customers_[id] = std::move(customer);
}

void State::load(AccessRule rule) {
  rule_ids_[{tenant_names_[rule.tenant_id], rule.name}] = rule.id;
  const Id id = rule.id;
  rules_[id] = std::move(rule);
}

void State::load(Mesh mesh) {
  mesh_ids_[mesh.name] = mesh.id;
  const Id id = mesh.id;
  meshes_[id] = std::move(mesh);
}

void State::load(NodeLink link) {
  if (!link.public_key.empty() && !link.other_server_id) taken_keys_.insert(link.public_key);
  auto& sites = sites_[link.server_id];
  std::erase_if(sites, [&](const SitePrefix& s) { return s.mesh_id == link.mesh_id && s.other == link.other; });
  for (const std::string& prefix : link.allowed_ips) {
    const auto parsed = wireguard::Prefix::parse(prefix);
    if (parsed && link.wanted) sites.push_back({link.server_id, *parsed, std::nullopt, link.mesh_id, link.other});
  }
  auto& links = links_[link.mesh_id];
  const std::pair ends(link.server_id, link.other);
  links[ends] = std::move(link);
}

void State::load(SitePrefix site) { sites_[site.server_id].push_back(site); }

void State::load_use(Id network_id, std::int64_t address_offset, AddressUse use) {
  uses_[{network_id, address_offset}] = use;
}

void State::load_taken_key(std::string public_key) { taken_keys_.insert(std::move(public_key)); }

}  // namespace peerwright::domain
