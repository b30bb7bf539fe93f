#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/domain/decision.hpp"

// What peerwright says: bodies of outbound events (CloudEvents, binary mode) and of audit entries. Pure: the same
// arguments give the same bytes. All text is valid UTF-8 without NUL whatever comes in: what is not, is replaced by
// U+FFFD. Members without a value are left out.
namespace peerwright::events {

// The source of everything that peerwright says.
inline constexpr const char* kOwnSource = "peerwright";

struct Outbound {
  std::string id;    // derived from its cause, so that a repetition is recognisable
  std::string type;  // peerwright.peer.status.v1
  std::string key;   // Kafka key
  std::string body;  // JSON
};

// The Kafka key of what an event names: `refs.key` where the event said one, else "tenant/subscriber", "tenant/peer",
// "tenant/customer", "tenant" (rules too), "mesh/NAME" or "link/NAME", "server/NAME", "network/NAME". Statuses have the
// key of their own subject: a peer's is always "tenant/peer".
std::string key_of(const domain::Refs& refs);

// Secrets of a client, each as a box sealed to the tenant's recipient key (base64); empty: there is none, or it is not
// to be said.
struct ClientSecrets {
  std::string preshared_key_sealed;
  std::string private_key_sealed;  // of a key pair that was made for it
};

// What is known around a peer when its status is said; all of it may be absent.
struct PeerContext {
  const domain::Server* server = nullptr;
  const domain::Network* network = nullptr;
  const domain::Tenant* tenant = nullptr;  // its DNS, where the peer has none of its own
  std::int64_t latency_ms = -1;            // from the decision to the proof; said when >= 0
  std::string customer;                    // the name
  std::string connectivity;                // never, connected, idle, disconnected; empty: not observed yet
  std::optional<Time> connectivity_since;
  std::optional<Time> last_handshake_at;
  // The times of the classic line. Absent ones are taken from the peer where it knows them (configured_at is its
  // provisioned_at), else left out.
  std::optional<Time> pending_at;
  std::optional<Time> configured_at;
  std::optional<Time> vps_ready_at;
  std::optional<Time> connected_at;  // the first time
  bool limit_missed = false;         // its delivery took longer than its limit: the classic line says failed
};

// Id "peer.status/TENANT/PEER/VERSION": the caller raises the version for each new status.
//   entitlement: unprovisioned, reserved, active, suspended (in a walled garden with "walled_garden": true), expired,
//   revoked; delivery: none, pending, applied, failed; classic.state: pending (reserved), configured (has its key),
//   vps_ready (proven on the host), connected (was so once), failed. No classic line where nothing is provisioned or
//   reserved any more.
// A peer with a server that is neither revoked nor unprovisioned has a member `client`: all that the client's
// configuration needs but a private key that it made itself. DNS is the peer's, else the tenant's, else the server's;
// the MTU the peer's, else the server's.
Outbound peer_status(const domain::Peer& peer, const PeerContext& context, const ClientSecrets& secrets = {});
Outbound peer_status(const domain::Peer& peer, const domain::Server* server, const domain::Network* network,
                     std::int64_t latency_ms, const ClientSecrets& secrets = {});

// Id "reservation.status/TENANT/PEER/VERSION", key "tenant/peer". State: reserved (with `client` and reserved_until),
// activated, expired; as peer.reservation says, which is not `none`.
Outbound reservation_status(const domain::Peer& peer, const PeerContext& context, const ClientSecrets& secrets = {});
Outbound reservation_status(const domain::Peer& peer, const domain::Server* server, const domain::Network* network,
                            const ClientSecrets& secrets = {});

// The holds of one subscriber or customer, of all owners together.
struct HoldSummary {
  domain::HoldLevel level = domain::HoldLevel::none;  // the strictest: cut, walled_garden, awaiting, grace, none
  std::optional<domain::HoldStep> next;               // what comes next, if nobody says otherwise
  std::string customer;                               // of a subscriber: whose it is; may be empty
};
// The summary of the registers that State::holds_of answers: the strictest level, the earliest step.
HoldSummary summary_of(const std::vector<const domain::Hold*>& holds);

// Id "subscriber.status/TENANT/SUBSCRIBER/VERSION", key "tenant/subscriber".
//   entitlement: active (also during a grace or while approval is awaited), suspended, revoked; level: none, grace,
//   awaiting, walled_garden, cut; next: {level: walled_garden | cut | release, at}.
Outbound subscriber_status(const std::string& tenant, const domain::Subscriber& subscriber, const HoldSummary& holds,
                           const std::string& cause);
Outbound subscriber_status(const std::string& tenant, const domain::Subscriber& subscriber, bool held,
                           const std::string& cause);
// The same of a customer: a subscriber.status with the member `customer` and without `subscriber`. Id
// "subscriber.status/TENANT/customer/CUSTOMER/VERSION", key "tenant/customer".
Outbound customer_status(const std::string& tenant, const domain::Customer& customer, const HoldSummary& holds,
                         const std::string& cause);

// Id "tenant.status/TENANT/VERSION", key "tenant": limits and how far they are used. `alert` (Decision::alert): what a
// person should look at; may be empty.
Outbound tenant_status(const domain::Tenant& tenant, const std::string& cause, const std::string& alert = {});

// What is urgent on a server and waits for its proof longer than it may.
struct UrgentWait {
  std::optional<Time> since;  // nullopt: nothing does any more
  std::int64_t keys = 0;      // how many are still to go, or to be walled in
};
// What came of an import.
struct ImportReport {
  std::string tenant;
  std::int64_t adopted = 0;
  std::map<std::string, std::int64_t> left_alone;  // code -> how many keys
};

// What is known around a server when its status is said; all of it may be absent.
struct ServerContext {
  const domain::Network* network = nullptr;
  const domain::Tenant* owner = nullptr;  // nullptr: shared, or not at hand
  std::optional<bool> reachable;
  std::optional<Time> observed_at;
  std::string error_code;                     // of the last attempt to reach or change it; empty: it went well
  std::map<std::string, std::int64_t> drift;  // kind -> count, as observed last
  std::string alert;                          // a stable code, such as of a guard stop; empty: none
  std::optional<UrgentWait> urgent_wait;      // nullopt: nothing is said of it
  std::optional<ImportReport> import{};       // that has just been made
};
// Id "server.status/SERVER/VERSION", key "server/NAME". state: active, draining, retired.
Outbound server_status(const domain::Server& server, const std::string& cause, const ServerContext& context);
Outbound server_status(const domain::Server& server, const std::string& cause,
                       const domain::Network* network = nullptr);

// Id "mesh.status/mesh/NAME/VERSION" (or link/NAME), key "mesh/NAME" (or "link/NAME"). `links` are the mesh's entries
// (State::links_of_mesh), `servers` those that the managed members name, as far as they are known. An unmanaged member
// has its `configuration`: a file for wg-quick(8) with a placeholder for its private key.
Outbound mesh_status(const domain::Mesh& mesh, const std::vector<const domain::NodeLink*>& links,
                     const std::vector<const domain::Server*>& servers, const std::string& cause);

// Traffic of one peer, counted on its server: rx is what the client sent, tx what it got.
struct Usage {
  Time from;  // the interval
  Time until;
  std::int64_t rx_bytes = 0;  // within it
  std::int64_t tx_bytes = 0;
  std::int64_t rx_bytes_total = 0;  // since the peer was provisioned
  std::int64_t tx_bytes_total = 0;
  bool online = false;
};
// Id "peer.usage/TENANT/PEER/UNTIL", where UNTIL is in microseconds since 1970; key "tenant/peer". `server` and
// `customer` are names, and may be empty.
Outbound peer_usage(const domain::Peer& peer, const Usage& usage, const std::string& server = {},
                    const std::string& customer = {});

// Id "rejected/SOURCE/ID", where % and / in SOURCE are written %25 and %2F, so that no two words share an id.
Outbound rejected(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                  const domain::Decision& decision);

struct DeadLetter {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::string id, source, type;  // as far as they could be read
  std::string code, message, remedy;
  std::size_t size_bytes = 0;
};
// Id "dead_letter/TOPIC/PARTITION/OFFSET"; only metadata, never the message's bytes.
Outbound dead_letter(const DeadLetter& letter);

// The audit entry of one decision: outcome, code, cause, and after-images of what changed: everything that a database
// is rebuilt from, secrets as they are sealed for the database (base64). `version` is that of the shape: 2; entries
// without it are of the shape before. JSON text.
std::string audit_body(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                       const domain::Decision& decision);

// The headers of an outbound message in CloudEvents' binary mode.
std::vector<std::pair<std::string, std::string>> headers_of(const Outbound& out, const std::string& time_rfc3339);

}  // namespace peerwright::events
