#include "peerwright/store/delivery.hpp"

#include <algorithm>

#include "changes.hpp"
#include "db.hpp"
#include "peerwright/base/text.hpp"
#include "proofs.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using wireguard::PeerConfig;

constexpr int kProvenColumn = 20;
constexpr int kMostHalvings = 16;
constexpr std::chrono::milliseconds kAtOnce{0};
constexpr std::size_t kMostErrorBytes = 500;

}  // namespace

PeerConfig config_of(const domain::Peer& peer, const domain::Network& network) {
  PeerConfig config;
  config.public_key = peer.public_key;
  config.allowed_ips = addresses_of(peer, network);
  std::sort(config.allowed_ips.begin(), config.allowed_ips.end());
  return config;
}

namespace {

struct DeliveryRow {
  bool in_doubt = false;
  bool urgent = false;
  int attempts = 0;
  std::string installation_id;
};

// The delivery's row under lock, if the worker still has the lease. The server's row is locked before.
std::optional<DeliveryRow> lock_delivery(Tx& tx, const std::string& worker_id, Id server_id) {
  const auto rows = tx.run("delivery_state", server_id, worker_id);
  if (rows.empty()) return std::nullopt;
  return DeliveryRow{bool_at(rows[0], 0), bool_at(rows[0], 1), static_cast<int>(int_at(rows[0], 2)),
                     text_at(rows[0], 3)};
}

void load_server_and_network(Tx& tx, Id server_id, domain::State& state) {
  lock_servers(tx, {server_id}, state);
  const domain::Server* server = state.server(server_id);
  if (server != nullptr && server->network_id) load_networks(tx, {*server->network_id}, state);
}

// What the plan takes up, and what turned out to be proven already.
struct Work {
  wireguard::PushPlan plan;
  wireguard::Proof settled;
};

// After a failure removals go alone, and additions in ever smaller portions, until the one that is to blame stands
// alone.
int most_peers(const DeliveryRow& delivery, bool removals, const DeliveryLimits& limits) {
  if (delivery.attempts > 0)
    return removals ? 0 : std::max(1, limits.peers >> std::min(delivery.attempts, kMostHalvings));
  return delivery.urgent ? limits.urgent_peers : limits.peers;
}

Work pick_work(Tx& tx, const domain::Server& server, const domain::State& state, const DeliveryRow& delivery,
               const DeliveryLimits& limits) {
  Work work;
  for (const auto& row : tx.run("delivery_removals", server.id, limits.removals)) {
    const bool proven_gone = !row[1].is_null() && row[1].size() == 0;
    if (proven_gone) {
      work.settled[text_at(row, 0)] = "";
    } else {
      work.plan.removals.push_back(text_at(row, 0));
    }
  }
  const domain::Network& network = *state.network(*server.network_id);
  const int most = most_peers(delivery, !work.plan.removals.empty(), limits);
  for (const auto& row : tx.run("delivery_pending_peers", server.id, most)) {
    PeerConfig config = config_of(peer_from(row, state), network);
    const std::string wanted = wireguard::fingerprint(config);
    if (!row[kProvenColumn].is_null() && text_at(row, kProvenColumn) == wanted) {
      work.settled[config.public_key] = wanted;
    } else {
      work.plan.peers.push_back(std::move(config));
    }
  }
  return work;
}

std::string keys_of(const wireguard::PushPlan& plan) {
  Column keys;
  for (const std::string& key : plan.removals) keys.add(std::string_view(key));
  for (const PeerConfig& peer : plan.peers) keys.add(std::string_view(peer.public_key));
  return keys.text();
}

// `retry_in` above zero: the host answered, but shows nothing of what it was told.
Result<bool> mark_done(Tx& tx, const std::string& worker_id, Id server_id, std::int64_t planned_generation,
                       const std::string& file_hash, bool forget_failures, std::chrono::milliseconds retry_in) {
  const auto rows = tx.run("delivery_done", server_id, worker_id, planned_generation, file_hash, forget_failures,
                           std::int64_t{retry_in.count()});
  if (rows.empty()) return transient("push_overtaken", "another worker has taken the server over");
  return bool_at(rows[0], 0);
}

}  // namespace

// Sets one peer aside and says so.
void park(Tx& tx, domain::State& state, Id server_id, const std::string& key, const std::string& code) {
  for (const auto& row : tx.run("delivery_park_peer", server_id, key, code)) {
    Messages messages;
    for (const domain::Peer& peer : load_whole_peers(tx, {int_at(row, 0)}, state)) {
      messages.say("status", events::peer_status(peer, state.server(server_id), state.network(*peer.network_id), -1));
    }
    messages.store(tx);
  }
}

struct DeliveryStore::Impl {
  explicit Impl(const Database& database) : db(database, "deliver") {}

  Result<std::optional<PlannedPush>> plan_locked(Tx& tx, const std::string& worker_id, domain::State& state,
                                                 const domain::Server& server, const DeliveryLimits& limits);
  Db db;
};

DeliveryStore::DeliveryStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
DeliveryStore::~DeliveryStore() = default;

Result<std::vector<Id>> DeliveryStore::claim(const std::string& worker_id, const std::vector<Id>& active, int most,
                                             std::chrono::milliseconds dead_after, bool failing) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<Id>> {
    tx.run("delivery_relaxed");
    std::vector<Id> servers;
    for (const auto& row :
         tx.run("delivery_claim", worker_id, most, std::int64_t{dead_after.count()}, array_of(active), failing)) {
      servers.push_back(int_at(row, 0));
    }
    return servers;
  });
}

Result<std::optional<PlannedPush>> DeliveryStore::plan(const std::string& worker_id, Id server_id,
                                                       const DeliveryLimits& limits) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::optional<PlannedPush>> {
    domain::State state;
    state.now = time_from_micros(int_at(tx.run("intake_now")[0], 0));
    load_server_and_network(tx, server_id, state);
    const domain::Server* server = state.server(server_id);
    if (server == nullptr || !server->word) return std::optional<PlannedPush>();
    return impl_->plan_locked(tx, worker_id, state, *server, limits);
  });
}

Result<std::optional<PlannedPush>> DeliveryStore::Impl::plan_locked(Tx& tx, const std::string& worker_id,
                                                                    domain::State& state, const domain::Server& server,
                                                                    const DeliveryLimits& limits) {
  const auto delivery = lock_delivery(tx, worker_id, server.id);
  if (!delivery) return std::optional<PlannedPush>();
  PlannedPush push;
  push.server = server;
  push.installation_id = delivery->installation_id;
  push.planned_generation = server.generation;
  push.urgent = delivery->urgent;
  push.attempts = delivery->attempts;
  if (delivery->in_doubt) {
    push.mode = wireguard::PushMode::reading;
    for (const auto& row : tx.run("delivery_wanted_peers", server.id)) {
      push.wanted.push_back(config_of(peer_from(row, state), *state.network(*server.network_id)));
      push.plan.hashed_keys.push_back(push.wanted.back().public_key);
    }
  } else {
    Work work = pick_work(tx, server, state, *delivery, limits);
    if (!work.settled.empty()) store_proofs(tx, state, server.id, work.settled, push.planned_generation);
    if (work.plan.removals.empty() && work.plan.peers.empty()) {
      auto done = mark_done(tx, worker_id, server.id, push.planned_generation, "", true, kAtOnce);
      if (!done) return tl::unexpected(done.error());
      return std::optional<PlannedPush>();
    }
    push.plan = std::move(work.plan);
    tx.run("delivery_mark_pushed", server.id, keys_of(push.plan));
  }
  push.push_number = int_at(tx.run("delivery_raise", server.id)[0], 0);
  return std::optional<PlannedPush>(std::move(push));
}

Result<Finished> DeliveryStore::finish(const std::string& worker_id, const PlannedPush& push,
                                       const wireguard::HostAnswer& answer, const wireguard::Proof& proof,
                                       std::chrono::milliseconds retry_in) {
  return impl_->db.transact([&](Tx& tx) -> Result<Finished> {
    domain::State state;
    state.now = time_from_micros(int_at(tx.run("intake_now")[0], 0));
    load_server_and_network(tx, push.server.id, state);
    if (tx.run("delivery_is_mine", push.server.id, push.push_number).empty()) {
      return transient("push_overtaken", "a later push of this server has begun");
    }
    domain::Server server = *state.server(push.server.id);
    if (server.public_key.empty()) {
      server.public_key = answer.interface_key;
      server.version = int_at(tx.run("delivery_learn_key", server.id, server.public_key)[0], 0);
      state.load(server);
      Messages messages;
      messages.say("status", events::server_status(server, "reading/" + std::to_string(push.push_number)));
      messages.store(tx);
    }
    wireguard::Proof complete = proof;
    if (push.mode == wireguard::PushMode::reading) {
      // A reading shows all that stands there: what it does not show is gone.
      for (const auto& row : tx.run("delivery_keys_not_absent", server.id)) complete.try_emplace(text_at(row, 0), "");
    }
    Finished finished = store_proofs(tx, state, server.id, complete, push.planned_generation);
    const bool pushed = push.mode == wireguard::PushMode::push;
    const bool disputed = pushed && finished.as_told == 0;
    auto more = mark_done(tx, worker_id, server.id, push.planned_generation, answer.file_hash, pushed,
                          disputed ? retry_in : kAtOnce);
    if (!more) return tl::unexpected(more.error());
    finished.still_due = *more;
    return finished;
  });
}

Result<void> DeliveryStore::fail(const std::string& worker_id, Id server_id, const Error& why,
                                 std::chrono::milliseconds retry_in, const std::string& blamed_key) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    domain::State state;
    load_server_and_network(tx, server_id, state);
    if (!blamed_key.empty()) park(tx, state, server_id, blamed_key, why.code);
    // A host may have put anything into its message.
    tx.run("delivery_failed", server_id, worker_id, why.code, printable(why.message, kMostErrorBytes),
           std::int64_t{retry_in.count()});
    return {};
  });
}

}  // namespace peerwright::store
