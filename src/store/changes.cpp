#include "changes.hpp"

#include <algorithm>
#include <charconv>

namespace peerwright::store {
namespace {

using domain::Id;

std::vector<std::string> list_of(const std::string& joined) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin < joined.size();) {
    const std::size_t end = std::min(joined.find(',', begin), joined.size());
    items.push_back(joined.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

std::optional<wireguard::Prefix> prefix_at(const pqxx::row& row, int column) {
  if (row[column].is_null()) return std::nullopt;
  auto prefix = wireguard::Prefix::parse(text_at(row, column));
  if (!prefix) throw std::runtime_error("a network range was expected in a column");
  return *prefix;
}

domain::Network network_from(const pqxx::row& row) {
  domain::Network network;
  network.id = int_at(row, 0);
  network.name = text_at(row, 1);
  network.net4 = prefix_at(row, 2);
  network.net6 = prefix_at(row, 3);
  for (const std::string& offset : list_of(text_at(row, 4))) network.reserved.push_back(std::stoll(offset));
  network.next_offset = int_at(row, 5);
  network.quarantine_seconds = static_cast<int>(int_at(row, 6));
  network.word = domain::word_from(text_at(row, 7));
  return network;
}

domain::Server server_from(const pqxx::row& row) {
  domain::Server server;
  server.id = int_at(row, 0);
  server.name = text_at(row, 1);
  server.network_id = maybe_int_at(row, 2);
  server.ssh_host = text_at(row, 3);
  server.ssh_port = static_cast<int>(int_at(row, 4));
  server.ssh_user = text_at(row, 5);
  server.ssh_host_key = text_at(row, 6);
  server.exec_prefix = text_at(row, 7);
  server.interface = text_at(row, 8);
  server.config_path = text_at(row, 9);
  server.public_key = text_at(row, 10);
  server.endpoint = text_at(row, 11);
  server.mtu = static_cast<int>(int_at(row, 12));
  server.dns = list_of(text_at(row, 13));
  server.keepalive_seconds = static_cast<int>(int_at(row, 14));
  server.max_peers = int_at(row, 15);
  server.peer_count = int_at(row, 16);
  server.generation = int_at(row, 17);
  server.version = int_at(row, 18);
  server.word = domain::word_from(text_at(row, 19));
  return server;
}

domain::Subscriber subscriber_from(const pqxx::row& row) {
  return {int_at(row, 0), int_at(row, 1), text_at(row, 2), int_at(row, 3)};
}

std::string word_text(const std::optional<domain::Word>& word) { return word ? domain::text_of(*word) : std::string(); }

void store_networks(Tx& tx, const domain::Changes& changes, const domain::State& state) {
  if (changes.networks.empty()) return;
  Column id, net4, net6, reserved, next, quarantine, word;
  for (const Id network_id : changes.networks) {
    const domain::Network& n = *state.network(network_id);
    id.add(n.id);
    net4.add_or_null(n.net4 ? n.net4->text() : std::string());
    net6.add_or_null(n.net6 ? n.net6->text() : std::string());
    std::vector<std::string> offsets;
    offsets.reserve(n.reserved.size());
    for (const std::int64_t offset : n.reserved) offsets.push_back(std::to_string(offset));
    reserved.add(joined(offsets));
    next.add(n.next_offset);
    quarantine.add(std::int64_t{n.quarantine_seconds});
    word.add_or_null(word_text(n.word));
  }
  tx.run("store_networks", id.text(), net4.text(), net6.text(), reserved.text(), next.text(), quarantine.text(),
         word.text());
  Column taken_network, taken_offset;
  for (const auto& [network_id, offsets] : changes.taken_offsets) {
    for (const std::int64_t offset : offsets) {
      taken_network.add(network_id);
      taken_offset.add(offset);
    }
  }
  if (!taken_network.empty()) tx.run("store_taken_offsets", taken_network.text(), taken_offset.text());
}

void store_servers(Tx& tx, const domain::Changes& changes, const domain::State& state) {
  if (changes.servers.empty()) return;
  Column c[19];
  for (const Id server_id : changes.servers) {
    const domain::Server& s = *state.server(server_id);
    c[0].add(s.id);
    c[1].add(s.network_id);
    c[2].add(s.ssh_host);
    c[3].add(std::int64_t{s.ssh_port});
    c[4].add(s.ssh_user);
    c[5].add(s.ssh_host_key);
    c[6].add(s.exec_prefix);
    c[7].add(s.interface);
    c[8].add(s.config_path);
    c[9].add(s.public_key);
    c[10].add(s.endpoint);
    c[11].add(std::int64_t{s.mtu});
    c[12].add(joined(s.dns));
    c[13].add(std::int64_t{s.keepalive_seconds});
    c[14].add(s.max_peers);
    c[15].add(s.peer_count);
    c[16].add(s.generation);
    c[17].add(s.version);
    c[18].add_or_null(word_text(s.word));
  }
  tx.run("store_servers", c[0].text(), c[1].text(), c[2].text(), c[3].text(), c[4].text(), c[5].text(), c[6].text(),
         c[7].text(), c[8].text(), c[9].text(), c[10].text(), c[11].text(), c[12].text(), c[13].text(), c[14].text(),
         c[15].text(), c[16].text(), c[17].text(), c[18].text());
}

void store_peers(Tx& tx, const domain::Changes& changes, const domain::State& state) {
  if (changes.peers.empty()) return;
  Column c[17];
  for (const Id peer_id : changes.peers) {
    const domain::Peer& p = *state.peer(peer_id);
    c[0].add(p.id);
    c[1].add(std::string_view(name_of(p.stage)));
    c[2].add(std::string_view(name_of(p.entitlement)));
    c[3].add(p.subscriber_id);
    c[4].add(p.server_id);
    c[5].add(p.network_id);
    c[6].add(p.address_offset);
    c[7].add_or_null(p.public_key);
    c[8].add(p.description);
    c[9].add(joined(p.client_routes));
    c[10].add(std::int64_t{p.keepalive_seconds});
    c[11].add_or_null(word_text(p.word));
    c[12].add(p.cause);
    c[13].add(micros_of(p.changed_at));
    c[14].add(p.version);
    c[15].add(p.generation);
    c[16].add(p.delivery_error);
  }
  tx.run("store_peers", c[0].text(), c[1].text(), c[2].text(), c[3].text(), c[4].text(), c[5].text(), c[6].text(),
         c[7].text(), c[8].text(), c[9].text(), c[10].text(), c[11].text(), c[12].text(), c[13].text(), c[14].text(),
         c[15].text(), c[16].text());
}

void store_subscribers(Tx& tx, const domain::Changes& changes, const domain::State& state) {
  Column id, version;
  for (const Id subscriber_id : changes.subscribers) {
    const domain::Subscriber& s = *state.subscriber(subscriber_id);
    id.add(s.id);
    version.add(s.version);
  }
  if (!id.empty()) tx.run("store_subscribers", id.text(), version.text());
  Column fan_out, cause;
  for (const auto& [subscriber_id, why] : changes.fan_outs) {
    fan_out.add(subscriber_id);
    cause.add(why);
  }
  if (!fan_out.empty()) tx.run("store_fan_outs", fan_out.text(), cause.text());
}

void store_holds(Tx& tx, const domain::Changes& changes) {
  Column kind, id, owner, held, reason, word;
  for (const auto& [key, hold] : changes.holds) {
    kind.add(std::string_view(name_of(hold.scope.kind)));
    id.add(hold.scope.id);
    owner.add(hold.owner);
    held.add(hold.held);
    reason.add(hold.reason);
    word.add(domain::text_of(hold.word));
  }
  if (!kind.empty())
    tx.run("store_holds", kind.text(), id.text(), owner.text(), held.text(), reason.text(), word.text());
}

void store_removals(Tx& tx, const domain::Changes& changes) {
  Column gone_server, gone_key, gone_peer, back_server, back_key;
  for (const auto& [key, removal] : changes.removals) {
    if (removal.wanted_gone) {
      gone_server.add(removal.server_id);
      gone_key.add(removal.public_key);
      gone_peer.add(removal.peer_id);
    } else {
      back_server.add(removal.server_id);
      back_key.add(removal.public_key);
    }
  }
  if (!gone_key.empty()) tx.run("store_removals_gone", gone_server.text(), gone_key.text(), gone_peer.text());
  if (!back_key.empty()) tx.run("store_removals_wanted_again", back_server.text(), back_key.text());
}

void store_due(Tx& tx, const domain::Changes& changes, const domain::State& state) {
  Column server, generation, urgent;
  for (const Id server_id : changes.due_servers) {
    server.add(server_id);
    generation.add(state.server(server_id)->generation);
    urgent.add(changes.urgent_servers.contains(server_id));
  }
  if (!server.empty()) tx.run("store_due", server.text(), generation.text(), urgent.text());
  Ids doubtful(changes.doubtful_servers.begin(), changes.doubtful_servers.end());
  if (!doubtful.empty()) tx.run("store_doubts", array_of(doubtful));
}

}  // namespace

void normalise(Ids& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

std::string array_of(const Ids& ids) {
  Column column;
  for (const Id id : ids) column.add(id);
  return column.text();
}

void load_tenants(Tx& tx, const Ids& ids, domain::State& state) {
  if (ids.empty()) return;
  for (const auto& row : tx.run("load_tenants", array_of(ids)))
    state.load(domain::Tenant{int_at(row, 0), text_at(row, 1)});
}

void lock_subscribers(Tx& tx, const Ids& ids, domain::State& state) {
  if (ids.empty()) return;
  for (const auto& row : tx.run("lock_subscribers", array_of(ids))) state.load(subscriber_from(row));
}

void load_subscribers(Tx& tx, const Ids& ids, domain::State& state) {
  if (ids.empty()) return;
  for (const auto& row : tx.run("load_subscribers", array_of(ids))) state.load(subscriber_from(row));
}

void lock_networks(Tx& tx, const Ids& ids, domain::State& state) {
  if (ids.empty()) return;
  for (const auto& row : tx.run("lock_networks", array_of(ids))) state.load(network_from(row));
}

void load_networks(Tx& tx, const Ids& ids, domain::State& state) {
  if (ids.empty()) return;
  for (const auto& row : tx.run("load_networks", array_of(ids))) state.load(network_from(row));
}

void lock_servers(Tx& tx, const Ids& ids, domain::State& state) {
  if (ids.empty()) return;
  for (const auto& row : tx.run("lock_servers", array_of(ids))) state.load(server_from(row));
}

domain::Peer peer_from(const pqxx::row& row, const domain::State& state) {
  domain::Peer peer;
  peer.id = int_at(row, 0);
  peer.tenant_id = int_at(row, 1);
  if (const domain::Tenant* tenant = state.tenant(peer.tenant_id)) peer.tenant = tenant->name;
  peer.name = text_at(row, 2);
  peer.stage = domain::stage_from(text_at(row, 3)).value_or(domain::Stage::unknown);
  peer.entitlement = domain::entitlement_from(text_at(row, 4)).value_or(domain::Entitlement::unprovisioned);
  peer.subscriber_id = maybe_int_at(row, 5);
  if (peer.subscriber_id) {
    if (const domain::Subscriber* subscriber = state.subscriber(*peer.subscriber_id))
      peer.subscriber = subscriber->name;
  }
  peer.server_id = maybe_int_at(row, 6);
  peer.network_id = maybe_int_at(row, 7);
  peer.address_offset = maybe_int_at(row, 8);
  peer.public_key = text_at(row, 9);
  peer.description = text_at(row, 10);
  peer.client_routes = list_of(text_at(row, 11));
  peer.keepalive_seconds = static_cast<int>(int_at(row, 12));
  peer.word = domain::word_from(text_at(row, 13));
  peer.cause = text_at(row, 14);
  peer.changed_at = time_from_micros(int_at(row, 15));
  peer.version = int_at(row, 16);
  peer.generation = int_at(row, 17);
  peer.applied_generation = int_at(row, 18);
  peer.delivery_error = text_at(row, 19);
  return peer;
}

std::vector<domain::Peer> lock_peers(Tx& tx, const Ids& ids, domain::State& state) {
  std::vector<domain::Peer> peers;
  if (ids.empty()) return peers;
  for (const auto& row : tx.run("lock_peers", array_of(ids))) {
    peers.push_back(peer_from(row, state));
    state.load(peers.back());
  }
  return peers;
}

std::vector<domain::Peer> load_whole_peers(Tx& tx, const Ids& ids, domain::State& state) {
  Ids tenants, subscribers;
  for (const domain::Peer& peer : lock_peers(tx, ids, state)) {
    tenants.push_back(peer.tenant_id);
    if (peer.subscriber_id) subscribers.push_back(*peer.subscriber_id);
  }
  normalise(tenants);
  normalise(subscribers);
  load_tenants(tx, tenants, state);
  load_subscribers(tx, subscribers, state);
  return lock_peers(tx, ids, state);
}

void load_holds(Tx& tx, const Ids& subscribers, const Ids& peers, domain::State& state) {
  if (subscribers.empty() && peers.empty()) return;
  Column kind, id;
  const auto add = [&](domain::ScopeKind scope, const Ids& ids) {
    for (const Id scope_id : ids) {
      kind.add(std::string_view(name_of(scope)));
      id.add(scope_id);
    }
  };
  add(domain::ScopeKind::subscriber, subscribers);
  add(domain::ScopeKind::peer, peers);
  for (const auto& row : tx.run("load_holds", kind.text(), id.text())) {
    const auto scope = text_at(row, 0) == "peer" ? domain::ScopeKind::peer : domain::ScopeKind::subscriber;
    state.load(domain::Hold{{scope, int_at(row, 1)},
                            text_at(row, 2),
                            bool_at(row, 3),
                            text_at(row, 4),
                            domain::word_from(text_at(row, 5)).value_or(domain::Word{})});
  }
}

void Messages::say(std::string_view channel, const events::Outbound& out) {
  channel_.add(channel);
  ce_id_.add(out.id);
  ce_type_.add(out.type);
  key_.add(out.key);
  body_.add(out.body);
}

void Messages::record(const domain::Word& word, std::string_view type, std::string_view key,
                      const domain::Decision& decision, const std::string& body) {
  source_.add(word.source);
  event_id_.add(word.id);
  event_type_.add(type);
  audit_key_.add(key);
  outcome_.add(std::string_view(name_of(decision.outcome)));
  code_.add(decision.code);
  audit_body_.add(body);
}

void Messages::store(Tx& tx) const {
  if (!channel_.empty()) {
    tx.run("store_outbox", channel_.text(), ce_id_.text(), ce_type_.text(), key_.text(), body_.text());
  }
  if (!source_.empty()) {
    tx.run("store_audit", source_.text(), event_id_.text(), event_type_.text(), audit_key_.text(), outcome_.text(),
           code_.text(), audit_body_.text());
  }
}

void say_statuses(const domain::Decision& decision, const domain::State& state, const std::string& cause,
                  Messages& messages) {
  // A server that merely counts a peer has nothing to say.
  if (decision.peers.empty()) {
    for (const domain::Server& server : decision.servers) messages.say("status", events::server_status(server, cause));
  }
  for (const domain::Subscriber& subscriber : decision.subscribers) {
    const domain::Tenant* tenant = state.tenant(subscriber.tenant_id);
    const bool held = state.held_by_others({domain::ScopeKind::subscriber, subscriber.id}, {});
    messages.say("status", events::subscriber_status(tenant->name, subscriber, held, cause));
  }
  for (const domain::Peer& peer : decision.peers) {
    const domain::Server* server = peer.server_id ? state.server(*peer.server_id) : nullptr;
    const domain::Network* network = peer.network_id ? state.network(*peer.network_id) : nullptr;
    messages.say("status", events::peer_status(peer, server, network, -1));
  }
}

void store_changes(Tx& tx, const domain::Changes& changes, const domain::State& state) {
  store_networks(tx, changes, state);
  store_servers(tx, changes, state);
  store_subscribers(tx, changes, state);
  store_peers(tx, changes, state);
  store_holds(tx, changes);
  store_removals(tx, changes);
  store_due(tx, changes, state);
}

}  // namespace peerwright::store
