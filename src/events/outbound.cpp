#include "peerwright/events/outbound.hpp"

#include "json_writer.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

constexpr std::string_view kTypePrefix = "peerwright.";
constexpr std::string_view kTypeSuffix = ".v1";

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

// All that the client's own configuration needs but its private key.
void write_client(JsonWriter& body, const domain::Peer& peer, const domain::Server& server,
                  const std::vector<std::string>& addresses) {
  body.begin_object("client");
  body.text_unless_empty("server_public_key", server.public_key);
  body.text("endpoint", server.endpoint);
  body.texts("addresses", addresses);
  body.texts("dns", server.dns);
  if (server.mtu > 0) body.number("mtu", server.mtu);
  body.texts("routes", peer.client_routes);
  body.number("keepalive_seconds", peer.keepalive_seconds);
  body.end_object();
}

bool may_configure(const domain::Peer& peer) {
  return peer.entitlement == domain::Entitlement::active || peer.entitlement == domain::Entitlement::suspended;
}

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

}  // namespace

std::string key_of(const domain::Refs& refs) {
  if (refs.tenant.empty()) {
    if (!refs.server.empty()) return joined("server", refs.server);
    return refs.network.empty() ? std::string() : joined("network", refs.network);
  }
  if (!refs.subscriber.empty()) return joined(refs.tenant, refs.subscriber);
  return refs.peer.empty() ? refs.tenant : joined(refs.tenant, refs.peer);
}

Outbound peer_status(const domain::Peer& peer, const domain::Server* server, const domain::Network* network,
                     std::int64_t latency_ms) {
  const auto addresses = network != nullptr ? domain::addresses_of(peer, *network) : std::vector<std::string>();
  JsonWriter body;
  body.begin_object();
  body.text("tenant", peer.tenant);
  body.text("peer", peer.name);
  body.text_unless_empty("subscriber", peer.subscriber);
  body.text("entitlement", domain::name_of(peer.entitlement));
  body.text("delivery", domain::name_of(peer.delivery()));
  if (server != nullptr) body.text("server", server->name);
  body.texts("addresses", addresses);
  body.text_unless_empty("public_key", peer.public_key);
  body.number("generation", peer.generation);
  body.number("version", peer.version);
  body.text("cause", peer.cause);
  body.text("changed_at", rfc3339(peer.changed_at));
  if (latency_ms >= 0) body.number("latency_ms", latency_ms);
  if (server != nullptr && may_configure(peer)) write_client(body, peer, *server, addresses);
  body.end_object();
  const std::string subject = joined(peer.tenant, peer.name);
  // The peer's own key, which never changes: with the subscriber's, which it may get only with its provision, its
  // statuses would lie in two partitions and have no order.
  return outbound("peer.status", joined(subject, std::to_string(peer.version)), subject, std::move(body));
}

Outbound subscriber_status(const std::string& tenant, const domain::Subscriber& subscriber, bool held,
                           const std::string& cause) {
  JsonWriter body;
  body.begin_object();
  body.text("tenant", tenant);
  body.text("subscriber", subscriber.name);
  body.text("entitlement", domain::name_of(held ? domain::Entitlement::suspended : domain::Entitlement::active));
  body.number("version", subscriber.version);
  body.text("cause", cause);
  body.end_object();
  const std::string subject = joined(tenant, subscriber.name);
  return outbound("subscriber.status", joined(subject, std::to_string(subscriber.version)), subject, std::move(body));
}

Outbound server_status(const domain::Server& server, const std::string& cause, const domain::Network* network) {
  JsonWriter body;
  body.begin_object();
  body.text("server", server.name);
  if (network != nullptr) body.text("network", network->name);
  body.flag("registered", server.word.has_value());
  body.text_unless_empty("interface", server.interface);
  body.text_unless_empty("endpoint", server.endpoint);
  body.text_unless_empty("public_key", server.public_key);
  body.number("generation", server.generation);
  body.number("version", server.version);
  body.number("peers", server.peer_count);
  body.number("max_peers", server.max_peers);
  body.text("cause", cause);
  body.end_object();
  return outbound("server.status", joined(server.name, std::to_string(server.version)), joined("server", server.name),
                  std::move(body));
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
  body.text_unless_empty("tenant", refs.tenant);
  body.text_unless_empty("subscriber", refs.subscriber);
  body.text_unless_empty("peer", refs.peer);
  body.text_unless_empty("server", refs.server);
  body.text_unless_empty("network", refs.network);
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
