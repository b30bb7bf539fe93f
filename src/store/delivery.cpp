#include "peerwright/store/delivery.hpp"

#include <algorithm>

#include "adopt.hpp"
#include "columns.hpp"
#include "delivery_plan.hpp"
#include "foreign.hpp"
#include "peerwright/base/text.hpp"
#include "peerwright/domain/retire.hpp"
#include "peerwright/wireguard/refusal.hpp"
#include "records.hpp"
#include "retire.hpp"
#include "server_health.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using wireguard::PushMode;

constexpr std::chrono::milliseconds kAtOnce{0};
constexpr std::size_t kMostErrorBytes = 500;
constexpr int kShownTries = 3;  // a host that has not shown a key then never does

// The delivery's row under lock, if the worker still has the lease. The server's row is locked before.
std::optional<DeliveryRow> lock_delivery(Tx& tx, const std::string& worker_id, Id server_id) {
  const auto rows = tx.run("delivery_state", server_id, worker_id, kRefusedAgainSeconds);
  if (rows.empty()) return std::nullopt;
  const pqxx::row row = rows[0];  // the reader keeps a reference
  RowReader read(row);
  DeliveryRow delivery;
  delivery.in_doubt = read.flag();
  delivery.urgent = read.flag();
  delivery.attempts = read.small();
  delivery.installation_id = read.text();
  delivery.firewall.hash = read.text();
  delivery.firewall.known = read.flag();
  delivery.firewall.refused = read.text();
  delivery.was_refused = read.flag();
  delivery.has_links = read.flag();
  delivery.needs.walled = read.flag();
  delivery.needs.rules = read.flag();
  const auto tenant = read.maybe_number();
  std::string import_cause = read.text();
  if (tenant) delivery.import = PlannedImport{*tenant, std::move(import_cause)};
  delivery.error_code = read.text();
  delivery.own_way = read.flag();
  return delivery;
}

void load_network_of(Tx& tx, Id server_id, domain::State& state) {
  const domain::Server* server = state.server(server_id);
  if (server != nullptr && server->network_id) load_networks(tx, {*server->network_id}, state);
}

void load_server_and_network(Tx& tx, Id server_id, domain::State& state) {
  lock_servers(tx, {server_id}, state);
  load_network_of(tx, server_id, state);
}

std::string keys_of(const wireguard::PushPlan& plan) {
  Column keys;
  for (const std::string& key : plan.removals) keys.add(std::string_view(key));
  for (const auto& peer : plan.peers) keys.add(std::string_view(peer.public_key));
  return keys.text();
}

std::set<std::string> key_set_of(const wireguard::PushPlan& plan) {
  std::set<std::string> keys(plan.removals.begin(), plan.removals.end());
  for (const auto& peer : plan.peers) keys.insert(peer.public_key);
  return keys;
}

struct Done {
  std::int64_t planned_generation = 0;
  std::string file_hash;                  // empty: nothing was read
  bool forget_failures = true;            // a reading that worked says nothing about the push that failed
  std::chrono::milliseconds retry_in{0};  // above zero: the host answered, but shows nothing of what it was told
  bool more = false;                      // is to be done, beside what the peers' rows say
  std::string complaint;                  // what stands wrong all the same
  bool walled_out = false;                // the walled are to be off
  bool urgent = false;                    // beside what the peers' rows say
  std::int64_t not_shown = 0;             // pushes in a row about one key that the host did not show
};
Result<bool> mark_done(Tx& tx, const std::string& worker_id, Id server_id, const Done& done) {
  tx.run("delivery_plan_once");
  const auto rows = tx.run("delivery_done", server_id, worker_id, done.planned_generation, done.file_hash,
                           done.forget_failures, std::int64_t{done.retry_in.count()}, done.more, done.complaint,
                           done.walled_out, done.urgent, done.not_shown);
  if (rows.empty()) return transient("push_overtaken", "another worker has taken the server over");
  return bool_at(rows[0], 0);
}

// Whether the nodes' entries leave anything to do that no name has to be resolved for first.
bool is_pending(const Links& links) {
  const Links::Plan plan = links.plan(false);
  return !plan.removals.empty() || !plan.peers.empty() || !plan.settled.empty();
}

}  // namespace

// What a failure sets aside.
struct Aside {
  std::string key;
  std::int64_t planned_generation = 0;
  std::string firewall;  // refused_text()
  bool own_way = false;  // the key was to go, and carries the worker itself
};

struct DeliveryStore::Impl {
  Impl(const Database& database, const Sealer* with) : db(database, "deliver"), sealer(with) {}

  Result<std::optional<PlannedPush>> plan_locked(Tx& tx, const std::string& worker_id, domain::State& state,
                                                 const domain::Server& server, const DeliveryLimits& limits);
  Result<Finished> finish_locked(Tx& tx, const std::string& worker_id, const PlannedPush& push,
                                 const wireguard::HostAnswer& answer, const wireguard::Proof& proof,
                                 std::chrono::milliseconds retry_in);
  Result<void> fail(const std::string& worker_id, Id server_id, const Error& why, std::chrono::milliseconds retry_in,
                    const Aside& aside);
  Db db;
  const Sealer* sealer;
};

DeliveryStore::DeliveryStore(const Database& database, const Sealer* sealer)
    : impl_(std::make_unique<Impl>(database, sealer)) {}
DeliveryStore::~DeliveryStore() = default;

Result<std::vector<Id>> DeliveryStore::claim(const std::string& worker_id, const std::vector<Id>& active, int most,
                                             std::chrono::milliseconds dead_after, bool failing) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<Id>> {
    tx.run("delivery_relaxed");
    tx.run("delivery_plan_once");
    std::vector<Id> servers;
    for (const auto& row :
         tx.run("delivery_claim", worker_id, most, std::int64_t{dead_after.count()}, array_of(active), failing)) {
      servers.push_back(int_at(row, 0));
    }
    return servers;
  });
}

Result<int> DeliveryStore::retry_set_aside() {
  return impl_->db.transact([&](Tx& tx) -> Result<int> {
    const auto servers = tx.run("links_retry_names").size() + tx.run("delivery_retry_peers").size() +
                         tx.run("firewall_retry_refused", kRefusedAgainSeconds).size() +
                         tx.run("delivery_retry_own_way", kRefusedAgainSeconds).size();
    return static_cast<int>(servers);
  });
}

Result<std::optional<PlannedPush>> DeliveryStore::plan(const std::string& worker_id, Id server_id,
                                                       const DeliveryLimits& limits) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::optional<PlannedPush>> {
    domain::State state;
    state.now = time_from_micros(int_at(tx.run("delivery_clock")[0], 0));
    load_server_and_network(tx, server_id, state);
    const domain::Server* server = state.server(server_id);
    if (server == nullptr || !server->word) return std::optional<PlannedPush>();
    if (server->maintenance) {  // since it was claimed
      tx.run("delivery_release", server_id, worker_id);
      return std::optional<PlannedPush>();
    }
    return impl_->plan_locked(tx, worker_id, state, *server, limits);
  });
}

Result<std::optional<PlannedPush>> DeliveryStore::Impl::plan_locked(Tx& tx, const std::string& worker_id,
                                                                    domain::State& state, const domain::Server& server,
                                                                    const DeliveryLimits& limits) {
  const auto delivery = lock_delivery(tx, worker_id, server.id);
  if (!delivery) return std::optional<PlannedPush>();
  PlannedPush push;
  push.server = server;
  push.installation_id = delivery->installation_id;
  push.guard = limits.guard;
  push.planned_generation = server.generation;
  push.urgent = delivery->urgent;
  push.attempts = delivery->attempts;
  const auto end = end_of(tx, server, *delivery);
  Links links = delivery->has_links ? Links::load(tx, server.id) : Links();
  if (end && end->comes_at_once) {
    pick_retirement(tx, limits, push);
  } else if (delivery->in_doubt) {
    push.mode = PushMode::reading;
    push.firewall.hash = wireguard::firewall_hash(wanted_firewall(tx, state, server, delivery->needs));
    push.firewall.refused_code = refused_code(delivery->firewall, push.firewall.hash);
    push.complaint = delivery->complaint(push.firewall.refused_code);
    push.import = delivery->import;
    pick_reading(tx, state, sealer, links, push);
  } else {
    const Picked picked = pick_push(tx, state, *delivery, limits, sealer, links, push);
    store_proofs(tx, state, server.id, sealer, picked.peers);
    if (!picked.links.keys.empty()) links.store(tx, picked.links, {}, {});
    const bool empty = is_empty(push.plan);
    const auto now = empty && end ? end_of(tx, server, *delivery) : std::nullopt;
    if (now && now->is_held()) {
      hold_back(tx, worker_id, state, server.id, *now, limits.look_again);
      return std::optional<PlannedPush>();
    }
    if (now && now->may_come()) {
      pick_retirement(tx, limits, push);
    } else if (empty) {
      Done done;
      done.planned_generation = push.planned_generation;
      done.complaint = push.complaint;
      done.walled_out = !push.firewall.refused_code.empty();
      done.more = delivery->has_links && is_pending(links);
      auto marked = mark_done(tx, worker_id, server.id, done);
      if (!marked) return tl::unexpected(marked.error());
      return std::optional<PlannedPush>();
    }
    tx.run("delivery_mark_pushed", server.id, keys_of(push.plan));
    links.mark_pushed(tx, key_set_of(push.plan));
  }
  push.push_number = int_at(tx.run("delivery_raise", server.id, push.firewall.carried)[0], 0);
  return std::optional<PlannedPush>(std::move(push));
}

namespace {

// What the answer shows of the server itself: its key, once it is known or changed. The other ends of its links are
// told; their servers' rows are locked.
void take_key(Tx& tx, domain::State& state, const PlannedPush& push, const wireguard::HostAnswer& answer,
              const Ids& linked) {
  domain::Server server = *state.server(push.server.id);
  const std::string number = std::to_string(push.push_number);
  const std::string cause = "push/" + number;
  const bool replaced = !push.plan.interface_key.empty() && server.key_wanted == push.server.key_wanted &&
                        answer.interface_key == server.key_wanted;
  if (replaced) {
    const auto row = tx.run("delivery_take_new_key", server.id, cause)[0];
    server.version = int_at(row, 0);
    server.public_key = text_at(row, 1);
    server.key_since = time_from_micros(int_at(row, 2));
    server.key_wanted.clear();
  } else if (server.public_key.empty() && !answer.interface_key.empty()) {
    server.public_key = answer.interface_key;
    server.version = int_at(tx.run("delivery_learn_key", server.id, server.public_key, "reading/" + number)[0], 0);
  } else {
    return;
  }
  state.load(server);
  Messages messages;
  messages.say("status", events::server_status(server, replaced ? cause : "reading/" + number));
  const nlohmann::ordered_json key{{"server_id", server.id},
                                   {"public_key", server.public_key},
                                   {"replaced", replaced},
                                   {"cause", replaced ? cause : "reading/" + number},
                                   {"linked", linked}};
  record_own(messages, "peerwright.server.key.v1", "key/" + server.name + '/' + number, "server/" + server.name,
             state.now, {{"server_keys", nlohmann::ordered_json::array({key})}});
  messages.store(tx);
  if (!linked.empty()) tx.run("links_take_key", server.id, server.public_key, array_of(linked));
}

// The first reading of a server that was registered without its key: what another server has is not learned.
Result<void> refuse_key(Tx& tx, const domain::Server& server, const wireguard::HostAnswer& answer) {
  if (!server.public_key.empty() || answer.interface_key.empty()) return {};
  const auto rows = tx.run("delivery_key_of_other", server.id, answer.interface_key);
  if (rows.empty()) return {};
  const std::string other = text_at(rows[0], 0);
  return permanent("interface_taken", "the interface that was found there is the server " + other,
                   "retire one of the two servers, or register the right interface or host");
}

KnownFirewall firewall_from(const pqxx::row& row) {
  return {text_at(row, 0), bool_at(row, 1), text_at(row, 2), text_at(row, 3)};
}

// Stores what is known of the firewall now; answers whether it is as it was wanted.
bool take_firewall(Tx& tx, const PlannedPush& push, const KnownFirewall& before, const wireguard::HostAnswer& answer) {
  const KnownFirewall after = seen_firewall(before, answer, push.firewall.hash, push.firewall.carried);
  if (after != before) {
    tx.run("firewall_store", push.server.id, after.hash, after.state, after.known, after.refused);
  }
  // One of which nft does not tell is no matter where none is wanted and none was there.
  const bool stands = !is_due(after, push.firewall.hash);
  if (after.known && !before.refused.empty()) {
    tx.run("firewall_take_back", push.server.id, before.refused.substr(0, before.refused.find(' ')));
  }
  return stands;
}

std::map<std::string, std::string> pushed_endpoints(const PlannedPush& push) {
  std::map<std::string, std::string> endpoints;
  for (const auto& peer : push.plan.peers) {
    if (push.link_keys.contains(peer.public_key) && !peer.endpoint.empty()) {
      endpoints[peer.public_key] = peer.endpoint;
    }
  }
  return endpoints;
}

Shown shown_by(const PlannedPush& push, const wireguard::Proof& proof, bool firewall_stands) {
  Shown shown;
  shown.keys = proof;
  shown.keys.insert(push.settled.begin(), push.settled.end());
  shown.configured_endpoints = push.configured_endpoints;
  shown.garden = firewall_stands;
  shown.firewall = firewall_stands || !push.firewall.refused_code.empty();
  shown.walled_out = !push.firewall.refused_code.empty() && !firewall_stands;
  shown.planned_generation = push.planned_generation;
  shown.complete = push.mode != PushMode::push;
  return shown;
}

}  // namespace

Result<Finished> DeliveryStore::finish(const std::string& worker_id, const PlannedPush& push,
                                       const wireguard::HostAnswer& answer, const wireguard::Proof& proof,
                                       std::chrono::milliseconds retry_in) {
  return impl_->db.transact([&](Tx& tx) { return impl_->finish_locked(tx, worker_id, push, answer, proof, retry_in); });
}

Result<Finished> DeliveryStore::Impl::finish_locked(Tx& tx, const std::string& worker_id, const PlannedPush& push,
                                                    const wireguard::HostAnswer& answer, const wireguard::Proof& proof,
                                                    std::chrono::milliseconds retry_in) {
  const Id server_id = push.server.id;
  domain::State state;
  state.now = time_from_micros(int_at(tx.run("delivery_clock")[0], 0));
  if (push.import) lock_for_import(tx, push, state);
  // The other ends of its links are changed with a new key: all servers are locked in their order.
  Ids linked;
  if (push.server.public_key.empty() || !push.plan.interface_key.empty()) {
    for (const auto& row : tx.run("links_to_server", server_id)) linked.push_back(int_at(row, 0));
  }
  Ids locked = linked;
  locked.push_back(server_id);
  if (push.mode != PushMode::push || !push.plan.removals.empty()) {
    for (const auto& row : tx.run("delivery_servers_of_strays", server_id)) locked.push_back(int_at(row, 0));
  }
  normalise(locked);
  lock_servers(tx, locked, state);
  load_network_of(tx, server_id, state);
  const auto mine = tx.run("delivery_is_mine", server_id, push.push_number);
  if (mine.empty()) return transient("push_overtaken", "a later push of this server has begun");

  if (bool_at(mine[0], 6)) say_reached(tx, state, server_id);
  if (const auto taken = refuse_key(tx, *state.server(server_id), answer); !taken) return tl::unexpected(taken.error());
  take_key(tx, state, push, answer, linked);
  const bool firewall_stands = take_firewall(tx, push, firewall_from(mine[0]), answer);
  Shown shown = shown_by(push, proof, firewall_stands);
  Links links = bool_at(mine[0], 4) ? Links::load(tx, server_id) : Links();
  const auto uncaused = shown.complete ? uncaused_by(tx, server_id, answer) : domain::UncausedRemovals();
  const std::size_t nodes_as_told = links.store(tx, shown, pushed_endpoints(push), push.unresolved);
  if (shown.complete) {
    // An import leaves alone what is somebody's, and says so; then observation judges it.
    if (!push.import) remove_strays(tx, server_id, answer);
    // A reading shows all that stands there: what it does not show is gone.
    for (const auto& row : tx.run("delivery_keys_not_absent", server_id)) shown.keys.try_emplace(text_at(row, 0), "");
  }
  Finished finished = store_proofs(tx, state, server_id, sealer, shown);
  finished.as_told += nodes_as_told;
  if (push.import) finished.imported = import_strangers(tx, state, push, answer, sealer);
  if (shown.complete) {
    store_foreign(tx, *state.server(server_id), foreign_keys(tx, server_id, answer), uncaused, push.guard);
  } else if (!push.plan.removals.empty()) {
    finished.as_told += drop_foreign(tx, server_id, proof);
  }
  for (const std::string& key : push.unresolved) {
    if (!push.link_keys.contains(key)) {
      park(tx, state, server_id, sealer, key, "endpoint_unresolvable", push.planned_generation);
    }
  }

  const bool pushed = push.mode == PushMode::push;
  const bool retired = push.mode == PushMode::retire;
  const bool key_waits = !retired && !state.server(server_id)->key_wanted.empty() &&
                         push.complaint != "interface_key_unreadable" && !answer.keeps_interface_key;
  const bool firewall_waits = !firewall_stands && push.firewall.refused_code.empty();
  const bool hidden = pushed && tells_keys(push) && finished.as_told == 0;
  const std::string lone = hidden ? push.lone_key() : std::string();
  const std::int64_t not_shown = lone.empty() ? 0 : int_at(mine[0], 7) + 1;
  const bool never_shown = not_shown >= kShownTries;
  if (never_shown) {
    park(tx, state, server_id, sealer, lone, "not_shown_by_host", push.planned_generation);
    tx.run("links_park", server_id, lone, push.planned_generation);
  }
  const bool disputed = pushed && ((hidden && !never_shown) || (push.firewall.carried && firewall_waits) ||
                                   (!push.plan.interface_key.empty() && key_waits));
  Done done{push.planned_generation,
            answer.file_hash,
            pushed,
            disputed ? retry_in : kAtOnce,
            key_waits || firewall_waits || is_pending(links) || (finished.imported && finished.imported->adopted > 0) ||
                (!retired && domain::is_leaving(*state.server(server_id))),
            push.complaint.empty() && answer.keeps_interface_key ? kOwnWayCut : push.complaint,
            shown.walled_out,
            (push.urgent && firewall_waits) || !links.plan(false).removals.empty(),
            never_shown ? 0 : not_shown};
  auto more = mark_done(tx, worker_id, server_id, done);
  if (!more) return tl::unexpected(more.error());
  finished.still_due = *more;
  if (retired) say_retired(tx, state, server_id, "push/" + std::to_string(push.push_number));
  finished.was_late = bool_at(mine[0], 5);
  return finished;
}

Result<void> DeliveryStore::Impl::fail(const std::string& worker_id, Id server_id, const Error& why,
                                       std::chrono::milliseconds retry_in, const Aside& aside) {
  return db.transact([&](Tx& tx) -> Result<void> {
    domain::State state;
    state.now = time_from_micros(int_at(tx.run("delivery_clock")[0], 0));
    load_server_and_network(tx, server_id, state);
    // Whoever took the server over knows better.
    if (tx.run("delivery_held", server_id, worker_id).empty()) return {};
    if (!aside.key.empty()) {
      park(tx, state, server_id, sealer, aside.key, why.code, aside.planned_generation);
      tx.run("links_park", server_id, aside.key, aside.planned_generation);
      if (aside.own_way) tx.run("delivery_own_way", server_id, aside.key);
    }
    if (!aside.firewall.empty()) tx.run("firewall_refused", server_id, worker_id, aside.firewall);
    // A host may have put anything into its message.
    tx.run("delivery_failed", server_id, worker_id, why.code, printable(why.message, kMostErrorBytes),
           std::int64_t{retry_in.count()}, wireguard::number_seen_by_host(why).value_or(0));
    say_met(tx, state, server_id, why);
    return {};
  });
}

Result<void> DeliveryStore::fail(const std::string& worker_id, const PlannedPush& push, const Error& why,
                                 std::chrono::milliseconds retry_in, const Blamed& blamed) {
  const bool firewall = blamed.firewall && push.firewall.carried;
  const auto& gone = push.plan.removals;
  const bool own_way = why.code == kOwnWayCut && std::find(gone.begin(), gone.end(), blamed.key) != gone.end();
  return impl_->fail(worker_id, push.server.id, why, retry_in,
                     {blamed.key, push.planned_generation,
                      firewall ? refused_text(why.code, push.firewall.hash) : std::string(), own_way});
}

Result<void> DeliveryStore::fail(const std::string& worker_id, Id server_id, const Error& why,
                                 std::chrono::milliseconds retry_in) {
  return impl_->fail(worker_id, server_id, why, retry_in, {});
}

}  // namespace peerwright::store
