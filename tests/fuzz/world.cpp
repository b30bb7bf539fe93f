#include "world.hpp"

#include <algorithm>

#include "fuzz.hpp"
#include "peerwright/domain/mesh.hpp"

namespace peerwright::fuzz {

using domain::Decision;
using domain::Id;
using domain::Peer;
using domain::Stage;

World::World() { state_.now = time_from_micros(1'767'225'600'000'000); }  // 2026-01-01

template <typename Thing>
Thing World::named(const std::string& name, std::vector<Id>& ids) {
  Thing made;
  made.id = ++last_id_;
  made.name = name;
  ids.push_back(made.id);
  return made;
}

void World::make_identities(const domain::Refs& refs) {
  for (const std::string* name : {&refs.tenant, &refs.owner_tenant}) {
    if (!name->empty() && state_.tenant(*name) == nullptr) state_.load(named<domain::Tenant>(*name, tenants_));
  }
  if (!refs.tenant.empty()) make_in_tenant(refs, state_.tenant(refs.tenant)->id);
  if (refs.makes_network && state_.network(refs.network) == nullptr) {
    state_.load(named<domain::Network>(refs.network, networks_));
  }
  if (refs.makes_server && state_.server(refs.server) == nullptr) {
    state_.load(named<domain::Server>(refs.server, servers_));
  }
  if (!refs.mesh.empty() && state_.mesh(refs.mesh) == nullptr) {
    state_.load(named<domain::Mesh>(refs.mesh, meshes_));
  }
}

void World::make_in_tenant(const domain::Refs& refs, Id tenant_id) {
  const auto load = [&](auto made) {
    made.tenant_id = tenant_id;
    state_.load(std::move(made));
  };
  if (!refs.customer.empty() && state_.customer(refs.tenant, refs.customer) == nullptr) {
    load(named<domain::Customer>(refs.customer, customers_));
  }
  if (!refs.subscriber.empty() && state_.subscriber(refs.tenant, refs.subscriber) == nullptr) {
    load(named<domain::Subscriber>(refs.subscriber, subscribers_));
  }
  if (!refs.peer.empty() && state_.peer(refs.tenant, refs.peer) == nullptr) {
    auto made = named<Peer>(refs.peer, peers_);
    made.tenant = refs.tenant;
    load(std::move(made));
  }
  if (!refs.rule.empty() && state_.rule(refs.tenant, refs.rule) == nullptr) {
    load(named<domain::AccessRule>(refs.rule, rules_));
  }
}

void World::say(const events::Event& event, const domain::Word& word, const domain::Prepared& prepared) {
  make_identities(event.refs);
  state_.prepared = prepared;
  const Decision decision = event.decide(word, state_);
  trace(rfc3339(state_.now) + ' ' + event.envelope.type + ' ' + event.key + ": " + domain::name_of(decision.outcome) +
        ' ' + decision.code);
  if (decision.outcome == domain::Outcome::rejected) {
    check_refusal(decision.code, decision.message, decision.remedy);
    const bool changes = !decision.peers.empty() || !decision.servers.empty() || !decision.networks.empty() ||
                         !decision.tenants.empty() || !decision.holds.empty() || !decision.removals.empty() ||
                         !decision.timers.empty() || !decision.freed.empty() || !decision.meshes.empty() ||
                         !decision.rules.empty() || !decision.fan_outs.empty() || !decision.due_servers.empty();
    require(!changes, "a refusal (" + decision.code + ") changes something");
  }
  take(decision);
}

void World::take(const Decision& decision) {
  changes_.apply(state_, decision);
  take_rows(decision);
  for (const domain::Timer& timer : decision.timers) {
    const std::pair key(timer.kind, std::pair(timer.subject_id, timer.owner));
    timers_.erase(key);
    if (timer.due_at) timers_.emplace(key, timer);
  }
  for (const auto& [subscriber, cause] : decision.fan_outs) fan_outs_.insert_or_assign(subscriber, cause);
  for (const auto& [subject, cause] : decision.wider_fan_outs) wider_fan_outs_.insert_or_assign(subject, cause);
  for (const Id server : decision.abandoned_servers) abandon(server);
  check();
  check_steps();
}

void World::take_rows(const Decision& decision) {
  for (const domain::FreedAddress& freed : decision.freed) release({freed.network_id, freed.address_offset});
  for (const domain::Removal& removal : decision.removals) {
    require(!removal.public_key.empty(), "a removal row without a key");
    const Row key(removal.server_id, removal.public_key);
    if (!removal.wanted_gone) {
      if (const auto row = rows_.find(key); row != rows_.end() && row->second.address_offset) {
        release({*row->second.network_id, *row->second.address_offset});
      }
      rows_.erase(key);
      continue;
    }
    auto [row, is_new] = rows_.try_emplace(key, removal);
    if (!is_new && removal.address_offset && !row->second.address_offset) row->second = removal;
  }
}

void World::release(const Address& address) {
  const domain::Network& network = *state_.network(address.first);
  resting_.try_emplace(address, state_.now + std::chrono::seconds(network.quarantine_seconds));
  state_.load_use(address.first, address.second, domain::AddressUse::quarantined);
}

void World::begin_batch() {
  for (const Id id : networks_) {
    domain::Network network = *state_.network(id);
    network.free.clear();
    network.ahead.clear();
    std::vector<std::pair<Time, std::int64_t>> rested;
    for (const auto& [address, until] : resting_) {
      if (address.first != id) continue;
      if (until <= state_.now) rested.emplace_back(until, address.second);
      if (address.second >= network.next_offset) network.ahead.push_back(address.second);
      const bool rests = until > state_.now;
      state_.load_use(id, address.second, rests ? domain::AddressUse::quarantined : domain::AddressUse::free);
    }
    for (const auto& [key, row] : rows_) {  // on their way back with the proof of a removal
      if (row.network_id != id || !row.address_offset) continue;
      if (*row.address_offset >= network.next_offset) network.ahead.push_back(*row.address_offset);
      state_.load_use(id, *row.address_offset, domain::AddressUse::quarantined);
    }
    for (const Id peer_id : peers_) {
      const Peer& held = peer(peer_id);
      if (held.network_id != id || !held.address_offset) continue;
      if (*held.address_offset >= network.next_offset) network.ahead.push_back(*held.address_offset);
      state_.load_use(id, *held.address_offset, domain::AddressUse::taken);
    }
    std::sort(rested.begin(), rested.end());
    for (const auto& [until, offset] : rested) network.free.push_back(offset);
    std::sort(network.ahead.begin(), network.ahead.end());
    state_.load(std::move(network));
  }
}

void World::run_timers(bool over_quota) {
  begin_batch();
  for (const auto& [key, due] : std::map(timers_)) {
    if (*due.due_at > state_.now) continue;
    domain::Timer timer = due;
    if (timer.kind == domain::TimerKind::quota) {
      const Peer* metered = state_.peer(timer.subject_id);
      timer.owner = over_quota && metered != nullptr && metered->quota_bytes > 0 ? "over" : "";
    }
    timers_.erase(key);
    const Decision decision = domain::decide_timer(timer, state_);
    trace(rfc3339(state_.now) + " timer " + domain::name_of(timer.kind) + ' ' + std::to_string(timer.subject_id) +
          ": " + domain::name_of(decision.outcome));
    require(decision.outcome != domain::Outcome::rejected, "a timer was refused: " + decision.code);
    take(decision);
    const auto again = timers_.find(key);
    // One that has taken its step may be due again with the next, later one: each is judged by the time that it is due.
    require(again == timers_.end() || again->second.due_at > due.due_at || timer.kind == domain::TimerKind::quota,
            std::string("a timer stays due for ever: ") + domain::name_of(due.kind));
  }
}

void World::run_fan_outs() {
  trace("fan-outs");
  begin_batch();
  for (const auto& [subject, cause] : std::map(wider_fan_outs_)) {
    if (subject.first == domain::FanOut::customer) {
      for (const Id id : subscribers_) {
        if (state_.subscriber(id)->customer_id == subject.second) fan_outs_.insert_or_assign(id, cause);
      }
    } else if (subject.first == domain::FanOut::server) {
      for (const Id id : meshes_) {
        Decision decision;
        domain::settle_mesh(*state_.mesh(id), state_, decision);
        take(decision);
      }
    }
    wider_fan_outs_.erase(subject);
  }
  for (const auto& [subscriber, cause] : std::map(fan_outs_)) {
    for (const Id id : peers_) {
      if (peer(id).subscriber_id != subscriber) continue;
      Decision decision;
      domain::settle_peer(peer(id), state_, cause, false, decision);
      take(decision);
    }
    fan_outs_.erase(subscriber);
  }
  check();
}

// All rows of the server, or those whose key is not wanted there.
void World::drop_proven(Id server_id, bool all) {
  for (const auto& [key, row] : std::map(rows_)) {
    if (key.first != server_id) continue;
    const auto has_it = [&](Id id) {
      const Peer& held = peer(id);
      return held.server_id == server_id && held.public_key == key.second && domain::on_host(held.entitlement);
    };
    if (!all && std::any_of(peers_.begin(), peers_.end(), has_it)) continue;
    rows_.erase(key);
    if (row.address_offset) release({*row.network_id, *row.address_offset});
  }
  for (const Id id : peers_) {
    Peer held = peer(id);
    if (held.server_id != server_id || held.stage != Stage::revoked || !held.address_offset) continue;
    const Address address(*held.network_id, *held.address_offset);
    held.address_offset.reset();
    held.applied_generation = held.generation;
    state_.load(std::move(held));
    // Where a key of it may still stand on another host, the address comes back with that one's proof.
    const auto elsewhere = std::find_if(rows_.begin(), rows_.end(), [&](const auto& entry) {
      return entry.second.peer_id == id && !entry.second.address_offset;
    });
    if (elsewhere == rows_.end()) {
      release(address);
    } else {
      elsewhere->second.network_id = address.first;
      elsewhere->second.address_offset = address.second;
    }
  }
}

void World::abandon(Id server_id) { drop_proven(server_id, true); }

void World::prove(std::size_t which_server) {
  if (servers_.empty()) return;
  begin_batch();
  const Id server_id = servers_[which_server % servers_.size()];
  if (state_.server(server_id)->maintenance) return;
  drop_proven(server_id, false);
  for (const Id id : peers_) {
    Peer held = peer(id);
    if (held.server_id != server_id || held.stage == Stage::reserved) continue;
    // A hold that has not reached the peer yet: nothing is called applied.
    const auto now = domain::entitlement_now(held, state_, {});
    const bool same = held.entitlement == now || (!domain::on_host(held.entitlement) && !domain::on_host(now));
    if (!same) continue;
    held.applied_generation = held.generation;
    state_.load(std::move(held));
  }
  check();
}

}  // namespace peerwright::fuzz
