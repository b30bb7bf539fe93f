#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/clock.hpp"
#include "peerwright/domain/word.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/prefix.hpp"
#include "peerwright/wireguard/way_in.hpp"

// The things that decisions are about, as the database holds them. Plain values; ids are the database's.
namespace peerwright::domain {

using Id = std::int64_t;

struct PlanLimit {
  std::int64_t max_peers = 0;
  std::int64_t peer_count = 0;
  bool listed = true;  // false: no longer in the tenant's settings, still counted
};

// What is done where more are suspended within the window than the limit says.
enum class MassAction { alert, approve };

struct Tenant {
  Id id = 0;
  std::string name;
  std::int64_t version = 0;               // of its status
  std::optional<Word> word;               // of its settings; nullopt: nobody has set it, the defaults hold
  std::optional<std::int64_t> max_peers;  // nullopt: no limit
  std::int64_t peer_count = 0;            // reserved, or provisioned and not revoked
  std::map<std::string, PlanLimit> plans;
  int reservations_per_hour = 5;
  std::vector<Time> reserved_at;         // the reservations of the last hour, the oldest first
  std::optional<int> suspensions_limit;  // within the window
  int suspensions_window_seconds = 3600;
  MassAction suspensions_action = MassAction::alert;
  Time suspensions_since;  // when the current window began
  int suspensions_count = 0;
  std::vector<wireguard::GardenDestination> garden;  // what stays reachable in the walled garden
  std::string recipient_key;                         // X25519, base64; what is made for its clients is sealed to it
  std::vector<std::string> dns;                      // for its clients; empty: the server's
};

struct Customer {
  Id id = 0;
  Id tenant_id = 0;
  std::string name;
  std::int64_t version = 0;
  std::optional<Time> released_at;  // peers that were provisioned up to then are revoked
  bool revoked = false;             // for ever: nothing is provisioned again
};

struct Subscriber {
  Id id = 0;
  Id tenant_id = 0;
  std::string name;
  std::int64_t version = 0;  // of its status
  std::optional<Id> customer_id{};
  std::optional<Time> released_at{};
  bool revoked = false;
};

// An address space. One offset stands for one peer: IPv4 = net4 + offset, IPv6 = net6 + offset.
struct Network {
  Id id = 0;
  std::string name;
  std::optional<wireguard::Prefix> net4;
  std::optional<wireguard::Prefix> net6;
  std::vector<std::int64_t> reserved;  // offsets never handed out (servers' own and those kept back), sorted
  std::int64_t next_offset = 1;        // the counter: offsets below it were handed out once
  int quarantine_seconds = 0;          // from the proof of the removal until the offset is given again
  std::optional<Word> word;            // of its configuration; nullopt: named by somebody, not yet set
  std::vector<std::int64_t> free;      // released offsets whose quarantine has passed, oldest first; a part of them
  std::vector<std::int64_t> ahead;     // offsets at or above the counter that are not to be taken by it, sorted
  std::vector<wireguard::Prefix> forbidden;  // what tunnel traffic must not reach
  bool allow_public = false;                 // whether ranges of public addresses may be used
};

enum class ServerState { active, draining, retired };

// By way of which a host is logged in to that cannot be reached from here.
struct JumpHost {
  std::string host;
  int port = 22;
  std::string user;
  std::string host_key;
  bool operator==(const JumpHost&) const = default;
};

// One WireGuard interface on one VPS host.
struct Server {
  Id id = 0;
  std::string name;
  std::optional<Id> network_id;
  std::string ssh_host;
  int ssh_port = 22;
  std::string ssh_user;
  std::string ssh_host_key;
  wireguard::WayIn ssh_way = wireguard::WayIn::shell;
  std::optional<JumpHost> ssh_jump;
  std::string exec_prefix;  // with the way shell only
  std::string interface;
  std::string config_path;
  std::string public_key;  // of the interface; empty until told or read
  std::string endpoint;    // host:port for clients
  int mtu = 0;             // 0: not told to clients
  std::vector<std::string> dns;
  int keepalive_seconds = 0;  // recommended to clients
  std::int64_t max_peers = 0;
  std::int64_t peer_count = 0;  // provisioned and not revoked
  std::int64_t generation = 0;  // version of its desired state
  std::int64_t version = 0;     // of its status
  std::optional<Word> word;     // of its configuration; nullopt: not registered
  std::optional<Id> owner_tenant_id;
  ServerState state = ServerState::active;
  bool maintenance = false;  // pushes are held
  std::string region;        // where peers that name none are placed
  std::string location;
  std::string description;
  int listen_port = 51820;
  std::optional<wireguard::RuleAction> default_action;  // between peers; nullopt: not filtered
  std::vector<wireguard::PortUse> tunnel_only_ports;
  bool masquerade = false;
  std::string drift_policy = "repair";  // repair, adopt, report
  std::string metadata = "{}";          // JSON object
  std::string private_key_sealed;       // base64; place servers/NAME/private_key
  std::string key_wanted;               // its public key, while the host does not have it yet
  std::optional<Time> key_since;
  std::string post_up;  // shown, never executed
  std::string post_down;
  std::string retired_word;  // an operator's word that the host is gone
  int guard_held = 0;        // keys that no event made go, and that an operator has to approve of; see domain/guard.hpp
  std::string guard_digest;  // of these very keys; empty: none
  std::string created_by;    // sources
  std::string updated_by;
  std::optional<Time> retired_proven_at{};  // when it was read that none of its keys is left on the host
};

enum class Stage { unknown, reserved, provisioned, revoked };
enum class Entitlement { unprovisioned, reserved, active, walled_garden, suspended, expired, revoked };
enum class Delivery { none, pending, applied, failed };
enum class PeerType { client, service, gateway };
enum class Reservation { none, reserved, activated, expired };

// Whether a peer so entitled has its key on the host.
bool on_host(Entitlement entitlement);

struct Peer {
  Id id = 0;
  Id tenant_id = 0;
  std::string tenant;
  std::string name;
  Stage stage = Stage::unknown;
  Entitlement entitlement = Entitlement::unprovisioned;  // as last decided; plans compute it anew from the holds
  std::optional<Id> subscriber_id;
  std::string subscriber;
  std::optional<Id> server_id;
  std::optional<Id> network_id;
  std::optional<std::int64_t> address_offset;
  std::string public_key;
  std::string description;
  std::vector<std::string> client_routes;  // AllowedIPs of the client's own configuration
  int keepalive_seconds = 0;
  std::optional<Word> word;             // of its configuration
  std::string cause;                    // source and id of the event that changed it last: "SOURCE/ID"
  Time changed_at;                      // when that was decided
  std::int64_t version = 0;             // of its status
  std::int64_t generation = 0;          // of the server's desired state in which it changed last
  std::int64_t applied_generation = 0;  // the last one proven on the host
  std::string delivery_error;           // code of what the host refuses for ever; empty: nothing
  std::string display_name;
  std::string user_id;
  PeerType type = PeerType::client;
  std::string plan;                        // counted against the tenant's limit of that name; empty: none
  std::string endpoint;                    // where the peer itself is reachable, host:port; empty: it calls
  std::vector<std::string> site_networks;  // prefixes behind it: hub-side allowed IPs beside its addresses
  std::vector<std::string> dns;            // empty: the tenant's, else the server's
  int mtu = 0;                             // 0: the server's
  int hub_keepalive_seconds = 0;           // the host's keepalive towards it
  std::string metadata = "{}";             // JSON object
  std::optional<Time> expires_at;
  bool expired = false;          // said by the timer, which waits until intake has caught up
  std::int64_t quota_bytes = 0;  // 0: none
  bool over_quota = false;       // said by the timer
  Reservation reservation = Reservation::none;
  std::optional<Time> reserved_until;
  std::optional<Time> provisioned_at;
  std::string preshared_key_sealed;  // base64; place peers/TENANT/PEER/preshared_key; empty: none
  std::string preshared_key_hash;    // SHA-256, hexadecimal
  std::string client_key_sealed;     // a private key made for the client; place peers/TENANT/PEER/client_key
  std::string staged_key;            // the next public key: on the host without addresses until its first handshake
  std::optional<Time> staged_until;  // or until then
  std::string staged_client_key_sealed;
  std::string created_by;  // source
  // Found on its host by an import, and named by nobody yet: a provision with its key claims it.
  bool adopted = false;
  bool preshared_key_unknown = false;  // the host has one that nobody has told us: it is never pushed

  [[nodiscard]] Delivery delivery() const {
    if (!server_id || generation == 0) return Delivery::none;
    if (applied_generation >= generation) return Delivery::applied;
    return delivery_error.empty() ? Delivery::pending : Delivery::failed;
  }
};

enum class ScopeKind { customer, subscriber, peer };
struct Scope {
  ScopeKind kind = ScopeKind::peer;
  Id id = 0;
  auto operator<=>(const Scope&) const = default;
};

// How far a hold goes. `none`: lifted. `grace`: said, not felt yet. `awaiting`: an operator has to approve it.
// `release` is the end of a step plan only: the peers are revoked and the hold stays a cut.
enum class HoldLevel { none, grace, awaiting, walled_garden, cut, release };

struct HoldStep {
  HoldLevel level = HoldLevel::cut;
  Time at;
  bool operator==(const HoldStep&) const = default;
};

// A reason why someone is off: a last-write register of its owner. A lifted one stays, for it may be newer than a
// suspension that is still to be read.
struct Hold {
  Scope scope;
  std::string owner;
  bool held = false;  // level is walled_garden or cut
  std::string reason;
  Word word;
  HoldLevel level = HoldLevel::cut;
  std::vector<HoldStep> steps{};  // what is still to come, the earliest first
  std::optional<Time> since{};    // of the present level
};

// A key that has to go from a host, and stays listed until it is proven gone.
struct Removal {
  Id server_id = 0;
  std::string public_key;
  Id peer_id = 0;
  bool wanted_gone = true;  // false: the key is wanted again, the row goes
  // The address that comes back with the proof, where the peer itself no longer holds it (moved to another network).
  std::optional<Id> network_id{};
  std::optional<std::int64_t> address_offset{};
};

// Access between the peers of a tenant, enforced by the hubs' firewalls.
struct AccessRule {
  Id id = 0;
  Id tenant_id = 0;
  std::string name;
  bool active = false;               // false: removed
  std::optional<Id> source_peer_id;  // nullopt: all of the tenant's
  std::optional<Id> dest_peer_id;
  int dest_port = 0;  // 0: any
  wireguard::RuleProtocol dest_protocol = wireguard::RuleProtocol::any;
  wireguard::RuleAction action = wireguard::RuleAction::deny;
  int priority = 100;  // the lower first
  std::optional<Word> word;
};

// A member of a mesh or an end of a link.
struct MeshMember {
  std::string name;                      // of the server, or of the unmanaged node
  bool managed = true;                   // false: no SSH; it gets a rendered configuration
  std::string public_key;                // of an unmanaged one
  std::string endpoint;                  // host:port, the host may be a name; empty: the server's
  std::vector<std::string> allowed_ips;  // what the others send to it
  int keepalive_seconds = 0;             // of the others' entries for it
  bool operator==(const MeshMember&) const = default;
};
struct Mesh {
  Id id = 0;
  std::string name;  // "mesh/NAME" or "link/NAME"
  bool active = false;
  std::vector<MeshMember> members;
  std::int64_t version = 0;
  std::optional<Word> word;
};
// One end's entry for another end.
struct NodeLink {
  Id id = 0;  // 0: new
  Id mesh_id = 0;
  Id server_id = 0;  // on whose interface it stands
  std::string other;
  std::optional<Id> other_server_id;  // nullopt: unmanaged
  std::string public_key;             // empty until the other's is known
  std::vector<std::string> allowed_ips;
  std::string endpoint;
  int keepalive_seconds = 0;
  bool wanted = true;
  std::int64_t generation = 0;
};

enum class TimerKind { reservation, expiry, quota, hold_customer, hold_subscriber, hold_peer, rotation };
// When something has to be decided; a hint, for the subject's own state says what is due.
struct Timer {
  TimerKind kind = TimerKind::expiry;
  Id subject_id = 0;
  std::string owner;           // of holds
  std::optional<Time> due_at;  // nullopt: there is nothing to wait for any more
};

const char* name_of(Stage stage);
const char* name_of(Entitlement entitlement);
const char* name_of(Delivery delivery);
const char* name_of(ScopeKind kind);
const char* name_of(ServerState state);
const char* name_of(PeerType type);
const char* name_of(Reservation reservation);
const char* name_of(HoldLevel level);
const char* name_of(TimerKind kind);
const char* name_of(MassAction action);
std::optional<Stage> stage_from(std::string_view name);
std::optional<Entitlement> entitlement_from(std::string_view name);
std::optional<ScopeKind> scope_kind_from(std::string_view name);
std::optional<ServerState> server_state_from(std::string_view name);
std::optional<PeerType> peer_type_from(std::string_view name);
std::optional<Reservation> reservation_from(std::string_view name);
std::optional<HoldLevel> hold_level_from(std::string_view name);
std::optional<TimerKind> timer_kind_from(std::string_view name);
std::optional<MassAction> mass_action_from(std::string_view name);

// The peer's addresses in its network, each with its full length; empty without an offset.
std::vector<std::string> addresses_of(const Peer& peer, const Network& network);

}  // namespace peerwright::domain
