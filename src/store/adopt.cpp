#include "adopt.hpp"

#include <map>
#include <set>

#include "columns.hpp"
#include "peerwright/events/outbound.hpp"
#include "proofs.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using domain::Stranger;

constexpr std::size_t kMostNamed = 100;  // keys that are left alone and named in the audit; all are counted

Column keys_in(const wireguard::HostAnswer& answer) {
  std::set<std::string_view> keys;
  for (const auto& peer : answer.kernel) keys.insert(peer.public_key);
  for (const auto& peer : answer.file) keys.insert(peer.public_key);
  Column column;
  for (const std::string_view key : keys) column.add(key);
  return column;
}

// The use of every address in the network that the strangers have, and the prefixes on the server that overlap theirs.
void load_places(Tx& tx, const domain::Server& server, const std::vector<Stranger>& strangers, domain::State& state) {
  const domain::Network& network = *state.network(*server.network_id);
  RowWriter uses;
  std::set<std::string> prefixes;
  for (const Stranger& stranger : strangers) {
    for (const std::string& text : stranger.shown.allowed_ips) {
      const auto prefix = wireguard::Prefix::parse(text);
      if (!prefix) continue;
      const auto& net = prefix->is_ipv4() ? network.net4 : network.net6;
      const auto offset = net && prefix->size() == 1 ? net->offset_of(*prefix) : std::nullopt;
      if (offset) uses.add(network.id).add(*offset).end_row();
      if (!offset) prefixes.insert(prefix->network().text());
    }
  }
  load_uses(tx, uses, state);
  load_sites(tx, {server.id}, prefixes, state);
}

// What is known of one import while it is made.
class Importer {
 public:
  Importer(Tx& tx, domain::State& state, const PlannedPush& push, const Sealer* sealer)
      : tx_(tx), state_(state), push_(push), speaker_(sealer) {
    into_.server_id = push.server.id;
    into_.tenant = state.tenant(push.import->tenant_id)->name;
    into_.cause = push.import->cause;
    into_.source = into_.cause.substr(0, into_.cause.rfind('/'));
  }

  Imported run(const wireguard::HostAnswer& answer) {
    const auto strangers = load_strangers(tx_, *state_.server(into_.server_id), answer, state_, done_.left_alone);
    raise_server();
    load_identities(strangers);
    for (const Stranger& stranger : strangers) take(stranger);
    if (!made_.empty()) tx_.run("adopt_unused", array_of({made_.begin(), made_.end()}));
    tell();
    store_changes(tx_, changes_, state_);
    if (!ids_.empty()) tx_.run("adopt_store_proofs", ids_.text(), proven_.text(), applied_.text());
    messages_.store(tx_);
    done_.due = !changes_.due_servers.empty();
    return std::move(done_);
  }

 private:
  // One generation and one version for all of them.
  void raise_server() {
    domain::Server server = *state_.server(into_.server_id);
    server.generation += 1;
    server.version += 1;
    into_.generation = server.generation;
    opening_.servers.push_back(std::move(server));
    opening_.imports[into_.server_id] = {};
    changes_.apply(state_, opening_);
  }

  // Rows for those that can be adopted as far as one can tell before: each may have been named by somebody already, and
  // held.
  void load_identities(const std::vector<Stranger>& strangers) {
    Column tenants, names;
    for (const Stranger& stranger : strangers) {
      if (domain::refuse_stranger(stranger, into_.server_id, state_)) continue;
      tenants.add(push_.import->tenant_id);
      names.add(std::string_view(domain::adopted_name(stranger.shown.public_key)));
    }
    if (names.empty()) return;
    for (const auto& row : tx_.run("intake_peers_insert", tenants.text(), names.text())) made_.insert(int_at(row, 0));
    Ids peers;
    for (const auto& row : tx_.run("adopt_find_identities", push_.import->tenant_id, names.text())) {
      peers.push_back(int_at(row, 0));
    }
    normalise(peers);
    lock_peers(tx_, peers, state_);
    load_holds(tx_, {}, {}, peers, state_);
  }

  void take(const Stranger& stranger) {
    const auto refused = domain::refuse_stranger(stranger, into_.server_id, state_);
    const domain::Decision decision = refused ? *refused : domain::adopt(stranger, into_, state_);
    if (decision.outcome == domain::Outcome::rejected) {
      done_.left_alone.push_back({stranger.shown.public_key, decision.code});
      return;
    }
    ++done_.adopted;
    const domain::Peer peer = decision.peers.front();
    speaker_.carry_out(decision, into_.cause, state_, changes_, messages_);
    made_.erase(peer.id);
    ids_.add(peer.id);
    proven_.add(stranger.saved ? std::optional(fingerprint_of(stranger)) : std::nullopt);
    applied_.add(peer.applied_generation);
    domain::Refs refs;
    refs.tenant = peer.tenant;
    refs.peer = peer.name;
    record(decision, "peerwright.peer.adopted.v1", '/' + peer.name, refs);
  }

  static std::string fingerprint_of(const Stranger& stranger) {
    wireguard::PeerConfig config;
    config.public_key = stranger.shown.public_key;
    config.allowed_ips = stranger.shown.allowed_ips;
    config.keepalive_seconds = stranger.shown.keepalive_seconds;
    config.keeps_preshared_key = stranger.shown.has_preshared_key;
    return wireguard::fingerprint(config);
  }

  // The import itself, with whom it left alone.
  void tell() {
    events::ServerContext context;
    const domain::Server& server = *state_.server(into_.server_id);
    context.network = server.network_id ? state_.network(*server.network_id) : nullptr;
    context.owner = server.owner_tenant_id ? state_.tenant(*server.owner_tenant_id) : nullptr;
    context.import.emplace();
    context.import->tenant = into_.tenant;
    context.import->adopted = done_.adopted;
    opening_.message = std::to_string(done_.adopted) + " adopted";
    std::size_t named = 0;
    for (const LeftAlone& one : done_.left_alone) {
      ++context.import->left_alone[one.code];
      if (++named <= kMostNamed) opening_.message += "; left alone: " + one.public_key + ": " + one.code;
    }
    opening_.servers = {server};
    messages_.say("status", events::server_status(server, into_.cause, context));
    domain::Refs refs;
    refs.server = server.name;
    record(opening_, "peerwright.server.imported.v1", "", refs);
  }

  void record(const domain::Decision& decision, const char* type, const std::string& what, const domain::Refs& refs) {
    domain::Word word;
    word.source = events::kOwnSource;
    word.id = "import/" + push_.server.name + '/' + std::to_string(push_.push_number) + what;
    word.place.broker_time = state_.now;
    messages_.record(word, type, events::key_of(refs), decision, events::audit_body(word, type, refs, decision));
  }

  Tx& tx_;
  domain::State& state_;
  const PlannedPush& push_;
  Speaker speaker_;
  domain::Adoption into_;
  domain::Decision opening_;
  domain::Changes changes_;
  Messages messages_;
  Column ids_, proven_, applied_;
  std::set<Id> made_;  // rows for peers that were not adopted so far
  Imported done_;
};

}  // namespace

bool want_import(Tx& tx, Id server_id, const std::string& cause) {
  return !tx.run("adopt_want", server_id, cause).empty();
}

void lock_for_import(Tx& tx, const PlannedPush& push, domain::State& state) {
  tx.run("intake_guard_keys");  // many keys are given at once, and nobody may give one of them meanwhile
  lock_tenants(tx, {push.import->tenant_id}, state);
  load_plans(tx, {push.import->tenant_id}, state);
  if (push.server.network_id) lock_networks(tx, {*push.server.network_id}, state);
}

std::vector<Stranger> load_strangers(Tx& tx, const domain::Server& server, const wireguard::HostAnswer& answer,
                                     domain::State& state, std::vector<LeftAlone>& left_alone) {
  const Column keys = keys_in(answer);
  if (keys.empty()) return {};
  std::set<std::string, std::less<>> unknown;
  for (const auto& row : tx.run("adopt_strangers", server.id, keys.text())) {
    if (bool_at(row, 1)) {
      left_alone.push_back({text_at(row, 0), domain::key_in_use().code});
    } else {
      unknown.insert(text_at(row, 0));
    }
  }
  auto strangers = domain::strangers_in(answer, unknown);
  load_places(tx, server, strangers, state);
  return strangers;
}

Imported import_strangers(Tx& tx, domain::State& state, const PlannedPush& push, const wireguard::HostAnswer& answer,
                          const Sealer* sealer) {
  if (state.server(push.server.id)->network_id != push.server.network_id) {
    throw pqxx::transaction_rollback("a server got another network while it was being imported");
  }
  return Importer(tx, state, push, sealer).run(answer);
}

}  // namespace peerwright::store
