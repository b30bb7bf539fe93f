#include <algorithm>

#include "fuzz.hpp"
#include "world.hpp"

// What has to hold after each decision.
namespace peerwright::fuzz {

using domain::Id;
using domain::Peer;
using domain::Stage;

namespace {

bool is_placed(const Peer& peer) { return peer.stage == Stage::reserved || peer.stage == Stage::provisioned; }

std::string of(const Peer& peer) { return " (peer " + peer.tenant + '/' + peer.name + ')'; }

std::string numbers(std::int64_t one, std::int64_t other) {
  return ": " + std::to_string(one) + " and " + std::to_string(other);
}

}  // namespace

bool World::fan_out_pending(const Peer& peer) const {
  if (!peer.subscriber_id) return false;
  if (fan_outs_.contains(*peer.subscriber_id)) return true;
  const auto customer = state_.subscriber(*peer.subscriber_id)->customer_id;
  return customer && wider_fan_outs_.contains({domain::FanOut::customer, *customer});
}

void World::check() const {
  check_addresses();
  check_counts();
  check_keys();
  for (const Id id : peers_) check_peer(peer(id));
}

// An address is in one hand: a peer's, a removal row's, or it rests.
void World::check_addresses() const {
  std::set<Address> seen;
  const auto only_here = [&](const Address& address, const std::string& whose) {
    require(seen.insert(address).second, "an address is in two hands, the second " + whose);
  };
  for (const Id id : peers_) {
    const Peer& held = peer(id);
    if (held.address_offset) only_here({held.network_id.value_or(0), *held.address_offset}, of(held));
  }
  for (const auto& [key, row] : rows_) {
    if (row.address_offset) only_here({row.network_id.value_or(0), *row.address_offset}, "a removal row's");
  }
  for (const auto& [address, until] : resting_) {
    if (until > state_.now) only_here(address, "at rest");
  }
}

void World::check_counts() const {
  std::map<Id, std::int64_t> on_server, of_tenant;
  std::map<std::pair<Id, std::string>, std::int64_t> of_plan;
  for (const Id id : peers_) {
    const Peer& counted = peer(id);
    if (!is_placed(counted)) continue;
    require(counted.server_id && counted.network_id && counted.address_offset,
            "a placed peer has no place" + of(counted));
    ++on_server[*counted.server_id];
    ++of_tenant[counted.tenant_id];
    if (!counted.plan.empty()) ++of_plan[{counted.tenant_id, counted.plan}];
  }
  for (const Id id : servers_) {
    const domain::Server& server = *state_.server(id);
    require(server.peer_count == on_server[id], "the count of a server" + numbers(server.peer_count, on_server[id]));
  }
  for (const Id id : tenants_) {
    const domain::Tenant& tenant = *state_.tenant(id);
    require(tenant.peer_count == of_tenant[id], "the count of a tenant" + numbers(tenant.peer_count, of_tenant[id]));
    for (const auto& [plan, limit] : tenant.plans) {
      const std::int64_t counted = of_plan[{id, plan}];
      require(limit.peer_count == counted, "the count of a plan" + numbers(limit.peer_count, counted));
    }
  }
}

void World::check_keys() const {
  std::map<std::string, Id> owners;
  for (const Id id : peers_) {
    for (const std::string* key : {&peer(id).public_key, &peer(id).staged_key}) {
      if (key->empty()) continue;
      require(owners.try_emplace(*key, id).second, "a key has two holders" + of(peer(id)));
    }
  }
  for (const auto& [key, owner] : changes_.used_keys) {
    const auto found = owners.find(key);
    require(found == owners.end() || found->second == owner, "a key that was used before has another holder");
  }
}

void World::check_peer(const Peer& peer) const {
  require((peer.stage == Stage::revoked) == (peer.entitlement == domain::Entitlement::revoked) || fan_out_pending(peer),
          "stage and entitlement differ about a revocation" + of(peer));
  if (peer.stage == Stage::provisioned) require(!peer.public_key.empty(), "a provisioned peer has no key" + of(peer));
  if (peer.stage == Stage::reserved)
    require(peer.reserved_until.has_value(), "a reservation without an end" + of(peer));
  require(peer.staged_key.empty() == !peer.staged_until, "a staged key without an end" + of(peer));
  if (!fan_out_pending(peer)) {
    const auto now = domain::entitlement_now(peer, state_, {});
    require(peer.entitlement == now, std::string("announced as ") + domain::name_of(peer.entitlement) + " and is " +
                                         domain::name_of(now) + of(peer));
  }
  if (!peer.server_id || peer.public_key.empty() || peer.stage == Stage::reserved) return;
  const bool to_be_removed = rows_.contains({*peer.server_id, peer.public_key});
  if (domain::on_host(peer.entitlement)) {
    require(!to_be_removed, "a key that is wanted is listed to go" + of(peer));
  } else if (peer.applied_generation < peer.generation) {
    const auto& server = *state_.server(*peer.server_id);
    require(to_be_removed || server.state == domain::ServerState::retired,
            "a key that has to go is not listed" + of(peer));
  }
}

// From one decision to the next.
void World::check_steps() {
  for (const Id id : peers_) {
    const Peer& after = peer(id);
    const auto [before, is_new] = peers_before_.try_emplace(id, after);
    if (is_new) continue;
    const Peer& was = before->second;
    require(was.stage != Stage::revoked || after.stage == Stage::revoked, "a revoked peer came back" + of(after));
    require(after.version >= was.version, "a peer's version fell" + of(after));
    require(after.version > was.version || after.entitlement == was.entitlement,
            "an entitlement changed without a word" + of(after));
    require(was.stage != Stage::provisioned || after.stage == Stage::provisioned || after.stage == Stage::revoked,
            "a provisioned peer lost its place" + of(after));
    before->second = after;
  }
  for (const Id id : servers_) {
    const domain::Server& after = *state_.server(id);
    const auto [before, is_new] = servers_before_.try_emplace(id, after);
    if (is_new) continue;
    const domain::Server& was = before->second;
    require(after.generation >= was.generation && after.version >= was.version,
            "a server's numbers fell: " + after.name);
    require(after.peer_count <= was.peer_count || after.peer_count <= after.max_peers,
            "a server has more peers than it may: " + after.name);
    require(was.state != domain::ServerState::retired || after.peer_count <= was.peer_count,
            "a retired server got a peer: " + after.name);
    before->second = after;
  }
}

}  // namespace peerwright::fuzz
