#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/domain/decision.hpp"

// One struct per kind of inbound event, what it names, and the decision about it. The functions are pure: they read the
// state and answer; they neither change it nor fail. In an event that changes a part of something, an absent member
// (nullopt) leaves that part as it is.
namespace peerwright::domain {

struct TenantSet {
  std::string tenant;
  std::optional<std::int64_t> max_peers;  // nullopt: no limit
  std::map<std::string, std::int64_t> plans;
  int reservations_per_hour = 5;
  std::optional<int> suspensions_limit;
  int suspensions_window_seconds = 3600;
  MassAction suspensions_action = MassAction::alert;
  std::vector<wireguard::GardenDestination> garden;
  std::string recipient_key;
  std::vector<std::string> dns;
};
Refs refs_of(const TenantSet& event);
Decision decide(const TenantSet& event, const Word& word, const State& state);

// What awaits an operator's approval for one customer or subscriber of a tenant: let it take effect, or drop it.
struct TenantApprove {
  std::string tenant;
  std::string customer;  // one of the two
  std::string subscriber;
  bool approved = true;
};
Refs refs_of(const TenantApprove& event);
Decision decide(const TenantApprove& event, const Word& word, const State& state);

struct NetworkSet {
  std::string network;
  std::optional<wireguard::Prefix> net4;  // at least one of the two
  std::optional<wireguard::Prefix> net6;
  std::vector<wireguard::Prefix> reserved;  // single addresses that are never handed out, the servers' own among them
  int quarantine_seconds = 0;
  std::vector<wireguard::Prefix> forbidden{};
  bool allow_public = false;
};
Refs refs_of(const NetworkSet& event);
Decision decide(const NetworkSet& event, const Word& word, const State& state);

// Settings of a server that an update may change; register says all of them.
struct ServerSettings {
  std::optional<std::string> ssh_host;
  std::optional<int> ssh_port;
  std::optional<std::string> ssh_user;
  std::optional<std::string> ssh_host_key;
  std::optional<wireguard::WayIn> ssh_way;
  std::optional<std::optional<JumpHost>> ssh_jump;
  std::optional<std::string> exec_prefix;
  std::optional<std::string> endpoint;
  std::optional<int> mtu;
  std::optional<std::vector<std::string>> dns;
  std::optional<int> keepalive_seconds;
  std::optional<std::int64_t> max_peers;
  std::optional<std::string> region;
  std::optional<std::string> location;
  std::optional<std::string> description;
  std::optional<int> listen_port;
  std::optional<std::optional<wireguard::RuleAction>> default_action;
  std::optional<std::vector<wireguard::PortUse>> tunnel_only_ports;
  std::optional<bool> masquerade;
  std::optional<std::string> drift_policy;
  std::optional<std::string> metadata;
  std::optional<std::string> post_up;
  std::optional<std::string> post_down;
};

struct ServerRegister {
  std::string server;
  std::string network;
  std::string ssh_host;
  int ssh_port = 22;
  std::string ssh_user;
  std::string ssh_host_key;
  wireguard::WayIn ssh_way = wireguard::WayIn::shell;
  std::optional<JumpHost> ssh_jump;
  std::string exec_prefix;
  std::string interface;
  std::string config_path;
  std::string public_key;  // empty: taken from the first reading
  std::string endpoint;
  int mtu = 0;
  std::vector<std::string> dns;
  int keepalive_seconds = 0;
  std::int64_t max_peers = 0;
  std::string owner;      // a tenant; empty: shared
  ServerSettings more{};  // of it, the members that stand after max_peers
};
Refs refs_of(const ServerRegister& event);
Decision decide(const ServerRegister& event, const Word& word, const State& state);

struct ServerUpdate {
  std::string server;
  ServerSettings settings;
};
Refs refs_of(const ServerUpdate& event);
Decision decide(const ServerUpdate& event, const Word& word, const State& state);

// No new peers are placed there; or they are again.
struct ServerDrain {
  std::string server;
  bool on = true;
};
Refs refs_of(const ServerDrain& event);
Decision decide(const ServerDrain& event, const Word& word, const State& state);

// Its pushes are held, and nothing else; or they go on.
struct ServerMaintenance {
  std::string server;
  bool on = true;
};
Refs refs_of(const ServerMaintenance& event);
Decision decide(const ServerMaintenance& event, const Word& word, const State& state);

struct ServerRetire {
  std::string server;
  std::string operator_word;  // why the host is gone without a proof; empty: the proof is waited for
};
Refs refs_of(const ServerRetire& event);
Decision decide(const ServerRetire& event, const Word& word, const State& state);

// The interface gets a key pair that the worker made (Prepared); its peers' configurations are issued again.
struct ServerRotateKey {
  std::string server;
};
Refs refs_of(const ServerRotateKey& event);
Decision decide(const ServerRotateKey& event, const Word& word, const State& state);

// Read and repair now; or only read.
struct ServerReconcile {
  std::string server;
};
Refs refs_of(const ServerReconcile& event);
Decision decide(const ServerReconcile& event, const Word& word, const State& state);
// The guard has stopped removals that no event caused: let them happen, or leave those keys alone for good.
struct ServerApprove {
  std::string server;
  std::optional<int> keys;  // how many were seen to be held: more of them are not approved of
  bool approved = true;
  std::string digest{};  // of the very keys that were seen (Server::guard_digest); empty: whichever they are
};
Refs refs_of(const ServerApprove& event);
Decision decide(const ServerApprove& event, const Word& word, const State& state);
// The keys that stand on the host and that nobody knows become peers of the tenant, as they stand.
struct ServerImport {
  std::string server;
  std::string tenant;  // empty: the server's owner
};
Refs refs_of(const ServerImport& event);
Decision decide(const ServerImport& event, const Word& word, const State& state);
struct ServerObserve {
  std::string server;
};
Refs refs_of(const ServerObserve& event);
Decision decide(const ServerObserve& event, const Word& word, const State& state);

// What provision and reservation have in common: who, and where.
struct Placement {
  std::string tenant;
  std::string peer;
  std::string customer;    // may be empty; with a subscriber only
  std::string subscriber;  // may be empty
  std::string server;      // or
  std::string region;      // or neither, for a peer that is reserved
  std::string plan;        // may be empty
  std::string address;     // asked for; empty: the next
};

// Settings of a peer that an update may change.
struct PeerSettings {
  std::optional<std::string> display_name;
  std::optional<std::string> user_id;
  std::optional<std::string> description;
  std::optional<std::string> endpoint;
  std::optional<std::vector<std::string>> client_routes;
  std::optional<std::vector<std::string>> site_networks;
  std::optional<int> keepalive_seconds;      // the client's
  std::optional<int> hub_keepalive_seconds;  // the host's towards it
  std::optional<std::vector<std::string>> dns;
  std::optional<int> mtu;
  std::optional<std::optional<Time>> expires_at;  // said without a time: it does not expire
  std::optional<std::int64_t> quota_bytes;
  std::optional<std::string> metadata;
  bool preshared_key = false;        // a new one: what Prepared holds
  std::string sealed_preshared_key;  // as it was sent, sealed to the intake key; empty: it is made here
};

struct ReservationCreate {
  Placement place;
  std::int64_t ttl_seconds = 86'400;  // counted from the broker's time of the message
  PeerSettings settings;
};
Refs refs_of(const ReservationCreate& event);
Decision decide(const ReservationCreate& event, const Word& word, const State& state);

// Whatever is overdue expires at the next sweep; the decision is only recorded.
struct ReservationCleanup {
  std::string tenant;  // empty: of all
};
Refs refs_of(const ReservationCleanup& event);
Decision decide(const ReservationCleanup& event, const Word& word, const State& state);

struct PeerProvision {
  Placement place;
  PeerType type = PeerType::client;
  std::string public_key;  // empty: a pair is made for the client (Prepared)
  PeerSettings settings;
};
Refs refs_of(const PeerProvision& event);
Decision decide(const PeerProvision& event, const Word& word, const State& state);

struct PeerUpdate {
  std::string tenant;
  std::string peer;
  PeerSettings settings;
};
Refs refs_of(const PeerUpdate& event);
Decision decide(const PeerUpdate& event, const Word& word, const State& state);

struct PeerMove {
  std::string tenant;
  std::string peer;
  std::string server;  // or
  std::string region;
};
Refs refs_of(const PeerMove& event);
Decision decide(const PeerMove& event, const Word& word, const State& state);

struct PeerRotateKey {
  std::string tenant;
  std::string peer;
  std::string public_key;             // empty: a pair is made for the client (Prepared)
  std::int64_t stage_seconds = 3600;  // the old key goes then at the latest; 0: at once
};
Refs refs_of(const PeerRotateKey& event);
Decision decide(const PeerRotateKey& event, const Word& word, const State& state);

// How a suspension goes on. Times are counted from the broker's time of the message.
struct HoldPlan {
  HoldLevel level = HoldLevel::cut;  // once the grace is over: walled_garden or cut
  std::optional<Time> effective_at;  // nullopt: now
  std::int64_t grace_seconds = 0;
  std::int64_t garden_seconds = 0;         // walled_garden: then cut; 0: it stays
  std::int64_t release_after_seconds = 0;  // after the cut; 0: never
};

// peer.suspend and peer.resume
struct PeerHold {
  std::string tenant;
  std::string peer;
  bool held = true;
  std::string reason;
  HoldPlan plan{};
};
Refs refs_of(const PeerHold& event);
Decision decide(const PeerHold& event, const Word& word, const State& state);

struct PeerRevoke {
  std::string tenant;
  std::string peer;
  std::string reason;
};
Refs refs_of(const PeerRevoke& event);
Decision decide(const PeerRevoke& event, const Word& word, const State& state);

// subscriber.suspend and subscriber.resume
struct SubscriberHold {
  std::string tenant;
  std::string subscriber;  // or
  std::string customer;    // all of its subscribers
  bool held = true;
  std::string reason;
  HoldPlan plan{};
};
Refs refs_of(const SubscriberHold& event);
Decision decide(const SubscriberHold& event, const Word& word, const State& state);

struct SubscriberRevoke {
  std::string tenant;
  std::string subscriber;  // or
  std::string customer;
  std::string reason;
};
Refs refs_of(const SubscriberRevoke& event);
Decision decide(const SubscriberRevoke& event, const Word& word, const State& state);

struct RuleSet {
  std::string tenant;
  std::string rule;
  std::string source_peer;  // empty: all of the tenant's
  std::string dest_peer;
  int dest_port = 0;
  wireguard::RuleProtocol dest_protocol = wireguard::RuleProtocol::any;
  wireguard::RuleAction action = wireguard::RuleAction::deny;
  int priority = 100;
};
Refs refs_of(const RuleSet& event);
Decision decide(const RuleSet& event, const Word& word, const State& state);

struct RuleRemove {
  std::string tenant;
  std::string rule;
};
Refs refs_of(const RuleRemove& event);
Decision decide(const RuleRemove& event, const Word& word, const State& state);

// mesh.set, link.set (two members) and link.remove (none)
struct MeshSet {
  std::string mesh;  // "mesh/NAME" or "link/NAME"
  bool active = true;
  std::vector<MeshMember> members;
};
Refs refs_of(const MeshSet& event);
Decision decide(const MeshSet& event, const Word& word, const State& state);

// A timer fell due, and intake has caught up past it: what the subject's own state says is due now is decided. Answers
// an `unchanged` decision that ends the timer where nothing is. The cause of what follows is "timer/KIND".
Decision decide_timer(const Timer& timer, const State& state);

}  // namespace peerwright::domain
