#include "peerwright/events/catalogue.hpp"

#include <algorithm>
#include <regex>
#include <utility>
#include <vector>

#include "decoders.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/events/outbound.hpp"
#include "read_envelope.hpp"
#include "schema.hpp"
#include "secrets.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

constexpr const char* kKeyOfAll = "installation";

using Decide = std::function<domain::Decision(const domain::Word&, const domain::State&)>;

struct Bound {
  domain::Refs refs;
  SecretsWanted secrets;
  Decide decide;
};

// How an event is taken up, beside its decision.
enum class Kind {
  configuration,  // waits where an earlier event of its subject is kept for a newer version
  order,          // a hold, a revocation, an approval, an order to look: never waits
  sweep,          // an order to look at whatever is overdue
};

struct Row {
  std::string name;
  std::string type;
  std::string schema_file;
  Schema schema;
  Kind kind = Kind::configuration;
  std::function<Result<Bound>(const Json&)> bind;
};

// Everything that is known of one type of event: its name, and how data of it becomes the struct that is decided.
template <typename Struct>
Row row(const std::string& name, Result<Struct> (*decoder)(const Json&), Kind kind = Kind::configuration) {
  const std::string schema_file = name + ".schema.json";
  return {name,
          "peerwright." + name + ".v1",
          schema_file,
          Schema(schema_file),
          kind,
          [decoder](const Json& data) -> Result<Bound> {
            auto event = decoder(data);
            if (!event) return tl::unexpected<Error>(std::move(event.error()));
            domain::Refs refs = domain::refs_of(*event);
            SecretsWanted secrets = secrets_of(*event);
            return Bound{std::move(refs), std::move(secrets),
                         [event = *std::move(event)](const domain::Word& word, const domain::State& state) {
                           return domain::decide(event, word, state);
                         }};
          }};
}

// The catalogue.
std::vector<Row> make_rows() {
  std::vector<Row> rows;
  rows.push_back(row<domain::TenantSet>("tenant.set", decode_tenant_set));
  rows.push_back(row<domain::TenantApprove>("tenant.approve", decode_tenant_approve, Kind::order));
  rows.push_back(row<domain::NetworkSet>("network.set", decode_network_set));
  rows.push_back(row<domain::ServerRegister>("server.register", decode_server_register));
  rows.push_back(row<domain::ServerUpdate>("server.update", decode_server_update));
  rows.push_back(row<domain::ServerDrain>("server.drain", decode_server_drain));
  rows.push_back(row<domain::ServerMaintenance>("server.maintenance", decode_server_maintenance));
  rows.push_back(row<domain::ServerRetire>("server.retire", decode_server_retire));
  rows.push_back(row<domain::ServerRotateKey>("server.rotate_key", decode_server_rotate_key));
  rows.push_back(row<domain::ServerReconcile>("server.reconcile", decode_server_reconcile, Kind::order));
  rows.push_back(row<domain::ServerApprove>("server.approve", decode_server_approve, Kind::order));
  rows.push_back(row<domain::ServerImport>("server.import", decode_server_import, Kind::order));
  rows.push_back(row<domain::ServerObserve>("server.observe", decode_server_observe, Kind::order));
  rows.push_back(row<domain::ReservationCreate>("reservation.create", decode_reservation_create));
  rows.push_back(row<domain::ReservationCleanup>("reservation.cleanup", decode_reservation_cleanup, Kind::sweep));
  rows.push_back(row<domain::PeerProvision>("peer.provision", decode_peer_provision));
  rows.push_back(row<domain::PeerUpdate>("peer.update", decode_peer_update));
  rows.push_back(row<domain::PeerMove>("peer.move", decode_peer_move));
  rows.push_back(row<domain::PeerRotateKey>("peer.rotate_key", decode_peer_rotate_key));
  rows.push_back(row<domain::PeerHold>("peer.suspend", decode_peer_suspend, Kind::order));
  rows.push_back(row<domain::PeerHold>("peer.resume", decode_peer_resume, Kind::order));
  rows.push_back(row<domain::PeerRevoke>("peer.revoke", decode_peer_revoke, Kind::order));
  rows.push_back(row<domain::SubscriberHold>("subscriber.suspend", decode_subscriber_suspend, Kind::order));
  rows.push_back(row<domain::SubscriberHold>("subscriber.resume", decode_subscriber_resume, Kind::order));
  rows.push_back(row<domain::SubscriberRevoke>("subscriber.revoke", decode_subscriber_revoke, Kind::order));
  rows.push_back(row<domain::RuleSet>("rule.set", decode_rule_set));
  rows.push_back(row<domain::RuleRemove>("rule.remove", decode_rule_remove));
  rows.push_back(row<domain::MeshSet>("mesh.set", decode_mesh_set));
  rows.push_back(row<domain::MeshSet>("link.set", decode_link_set));
  rows.push_back(row<domain::MeshSet>("link.remove", decode_link_remove));
  return rows;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table = make_rows();
  return table;
}

std::string hash_of(const std::string& type, const Json& data) { return sha256_raw(type + '\n' + data.dump()); }

Result<Event> decode_checked(const RawMessage& message) {
  auto opened = open_envelope(message);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  const std::string& type = opened->envelope.type;
  const auto found = std::find_if(rows().begin(), rows().end(), [&](const Row& row) { return row.type == type; });
  if (found == rows().end()) {
    return permanent("unknown_type", "there is no event type " + type,
                     "check its spelling and version; a newer peerwright may know it");
  }
  if (auto fits = found->schema.check(opened->data); !fits) return tl::unexpected<Error>(std::move(fits.error()));
  auto bound = found->bind(opened->data);
  if (!bound) return tl::unexpected<Error>(std::move(bound.error()));
  Event event;
  event.payload_hash = hash_of(type, opened->data);
  event.envelope = std::move(opened->envelope);
  event.refs = std::move(bound->refs);
  event.secrets = std::move(bound->secrets);
  event.waits = found->kind == Kind::configuration;
  event.sweeps = found->kind == Kind::sweep;
  event.key = key_of(event.refs);
  // It speaks of all tenants: any key does, as long as it is one.
  if (event.key.empty()) event.key = kKeyOfAll;
  event.decide = std::move(bound->decide);
  return event;
}

}  // namespace

std::span<const CatalogueRow> catalogue() {
  static const std::vector<CatalogueRow> table = [] {
    std::vector<CatalogueRow> made;
    for (const Row& row : rows()) made.push_back({row.name, row.type, row.schema_file});
    return made;
  }();
  return table;
}

Result<Event> decode(const RawMessage& message) {
  // Nothing is expected to throw: what the libraries throw is a schema and a decoder that do not fit each other, or a
  // pattern that gave up. Such a message must not take its whole partition down.
  try {
    return decode_checked(message);
  } catch (const Json::exception&) {
    return permanent("value_invalid", "the data could not be read though it fits its schema",
                     "report it: schema and decoder differ");
  } catch (const std::regex_error&) {
    return permanent("value_invalid", "a pattern of the schema could not be tried", "send shorter strings");
  } catch (const std::exception&) {
    // Whatever a library thinks of: no message may end the process.
    return permanent("value_invalid", "the message could not be read", "report it with the dead letter's original");
  }
}

}  // namespace peerwright::events
