#include "json_writer.hpp"
#include "peerwright/events/outbound.hpp"

namespace peerwright::events {
namespace {

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
  body.end_object();
}

template <typename Number>
void write_if(JsonWriter& body, std::string_view name, const std::optional<Number>& number) {
  if (number) body.number(name, *number);
}

void write(JsonWriter& body, const domain::Network& network) {
  body.number("id", network.id);
  body.text("network", network.name);
  if (network.net4) body.text("ipv4", network.net4->text());
  if (network.net6) body.text("ipv6", network.net6->text());
  body.numbers("reserved_offsets", network.reserved);
  body.number("next_offset", network.next_offset);
  body.number("quarantine_seconds", network.quarantine_seconds);
  if (network.word) write_word(body, *network.word);
}

void write(JsonWriter& body, const domain::Server& server) {
  body.number("id", server.id);
  body.text("server", server.name);
  write_if(body, "network_id", server.network_id);
  body.text("ssh_host", server.ssh_host);
  body.number("ssh_port", server.ssh_port);
  body.text("ssh_user", server.ssh_user);
  body.text("ssh_host_key", server.ssh_host_key);
  body.text_unless_empty("exec_prefix", server.exec_prefix);
  body.text("interface", server.interface);
  body.text("config_path", server.config_path);
  body.text_unless_empty("public_key", server.public_key);
  body.text("endpoint", server.endpoint);
  body.number("mtu", server.mtu);
  body.texts("dns", server.dns);
  body.number("keepalive_seconds", server.keepalive_seconds);
  body.number("max_peers", server.max_peers);
  body.number("peers", server.peer_count);
  body.number("generation", server.generation);
  body.number("version", server.version);
  if (server.word) write_word(body, *server.word);
}

void write(JsonWriter& body, const domain::Subscriber& subscriber) {
  body.number("id", subscriber.id);
  body.number("tenant_id", subscriber.tenant_id);
  body.text("subscriber", subscriber.name);
  body.number("version", subscriber.version);
}

void write(JsonWriter& body, const domain::Peer& peer) {
  body.number("id", peer.id);
  body.number("tenant_id", peer.tenant_id);
  body.text("tenant", peer.tenant);
  body.text("peer", peer.name);
  body.text("stage", domain::name_of(peer.stage));
  body.text("entitlement", domain::name_of(peer.entitlement));
  write_if(body, "subscriber_id", peer.subscriber_id);
  body.text_unless_empty("subscriber", peer.subscriber);
  write_if(body, "server_id", peer.server_id);
  write_if(body, "network_id", peer.network_id);
  write_if(body, "address_offset", peer.address_offset);
  body.text_unless_empty("public_key", peer.public_key);
  body.text_unless_empty("description", peer.description);
  body.texts("client_routes", peer.client_routes);
  body.number("keepalive_seconds", peer.keepalive_seconds);
  body.text("cause", peer.cause);
  body.text("changed_at", rfc3339(peer.changed_at));
  body.number("version", peer.version);
  body.number("generation", peer.generation);
  body.number("applied_generation", peer.applied_generation);
  if (peer.word) write_word(body, *peer.word);
}

void write(JsonWriter& body, const domain::Hold& hold) {
  body.text("scope", domain::name_of(hold.scope.kind));
  body.number("scope_id", hold.scope.id);
  body.text("owner", hold.owner);
  body.flag("held", hold.held);
  body.text_unless_empty("reason", hold.reason);
  write_word(body, hold.word);
}

void write(JsonWriter& body, const domain::Removal& removal) {
  body.number("server_id", removal.server_id);
  body.text("public_key", removal.public_key);
  body.number("peer_id", removal.peer_id);
  body.flag("wanted_gone", removal.wanted_gone);
}

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

// After-images, one list per kind of thing; what stands as it stood may be among them.
void write_changes(JsonWriter& body, const domain::Decision& decision) {
  body.begin_object("changes");
  write_all(body, "networks", decision.networks);
  write_all(body, "servers", decision.servers);
  write_all(body, "subscribers", decision.subscribers);
  write_all(body, "peers", decision.peers);
  write_all(body, "holds", decision.holds);
  write_all(body, "removals", decision.removals);
  body.end_object();
}

void write_subject(JsonWriter& body, const domain::Refs& refs) {
  body.begin_object("subject");
  body.text_unless_empty("tenant", refs.tenant);
  body.text_unless_empty("subscriber", refs.subscriber);
  body.text_unless_empty("peer", refs.peer);
  body.text_unless_empty("server", refs.server);
  body.text_unless_empty("network", refs.network);
  body.end_object();
}

}  // namespace

std::string audit_body(const domain::Word& word, const std::string& type, const domain::Refs& refs,
                       const domain::Decision& decision) {
  JsonWriter body;
  body.begin_object();
  body.text("source", word.source);
  body.text("id", word.id);
  if (word.sequence) body.number("sequence", *word.sequence);
  body.text("type", type);
  write_subject(body, refs);
  body.text("outcome", domain::name_of(decision.outcome));
  body.text_unless_empty("code", decision.code);
  body.text_unless_empty("message", decision.message);
  body.text_unless_empty("remedy", decision.remedy);
  write_place(body, word.place);
  write_changes(body, decision);
  body.end_object();
  return body.take();
}

}  // namespace peerwright::events
