#include "peerwright/store/observe.hpp"

#include "observe_drift.hpp"
#include "peerwright/base/text.hpp"
#include "server_health.hpp"

namespace peerwright::store {
namespace {

using domain::Id;

// The row of a server that is this worker's, and how its delivery stands.
struct ServerRow {
  std::optional<Time> observed_at;
  std::optional<Time> counted_at;
  Health health;
  std::int64_t uptime_ms = 0;
  ProvenState proven;
  bool still = false;
  std::string guard_code;  // as it stands now; that of `health` is what was said last
  int ifindex = 0;
};

ServerRow server_row_from(const pqxx::row& fields, const domain::Network* network) {
  RowReader read(fields);
  ServerRow row;
  row.observed_at = read.maybe_time();
  row.counted_at = read.maybe_time();
  row.health.error_code = read.text();
  row.health.up = read.flag();
  row.health.listening = read.flag();
  const bool forwarding4 = read.flag();
  row.health.forwarding = forwards(network, forwarding4, read.flag());
  row.health.file_safe = is_safe_mode(read.text());
  row.uptime_ms = read.number();
  row.health.drift = counts_from(read.text());
  row.proven.push_number = read.number();
  row.still = read.flag();
  row.proven.file_hash = read.text();
  row.proven.firewall_hash = read.text();
  row.proven.firewall_state = read.text();
  row.proven.firewall_known = read.flag();
  row.health.guard_code = read.text();
  row.guard_code = read.text();
  row.ifindex = read.small();
  row.health.guard_digest = read.text();
  return row;
}

std::int64_t uptime_ms_of(const wireguard::HostObservation& seen) {
  return seen.uptime_seconds ? static_cast<std::int64_t>(*seen.uptime_seconds * 1000) : 0;
}

void add_kinds(Looked& looked) {
  for (const char* kind : kDriftKinds) looked.drift.try_emplace(kind, 0);
}

Error overtaken() { return {"look_overtaken", "another worker looks at the server", "", Retry::later}; }

// A look's transaction: the server's row is locked and loaded, its network too.
class Round {
 public:
  Round(Tx& tx, const Sealer* sealer, Id server_id) : tx_(tx), sealer_(sealer), server_id_(server_id) {}

  // False: the server is not this worker's any more.
  bool lock(const std::string& worker_id) {
    state_.now = time_from_micros(int_at(tx_.run("intake_clock")[0], 0));
    lock_servers(tx_, {server_id_}, state_);
    if (state_.server(server_id_) == nullptr) return false;
    if (server().network_id) load_networks(tx_, {*server().network_id}, state_);
    const auto rows = tx_.run("observe_is_mine", server_id_, worker_id);
    if (rows.empty()) return false;
    row_ = server_row_from(rows[0], network());
    return true;
  }

  Looked store(const PlannedLook& planned, const wireguard::HostObservation& seen, const LookTimes& times) {
    Looked looked;
    looked.peers = {{"never", 0}, {"connected", 0}, {"idle", 0}, {"disconnected", 0}};
    const Look look = look_of(seen, times);
    std::map<std::string, const wireguard::ObservedPeer*> shown;
    for (const auto& peer : seen.peers) shown[peer.public_key] = &peer;

    PeerLooks peers(look, std::move(shown));
    Drift drift(server(), seen, row_.proven);
    if (seen.ifindex != 0 && row_.ifindex != 0 && seen.ifindex != row_.ifindex && !look.rebooted)
      drift.add("interface");
    for (const auto& fields : tx_.run("observe_peers", server_id_, keys_of(seen))) {
      const RuntimeRow row = runtime_row_from(fields);
      peers.add(row);
      drift.compare(row);
    }
    peers.store(tx_, state_, sealer_, looked);

    Health health;
    health.up = seen.up;
    health.listening = seen.listening;
    health.forwarding = forwards(network(), seen.forwarding4, seen.forwarding6);
    health.file_safe = is_safe_mode(seen.file_mode);
    health.drift = row_.health.drift;
    health.guard_code = row_.guard_code;
    health.guard_digest = server().guard_digest;
    looked.guard_held = server().guard_held;
    if (stood_still(planned)) {
      look_for_stale_links(seen);
      drift.compare_others(tx_);
      health.drift = drift.counts();
      looked.due = drift.repair(tx_);
    }
    looked.drift = health.drift;
    add_kinds(looked);
    const bool soon = peers.waiting() || peers.more() || looked.due;
    store_server(seen, health, look.counting, (soon ? times.next_waiting : times.next), looked);
    looked.other_outcome = !row_.health.error_code.empty();
    say(health, looked);
    return looked;
  }

  Looked store_failure(const Error& why, const LookTimes& times) {
    Looked looked;
    Health health = row_.health;
    health.error_code = why.code;
    looked.guard_held = server().guard_held;
    looked.drift = health.drift;
    add_kinds(looked);
    const auto next = row_.health.error_code.empty() ? times.next_waiting : times.next;
    looked.other_outcome = row_.health.error_code != why.code;
    tx_.run("observe_failed", server_id_, std::int64_t{next.count()}, why.code);
    say(health, looked);
    return looked;
  }

 private:
  [[nodiscard]] const domain::Server& server() const { return *state_.server(server_id_); }
  [[nodiscard]] const domain::Network* network() const {
    return server().network_id ? state_.network(*server().network_id) : nullptr;
  }
  [[nodiscard]] Look look_of(const wireguard::HostObservation& seen, const LookTimes& times) const {
    Look look;
    look.now = state_.now;
    look.server_id = server_id_;
    look.host_epoch_seconds = seen.now_epoch_seconds;
    look.counting = !row_.counted_at || state_.now - *row_.counted_at >= times.count_after;
    look.rebooted = seen.uptime_seconds && uptime_ms_of(seen) < row_.uptime_ms;
    look.observed_at = row_.observed_at;
    look.counted_at = row_.counted_at;
    return look;
  }
  // What was seen can be compared with what was proven: nobody has changed either meanwhile.
  [[nodiscard]] bool stood_still(const PlannedLook& planned) const {
    return planned.still && row_.still && planned.generation == server().generation &&
           planned.push_number == row_.proven.push_number;
  }
  static std::string keys_of(const wireguard::HostObservation& seen) {
    Column keys;
    for (const auto& peer : seen.peers) keys.add(std::string_view(peer.public_key));
    return keys.text();
  }

  void look_for_stale_links(const wireguard::HostObservation& seen) {
    Column keys, handshakes;
    for (const auto& peer : seen.peers) {
      keys.add(std::string_view(peer.public_key));
      handshakes.add(peer.handshake_epoch_seconds);
    }
    if (keys.empty()) return;
    tx_.run("observe_stale_links", server_id_, keys.text(), handshakes.text(),
            seen.now_epoch_seconds - std::chrono::seconds(kHandshakeLives).count());
  }

  void store_server(const wireguard::HostObservation& seen, const Health& health, bool counted,
                    std::chrono::milliseconds next, const Looked& looked) {
    tx_.run("observe_done", server_id_, std::int64_t{next.count()}, counted, seen.up, uptime_ms_of(seen),
            seen.listening, seen.forwarding4, seen.forwarding6, printable(seen.unit_active, kMostWordBytes),
            printable(seen.unit_enabled, kMostWordBytes), printable(seen.file_owner, kMostWordBytes),
            printable(seen.file_mode, kMostWordBytes), seen.file_hash, seen.firewall_state, text_of(health.drift),
            looked.rx_bytes, looked.tx_bytes, seen.ifindex, health.guard_code, health.guard_digest);
  }

  // Again where something has changed that a person should know.
  void say(const Health& health, Looked& looked) {
    if (health == row_.health) return;
    say_health(tx_, state_, server_id_, health, health.error_code.empty() ? state_.now : row_.observed_at);
    looked.said = true;
  }

  static constexpr std::size_t kMostWordBytes = 100;
  Tx& tx_;
  const Sealer* sealer_;
  Id server_id_;
  domain::State state_;
  ServerRow row_;
};

}  // namespace

struct ObserveStore::Impl {
  Impl(const Database& database, const Sealer* with) : db(database, "observe"), sealer(with) {}
  Db db;
  const Sealer* sealer;
};

ObserveStore::ObserveStore(const Database& database, const Sealer* sealer)
    : impl_(std::make_unique<Impl>(database, sealer)) {}
ObserveStore::~ObserveStore() = default;

Result<std::vector<Id>> ObserveStore::claim(const std::string& worker_id, const std::vector<Id>& active, int most,
                                            std::chrono::milliseconds dead_after, bool failing) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<Id>> {
    tx.run("observe_relaxed");
    tx.run("observe_enlist");
    std::vector<Id> servers;
    for (const auto& row :
         tx.run("observe_claim", worker_id, most, std::int64_t{dead_after.count()}, array_of(active), failing)) {
      servers.push_back(int_at(row, 0));
    }
    return servers;
  });
}

Result<std::optional<PlannedLook>> ObserveStore::plan(const std::string& worker_id, Id server_id) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::optional<PlannedLook>> {
    const auto rows = tx.run("observe_stand", server_id);
    domain::State state;
    if (!rows.empty()) load_servers(tx, {server_id}, state);
    const domain::Server* server = state.server(server_id);
    if (server == nullptr || !server->word) {
      tx.run("observe_release", server_id, worker_id, 0);
      return std::optional<PlannedLook>();
    }
    return std::optional(PlannedLook{*server, int_at(rows[0], 0), int_at(rows[0], 1), bool_at(rows[0], 2)});
  });
}

Result<Looked> ObserveStore::finish(const std::string& worker_id, const PlannedLook& look,
                                    const wireguard::HostObservation& seen, const LookTimes& times) {
  return impl_->db.transact([&](Tx& tx) -> Result<Looked> {
    Round round(tx, impl_->sealer, look.server.id);
    if (!round.lock(worker_id)) return tl::unexpected(overtaken());
    return round.store(look, seen, times);
  });
}

Result<Looked> ObserveStore::fail(const std::string& worker_id, const PlannedLook& look, const Error& why,
                                  const LookTimes& times) {
  return impl_->db.transact([&](Tx& tx) -> Result<Looked> {
    Round round(tx, impl_->sealer, look.server.id);
    if (!round.lock(worker_id)) return tl::unexpected(overtaken());
    return round.store_failure(why, times);
  });
}

Result<void> ObserveStore::release(const std::string& worker_id, Id server_id, std::chrono::milliseconds retry_in) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.run("observe_release", server_id, worker_id, std::int64_t{retry_in.count()});
    return {};
  });
}

Result<int> ObserveStore::prune_log(int retention_days, int most) {
  return impl_->db.transact([&](Tx& tx) -> Result<int> {
    tx.run("observe_relaxed");
    return static_cast<int>(tx.run("observe_prune", retention_days, most).affected_rows());
  });
}

}  // namespace peerwright::store
