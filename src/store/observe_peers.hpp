#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "changes.hpp"
#include "columns.hpp"
#include "peerwright/store/observe.hpp"

// What a look at a host says of the peers on it.
namespace peerwright::store {

// A row of peer_runtime.
struct PeerRuntime {
  std::optional<Time> handshake_at;  // by the database's clock
  std::int64_t handshake_epoch = 0;  // the same by the host's: tells whether a look shows another one
  std::string endpoint;
  std::string connectivity = "never";
  Time since;
  std::optional<Time> first_connected_at;
  std::int64_t rx_counter = 0;  // as counted last
  std::int64_t tx_counter = 0;
  std::string counter_of;  // "SERVER_ID KEY"
  std::int64_t rx_bytes = 0;
  std::int64_t tx_bytes = 0;
  Time updated_at;  // when it was counted last, and had changed
  bool operator==(const PeerRuntime&) const = default;
};

struct RuntimeRow {
  domain::Id peer_id = 0;
  std::string public_key;
  std::string staged_key;
  bool provisioned = false;
  bool applied = false;               // was so once: a handshake from before does not count
  std::optional<std::string> proven;  // as in peers
  bool wanted = false;
  std::int64_t quota_bytes = 0;
  bool over_quota = false;
  std::optional<Time> provisioned_at;
  bool is_new = true;  // there is no row of peer_runtime yet
  PeerRuntime runtime;
};
RuntimeRow runtime_row_from(const pqxx::row& row);

// One look, beside the peers.
struct Look {
  Time now;  // the database's clock
  domain::Id server_id = 0;
  std::int64_t host_epoch_seconds = 0;  // the host's clock
  bool counting = true;                 // traffic is counted by this look
  bool rebooted = false;                // all counters began anew since the last look
  std::optional<Time> observed_at;      // the look before
  std::optional<Time> counted_at;       // the last one that counted
};

struct PeerChange {
  PeerRuntime after;
  bool has_handshake = false;  // a new one
  bool transition = false;     // of its connectivity
  bool went_on_or_off = false;
  bool counted = false;
  std::int64_t rx_bytes = 0;  // counted now
  std::int64_t tx_bytes = 0;
};
// `shown`: what the host shows of its key; nullptr: nothing. Pure.
//   connected     a handshake, after the peer was applied, that is younger than kHandshakeLives
//   idle          the same without any transfer since the last counting look
//   disconnected  was one of them, and is no longer
PeerChange change_of(const RuntimeRow& row, const wireguard::ObservedPeer* shown, const Look& look);

bool is_online(const std::string& connectivity);

// All peers of one look: computes what changes, and stores and says it.
class PeerLooks {
 public:
  PeerLooks(Look look, std::map<std::string, const wireguard::ObservedPeer*> shown)
      : look_(look), shown_(std::move(shown)) {}

  void add(const RuntimeRow& row);
  // The server's row is locked and loaded, its network too. Adds to `looked`.
  void store(Tx& tx, domain::State& state, const Sealer* sealer, Looked& looked);

  [[nodiscard]] bool waiting() const { return waiting_; }  // for a handshake
  [[nodiscard]] bool more() const { return more_; }        // there were more changes than one look stores

 private:
  void note_log(const RuntimeRow& row, const PeerChange& change);
  void note_timers(const RuntimeRow& row, const PeerChange& change);
  void note_waiting(const RuntimeRow& row, const PeerChange& change);
  void say(Tx& tx, domain::State& state, const Sealer* sealer) const;

  Look look_;
  std::map<std::string, const wireguard::ObservedPeer*> shown_;
  RowWriter rows_, log_, timers_;
  Ids transitions_;
  std::map<domain::Id, events::Usage> usage_;
  Looked sums_;
  bool waiting_ = false;
  bool more_ = false;
};

}  // namespace peerwright::store
