#include "peerwright/domain/decision.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace peerwright::domain {

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::unchanged:
      return "unchanged";
    case Outcome::rejected:
      return "rejected";
  }
  return "";
}

Decision rejected(std::string code, std::string message, std::string remedy) {
  Decision decision;
  decision.outcome = Outcome::rejected;
  decision.code = std::move(code);
  decision.message = std::move(message);
  decision.remedy = std::move(remedy);
  return decision;
}

const char* name_of(FanOut kind) {
  switch (kind) {
    case FanOut::customer:
      return "customer";
    case FanOut::server:
      return "server";
    case FanOut::tenant:
      return "tenant";
    case FanOut::network:
      return "network";
  }
  return "";
}

namespace {

template <typename Thing>
void put(State& state, std::set<Id>& changed, const std::vector<Thing>& things) {
  for (const Thing& thing : things) {
    changed.insert(thing.id);
    state.load(thing);
  }
}

// What most decisions leave as it is.
auto details_of(const Peer& p) {
  return std::tie(p.description, p.display_name, p.user_id, p.type, p.plan, p.endpoint, p.site_networks, p.dns, p.mtu,
                  p.hub_keepalive_seconds, p.metadata, p.expires_at, p.expired, p.quota_bytes, p.over_quota,
                  p.reservation, p.preshared_key_sealed, p.preshared_key_hash, p.client_key_sealed, p.staged_key,
                  p.staged_until, p.staged_client_key_sealed, p.adopted, p.preshared_key_unknown);
}

bool readdressed(const Peer& before, const Peer& after) {
  return before.network_id != after.network_id || before.address_offset != after.address_offset ||
         before.site_networks != after.site_networks || before.server_id != after.server_id;
}

// Whether the counter of the network passed the offset in this very decision.
bool counted(Id network_id, std::int64_t offset, const State& state, const std::vector<Network>& decided) {
  const Network* before = state.network(network_id);
  return before != nullptr && std::any_of(decided.begin(), decided.end(), [&](const Network& after) {
           return after.id == network_id && before->next_offset <= offset && offset < after.next_offset;
         });
}

void add(std::set<Id>& to, const std::set<Id>& more) { to.insert(more.begin(), more.end()); }

}  // namespace

void Changes::take_offset(Id network_id, std::int64_t offset) {
  auto& taken = taken_offsets[network_id];
  if (std::find(taken.begin(), taken.end(), offset) == taken.end()) taken.push_back(offset);
}

void Changes::apply_peers(State& state, const Decision& decision) {
  for (const Peer& peer : decision.peers) {
    peers.insert(peer.id);
    const Peer* before = state.peer(peer.id);
    if (before == nullptr || details_of(*before) != details_of(peer)) detailed_peers.insert(peer.id);
    if (before == nullptr || readdressed(*before, peer)) {
      readdressed_peers.insert(peer.id);
      // An address that was asked for may stand in the list of released ones, beyond the part of it that is loaded.
      // What the counter gave stands nowhere.
      const bool moved =
          before == nullptr || before->network_id != peer.network_id || before->address_offset != peer.address_offset;
      const bool has_address = peer.network_id && peer.address_offset;
      if (moved && has_address && !counted(*peer.network_id, *peer.address_offset, state, decision.networks)) {
        take_offset(*peer.network_id, *peer.address_offset);
      }
    }
    state.load(peer);
  }
}

void Changes::apply_networks(State& state, const std::vector<Network>& decided) {
  for (const Network& network : decided) {
    networks.insert(network.id);
    if (const Network* before = state.network(network.id)) {
      const std::set<std::int64_t> left(network.free.begin(), network.free.end());
      for (const std::int64_t offset : before->free) {
        if (!left.contains(offset)) take_offset(network.id, offset);
      }
    }
    state.load(network);
  }
}

void Changes::apply(State& state, const Decision& decision) {
  put(state, tenants, decision.tenants);
  put(state, customers, decision.customers);
  apply_peers(state, decision);  // compares with the networks' counters before
  apply_networks(state, decision.networks);
  put(state, servers, decision.servers);
  put(state, subscribers, decision.subscribers);
  put(state, rules, decision.rules);
  put(state, meshes, decision.meshes);
  for (const NodeLink& link : decision.links) {
    links.insert_or_assign({link.mesh_id, {link.server_id, link.other}}, link);
    state.load(link);
  }
  for (const Hold& hold : decision.holds) {
    holds.insert_or_assign({hold.scope, hold.owner}, hold);
    state.load(hold);
  }
  for (const Removal& removal : decision.removals) {
    Removal& kept = removals[{removal.server_id, removal.public_key}];
    const Removal before = std::exchange(kept, removal);
    if (!before.address_offset || removal.address_offset == before.address_offset) continue;
    // An address that rides on a row of the same batch goes on riding, or comes back where the key is wanted again.
    if (removal.wanted_gone && !removal.address_offset) {
      kept.network_id = before.network_id;
      kept.address_offset = before.address_offset;
    } else {
      freed.push_back({*before.network_id, *before.address_offset});
      state.load_use(*before.network_id, *before.address_offset, AddressUse::quarantined);
    }
  }
  for (const Timer& timer : decision.timers) {
    timers.insert_or_assign({timer.kind, {timer.subject_id, timer.owner}}, timer);
  }
  for (const FreedAddress& address : decision.freed) {
    freed.push_back(address);
    // Even without a quarantine: it is listed only when the batch is stored.
    state.load_use(address.network_id, address.address_offset, AddressUse::quarantined);
  }
  for (const auto& [key, peer] : decision.used_keys) {
    used_keys.insert_or_assign(key, peer);
    state.load_taken_key(key);
  }
  for (const auto& [subscriber, cause] : decision.fan_outs) fan_outs.insert_or_assign(subscriber, cause);
  for (const auto& [subject, cause] : decision.wider_fan_outs) wider_fan_outs.insert_or_assign(subject, cause);
  add(observe_servers, decision.observe_servers);
  for (const auto& [server, goes] : decision.approved_servers) approved_servers.insert_or_assign(server, goes);
  for (const auto& [server, import] : decision.imports) imports.insert_or_assign(server, import);
  for (const auto& [adopted, peer] : decision.claims) claims.insert_or_assign(adopted, peer);
  add(abandoned_servers, decision.abandoned_servers);
  add(doubtful_servers, decision.doubtful_servers);
  add(due_servers, decision.due_servers);
  add(urgent_servers, decision.urgent_servers);
}

}  // namespace peerwright::domain
