#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/clock.hpp"
#include "peerwright/domain/word.hpp"
#include "peerwright/wireguard/prefix.hpp"

// The things that decisions are about, as the database holds them. Plain values; ids are the database's.
namespace peerwright::domain {

using Id = std::int64_t;

struct Tenant {
  Id id = 0;
  std::string name;
};

struct Subscriber {
  Id id = 0;
  Id tenant_id = 0;
  std::string name;
  std::int64_t version = 0;  // of its status
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
  std::string exec_prefix;
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
};

enum class Stage { unknown, provisioned, revoked };
enum class Entitlement { unprovisioned, active, suspended, revoked };
enum class Delivery { none, pending, applied, failed };

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

  [[nodiscard]] Delivery delivery() const {
    if (!server_id || generation == 0) return Delivery::none;
    if (applied_generation >= generation) return Delivery::applied;
    return delivery_error.empty() ? Delivery::pending : Delivery::failed;
  }
};

enum class ScopeKind { subscriber, peer };
struct Scope {
  ScopeKind kind = ScopeKind::peer;
  Id id = 0;
  auto operator<=>(const Scope&) const = default;
};

// A reason why someone is off: a last-write register of its owner. A lifted one stays, for it may be newer than a
// suspension that is still to be read.
struct Hold {
  Scope scope;
  std::string owner;
  bool held = false;
  std::string reason;
  Word word;
};

// A key that has to go from a host, and stays listed until it is proven gone.
struct Removal {
  Id server_id = 0;
  std::string public_key;
  Id peer_id = 0;
  bool wanted_gone = true;  // false: the key is wanted again, the row goes
};

const char* name_of(Stage stage);
const char* name_of(Entitlement entitlement);
const char* name_of(Delivery delivery);
const char* name_of(ScopeKind kind);
std::optional<Stage> stage_from(std::string_view name);
std::optional<Entitlement> entitlement_from(std::string_view name);

// The peer's addresses in its network, each with its full length; empty without an offset.
std::vector<std::string> addresses_of(const Peer& peer, const Network& network);

}  // namespace peerwright::domain
