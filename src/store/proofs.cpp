#include "proofs.hpp"

#include <algorithm>

namespace peerwright::store {
namespace {

using domain::Delivery;
using domain::Id;
using domain::Peer;

constexpr int kWantedColumn = 21;

struct Rows {
  Column id, proven, applied, version, offset, error;
  Column gone_keys;              // removal rows that have done their work
  Column seen_keys, seen_peers;  // keys that stand there and must not
  Column freed_network, freed_offset;
};

struct Seen {
  Peer peer;
  bool wanted = false;
  std::optional<std::string> proven;
};

// The peer as it is known after the reading. A hold may have been stored that has not reached the peer yet (its
// entitlement says otherwise than `wanted`): then nothing new is called applied; what is not as announced is pending.
Peer judged(const Seen& seen, const domain::Network* network, std::int64_t planned_generation, Rows& rows) {
  Peer after = seen.peer;
  const bool gone = seen.proven && seen.proven->empty();
  const bool announced_on = after.entitlement == domain::Entitlement::active;
  bool as_announced = !announced_on && gone;
  if (announced_on && seen.proven && network != nullptr) {
    as_announced = *seen.proven == wireguard::fingerprint(config_of(seen.peer, *network));
  }
  if (!seen.wanted && gone) {
    rows.gone_keys.add(std::string_view(after.public_key));
    if (after.stage == domain::Stage::revoked && after.address_offset) {
      rows.freed_network.add(after.network_id);
      rows.freed_offset.add(after.address_offset);
      after.address_offset.reset();
    }
  }
  if (!seen.wanted && !gone) {
    rows.seen_keys.add(std::string_view(after.public_key));
    rows.seen_peers.add(after.id);
  }
  if (!as_announced) {
    after.applied_generation = std::min(after.applied_generation, after.generation - 1);
  } else if (announced_on == seen.wanted && after.generation <= planned_generation) {
    after.applied_generation = after.generation;
    after.delivery_error.clear();
  }
  return after;
}

void store_rows(Tx& tx, Id server_id, const Rows& rows) {
  if (rows.id.empty()) return;
  tx.run("delivery_store_proofs", rows.id.text(), rows.proven.text(), rows.applied.text(), rows.version.text(),
         rows.offset.text(), rows.error.text());
  if (!rows.gone_keys.empty()) tx.run("delivery_drop_removals", server_id, rows.gone_keys.text());
  if (!rows.seen_keys.empty()) {
    tx.run("delivery_add_removals", server_id, rows.seen_keys.text(), rows.seen_peers.text());
  }
  if (!rows.freed_offset.empty()) {
    tx.run("delivery_release_addresses", rows.freed_network.text(), rows.freed_offset.text());
  }
}

std::vector<Seen> load_seen(Tx& tx, domain::State& state, Id server_id, const wireguard::Proof& proof) {
  Column keys;
  for (const auto& [key, proven] : proof) keys.add(std::string_view(key));
  const auto rows = tx.run("delivery_peers_with_keys", server_id, keys.text());
  Ids tenants, subscribers;
  for (const auto& row : rows) {
    tenants.push_back(int_at(row, 1));
    if (const auto subscriber = maybe_int_at(row, 5)) subscribers.push_back(*subscriber);
  }
  normalise(tenants);
  normalise(subscribers);
  load_tenants(tx, tenants, state);
  load_subscribers(tx, subscribers, state);
  std::vector<Seen> seen;
  for (const auto& row : rows) {
    Peer peer = peer_from(row, state);
    const auto& proven = proof.find(peer.public_key)->second;
    seen.push_back({std::move(peer), bool_at(row, kWantedColumn), proven});
  }
  return seen;
}

}  // namespace

Finished store_proofs(Tx& tx, domain::State& state, Id server_id, const wireguard::Proof& proof,
                      std::int64_t planned_generation) {
  Finished finished;
  if (proof.empty()) return finished;
  const domain::Server* server = state.server(server_id);
  const domain::Network* network = server->network_id ? state.network(*server->network_id) : nullptr;
  Rows rows;
  Messages messages;
  for (const Seen& seen : load_seen(tx, state, server_id, proof)) {
    Peer after = judged(seen, network, planned_generation, rows);
    if (after.delivery() == Delivery::applied || (!seen.wanted && seen.proven && seen.proven->empty()))
      ++finished.as_told;
    const bool changed = after.delivery() != seen.peer.delivery();
    if (changed) {
      after.version += 1;
      const bool applied = after.delivery() == Delivery::applied;
      const std::int64_t latency_ms = applied ? (micros_of(state.now) - micros_of(after.changed_at)) / 1000 : -1;
      messages.say("status", events::peer_status(after, server, network, latency_ms));
      if (applied) {
        ++finished.applied;
        (seen.wanted ? finished.latencies_ms : finished.urgent_latencies_ms).push_back(latency_ms);
      }
    }
    rows.id.add(after.id);
    rows.proven.add(seen.proven);
    rows.applied.add(after.applied_generation);
    rows.version.add(after.version);
    rows.offset.add(after.address_offset);
    rows.error.add(after.delivery_error);
  }
  store_rows(tx, server_id, rows);
  messages.store(tx);
  return finished;
}

}  // namespace peerwright::store
