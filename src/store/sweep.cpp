#include "peerwright/store/sweep.hpp"

#include "changes.hpp"
#include "db.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::store {
namespace {

using domain::Id;

struct Chunk {
  Ids peers, servers, networks;
};

Chunk next_chunk(Tx& tx, Id subscriber_id, std::int64_t after_peer_id, int most) {
  Chunk chunk;
  for (const auto& row : tx.run("fan_out_peers", subscriber_id, after_peer_id, most)) {
    chunk.peers.push_back(int_at(row, 0));
    if (const auto server = maybe_int_at(row, 1)) chunk.servers.push_back(*server);
    if (const auto network = maybe_int_at(row, 2)) chunk.networks.push_back(*network);
  }
  normalise(chunk.servers);
  normalise(chunk.networks);
  return chunk;
}

// Every peer of the chunk as the holds stand now; those to whom nothing changes stay as they are.
bool settle_chunk(Tx& tx, const Chunk& chunk, Id subscriber_id, const std::string& cause, domain::State& state) {
  load_networks(tx, chunk.networks, state);
  lock_servers(tx, chunk.servers, state);
  const auto peers = lock_peers(tx, chunk.peers, state);
  load_holds(tx, {subscriber_id}, chunk.peers, state);
  domain::Changes changes;
  Messages messages;
  for (const domain::Peer& peer : peers) {
    domain::Decision decision;
    domain::settle_peer(peer, state, cause, false, decision);
    changes.apply(state, decision);
    say_statuses(decision, state, cause, messages);
  }
  store_changes(tx, changes, state);
  messages.store(tx);
  return !changes.due_servers.empty();
}

}  // namespace

struct SweepStore::Impl {
  explicit Impl(const Database& database) : db(database, "sweep") {}
  Db db;
};

SweepStore::SweepStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
SweepStore::~SweepStore() = default;

Result<SweepStore::Step> SweepStore::fan_out(int chunk_peers) {
  Id picked_id = 0;
  auto stepped = impl_->db.transact([&](Tx& tx) -> Result<Step> {
    Step step;
    const auto picked = tx.run("fan_out_pick");
    if (picked.empty()) return step;
    const Id subscriber_id = picked_id = int_at(picked[0], 0);
    const auto cursor = tx.run("fan_out_cursor", subscriber_id);
    step.found = true;
    step.more = true;
    if (cursor.empty()) return step;  // finished by somebody else between the look and the lock

    domain::State state;
    state.now = time_from_micros(int_at(tx.run("intake_now")[0], 0));
    load_tenants(tx, {int_at(picked[0], 1)}, state);
    load_subscribers(tx, {subscriber_id}, state);
    const Chunk chunk = next_chunk(tx, subscriber_id, int_at(cursor[0], 0), chunk_peers);
    step.peers = chunk.peers.size();
    step.due = settle_chunk(tx, chunk, subscriber_id, text_at(cursor[0], 1), state);
    if (chunk.peers.size() < static_cast<std::size_t>(chunk_peers)) {
      tx.run("fan_out_done", subscriber_id);
    } else {
      tx.run("fan_out_move", subscriber_id, chunk.peers.back());
    }
    step.more = bool_at(tx.run("fan_out_left")[0], 0);
    return step;
  });
  if (!stepped && stepped.error().retry == Retry::never && picked_id != 0) {
    (void)impl_->db.transact([&](Tx& tx) -> Result<void> {
      tx.run("fan_out_postpone", picked_id);
      return {};
    });
  }
  return stepped;
}

}  // namespace peerwright::store
