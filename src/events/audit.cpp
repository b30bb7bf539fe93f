#include "peerwright/events/audit.hpp"

#include "audit_parts.hpp"
#include "outbound_parts.hpp"
#include "peerwright/events/outbound.hpp"

namespace peerwright::events {
namespace {

template <typename Thing>
void write_all(JsonWriter& body, std::string_view name, const std::vector<Thing>& things) {
  if (things.empty()) return;
  body.begin_array(name);
  for (const Thing& thing : things) {
    body.begin_object();
    write(body, thing);
    body.end_object();
  }
  body.end_array();
}

void write_used_keys(JsonWriter& body, const domain::Decision& decision) {
  if (decision.used_keys.empty()) return;
  body.begin_array("used_keys");
  for (const auto& [key, peer_id] : decision.used_keys) {
    body.begin_object();
    body.text("public_key", key);
    body.number("peer_id", peer_id);
    body.end_object();
  }
  body.end_array();
}

void write_claims(JsonWriter& body, const domain::Decision& decision) {
  if (decision.claims.empty()) return;
  body.begin_array("claims");
  for (const auto& [adopted, peer] : decision.claims) {
    body.begin_object();
    body.number("adopted_peer_id", adopted);
    body.number("peer_id", peer);
    body.end_object();
  }
  body.end_array();
}

// To whom the change is carried on afterwards.
void write_fan_outs(JsonWriter& body, const domain::Decision& decision) {
  if (decision.fan_outs.empty() && decision.wider_fan_outs.empty()) return;
  body.begin_array("fan_outs");
  for (const auto& [subscriber_id, cause] : decision.fan_outs) {
    body.begin_object();
    body.text("kind", "subscriber");
    body.number("id", subscriber_id);
    body.text("cause", cause);
    body.end_object();
  }
  for (const auto& [subject, cause] : decision.wider_fan_outs) {
    body.begin_object();
    body.text("kind", domain::name_of(subject.first));
    body.number("id", subject.second);
    body.text("cause", cause);
    body.end_object();
  }
  body.end_array();
}

void write_peers(JsonWriter& body, const domain::Decision& decision, const std::set<domain::Id>& settled) {
  std::vector<domain::Peer> whole;
  if (settled.empty()) return write_all(body, "peers", decision.peers);
  for (const domain::Peer& peer : decision.peers) {
    if (!settled.contains(peer.id)) whole.push_back(peer);
  }
  write_all(body, "peers", whole);
  body.begin_array("settled");
  for (const domain::Peer& peer : decision.peers) {
    if (!settled.contains(peer.id)) continue;
    body.begin_object();
    write_settled(body, peer);
    body.end_object();
  }
  body.end_array();
}

void write_abandoned(JsonWriter& body, const domain::Decision& decision) {
  if (decision.abandoned_servers.empty()) return;
  body.numbers("abandoned_servers", {decision.abandoned_servers.begin(), decision.abandoned_servers.end()});
}

void write_imports(JsonWriter& body, const domain::Decision& decision) {
  if (decision.imports.empty()) return;
  body.begin_array("imports");
  for (const auto& [server_id, import] : decision.imports) {
    body.begin_object();
    body.number("server_id", server_id);
    body.number_unless_zero("tenant_id", import.tenant_id);
    body.text_unless_empty("cause", import.cause);
    body.end_object();
  }
  body.end_array();
}

// After-images, one list per kind of thing; what stands as it stood may be among them.
void write_changes(JsonWriter& body, const domain::Decision& decision, const std::set<domain::Id>& settled) {
  body.begin_object("changes");
  write_all(body, "tenants", decision.tenants);
  write_all(body, "customers", decision.customers);
  write_all(body, "networks", decision.networks);
  write_all(body, "servers", decision.servers);
  write_all(body, "subscribers", decision.subscribers);
  write_peers(body, decision, settled);
  write_all(body, "holds", decision.holds);
  write_all(body, "removals", decision.removals);
  write_all(body, "rules", decision.rules);
  write_all(body, "meshes", decision.meshes);
  write_all(body, "links", decision.links);
  write_all(body, "timers", decision.timers);
  write_all(body, "freed", decision.freed);
  write_used_keys(body, decision);
  write_claims(body, decision);
  write_fan_outs(body, decision);
  write_abandoned(body, decision);
  write_imports(body, decision);
  body.end_object();
}

void write_made(JsonWriter& body, const std::vector<AuditIdentity>& made) {
  if (made.empty()) return;
  body.begin_array("made");
  for (const AuditIdentity& identity : made) {
    body.begin_object();
    body.text("kind", identity.kind);
    body.number("id", identity.id);
    body.number_unless_zero("tenant_id", identity.tenant_id);
    body.text("name", identity.name);
    body.end_object();
  }
  body.end_array();
}

void write_positions(JsonWriter& body, const std::vector<AuditPosition>& positions) {
  if (positions.empty()) return;
  body.begin_array("positions");
  for (const AuditPosition& position : positions) {
    body.begin_object();
    body.text("topic", position.topic);
    body.number("partition", position.partition);
    body.number("next_offset", position.next_offset);
    body.text("last_time", rfc3339(position.last_time));
    body.text_unless_empty("last_hash", position.last_hash);
    body.end_object();
  }
  body.end_array();
}

void write_extras(JsonWriter& body, const AuditExtras& extras) {
  body.text_unless_empty("payload_hash", extras.payload_hash);
  body.text_unless_empty("replays", extras.replays);
  body.number_unless_zero("clock_us", extras.clock_us);
  write_made(body, extras.made);
  write_positions(body, extras.positions);
  if (!extras.progress) return;
  body.begin_object("progress");
  body.text("kind", extras.progress->kind);
  body.number("subject_id", extras.progress->subject_id);
  body.number("after_id", extras.progress->after_id);
  body.flag("done", extras.progress->done);
  body.end_object();
}

}  // namespace

void write_place(JsonWriter& body, const domain::Place& place) {
  body.begin_object("place");
  body.text("broker_time", rfc3339(place.broker_time));
  body.number("partition", place.partition);
  body.number("offset", place.offset);
  body.end_object();
}

void write_word(JsonWriter& body, const domain::Word& word) {
  body.begin_object("word");
  body.text("source", word.source);
  body.text("id", word.id);
  if (word.sequence) body.number("sequence", *word.sequence);
  write_place(body, word.place);
  if (!word.heard.empty()) {
    body.begin_array("heard");
    for (const auto& [owner, sequence] : word.heard) {
      body.begin_object();
      body.text("owner", owner);
      body.number("sequence", sequence);
      body.end_object();
    }
    body.end_array();
  }
  body.end_object();
}

void write(JsonWriter& body, const domain::Hold& hold) {
  body.text("scope", domain::name_of(hold.scope.kind));
  body.number("scope_id", hold.scope.id);
  body.text("owner", hold.owner);
  body.flag("held", hold.held);
  body.text("level", domain::name_of(hold.level));
  if (!hold.steps.empty()) {
    body.begin_array("steps");
    for (const domain::HoldStep& step : hold.steps) write_step(body, {}, step);
    body.end_array();
  }
  body.time("since", hold.since);
  body.text_unless_empty("reason", hold.reason);
  write_word(body, hold.word);
}

void write(JsonWriter& body, const domain::Removal& removal) {
  body.number("server_id", removal.server_id);
  body.text("public_key", removal.public_key);
  body.number("peer_id", removal.peer_id);
  body.flag("wanted_gone", removal.wanted_gone);
  write_if(body, "network_id", removal.network_id);
  write_if(body, "address_offset", removal.address_offset);
}

void write(JsonWriter& body, const domain::AccessRule& rule) {
  body.number("id", rule.id);
  body.number("tenant_id", rule.tenant_id);
  body.text("rule", rule.name);
  body.flag("active", rule.active);
  write_if(body, "source_peer_id", rule.source_peer_id);
  write_if(body, "dest_peer_id", rule.dest_peer_id);
  body.number_unless_zero("dest_port", rule.dest_port);
  body.text("dest_protocol", name_of(rule.dest_protocol));
  body.text("action", name_of(rule.action));
  body.number("priority", rule.priority);
  if (rule.word) write_word(body, *rule.word);
}

void write(JsonWriter& body, const domain::Mesh& mesh) {
  body.number("id", mesh.id);
  body.text("mesh", mesh.name);
  body.flag("active", mesh.active);
  write_members(body, "members", mesh.members);
  body.number("version", mesh.version);
  if (mesh.word) write_word(body, *mesh.word);
}

void write(JsonWriter& body, const domain::NodeLink& link) {
  body.number_unless_zero("id", link.id);
  body.number("mesh_id", link.mesh_id);
  body.number("server_id", link.server_id);
  body.text("other", link.other);
  write_if(body, "other_server_id", link.other_server_id);
  body.text_unless_empty("public_key", link.public_key);
  body.texts("allowed_ips", link.allowed_ips);
  body.text_unless_empty("endpoint", link.endpoint);
  body.number("keepalive_seconds", link.keepalive_seconds);
  body.flag("wanted", link.wanted);
  body.number("generation", link.generation);
}

void write(JsonWriter& body, const domain::Timer& timer) {
  body.text("kind", domain::name_of(timer.kind));
  body.number("subject_id", timer.subject_id);
  body.text_unless_empty("owner", timer.owner);
  body.time("due_at", timer.due_at);
}

void write(JsonWriter& body, const domain::FreedAddress& freed) {
  body.number("network_id", freed.network_id);
  body.number("address_offset", freed.address_offset);
}

std::string audit_body(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                       const domain::Decision& decision) {
  return audit_body(word, type, refs, decision, AuditExtras{});
}

std::string audit_body(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                       const domain::Decision& decision, const AuditExtras& extras) {
  JsonWriter body;
  body.begin_object();
  body.number("version", kAuditShape);
  body.text("source", word.source);
  body.text("id", word.id);
  if (word.sequence) body.number("sequence", *word.sequence);
  body.text("type", type);
  body.begin_object("subject");
  write_names(body, refs);
  body.end_object();
  body.text("outcome", domain::name_of(decision.outcome));
  body.text_unless_empty("code", decision.code);
  body.text_unless_empty("message", decision.message);
  body.text_unless_empty("remedy", decision.remedy);
  body.text_unless_empty("alert", decision.alert);
  write_place(body, word.place);
  write_extras(body, extras);
  write_changes(body, decision, extras.settled);
  body.end_object();
  return body.take();
}

}  // namespace peerwright::events
