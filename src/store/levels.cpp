#include "changes.hpp"

// The order in which every transaction locks.
namespace peerwright::store {

using domain::Id;

void Levels::add_pointers(const pqxx::row& row, int column) {
  if (const auto id = maybe_int_at(row, column)) subscribers.push_back(*id);
  if (const auto id = maybe_int_at(row, column + 1)) servers.push_back(*id);
  if (const auto id = maybe_int_at(row, column + 2)) networks.push_back(*id);
}

namespace {

void check_levels(const Levels& levels, const domain::State& state) {
  for (const Id id : levels.subscribers) {
    const domain::Subscriber* subscriber = state.subscriber(id);
    if (subscriber->customer_id && state.customer(*subscriber->customer_id) == nullptr) {
      throw pqxx::transaction_rollback("a subscriber got its customer while it was being locked");
    }
  }
  for (const Id id : levels.servers) {
    const domain::Server* server = state.server(id);
    if (server->network_id && state.network(*server->network_id) == nullptr) {
      throw pqxx::transaction_rollback("a server got its network while it was being locked");
    }
  }
  for (const Id id : levels.meshes) {
    for (const domain::MeshMember& member : state.mesh(id)->members) {
      if (member.managed && state.server(std::string_view(member.name)) == nullptr) {
        throw pqxx::transaction_rollback("a mesh got a member while it was being locked");
      }
    }
  }
  for (const Id id : levels.rules) {
    const domain::AccessRule* rule = state.rule(id);
    for (const auto& peer_id : {rule->source_peer_id, rule->dest_peer_id}) {
      if (peer_id && state.peer(*peer_id) == nullptr) {
        throw pqxx::transaction_rollback("a rule was changed while it was being locked");
      }
    }
  }
  for (const Id id : levels.peers) {
    const domain::Peer* peer = state.peer(id);
    const bool known = (!peer->subscriber_id || state.subscriber(*peer->subscriber_id) != nullptr) &&
                       (!peer->server_id || state.server(*peer->server_id) != nullptr) &&
                       (!peer->network_id || state.network(*peer->network_id) != nullptr);
    if (!known) throw pqxx::transaction_rollback("a peer moved while it was being locked");
  }
}

void check_links(const Levels& levels, const domain::State& state) {
  for (const Id mesh_id : levels.meshes) {
    for (const domain::NodeLink* link : state.links_of_mesh(mesh_id)) {
      if (state.server(link->server_id) == nullptr ||
          (link->other_server_id && state.server(*link->other_server_id) == nullptr)) {
        throw pqxx::transaction_rollback("a mesh got a link while it was being locked");
      }
    }
  }
}

}  // namespace

void find_around(Tx& tx, Levels& levels) {
  normalise(levels.subscribers);
  normalise(levels.servers);
  if (!levels.subscribers.empty()) {
    for (const auto& row : tx.run("find_customers_of", array_of(levels.subscribers))) {
      levels.customers.push_back(int_at(row, 0));
    }
  }
  if (!levels.servers.empty()) {
    for (const auto& row : tx.run("find_networks_of", array_of(levels.servers))) {
      levels.networks.push_back(int_at(row, 0));
    }
  }
}

void lock_levels(Tx& tx, Levels& levels, domain::State& state) {
  for (Ids* ids : {&levels.tenants, &levels.customers, &levels.subscribers, &levels.networks, &levels.meshes,
                   &levels.servers, &levels.peers, &levels.rules}) {
    normalise(*ids);
  }
  lock_tenants(tx, levels.tenants, state);
  lock_customers(tx, levels.customers, state);
  lock_subscribers(tx, levels.subscribers, state);
  lock_networks(tx, levels.networks, state);
  lock_meshes(tx, levels.meshes, state);
  lock_servers(tx, levels.servers, state);
  lock_peers(tx, levels.peers, state);
  lock_rules(tx, levels.rules, state);
  check_levels(levels, state);
  load_links(tx, levels.meshes, {}, state);
  check_links(levels, state);
  load_holds(tx, levels.customers, levels.subscribers, levels.peers, state);
}

}  // namespace peerwright::store
