#include "plan_view.hpp"

#include <algorithm>

#include "columns.hpp"
#include "firewall.hpp"
#include "proofs.hpp"

namespace peerwright::store {
namespace {

using domain::Id;

constexpr std::string_view kActive = "active";
constexpr std::string_view kWalled = "walled_garden";

Ids ids_of(const std::set<Id>& ids) { return {ids.begin(), ids.end()}; }

}  // namespace

Id PlanView::Peer::place() const {
  const bool wanted = entitlement == kActive || entitlement == kWalled;
  return wanted && peer.server_id && !peer.public_key.empty() ? *peer.server_id : 0;
}

PlanView PlanView::load(Tx& tx, PlanScope& scope) {
  PlanView view;
  view.load_peers(tx, scope);
  view.load_servers(tx, scope);
  view.load_nodes(tx, scope);
  view.load_foreign(tx, scope);
  return view;
}

void PlanView::load_peers(Tx& tx, PlanScope& scope) {
  Ids networks;
  for (const auto& row : tx.run("plan_peers", array_of(ids_of(scope.peers)))) {
    RowReader read(row);
    Peer one;
    one.peer.id = read.number();
    one.peer.tenant = read.text();
    one.peer.name = read.text();
    one.peer.server_id = read.maybe_number();
    one.peer.network_id = read.maybe_number();
    one.peer.address_offset = read.maybe_number();
    one.peer.public_key = read.text();
    one.peer.staged_key = read.text();
    one.peer.site_networks = read.list();
    one.peer.hub_keepalive_seconds = read.small();
    one.peer.preshared_key_hash = read.text();
    one.peer.endpoint = read.text();
    one.entitlement = read.text();
    one.cause = read.text();
    one.fan_out_cause = read.text();
    if (one.peer.server_id) scope.servers.insert(*one.peer.server_id);
    if (one.peer.network_id) networks.push_back(*one.peer.network_id);
    peers_.emplace(one.peer.id, std::move(one));
  }
  normalise(networks);
  load_networks(tx, networks, state_);
  for (auto& [id, one] : peers_) {
    const domain::Network* network = one.peer.network_id ? state_.network(*one.peer.network_id) : nullptr;
    if (network != nullptr) one.allowed_ips = allowed_ips_of(one.peer, *network);
  }
}

void PlanView::load_servers(Tx& tx, const PlanScope& scope) {
  const Ids ids = ids_of(scope.servers);
  store::load_servers(tx, ids, state_);
  Ids networks;
  std::set<Id> walled;  // servers with peers that are to be walled, announced or not
  for (const Id id : ids) {
    const domain::Server* server = state_.server(id);
    if (server != nullptr && server->network_id) networks.push_back(*server->network_id);
  }
  for (const auto& [id, one] : peers_) {
    if (one.entitlement == kWalled) walled.insert(one.place());
  }
  normalise(networks);
  load_networks(tx, networks, state_);
  for (const auto& row : tx.run("plan_deliveries", array_of(ids))) {
    RowReader read(row);
    const Id id = read.number();
    const domain::Server* server = state_.server(id);
    if (server == nullptr || !server->word) continue;  // no host yet
    Server one;
    one.server = *server;
    one.in_doubt = read.flag();
    one.was_read = read.flag();
    FirewallNeeds needs;
    needs.walled = read.flag() || walled.contains(id);
    needs.rules = read.flag();
    needs.carried_on = true;
    one.firewall = wanted_firewall(tx, state_, *server, needs);
    servers_.emplace(id, std::move(one));
  }
}

void PlanView::load_nodes(Tx& tx, const PlanScope& scope) {
  for (const auto& row : tx.run("plan_links", array_of(ids_of(scope.servers)))) {
    RowReader read(row);
    const auto server = servers_.find(read.number());
    if (server == servers_.end()) continue;
    Node node;
    node.name = read.text();
    node.name += ' ' + read.text();
    node.public_key = read.text();
    node.allowed_ips = read.list();
    node.endpoint = read.text();
    node.keepalive_seconds = read.small();
    const std::string name = node.name;
    server->second.nodes.emplace(name, std::move(node));
  }
}

void PlanView::load_foreign(Tx& tx, const PlanScope& scope) {
  for (const auto& row : tx.run("plan_foreign", array_of(ids_of(scope.servers)))) {
    RowReader read(row);
    const auto server = servers_.find(read.number());
    if (server == servers_.end()) continue;
    const std::string key = read.text();
    server->second.leaving[key] = read.list();
  }
}

// Puts together what two views say of one thing.
struct PlanView::Comparison {
  const PlanView& before;
  const PlanView& after;
  const PlanScope& scope;
  std::map<Id, PlannedServer> servers;

  PlannedServer& at(Id server_id) { return servers[server_id]; }

  [[nodiscard]] std::string name_of_server(Id id) const {
    const domain::Server* server = after.state_.server(id);
    return server != nullptr ? server->name : std::string();
  }

  [[nodiscard]] PlannedPeer line(PlanAction action, const Peer& shown) const {
    PlannedPeer line;
    line.action = action;
    line.tenant = shown.peer.tenant;
    line.name = shown.peer.name;
    if (!scope.made_keys.contains(shown.peer.public_key)) line.public_key = shown.peer.public_key;
    line.allowed_ips = shown.allowed_ips;
    const Peer& now = after.peers_.at(shown.peer.id);
    line.cause = scope.told.contains(shown.peer.id) ? now.cause : now.fan_out_cause;
    line.why = now.entitlement;
    return line;
  }

  static std::vector<std::string> changes_of(const Peer& old, const Peer& now) {
    std::vector<std::string> changes;
    const auto note = [&](bool changed, const char* what) {
      if (changed) changes.emplace_back(what);
    };
    note(old.peer.public_key != now.peer.public_key, "public_key");
    note(old.peer.staged_key != now.peer.staged_key, "staged_key");
    note(old.allowed_ips != now.allowed_ips, "allowed_ips");
    note(old.peer.hub_keepalive_seconds != now.peer.hub_keepalive_seconds, "keepalive");
    note(old.peer.preshared_key_hash != now.peer.preshared_key_hash, "preshared_key");
    note(old.peer.endpoint != now.peer.endpoint, "endpoint");
    note(old.entitlement != now.entitlement, "walled_garden");
    return changes;
  }

  void compare_peer(const Peer* old, const Peer& now) {
    const Id from = old != nullptr ? old->place() : 0;
    const Id to = now.place();
    if (from != 0 && from == to) {
      PlannedPeer changed = line(PlanAction::change, now);
      changed.changes = changes_of(*old, now);
      if (!changed.changes.empty()) at(to).peers.push_back(std::move(changed));
      return;
    }
    if (from != 0) {
      PlannedPeer gone = line(PlanAction::remove, *old);
      if (to != 0) gone.why = "moved to " + name_of_server(to);
      at(from).peers.push_back(std::move(gone));
    }
    if (to != 0) {
      PlannedPeer come = line(PlanAction::add, now);
      const bool was_there = old != nullptr && old->peer.server_id == now.peer.server_id &&
                             (old->entitlement == "suspended" || old->entitlement == "expired");
      if (!was_there && now.entitlement == kActive) come.why = "provisioned";
      if (from != 0) come.why = "moved from " + name_of_server(from);
      at(to).peers.push_back(std::move(come));
    }
  }

  static PlannedPeer node_line(PlanAction action, const Node& node) {
    PlannedPeer line;
    line.action = action;
    line.name = node.name;
    line.public_key = node.public_key;
    line.allowed_ips = node.allowed_ips;
    return line;
  }

  void compare_nodes(Id server_id, const std::map<std::string, Node>& old, const std::map<std::string, Node>& now) {
    for (const auto& [name, node] : old) {
      if (!now.contains(name)) at(server_id).peers.push_back(node_line(PlanAction::remove, node));
    }
    for (const auto& [name, node] : now) {
      const auto found = old.find(name);
      PlannedPeer changed = node_line(found == old.end() ? PlanAction::add : PlanAction::change, node);
      if (found != old.end()) {
        const Node& was = found->second;
        if (was.public_key != node.public_key) changed.changes.emplace_back("public_key");
        if (was.allowed_ips != node.allowed_ips) changed.changes.emplace_back("allowed_ips");
        if (was.keepalive_seconds != node.keepalive_seconds) changed.changes.emplace_back("keepalive");
        if (was.endpoint != node.endpoint) changed.changes.emplace_back("endpoint");
        if (changed.changes.empty()) continue;
      }
      if (scope.made_keys.contains(changed.public_key)) changed.public_key.clear();
      at(server_id).peers.push_back(std::move(changed));
    }
  }

  void compare_foreign(Id server_id, const Server& old, const Server& now) {
    for (const auto& [key, allowed_ips] : now.leaving) {
      if (old.leaving.contains(key)) continue;
      PlannedPeer gone;
      gone.action = PlanAction::remove;
      gone.foreign = true;
      gone.public_key = key;
      gone.allowed_ips = allowed_ips;
      gone.why = "approved";
      at(server_id).peers.push_back(std::move(gone));
    }
  }

  void compare_server(Id id, const Server* old, const Server& now) {
    static const Server kNone;
    const Server& was = old != nullptr ? *old : kNone;
    compare_nodes(id, was.nodes, now.nodes);
    compare_foreign(id, was, now);
    const bool firewall = was.firewall != now.firewall;
    const bool key = was.server.key_wanted != now.server.key_wanted && !now.server.key_wanted.empty();
    const bool doubted = old == nullptr || (now.in_doubt && !was.in_doubt);
    if (firewall) at(id).firewall = true;
    if (key) at(id).interface_key = true;
    if (old == nullptr) at(id).registered = true;
    if (!doubted && !servers.contains(id)) return;
    PlannedServer& planned = at(id);
    planned.name = now.server.name;
    planned.read_first = now.in_doubt;
    planned.held = now.server.maintenance;
    planned.abandoned = now.server.state == domain::ServerState::retired && !now.server.retired_word.empty();
  }
};

std::vector<PlannedServer> PlanView::compare(const PlanView& before, const PlanView& after, const PlanScope& scope) {
  Comparison comparison{before, after, scope, {}};
  for (const auto& [id, now] : after.peers_) {
    const auto old = before.peers_.find(id);
    comparison.compare_peer(old == before.peers_.end() ? nullptr : &old->second, now);
  }
  for (const auto& [id, now] : after.servers_) {
    const auto old = before.servers_.find(id);
    comparison.compare_server(id, old == before.servers_.end() ? nullptr : &old->second, now);
  }
  std::vector<PlannedServer> servers;
  for (auto& [id, server] : comparison.servers) {
    std::stable_sort(server.peers.begin(), server.peers.end(), [](const PlannedPeer& a, const PlannedPeer& b) {
      const auto rank = [](PlanAction action) {
        return action == PlanAction::remove ? 0 : action == PlanAction::change ? 1 : 2;
      };
      return std::tuple(rank(a.action), a.tenant, a.name) < std::tuple(rank(b.action), b.tenant, b.name);
    });
    servers.push_back(std::move(server));
  }
  std::sort(servers.begin(), servers.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return servers;
}

}  // namespace peerwright::store
