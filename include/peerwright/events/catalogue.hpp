#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/domain/decision.hpp"
#include "peerwright/events/envelope.hpp"

namespace peerwright::events {

// The secrets that an event brings or asks for. The worker opens or makes them, outside of the transaction, and seals
// them for the database (domain::Prepared).
struct SecretsWanted {
  std::string sealed_preshared_key;  // as it was sent: base64 of a box sealed to the intake key; empty: none was sent
  bool makes_preshared_key = false;
  bool makes_client_key = false;  // a key pair for the client
  bool makes_server_key = false;  // a key pair for a server's interface
  std::string place;              // "peers/TENANT/PEER" or "servers/NAME": what is sealed lies at PLACE/preshared_key,
                                  // PLACE/client_key or PLACE/private_key
  [[nodiscard]] bool any() const {
    return !sealed_preshared_key.empty() || makes_preshared_key || makes_client_key || makes_server_key;
  }
};

// An inbound event that was read and found valid; what it does is bound into `decide`, which owns all that it needs.
struct Event {
  Envelope envelope;
  domain::Refs refs;
  std::string key;  // the Kafka key that its subject should have: key_of(refs), "installation" where that is empty
  std::string payload_hash;  // SHA-256 (32 bytes) over type and data: what "the same event again" is judged by. It is
                             // the same for both modes, any order of members and any white space.
  SecretsWanted secrets;
  bool waits = true;    // for an earlier event of its subject that is kept for a newer version: it sets configuration
  bool sweeps = false;  // whatever is overdue is to be looked at now
  std::function<domain::Decision(const domain::Word&, const domain::State&)> decide;
};

// One row per inbound event type. The table itself (src/events/catalogue.cpp) is the only place that knows them all.
struct CatalogueRow {
  std::string_view name;    // peer.provision
  std::string_view type;    // peerwright.peer.provision.v1
  std::string_view schema;  // file name under schemas/
};
std::span<const CatalogueRow> catalogue();

// Reads one message: limits, envelope, schema, decoder. Errors, all permanent, each with a line or a JSON pointer in
// the message and a remedy:
//   `message_too_large`  more than kMaxMessageBytes, or more than kMaxValues values
//   `not_utf8`, `not_json` (a member that stands twice is one of these), `too_deep`, `string_too_long`
//   `envelope_invalid`   an attribute is missing, too long or malformed, or the mode cannot be told
//   `unknown_type`       a newer version may know it
//   `schema_violation`, `key_invalid`, `prefix_invalid`, `value_invalid`: their pointers start at the data (at the
//                        message for a NUL, which is a `value_invalid` too)
// No message repeats a value of the data, which could be a secret in the wrong field. Safe from several threads; the
// first call in each costs some milliseconds more.
Result<Event> decode(const RawMessage& message);

// What can be said of the sender of a message that decode refused, as far as it can be read: for dead letters. Whatever
// comes, the fields are valid UTF-8 without control characters, of at most kMaxAttributeBytes.
struct Sender {
  std::string id;
  std::string source;
  std::string type;
};
Sender sender_of(const RawMessage& message);

}  // namespace peerwright::events
