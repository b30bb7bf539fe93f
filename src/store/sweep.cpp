#include "sweep.hpp"

#include "columns.hpp"
#include "peerwright/domain/rules.hpp"
#include "records.hpp"

// A subscriber's holds, release or revocation, carried on to its peers.
namespace peerwright::store {
namespace {

using domain::Id;

// Subscribers that are looked at until one is found that nobody has locked.
constexpr int kCandidates = 8;

struct Candidate {
  Id subscriber_id = 0;
  Id tenant_id = 0;
  std::optional<Id> customer_id;
  bool counts = false;  // peers are counted down
};

bool ended(const domain::Subscriber& subscriber, const domain::Customer* customer) {
  return subscriber.revoked || subscriber.released_at ||
         (customer != nullptr && (customer->revoked || customer->released_at));
}

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
bool settle_chunk(Tx& tx, const Chunk& chunk, const Candidate& candidate, const std::string& cause, bool last,
                  domain::State& state, Speaker& speaker) {
  load_networks(tx, chunk.networks, state);
  lock_servers(tx, chunk.servers, state);
  const auto peers = lock_peers(tx, chunk.peers, state);
  Ids customers;
  if (candidate.customer_id) customers.push_back(*candidate.customer_id);
  load_holds(tx, customers, {candidate.subscriber_id}, chunk.peers, state);
  speaker.load(tx, chunk.peers);
  domain::Changes changes;
  Messages messages;
  ChunkRecord record;
  for (const domain::Peer& peer : peers) {
    domain::Decision decision;
    domain::settle_peer(peer, state, cause, false, decision);
    record.add(decision, state);
    speaker.carry_out(decision, cause, state, changes, messages);
  }
  record.store(messages, {"subscriber", candidate.subscriber_id, last ? 0 : chunk.peers.back(), last}, state);
  store_changes(tx, changes, state);
  messages.store(tx);
  return !changes.due_servers.empty();
}

// The levels above the peers; false where somebody else decides about the subscriber just now.
bool lock_subscriber(Tx& tx, const Candidate& candidate, domain::State& state) {
  if (candidate.counts) {
    lock_tenants(tx, {candidate.tenant_id}, state);
    load_plans(tx, {candidate.tenant_id}, state);
  } else {
    load_tenants(tx, {candidate.tenant_id}, state);
  }
  if (candidate.customer_id) lock_customers(tx, {*candidate.customer_id}, state);
  const auto rows = tx.run("fan_out_lock", candidate.subscriber_id);
  if (rows.empty()) return false;
  const domain::Subscriber subscriber = subscriber_from(rows[0]);
  const auto* customer = candidate.customer_id ? state.customer(*candidate.customer_id) : nullptr;
  if (subscriber.customer_id != candidate.customer_id || ended(subscriber, customer) != candidate.counts) {
    throw pqxx::transaction_rollback("a subscriber changed while it was being locked");
  }
  state.load(subscriber);
  return true;
}

SweepStore::Step carry_on(Tx& tx, const Candidate& candidate, int chunk_peers, const Sealer* sealer) {
  SweepStore::Step step;
  domain::State state;
  state.now = time_from_micros(int_at(tx.run("intake_clock")[0], 0));
  if (!lock_subscriber(tx, candidate, state)) return step;
  step.found = true;
  step.more = true;
  const auto cursor = tx.run("fan_out_cursor", candidate.subscriber_id);
  if (cursor.empty()) return step;  // finished by somebody else between the look and the lock
  const Chunk chunk = next_chunk(tx, candidate.subscriber_id, int_at(cursor[0], 0), chunk_peers);
  step.peers = chunk.peers.size();
  Speaker speaker(sealer);
  const bool last = chunk.peers.size() < static_cast<std::size_t>(chunk_peers);
  step.due = settle_chunk(tx, chunk, candidate, text_at(cursor[0], 1), last, state, speaker);
  if (last) {
    tx.run("fan_out_done", candidate.subscriber_id);
  } else {
    tx.run("fan_out_move", candidate.subscriber_id, chunk.peers.back());
  }
  step.more = bool_at(tx.run("fan_out_left")[0], 0);
  return step;
}

}  // namespace

SweepStore::SweepStore(const Database& database, const Sealer* sealer)
    : impl_(std::make_unique<Impl>(database, sealer)) {}
SweepStore::~SweepStore() = default;

Result<SweepStore::Pending> SweepStore::look() {
  return impl_->db.transact([](Tx& tx) -> Result<Pending> {
    const auto row = tx.run("sweep_look")[0];
    return Pending{bool_at(row, 0), bool_at(row, 1), bool_at(row, 2)};
  });
}

Result<SweepStore::Step> SweepStore::fan_out(int chunk_peers) {
  auto candidates = impl_->db.transact([&](Tx& tx) -> Result<std::vector<Candidate>> {
    std::vector<Candidate> all;
    for (const auto& row : tx.run("fan_out_pick", kCandidates)) {
      all.push_back({int_at(row, 0), int_at(row, 1), maybe_int_at(row, 2), bool_at(row, 3)});
    }
    return all;
  });
  if (!candidates) return tl::unexpected(candidates.error());
  for (const Candidate& candidate : *candidates) {
    auto step =
        impl_->db.transact([&](Tx& tx) -> Result<Step> { return carry_on(tx, candidate, chunk_peers, impl_->sealer); });
    if (!step && step.error().retry == Retry::never) {
      (void)impl_->db.transact([&](Tx& tx) -> Result<void> {
        tx.run("fan_out_postpone", candidate.subscriber_id);
        return {};
      });
    }
    if (!step || step->found) return step;
  }
  return Step{};
}

}  // namespace peerwright::store
