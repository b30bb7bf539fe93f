#include "events_samples.hpp"

#include <nlohmann/json.hpp>

namespace peerwright::events::samples {
namespace {

PeerContext context(const domain::Server& at, const domain::Network& in, const domain::Tenant& of) {
  PeerContext known;
  known.server = &at;
  known.network = &in;
  known.tenant = &of;
  known.latency_ms = 84;
  known.customer = "C-1";
  known.connectivity = "connected";
  known.connectivity_since = later(2);
  known.last_handshake_at = later(3);
  known.pending_at = kWhen - std::chrono::seconds(60);
  known.vps_ready_at = later(1);
  known.connected_at = later(2);
  return known;
}

domain::Peer said_peer() {
  domain::Peer said = full_peer();
  said.delivery_error.clear();
  said.expired = false;
  said.over_quota = false;
  return said;
}

// As the SQL functions say it (migrations/0003_classic_tables.up.sql, record_address).
Outbound sample_address() {
  return {"address.status/2f1c7a52-9f0b-4a86-8a52-0d2c5b8e6f11", "peerwright.address.status.v1", "acme/P-1",
          R"({"tenant":"acme","peer":"P-1","network":"net","address":"10.10.0.7","state":"allocated",)"
          R"("cause":"sql:operator/2f1c7a52-9f0b-4a86-8a52-0d2c5b8e6f11"})"};
}

Outbound sample_rejected() {
  domain::Refs named = refs();
  named.subscriber = "S-1";
  return rejected(word(), "peerwright.peer.provision.v1", named,
                  domain::rejected("unknown_server", "there is no server ams-1", "send server.register first"));
}

Outbound sample_dead_letter() {
  DeadLetter letter;
  letter.topic = "peerwright.events";
  letter.partition = 3;
  letter.offset = 99;
  letter.key = "acme/P-1";
  letter.id = "inv-1";
  letter.source = "billing";
  letter.type = "peerwright.peer.provision.v1";
  letter.code = "schema_violation";
  letter.message = "the data: has no member 'tenant'";
  letter.remedy = "correct the member that the message points to";
  letter.size_bytes = 412;
  return dead_letter(letter);
}

// What the publisher puts around the body.
Outbound sample_audit() {
  domain::Decision decision;
  decision.holds = {hold()};
  nlohmann::ordered_json entry;
  entry["chain_no"] = 1204;
  entry["chain_hash"] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  entry["at"] = rfc3339(kWhen);
  entry["source"] = "billing";
  entry["event_id"] = "inv-1";
  entry["event_type"] = "peerwright.subscriber.suspend.v1";
  entry["key"] = "acme/S-1";
  entry["outcome"] = "accepted";
  entry["code"] = "";
  domain::Refs named;
  named.tenant = "acme";
  named.subscriber = "S-1";
  entry["body"] = audit_body(word(), "peerwright.subscriber.suspend.v1", named, decision);
  return {"audit/1204", "peerwright.audit.entry.v1", "acme/S-1", entry.dump()};
}

}  // namespace

std::vector<std::pair<std::string, Outbound>> outbound() {
  const domain::Server at = server();
  domain::Server full = full_server();
  full.guard_held = 3;
  full.guard_digest = "3f0c1a9be27d4458";
  const domain::Network in = network();
  const domain::Tenant of = tenant();
  const domain::Peer active = said_peer();
  domain::Peer reserved = active;
  reserved.stage = domain::Stage::reserved;
  reserved.entitlement = domain::Entitlement::reserved;
  reserved.reservation = domain::Reservation::reserved;
  const domain::Hold held = hold();
  HoldSummary holds = summary_of({&held});
  const HoldSummary of_customer = holds;
  holds.customer = "C-1";
  ServerContext around;
  around.network = &in;
  around.owner = &of;
  around.reachable = true;
  around.observed_at = later(60);
  around.error_code = "proof_differs";
  around.drift = {{"missing", 1}};
  around.alert = "guard_stopped";
  around.urgent_wait = UrgentWait{later(30), 2};
  around.import = ImportReport{"acme", 2, {{"address_missing", 1}}};
  const domain::NodeLink entry = link();
  const Usage usage{kWhen, later(60), 4096, 65'536, 1'000'000, 9'000'000, true};
  return {{"peer.status", peer_status(active, context(at, in, of), {"cHNr", "cHJpdmF0ZQ=="})},
          {"reservation.status", reservation_status(reserved, context(at, in, of), {"cHNr", ""})},
          {"subscriber.status", subscriber_status("acme", subscriber(), holds, "billing/inv-1")},
          {"subscriber.status-customer", customer_status("acme", customer(), of_customer, "billing/inv-1")},
          {"tenant.status", tenant_status(of, "orchestrator/7", "mass_suspension")},
          {"server.status", server_status(full, "reading/77", around)},
          {"mesh.status", mesh_status(mesh(), {&entry}, {&at}, "orchestrator/8")},
          {"peer.usage", peer_usage(active, usage, "ams-1", "C-1")},
          {"address.status", sample_address()},
          {"rejected", sample_rejected()},
          {"dead_letter", sample_dead_letter()},
          {"audit.entry", sample_audit()}};
}

}  // namespace peerwright::events::samples
