#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/domain/state.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

struct PeerView {
  domain::Peer peer;     // with the names of its tenant and subscriber
  std::string customer;  // empty: none
  std::string server;    // empty: none
  std::string region;    // of the server
  std::string network;   // empty: none
  std::vector<std::string> addresses;
};

// Empty texts do not filter. `after_*`: the last one of the page before.
struct PeerFilter {
  std::string tenant;
  std::string customer;
  std::string subscriber;
  std::string server;
  std::string region;
  std::string plan;
  std::optional<domain::PeerType> type;
  std::optional<domain::Entitlement> entitlement;
  std::optional<domain::Delivery> delivery;
  std::string after_tenant;
  std::string after_peer;
  int limit = 0;
};

// `status`: active, draining, retired, maintenance, or a state of delivery (due, failing, doubt, proven).
struct ServerFilter {
  std::string tenant;  // that owns it
  std::string region;
  std::string status;
  std::string after;
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
  std::string owner;    // a tenant's name; empty: shared
  std::string network;  // empty: none
  DeliveryView delivery;
};

// What was observed of a peer last; nullopt in PeerDetail: nothing yet.
struct RuntimeView {
  std::string connectivity;
  std::optional<Time> since;
  std::optional<Time> last_handshake_at;
  std::string endpoint;
  std::int64_t rx_bytes = 0;  // since it was provisioned
  std::int64_t tx_bytes = 0;
};

struct TimerView {
  domain::TimerKind kind = domain::TimerKind::expiry;
  Time due_at;
};

struct PeerDetail {
  PeerView view;
  std::vector<domain::Hold> holds;  // its own, its subscriber's and its customer's, lifted ones too
  std::vector<TimerView> timers;    // of itself and of those holds, the earliest first
  std::optional<RuntimeView> runtime;
  std::vector<std::string> tenant_dns;
  std::optional<ServerView> server;  // where it has one
  bool fanning_out = false;          // its subscriber's holds are still being carried to the peers
};

// A key on the host that is nobody's, as a reading has shown it.
inline constexpr int kMostForeign = 100;
struct ForeignView {
  std::string public_key;
  std::vector<std::string> allowed_ips;
  std::string state;  // seen, held, kept, removing
  Time since;
};

struct ServerDetail {
  ServerView view;
  std::map<std::string, std::int64_t> by_entitlement;
  std::map<std::string, std::int64_t> by_delivery;
  std::vector<ForeignView> foreign;  // up to kMostForeign
};

struct TenantView {
  domain::Tenant tenant;
  std::int64_t customers = 0;
  std::int64_t subscribers = 0;
  std::int64_t awaiting = 0;  // suspensions that an operator has to approve
};

// A customer, or one of its subscribers.
struct SubjectView {
  std::string tenant;
  std::string customer;    // of a subscriber: empty where it has none
  std::string subscriber;  // empty: the customer itself
  domain::Id id = 0;
  std::int64_t version = 0;
  bool revoked = false;
  std::optional<Time> released_at;
  std::int64_t subscribers = 0;  // of a customer
  std::int64_t peers = 0;        // reserved or provisioned
  std::vector<domain::Hold> holds;
};
struct SubjectFilter {
  std::string tenant;
  std::string customer;  // of subscribers
  std::string after_tenant;
  std::string after_name;
  int limit = 0;
};

struct NetworkView {
  domain::Network network;
  std::int64_t addresses = 0;  // that could be handed out, but for the reserved ones
  std::int64_t held = 0;
  std::int64_t resting = 0;  // in quarantine
  std::int64_t free = 0;     // could be handed out now
  std::int64_t servers = 0;
};

struct RuleView {
  domain::AccessRule rule;
  std::string tenant;
  std::string source;  // empty: all of the tenant's
  std::string dest;
};

struct LinkView {
  std::string server, other, endpoint;
  std::vector<std::string> allowed_ips;
  bool has_key = false;
  bool wanted = true;
  bool applied = false;
};
struct MeshView {
  domain::Mesh mesh;
  std::vector<LinkView> links;
};

// Who held an address.
struct HolderView {
  std::string tenant, peer, network;
  Time from;
  std::optional<Time> until;  // nullopt: still
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
  std::string state;  // open, replay (asked for), replayed, discarded
  bool kept = false;  // of a type or version that a newer worker may know
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
  std::int64_t held = 0;          // of those open, on servers in maintenance
  bool fanning_out = false;       // there are peers that the decision has not reached yet
  std::optional<Time> proven_at;  // the last proof of the servers concerned
  // The last failure of a server on which something is open; empty: none.
  std::string failing_server, error_code, error_message;
};

// The peer's preshared key, opened; empty where it has none. Errors: those of Sealer::open.
Result<Secret> preshared_key_of(const domain::Peer& peer, const Sealer& sealer);

// The private key of the server's interface, opened; empty where none is stored. The same errors.
Result<Secret> private_key_of(const domain::Server& server, const Sealer& sealer);

// Questions of people to the database. Read-only transactions; it selects no secret but sealed ones. Lists answer at
// most `limit` rows, in the order of their names or ids, behind the one given as the last. One thread uses it.
class QueryStore {
 public:
  explicit QueryStore(const Database& database);  // `database` outlives it
  ~QueryStore();

  Result<std::vector<PeerView>> peers(const PeerFilter& filter);
  Result<std::optional<PeerDetail>> peer(const std::string& tenant, const std::string& name);
  Result<std::vector<ServerView>> servers(const ServerFilter& filter);
  Result<std::optional<ServerDetail>> server(const std::string& name);
  Result<std::vector<TenantView>> tenants(const std::string& after, int limit);
  Result<std::optional<TenantView>> tenant(const std::string& name);  // with its plans
  Result<std::vector<SubjectView>> customers(const SubjectFilter& filter);
  Result<std::optional<SubjectView>> customer(const std::string& tenant, const std::string& name);
  Result<std::vector<SubjectView>> subscribers(const SubjectFilter& filter);
  Result<std::optional<SubjectView>> subscriber(const std::string& tenant, const std::string& name);
  Result<std::vector<NetworkView>> networks(const std::string& after, int limit);
  Result<std::optional<NetworkView>> network(const std::string& name);
  Result<std::vector<RuleView>> rules(const SubjectFilter& filter);
  Result<std::vector<MeshView>> meshes(const std::string& after, int limit);  // without their links
  Result<std::optional<MeshView>> mesh(const std::string& name);
  // At that time, or now; more than one where several networks have the address.
  Result<std::vector<HolderView>> holders(const wireguard::Prefix& address, std::optional<Time> at);
  // `state`: of these alone; empty: all.
  Result<std::vector<DeadLetterView>> dead_letters(std::int64_t after_id, int limit, const std::string& state = {});
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
