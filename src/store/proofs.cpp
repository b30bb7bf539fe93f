#include "proofs.hpp"

#include <algorithm>

#include "columns.hpp"
#include "foreign.hpp"
#include "records.hpp"
#include "sealed.hpp"

namespace peerwright::store {
namespace {

using domain::Delivery;
using domain::Entitlement;
using domain::Id;
using domain::Peer;
using wireguard::PeerConfig;

constexpr std::string_view kEndpointLine = "\nendpoint=";

struct Rows {
  Column id, proven, applied, version, offset, error;
  Column gone_keys;              // removal rows that have done their work
  Column seen_keys, seen_peers;  // keys that stand there and must not
  Column freed_network, freed_offset, freed_peer;
  std::vector<std::string> stray_keys;  // of removal rows of keys that their peers had left: gone
  Ids given_up;                         // peers whose address is free, or rides on another row of theirs
};

struct Seen {
  Peer peer;
  std::optional<std::string> before;  // what was proven until now
  std::optional<std::string> proven;
  bool wanted = false;
  bool walled = false;
  bool has_strays = false;  // another key of its may still stand somewhere
  events::PeerContext context;
};

std::optional<std::string> proof_of(const wireguard::Proof& proof, const std::string& key) {
  const auto found = proof.find(key);
  return found != proof.end() ? found->second : std::nullopt;
}

// Of all keys of the peer together: "" where none of them is there, nullopt where one is unknown.
std::optional<std::string> proven_of(const Peer& peer, const std::optional<std::string>& before, const Shown& shown) {
  auto main = proof_of(shown.keys, peer.public_key);
  if (!main) return std::nullopt;
  std::string endpoint = proven_endpoint(before, peer.public_key);
  if (const auto pushed = shown.configured_endpoints.find(peer.public_key);
      pushed != shown.configured_endpoints.end()) {
    endpoint = pushed->second;
  }
  if (main->empty()) endpoint.clear();
  if (!peer.staged_key.empty()) {
    const auto staged = proof_of(shown.keys, peer.staged_key);
    if (!staged) return std::nullopt;
    if (!staged->empty()) main->append("\n").append(*staged);
  }
  return proven_text(*std::move(main), endpoint);
}

// The worker itself comes through it: it stands outside of the garden.
bool is_own_way(const Peer& peer) { return peer.delivery_error == "own_way_cut"; }

// Whether the host has the peer as its announced entitlement says.
bool stands_as_announced(const Seen& seen, const domain::Network* network, const Sealer* sealer, const Shown& shown) {
  const bool gone = seen.proven && seen.proven->empty();
  if (!domain::on_host(seen.peer.entitlement)) return gone && !seen.has_strays;
  if (!seen.proven || network == nullptr) return false;
  if (seen.peer.entitlement == Entitlement::walled_garden && (!shown.garden || is_own_way(seen.peer))) return false;
  const auto configs = configs_of(seen.peer, *network, sealer);
  return configs && *seen.proven == proven_text(*configs, seen.peer.endpoint);
}

void note_removal(const Seen& seen, const Shown& shown, Peer& after, Rows& rows) {
  const bool gone = seen.proven && seen.proven->empty();
  for (const std::string& key : {after.public_key, after.staged_key}) {
    if (key.empty()) continue;
    if (gone) {
      rows.gone_keys.add(std::string_view(key));
    } else if (proof_of(shown.keys, key) != "") {
      rows.seen_keys.add(std::string_view(key));
      rows.seen_peers.add(after.id);
    }
  }
  if (gone && after.stage == domain::Stage::revoked && after.address_offset) {
    rows.freed_network.add(after.network_id);
    rows.freed_offset.add(after.address_offset);
    rows.freed_peer.add(after.id);
    rows.given_up.push_back(after.id);
    after.address_offset.reset();
  }
}

// The peer as it is known after the reading. A hold may have been stored that has not reached the peer yet (its
// entitlement says otherwise than `wanted` and `walled`): then nothing new is called applied; what is not as announced
// is pending.
Peer judged(const Seen& seen, const domain::Network* network, const Sealer* sealer, const Shown& shown, Rows& rows) {
  Peer after = seen.peer;
  if (!seen.wanted) note_removal(seen, shown, after, rows);
  const bool announced_on = domain::on_host(after.entitlement);
  const bool announced_walled = after.entitlement == Entitlement::walled_garden;
  const bool carried_on = announced_on == seen.wanted && (!seen.wanted || announced_walled == seen.walled);
  if (!stands_as_announced(seen, network, sealer, shown)) {
    after.applied_generation = std::min(after.applied_generation, after.generation - 1);
  } else if (carried_on && after.generation <= shown.planned_generation && (!announced_on || shown.firewall)) {
    after.applied_generation = after.generation;
    after.delivery_error.clear();
  }
  return after;
}

void release(Tx& tx, const pqxx::result& gone) {
  Column network, offset;
  for (const auto& row : gone) {
    if (row[0].is_null() || row[1].is_null()) continue;
    network.add(int_at(row, 0));
    offset.add(int_at(row, 1));
  }
  if (!network.empty()) tx.run("free_addresses", network.text(), offset.text());
}

// Addresses of revoked peers: free now, unless another key of theirs is still to be proven gone.
void release_revoked(Tx& tx, const Rows& rows) {
  if (rows.freed_offset.empty()) return;
  hand_on_addresses(tx, rows.freed_network, rows.freed_offset, rows.freed_peer);
}

void store_rows(Tx& tx, Id server_id, const Rows& rows) {
  if (rows.id.empty()) return;
  tx.run("delivery_store_proofs", rows.id.text(), rows.proven.text(), rows.applied.text(), rows.version.text(),
         rows.offset.text(), rows.error.text());
  if (!rows.gone_keys.empty()) tx.run("delivery_drop_removals", server_id, rows.gone_keys.text());
  if (!rows.seen_keys.empty()) {
    tx.run("delivery_add_removals", server_id, rows.seen_keys.text(), rows.seen_peers.text());
  }
}

// Of what the proof shows to be gone; a peer that waited for the last such row is judged again by its server.
void drop_proven_strays(Tx& tx, Id server_id, const wireguard::Proof& proof, Rows& rows) {
  std::vector<std::string> absent;
  for (const auto& [key, proven] : proof) {
    if (proven && proven->empty()) absent.push_back(key);
  }
  if (absent.empty()) return;
  Ids peers;
  for (auto& [key, peer_id] : drop_strays(tx, server_id, absent)) {
    rows.stray_keys.push_back(key);
    peers.push_back(peer_id);
  }
  if (peers.empty()) return;
  give_way(tx, server_id);
  normalise(peers);
  tx.run("delivery_judge_again", array_of(peers));
}

// What a proof changes of what decisions rest on: a rebuild needs it. What it proves is read anew then.
void record_proof(Messages& messages, const domain::Server& server, Time now, const Rows& rows) {
  if (rows.stray_keys.empty() && rows.given_up.empty()) return;
  const std::string id = "proof/" + std::to_string(server.id) + '/' + std::to_string(micros_of(now));
  const nlohmann::ordered_json proof{
      {"server_id", server.id}, {"gone_keys", rows.stray_keys}, {"given_up_peers", rows.given_up}};
  record_own(messages, "peerwright.proof.v1", id, "server/" + server.name, now,
             {{"proofs", nlohmann::ordered_json::array({proof})}});
}

void load_around(Tx& tx, const pqxx::result& rows, domain::State& state) {
  Ids tenants, subscribers, customers;
  for (const auto& row : rows) {
    tenants.push_back(int_at(row, 1));
    if (const auto subscriber = maybe_int_at(row, 5)) subscribers.push_back(*subscriber);
  }
  normalise(tenants);
  normalise(subscribers);
  load_tenants(tx, tenants, state);
  load_subscribers(tx, subscribers, state);
  for (const Id id : subscribers) {
    const domain::Subscriber* subscriber = state.subscriber(id);
    if (subscriber != nullptr && subscriber->customer_id) customers.push_back(*subscriber->customer_id);
  }
  normalise(customers);
  load_customers(tx, customers, state);
}

events::PeerContext context_of(const Peer& peer, const domain::State& state) {
  events::PeerContext context;
  context.server = peer.server_id ? state.server(*peer.server_id) : nullptr;
  context.network = peer.network_id ? state.network(*peer.network_id) : nullptr;
  context.tenant = state.tenant(peer.tenant_id);
  const domain::Subscriber* subscriber = peer.subscriber_id ? state.subscriber(*peer.subscriber_id) : nullptr;
  const bool has_customer = subscriber != nullptr && subscriber->customer_id;
  const domain::Customer* customer = has_customer ? state.customer(*subscriber->customer_id) : nullptr;
  if (customer != nullptr) context.customer = customer->name;
  return context;
}

std::vector<Seen> load_seen(Tx& tx, domain::State& state, Id server_id, const Shown& shown) {
  Column keys;
  for (const auto& [key, proven] : shown.keys) keys.add(std::string_view(key));
  const auto rows = tx.run("delivery_peers_with_keys", server_id, keys.text());
  load_around(tx, rows, state);
  std::vector<Seen> all;
  for (const auto& row : rows) {
    Seen seen;
    seen.peer = peer_from(row, state);
    if (!row[kPeerColumns].is_null()) seen.before = text_at(row, kPeerColumns);
    RowReader read(row, kPeerColumns + 1);
    seen.wanted = read.flag();
    seen.walled = read.flag();
    seen.has_strays = read.flag();
    seen.context = context_of(seen.peer, state);
    seen.context.connectivity = read.text();
    seen.context.connectivity_since = read.maybe_time();
    seen.context.last_handshake_at = read.maybe_time();
    seen.context.connected_at = read.maybe_time();
    seen.proven = proven_of(seen.peer, seen.before, shown);
    all.push_back(std::move(seen));
  }
  return all;
}

// A removal, or a peer that was on and is walled now: the rest of the network is out of its reach.
bool was_taken_away(const Seen& seen) { return !seen.wanted || (seen.walled && seen.peer.applied_generation > 0); }

}  // namespace

void hand_on_addresses(Tx& tx, const Column& networks, const Column& offsets, const Column& peers) {
  release(tx, tx.run("delivery_hand_on_addresses", networks.text(), offsets.text(), peers.text()));
}

std::vector<std::pair<std::string, Id>> drop_strays(Tx& tx, Id server_id, const std::vector<std::string>& keys) {
  Column absent, network, offset, peer;
  for (const std::string& key : keys) absent.add(std::string_view(key));
  std::vector<std::pair<std::string, Id>> gone;
  for (const auto& row : tx.run("delivery_drop_strays", server_id, absent.text())) {
    gone.emplace_back(text_at(row, 3), int_at(row, 2));
    if (row[0].is_null() || row[1].is_null()) continue;
    network.add(int_at(row, 0));
    offset.add(int_at(row, 1));
    peer.add(int_at(row, 2));
  }
  if (!offset.empty()) hand_on_addresses(tx, network, offset, peer);
  return gone;
}

std::string proven_text(std::string fingerprints, const std::string& endpoint) {
  if (!endpoint.empty()) fingerprints.append(kEndpointLine).append(endpoint);
  return fingerprints;
}

std::string proven_text(const PeerConfigs& configs, const std::string& endpoint) {
  std::string text = wireguard::fingerprint(configs.main);
  if (configs.staged) text.append("\n").append(wireguard::fingerprint(*configs.staged));
  return proven_text(std::move(text), endpoint);
}

std::string proven_endpoint(const std::optional<std::string>& proven, const std::string& key) {
  if (!proven || !proven->starts_with(key + ' ')) return {};
  const auto at = proven->find(kEndpointLine);
  return at == std::string::npos ? std::string() : proven->substr(at + kEndpointLine.size());
}

std::vector<std::string> allowed_ips_of(const Peer& peer, const domain::Network& network) {
  std::vector<std::string> allowed_ips = addresses_of(peer, network);
  for (const std::string& site : peer.site_networks) {
    const auto prefix = wireguard::Prefix::parse(site);
    allowed_ips.push_back(prefix ? prefix->network().text() : site);
  }
  std::sort(allowed_ips.begin(), allowed_ips.end());
  return allowed_ips;
}

Result<PeerConfigs> configs_of(const Peer& peer, const domain::Network& network, const Sealer* sealer) {
  PeerConfigs configs;
  PeerConfig& main = configs.main;
  main.public_key = peer.public_key;
  main.allowed_ips = allowed_ips_of(peer, network);
  main.keepalive_seconds = peer.hub_keepalive_seconds;
  main.keeps_preshared_key = peer.preshared_key_unknown;
  if (!peer.preshared_key_sealed.empty()) {
    auto key = open_column(sealer, peer.preshared_key_sealed, preshared_key_place(peer));
    if (!key) {
      return permanent("preshared_key_unreadable", "the peer's preshared key cannot be opened: " + key.error().code,
                       "set the encryption key that sealed it, or give the peer a new preshared key");
    }
    main.preshared_key = *std::move(key);
  }
  if (!peer.staged_key.empty()) {
    configs.staged.emplace();
    configs.staged->public_key = peer.staged_key;
    configs.staged->keepalive_seconds = main.keepalive_seconds;
    configs.staged->preshared_key = main.preshared_key.clone();
  }
  return configs;
}

Finished store_proofs(Tx& tx, domain::State& state, Id server_id, const Sealer* sealer, const Shown& shown) {
  Finished finished;
  if (shown.keys.empty()) return finished;
  const domain::Server* server = state.server(server_id);
  const domain::Network* network = server->network_id ? state.network(*server->network_id) : nullptr;
  Rows rows;
  Messages messages;
  drop_proven_strays(tx, server_id, shown.keys, rows);
  finished.as_told += rows.stray_keys.size();
  for (Seen& seen : load_seen(tx, state, server_id, shown)) {
    const Peer& before = seen.peer;
    Peer after = judged(seen, network, sealer, shown, rows);
    const bool applied = after.delivery() == Delivery::applied;
    const bool told_to_go = !seen.wanted || (shown.walled_out && seen.walled);
    if (applied || (told_to_go && seen.proven && seen.proven->empty())) ++finished.as_told;
    if (after.delivery() != before.delivery()) {
      after.version += 1;
      if (applied) {
        seen.context.latency_ms = (micros_of(state.now) - micros_of(after.changed_at)) / 1000;
        seen.context.vps_ready_at = state.now;
        ++finished.applied;
        (was_taken_away(seen) ? finished.urgent_latencies_ms : finished.latencies_ms)
            .push_back(seen.context.latency_ms);
      }
      messages.say("status",
                   events::peer_status(after, seen.context, client_secrets(sealer, after, seen.context.tenant)));
    }
    rows.id.add(after.id);
    rows.proven.add(seen.proven);
    rows.applied.add(after.applied_generation);
    rows.version.add(after.version);
    rows.offset.add(after.address_offset);
    rows.error.add(after.delivery_error);
  }
  store_rows(tx, server_id, rows);
  release_revoked(tx, rows);
  record_proof(messages, *server, state.now, rows);
  messages.store(tx);
  return finished;
}

namespace {

void say_parked(Tx& tx, domain::State& state, const Sealer* sealer, const pqxx::result& parked) {
  if (parked.empty()) return;
  Ids ids;
  for (const auto& row : parked) ids.push_back(int_at(row, 0));
  normalise(ids);
  Messages messages;
  for (const Peer& peer : load_whole_peers(tx, ids, state)) {
    const auto context = context_of(peer, state);
    messages.say("status", events::peer_status(peer, context, client_secrets(sealer, peer, context.tenant)));
  }
  messages.store(tx);
}

}  // namespace

void park(Tx& tx, domain::State& state, Id server_id, const Sealer* sealer, const std::string& key,
          const std::string& code, std::int64_t planned_generation) {
  say_parked(tx, state, sealer, tx.run("delivery_park_key", server_id, key, code, planned_generation));
}

void park(Tx& tx, domain::State& state, const Ids& peers, const Sealer* sealer, const std::string& code) {
  if (!peers.empty()) say_parked(tx, state, sealer, tx.run("delivery_park_peers", array_of(peers), code));
}

}  // namespace peerwright::store
