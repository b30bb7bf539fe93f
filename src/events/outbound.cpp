#include "peerwright/events/outbound.hpp"

#include "outbound_parts.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

constexpr std::string_view kTypePrefix = "peerwright.";
constexpr std::string_view kTypeSuffix = ".v1";

// A source in an id: its own slashes would blur where it ends.
std::string escaped(std::string_view source) {
  std::string result;
  for (const char c : source) {
    if (c == '%') {
      result += "%25";
    } else if (c == '/') {
      result += "%2F";
    } else {
      result += c;
    }
  }
  return result;
}

std::string key_without_tenant(const domain::Refs& refs) {
  if (!refs.mesh.empty()) return refs.mesh;
  if (!refs.server.empty()) return joined("server", refs.server);
  return refs.network.empty() ? std::string() : joined("network", refs.network);
}

}  // namespace

// All but the body is stored as text too, so it is cleaned here; the writer sees to the body itself.
Outbound outbound(std::string_view name, std::string_view id_rest, std::string_view key, JsonWriter body) {
  std::string id(name);
  id.append("/").append(id_rest);
  std::string type(kTypePrefix);
  type.append(name).append(kTypeSuffix);
  return {cleaned(id), std::move(type), cleaned(key), body.take()};
}

std::string joined(std::string_view first, std::string_view second) {
  std::string result(first);
  return result.append("/").append(second);
}

const char* name_of(wireguard::RuleProtocol protocol) {
  if (protocol == wireguard::RuleProtocol::tcp) return "tcp";
  return protocol == wireguard::RuleProtocol::udp ? "udp" : "any";
}

const char* name_of(wireguard::RuleAction action) { return action == wireguard::RuleAction::allow ? "allow" : "deny"; }

void write_garden(JsonWriter& body, std::string_view name, const std::vector<wireguard::GardenDestination>& garden) {
  body.begin_array(name);
  for (const wireguard::GardenDestination& destination : garden) {
    body.begin_object();
    body.text("to", destination.prefix);
    body.text("protocol", name_of(destination.protocol));
    body.number_unless_zero("port", destination.port);
    body.end_object();
  }
  body.end_array();
}

void write_ports(JsonWriter& body, std::string_view name, const std::vector<wireguard::PortUse>& ports) {
  body.begin_array(name);
  for (const wireguard::PortUse& use : ports) {
    body.begin_object();
    body.number("port", use.port);
    body.text("protocol", name_of(use.protocol));
    body.end_object();
  }
  body.end_array();
}

void write_members(JsonWriter& body, std::string_view name, const std::vector<domain::MeshMember>& members) {
  body.begin_array(name);
  for (const domain::MeshMember& member : members) {
    body.begin_object();
    body.text(member.managed ? "server" : "name", member.name);
    body.text_unless_empty("public_key", member.public_key);
    body.text_unless_empty("endpoint", member.endpoint);
    body.texts("allowed_ips", member.allowed_ips);
    body.number("keepalive_seconds", member.keepalive_seconds);
    body.end_object();
  }
  body.end_array();
}

void write_names(JsonWriter& body, const domain::Refs& refs) {
  body.text_unless_empty("tenant", refs.tenant);
  body.text_unless_empty("customer", refs.customer);
  body.text_unless_empty("subscriber", refs.subscriber);
  body.text_unless_empty("peer", refs.peer);
  body.text_unless_empty("rule", refs.rule);
  body.text_unless_empty("server", refs.server);
  body.text_unless_empty("region", refs.region);
  body.text_unless_empty("network", refs.network);
  body.text_unless_empty("mesh", refs.mesh);
}

void write_step(JsonWriter& body, std::string_view name, const domain::HoldStep& step) {
  body.begin_object(name);
  body.text("level", domain::name_of(step.level));
  body.text("at", rfc3339(step.at));
  body.end_object();
}

std::string key_of(const domain::Refs& refs) {
  if (!refs.key.empty()) return refs.key;
  if (refs.tenant.empty()) return key_without_tenant(refs);
  for (const std::string* name : {&refs.subscriber, &refs.peer, &refs.customer}) {
    if (!name->empty()) return joined(refs.tenant, *name);
  }
  return refs.tenant;
}

Outbound rejected(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                  const domain::Decision& decision) {
  JsonWriter body;
  body.begin_object();
  body.text("source", word.source);
  body.text("id", word.id);
  if (word.sequence) body.number("sequence", *word.sequence);
  body.text("type", type);
  body.text("code", decision.code);
  body.text("message", decision.message);
  body.text("remedy", decision.remedy);
  write_names(body, refs);
  body.end_object();
  return outbound("rejected", joined(escaped(word.source), word.id), key_of(refs), std::move(body));
}

Outbound dead_letter(const DeadLetter& letter) {
  JsonWriter body;
  body.begin_object();
  body.text("topic", letter.topic);
  body.number("partition", letter.partition);
  body.number("offset", letter.offset);
  body.text_unless_empty("key", letter.key);
  body.text_unless_empty("id", letter.id);
  body.text_unless_empty("source", letter.source);
  body.text_unless_empty("type", letter.type);
  body.text("code", letter.code);
  body.text("message", letter.message);
  body.text("remedy", letter.remedy);
  body.number("size_bytes", static_cast<std::int64_t>(letter.size_bytes));
  body.end_object();
  const std::string place = joined(std::to_string(letter.partition), std::to_string(letter.offset));
  return outbound("dead_letter", joined(letter.topic, place), letter.key, std::move(body));
}

std::vector<std::pair<std::string, std::string>> headers_of(const Outbound& out, const std::string& time_rfc3339) {
  return {{"ce_specversion", "1.0"}, {"ce_id", out.id},         {"ce_source", kOwnSource},
          {"ce_type", out.type},     {"ce_time", time_rfc3339}, {"content-type", "application/json"}};
}

}  // namespace peerwright::events
