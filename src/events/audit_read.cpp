#include "audit_members.hpp"
#include "peerwright/events/audit.hpp"

// Audit entries read back: what audit.cpp writes.
namespace peerwright::events {
namespace {

using Json = Members::Json;

template <typename Thing>
void read_all(const Members& changes, const char* name, std::vector<Thing>& things) {
  changes.each(name, [&](const Json& item) { read_thing(Members(item), things.emplace_back()); });
}

std::optional<domain::FanOut> fan_out_named(std::string_view name) {
  using domain::FanOut;
  for (const FanOut kind : {FanOut::customer, FanOut::server, FanOut::tenant, FanOut::network}) {
    if (name == domain::name_of(kind)) return kind;
  }
  return std::nullopt;
}

void read_fan_out(const Members& from, domain::Decision& decision) {
  std::string kind, cause;
  domain::Id id = 0;
  from.get("kind", kind);
  from.get("id", id);
  from.get("cause", cause);
  if (kind == "subscriber") {
    decision.fan_outs[id] = cause;
  } else if (const auto wider = fan_out_named(kind)) {
    decision.wider_fan_outs[{*wider, id}] = cause;
  } else {
    throw std::runtime_error("a fan-out of an unknown kind");
  }
}

void read_changes(const Members& changes, AuditEntry& entry) {
  domain::Decision& decision = entry.decision;
  read_all(changes, "tenants", decision.tenants);
  read_all(changes, "customers", decision.customers);
  read_all(changes, "networks", decision.networks);
  read_all(changes, "servers", decision.servers);
  read_all(changes, "subscribers", decision.subscribers);
  read_all(changes, "peers", decision.peers);
  changes.each("settled", [&](const Json& item) {
    read_thing(Members(item), decision.peers.emplace_back());
    entry.extras.settled.insert(decision.peers.back().id);
  });
  read_all(changes, "holds", decision.holds);
  read_all(changes, "removals", decision.removals);
  read_all(changes, "rules", decision.rules);
  read_all(changes, "meshes", decision.meshes);
  read_all(changes, "links", decision.links);
  read_all(changes, "timers", decision.timers);
  read_all(changes, "freed", decision.freed);
  changes.each("used_keys", [&](const Json& item) {
    std::string key;
    Members(item).get("public_key", key);
    Members(item).get("peer_id", decision.used_keys[key]);
  });
  changes.each("fan_outs", [&](const Json& item) { read_fan_out(Members(item), decision); });
  changes.each("claims", [&](const Json& item) {
    domain::Id adopted = 0;
    Members(item).get("adopted_peer_id", adopted);
    Members(item).get("peer_id", decision.claims[adopted]);
  });
  changes.each("abandoned_servers",
               [&](const Json& item) { decision.abandoned_servers.insert(item.get<domain::Id>()); });
  changes.each("imports", [&](const Json& item) {
    domain::Id server_id = 0;
    Members(item).get("server_id", server_id);
    domain::Import& import = decision.imports[server_id];
    Members(item).get("tenant_id", import.tenant_id);
    Members(item).get("cause", import.cause);
  });
}

void read_extras(const Members& from, AuditExtras& extras) {
  from.get("payload_hash", extras.payload_hash);
  from.get("replays", extras.replays);
  from.get("clock_us", extras.clock_us);
  from.each("made", [&](const Json& item) {
    AuditIdentity& identity = extras.made.emplace_back();
    Members(item).get("kind", identity.kind);
    Members(item).get("id", identity.id);
    Members(item).get("tenant_id", identity.tenant_id);
    Members(item).get("name", identity.name);
  });
  from.each("positions", [&](const Json& item) {
    AuditPosition& position = extras.positions.emplace_back();
    Members(item).get("topic", position.topic);
    Members(item).get("partition", position.partition);
    Members(item).get("next_offset", position.next_offset);
    Members(item).get("last_time", position.last_time);
    Members(item).get("last_hash", position.last_hash);
  });
  if (const Json* member = from.find("progress")) {
    AuditProgress& progress = extras.progress.emplace();
    Members(*member).get("kind", progress.kind);
    Members(*member).get("subject_id", progress.subject_id);
    Members(*member).get("after_id", progress.after_id);
    Members(*member).get("done", progress.done);
  }
}

tl::unexpected<Error> unreadable(const std::string& why) {
  return permanent("audit_entry_unreadable", "an audit entry cannot be read: " + why,
                   "use the version of this program that wrote it, or a newer one");
}

}  // namespace

Time Members::time_of(const Json& text) {
  const auto time = time_from_rfc3339(text.get<std::string>());
  if (!time) throw std::runtime_error("a time was expected");
  return *time;
}

domain::Place Members::place_of(const Json& object) {
  domain::Place place;
  const Members from(object);
  from.get("broker_time", place.broker_time);
  from.get("partition", place.partition);
  from.get("offset", place.offset);
  return place;
}

domain::Word Members::word_of(const Json& object) {
  domain::Word word;
  const Members from(object);
  from.get("source", word.source);
  from.get("id", word.id);
  from.get("sequence", word.sequence);
  if (const Json* place = from.find("place")) word.place = place_of(*place);
  from.each("heard", [&](const Json& item) {
    std::string owner;
    Members(item).get("owner", owner);
    Members(item).get("sequence", word.heard[owner]);
  });
  return word;
}

std::optional<wireguard::RuleProtocol> protocol_named(std::string_view name) {
  if (name == "any") return wireguard::RuleProtocol::any;
  if (name == "tcp") return wireguard::RuleProtocol::tcp;
  return name == "udp" ? std::optional(wireguard::RuleProtocol::udp) : std::nullopt;
}

std::optional<wireguard::RuleAction> action_named(std::string_view name) {
  if (name == "allow") return wireguard::RuleAction::allow;
  return name == "deny" ? std::optional(wireguard::RuleAction::deny) : std::nullopt;
}

void read_thing(const Members& from, domain::Hold& hold) {
  from.get_named("scope", hold.scope.kind, domain::scope_kind_from);
  from.get("scope_id", hold.scope.id);
  from.get("owner", hold.owner);
  from.get("held", hold.held);
  from.get_named("level", hold.level, domain::hold_level_from);
  from.each("steps", [&](const Json& item) {
    domain::HoldStep& step = hold.steps.emplace_back();
    Members(item).get_named("level", step.level, domain::hold_level_from);
    Members(item).get("at", step.at);
  });
  from.get("since", hold.since);
  from.get("reason", hold.reason);
  if (const Json* word = from.find("word")) hold.word = Members::word_of(*word);
}

void read_thing(const Members& from, domain::Removal& removal) {
  from.get("server_id", removal.server_id);
  from.get("public_key", removal.public_key);
  from.get("peer_id", removal.peer_id);
  from.get("wanted_gone", removal.wanted_gone);
  from.get("network_id", removal.network_id);
  from.get("address_offset", removal.address_offset);
}

void read_thing(const Members& from, domain::AccessRule& rule) {
  from.get("id", rule.id);
  from.get("tenant_id", rule.tenant_id);
  from.get("rule", rule.name);
  from.get("active", rule.active);
  from.get("source_peer_id", rule.source_peer_id);
  from.get("dest_peer_id", rule.dest_peer_id);
  from.get("dest_port", rule.dest_port);
  from.get_named("dest_protocol", rule.dest_protocol, protocol_named);
  from.get_named("action", rule.action, action_named);
  from.get("priority", rule.priority);
  from.get("word", rule.word);
}

void read_thing(const Members& from, domain::Mesh& mesh) {
  from.get("id", mesh.id);
  from.get("mesh", mesh.name);
  from.get("active", mesh.active);
  from.each("members", [&](const Json& item) {
    const Members of(item);
    domain::MeshMember& member = mesh.members.emplace_back();
    member.managed = of.find("server") != nullptr;
    of.get(member.managed ? "server" : "name", member.name);
    of.get("public_key", member.public_key);
    of.get("endpoint", member.endpoint);
    of.get("allowed_ips", member.allowed_ips);
    of.get("keepalive_seconds", member.keepalive_seconds);
  });
  from.get("version", mesh.version);
  from.get("word", mesh.word);
}

void read_thing(const Members& from, domain::NodeLink& link) {
  from.get("id", link.id);
  from.get("mesh_id", link.mesh_id);
  from.get("server_id", link.server_id);
  from.get("other", link.other);
  from.get("other_server_id", link.other_server_id);
  from.get("public_key", link.public_key);
  from.get("allowed_ips", link.allowed_ips);
  from.get("endpoint", link.endpoint);
  from.get("keepalive_seconds", link.keepalive_seconds);
  from.get("wanted", link.wanted);
  from.get("generation", link.generation);
}

void read_thing(const Members& from, domain::Timer& timer) {
  from.get_named("kind", timer.kind, domain::timer_kind_from);
  from.get("subject_id", timer.subject_id);
  from.get("owner", timer.owner);
  from.get("due_at", timer.due_at);
}

void read_thing(const Members& from, domain::FreedAddress& freed) {
  from.get("network_id", freed.network_id);
  from.get("address_offset", freed.address_offset);
}

Result<AuditEntry> read_audit(std::string_view body) try {
  const Json json = Json::parse(body);
  const Members from(json);
  AuditEntry entry;
  from.get("version", entry.version);
  if (entry.version != kAuditShape) return unreadable("it has shape " + std::to_string(entry.version));
  read_extras(from, entry.extras);
  if (const Json* changes = from.find("changes")) read_changes(Members(*changes), entry);
  return entry;
} catch (const std::exception& why) {
  return unreadable(why.what());
}

}  // namespace peerwright::events
