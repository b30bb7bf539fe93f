#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/domain/state.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

struct PeerView {
  domain::Peer peer;    // with the names of its tenant and subscriber
  std::string server;   // empty: none
  std::string network;  // empty: none
  std::vector<std::string> addresses;
};

// Empty texts do not filter. `after_*`: the last one of the page before.
struct PeerFilter {
  std::string tenant;
  std::string subscriber;
  std::string server;
  std::optional<domain::Entitlement> entitlement;
  std::optional<domain::Delivery> delivery;
  std::string after_tenant;
  std::string after_peer;
  int limit = 0;
};

struct DeliveryView {
  bool due = false;
  bool urgent = false;
  std::optional<Time> due_since;
  std::optional<Time> next_attempt_at;  // only where it is due
  std::int64_t attempts = 0;            // failed ones in a row
  std::string error_code;               // of the last attempt; empty: it did not fail
  std::string error_message;
  std::int64_t push_number = 0;
  bool in_doubt = true;
  std::optional<Time> proven_at;
  std::string worker;         // that is at it; empty: none
  std::int64_t pending = 0;   // peers that are to be proven
  std::int64_t failed = 0;    // peers that the host refuses for ever
  std::int64_t removals = 0;  // keys that are to be proven gone
};

struct ServerView {
  domain::Server server;
  std::string network;  // empty: none
  DeliveryView delivery;
};

struct PeerDetail {
  PeerView view;
  std::vector<domain::Hold> holds;   // the peer's own and its subscriber's, lifted ones too
  std::optional<ServerView> server;  // where it has one
  bool fanning_out = false;          // its subscriber's holds are still being carried to the peers
};

struct ServerDetail {
  ServerView view;
  std::map<std::string, std::int64_t> by_entitlement;
  std::map<std::string, std::int64_t> by_delivery;
};

struct DeadLetterView {
  std::int64_t id = 0;
  std::string topic;
  std::int64_t partition = 0;
  std::int64_t offset = 0;
  Time broker_time;
  Time stored_at;
  std::string source, event_id, event_type;  // as far as they could be read
  std::string code, message;
};
struct DeadLetterDetail {
  DeadLetterView view;
  std::string sealed;  // what pack_original made, sealed
  std::string place;   // where it was sealed for
};

struct AuditView {
  Time at;
  std::string source, event_id, event_type, key, outcome, code;
  std::string body;                      // JSON
  std::optional<std::int64_t> chain_no;  // nullopt: not bound into the chain yet
};

// What became of an event so far.
struct Fate {
  std::optional<AuditView> decision;
  std::string payload_hash;                   // of the event of this id that was executed; empty: none was
  std::optional<DeadLetterView> dead_letter;  // of this id, younger than those already seen
};

// How far what an event speaks of is proven on the hosts.
struct Progress {
  std::int64_t concerned = 0;     // peers, or the server itself, that stand on a host
  std::int64_t open = 0;          // of those, not proven yet
  std::int64_t failed = 0;        // of those, what the host refuses for ever
  std::string failed_code;        // why, for one of them
  bool fanning_out = false;       // there are peers that the decision has not reached yet
  std::optional<Time> proven_at;  // the last proof of the servers concerned
  // The last failure of a server on which something is open; empty: none.
  std::string failing_server, error_code, error_message;
};

// Questions of people to the database. Read-only transactions; it selects no secret but sealed ones. Lists answer at
// most `limit` rows, in the order of their names or ids, behind the one given as the last. One thread uses it.
class QueryStore {
 public:
  explicit QueryStore(const Database& database);  // `database` outlives it
  ~QueryStore();

  Result<std::vector<PeerView>> peers(const PeerFilter& filter);
  Result<std::optional<PeerDetail>> peer(const std::string& tenant, const std::string& name);
  Result<std::vector<ServerView>> servers(const std::string& after, int limit);
  Result<std::optional<ServerDetail>> server(const std::string& name);
  Result<std::vector<DeadLetterView>> dead_letters(std::int64_t after_id, int limit);
  Result<std::optional<DeadLetterDetail>> dead_letter(std::int64_t id);
  Result<std::optional<AuditView>> decision(const std::string& source, const std::string& event_id);
  // How many audit rows the chain has by its head; rows are only ever added.
  Result<std::int64_t> audit_chain_length();

  Result<std::int64_t> last_dead_letter_id();
  Result<Fate> fate(const std::string& source, const std::string& event_id, std::int64_t dead_letters_seen);
  // Of the peer that `refs` names, else of all of its subscriber's, else of the server.
  Result<Progress> progress(const domain::Refs& refs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
