#pragma once

#include <cstddef>
#include <cstdint>
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

// The Kafka key of what an event names: "tenant/subscriber", else "tenant/peer", "server/NAME", "network/NAME",
// "tenant". Statuses have the key of their own subject: a peer's is always "tenant/peer".
std::string key_of(const domain::Refs& refs);

// Id "peer.status/TENANT/PEER/VERSION": the caller raises the version for each new status. `server` and `network` may
// be null where the peer has none. `latency_ms` (decision to proof) is said when >= 0. An active or suspended peer with
// a server has a member `client`: all that the client's configuration needs but its private key.
Outbound peer_status(const domain::Peer& peer, const domain::Server* server, const domain::Network* network,
                     std::int64_t latency_ms);
// Id "subscriber.status/TENANT/SUBSCRIBER/VERSION".
Outbound subscriber_status(const std::string& tenant, const domain::Subscriber& subscriber, bool held,
                           const std::string& cause);
// Id "server.status/SERVER/VERSION". `network` names the network, where it is at hand.
Outbound server_status(const domain::Server& server, const std::string& cause,
                       const domain::Network* network = nullptr);
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

// The audit entry of one decision: outcome, code, cause, and after-images of what changed (no secrets). JSON text.
std::string audit_body(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                       const domain::Decision& decision);

// The headers of an outbound message in CloudEvents' binary mode.
std::vector<std::pair<std::string, std::string>> headers_of(const Outbound& out, const std::string& time_rfc3339);

}  // namespace peerwright::events
