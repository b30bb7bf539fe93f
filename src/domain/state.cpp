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
  const Id id = peer.id;
  peers_[id] = std::move(peer);
}

void State::load(Server server) {
  server_ids_[server.name] = server.id;
  const Id id = server.id;
  servers_[id] = std::move(server);
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

void State::load_taken_key(std::string public_key) { taken_keys_.insert(std::move(public_key)); }

}  // namespace peerwright::domain
