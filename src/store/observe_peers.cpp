#include "observe_peers.hpp"

#include <algorithm>

namespace peerwright::store {
namespace {

using domain::Id;

constexpr std::size_t kMostTransitions = 2000;       // that one look stores; the next one, soon, stores the others
constexpr std::chrono::minutes kFirstHandshake{15};  // so long a new client is waited for
constexpr const char* kOver = "over";                // owners of rows `quota`, as decide_timer knows them
constexpr const char* kUnder = "under";
constexpr const char* kDisconnected = "disconnected";

std::string counters_of(const RuntimeRow& row, const Look& look) {
  return std::to_string(look.server_id) + ' ' + row.public_key;
}

// Never more than can be added to again: hosts may say anything.
std::int64_t sum(std::int64_t bytes, std::int64_t more) { return std::min(bytes + more, wireguard::kMaxCounterBytes); }

// How much a counter grew. One that is lower than before began anew.
std::int64_t delta(std::int64_t before, std::int64_t now) { return now < before ? now : now - before; }

// When the handshake was, by the database's clock. Another one than at the look before was after that look, whatever
// the host's clock has done in between.
Time handshake_time(const RuntimeRow& row, const wireguard::ObservedPeer& shown, const Look& look) {
  const auto age = std::max<std::int64_t>(look.host_epoch_seconds - shown.handshake_epoch_seconds, 0);
  const Time at = look.now - std::chrono::seconds(age);
  const bool seen_before = !row.is_new && look.observed_at && row.runtime.counter_of == counters_of(row, look);
  return seen_before ? std::min(std::max(at, *look.observed_at), look.now) : at;
}

void count(const RuntimeRow& row, const wireguard::ObservedPeer& shown, const Look& look, PeerChange& change) {
  PeerRuntime& after = change.after;
  const std::string counter_of = counters_of(row, look);
  if (look.rebooted || after.counter_of != counter_of) after.rx_counter = after.tx_counter = 0;
  after.counter_of = counter_of;
  change.counted = true;
  change.rx_bytes = delta(after.rx_counter, shown.rx_bytes);
  change.tx_bytes = delta(after.tx_counter, shown.tx_bytes);
  after.rx_counter = shown.rx_bytes;
  after.tx_counter = shown.tx_bytes;
  after.rx_bytes = sum(after.rx_bytes, change.rx_bytes);
  after.tx_bytes = sum(after.tx_bytes, change.tx_bytes);
}

void go(const RuntimeRow& row, const char* connectivity, const Look& look, PeerChange& change) {
  change.after.connectivity = connectivity;
  change.transition = row.runtime.connectivity != connectivity;
  change.went_on_or_off = is_online(row.runtime.connectivity) != is_online(connectivity);
  if (!change.transition) return;
  change.after.since = look.now;
  if (is_online(connectivity) && !change.after.first_connected_at) change.after.first_connected_at = look.now;
}

}  // namespace

bool is_online(const std::string& connectivity) { return connectivity == "connected" || connectivity == "idle"; }

PeerChange change_of(const RuntimeRow& row, const wireguard::ObservedPeer* shown, const Look& look) {
  PeerChange change;
  change.after = row.runtime;
  PeerRuntime& after = change.after;
  const bool was_online = is_online(after.connectivity);
  if (shown == nullptr) {
    if (row.is_new) return change;
    after.rx_counter = after.tx_counter = 0;
    after.counter_of.clear();
    after.handshake_epoch = 0;
    if (was_online) go(row, kDisconnected, look, change);
    return change;
  }
  if (!shown->endpoint.empty()) after.endpoint = shown->endpoint;
  change.has_handshake = shown->handshake_epoch_seconds > 0 && shown->handshake_epoch_seconds != after.handshake_epoch;
  if (change.has_handshake) after.handshake_at = handshake_time(row, *shown, look);
  after.handshake_epoch = shown->handshake_epoch_seconds;
  const bool lives = row.applied && row.provisioned && after.handshake_epoch > 0 && after.handshake_at &&
                     look.now - *after.handshake_at < kHandshakeLives;
  if (look.counting || lives != was_online) count(row, *shown, look, change);
  const bool moved = change.rx_bytes + change.tx_bytes > 0;
  if (lives) {
    const bool idle = change.counted ? was_online && !moved : after.connectivity == "idle";
    go(row, idle && !change.has_handshake ? "idle" : "connected", look, change);
  } else if (was_online) {
    go(row, kDisconnected, look, change);
  }
  if (row.is_new) after.since = look.now;
  if (change.counted && (row.is_new || after != row.runtime)) after.updated_at = look.now;
  return change;
}

RuntimeRow runtime_row_from(const pqxx::row& fields) {
  RowReader read(fields);
  RuntimeRow row;
  row.peer_id = read.number();
  row.public_key = read.text();
  row.staged_key = read.text();
  row.provisioned = read.flag();
  row.applied = read.flag();
  constexpr int kProven = 5;
  if (!fields[kProven].is_null()) row.proven = text_at(fields, kProven);
  RowReader rest(fields, kProven + 1);
  row.wanted = rest.flag();
  row.quota_bytes = rest.number();
  row.over_quota = rest.flag();
  row.provisioned_at = rest.maybe_time();
  row.is_new = !rest.flag();
  PeerRuntime& runtime = row.runtime;
  runtime.handshake_at = rest.maybe_time();
  runtime.handshake_epoch = rest.number();
  runtime.endpoint = rest.text();
  runtime.connectivity = rest.text();
  runtime.since = rest.time();
  runtime.first_connected_at = rest.maybe_time();
  runtime.rx_counter = rest.number();
  runtime.tx_counter = rest.number();
  runtime.counter_of = rest.text();
  runtime.rx_bytes = rest.number();
  runtime.tx_bytes = rest.number();
  runtime.updated_at = rest.time();
  return row;
}

void PeerLooks::note_log(const RuntimeRow& row, const PeerChange& change) {
  const PeerRuntime& after = change.after;
  const auto add = [&](const char* type, std::int64_t rx, std::int64_t tx, Time at) {
    log_.add(row.peer_id).add(type).add_or_null(after.endpoint).add(rx).add(tx).add(at).end_row();
  };
  if (change.has_handshake) add("handshake", 0, 0, *after.handshake_at);
  if (change.rx_bytes + change.tx_bytes > 0) add("data_transfer", change.rx_bytes, change.tx_bytes, look_.now);
  if (change.transition && after.connectivity == kDisconnected) add("disconnect", 0, 0, look_.now);
}

void PeerLooks::note_timers(const RuntimeRow& row, const PeerChange& change) {
  if (!row.provisioned) return;
  const auto due = [&](domain::TimerKind kind, const char* owner) {
    timers_.add(domain::name_of(kind)).add(row.peer_id).add(owner).end_row();
    sums_.timers = true;
  };
  const std::int64_t used = change.after.rx_bytes + change.after.tx_bytes;
  const bool over = row.quota_bytes > 0 && used >= row.quota_bytes;
  if (over != row.over_quota) due(domain::TimerKind::quota, over ? kOver : kUnder);
  const auto staged = shown_.find(row.staged_key);
  if (!row.staged_key.empty() && staged != shown_.end() && staged->second->handshake_epoch_seconds > 0) {
    due(domain::TimerKind::rotation, "");
  }
}

void PeerLooks::note_waiting(const RuntimeRow& row, const PeerChange& change) {
  if (!row.provisioned) return;
  sums_.peers[change.after.connectivity] += 1;
  const bool is_young = row.provisioned_at && look_.now - *row.provisioned_at < kFirstHandshake;
  waiting_ = waiting_ || !row.staged_key.empty() || (row.wanted && change.after.connectivity == "never" && is_young);
}

void PeerLooks::add(const RuntimeRow& row) {
  const auto found = shown_.find(row.public_key);
  const wireguard::ObservedPeer* shown = found != shown_.end() ? found->second : nullptr;
  const PeerChange change = change_of(row, shown, look_);
  if (change.transition && transitions_.size() >= kMostTransitions) {
    more_ = true;
    sums_.peers[row.runtime.connectivity] += row.provisioned ? 1 : 0;
    return;
  }
  note_waiting(row, change);
  note_timers(row, change);
  note_log(row, change);
  sums_.rx_bytes = sum(sums_.rx_bytes, change.rx_bytes);
  sums_.tx_bytes = sum(sums_.tx_bytes, change.tx_bytes);
  if (change.transition) transitions_.push_back(row.peer_id);
  const PeerRuntime& after = change.after;
  if (change.rx_bytes + change.tx_bytes > 0 || change.went_on_or_off) {
    events::Usage& usage = usage_[row.peer_id];
    usage.until = look_.now;
    usage.from =
        std::max(row.provisioned_at.value_or(look_.counted_at.value_or(look_.now)), look_.counted_at.value_or(Time{}));
    if (!row.is_new) usage.from = std::max(usage.from, row.runtime.updated_at);
    usage.from = std::min(usage.from, look_.now);
    usage.rx_bytes = change.rx_bytes;
    usage.tx_bytes = change.tx_bytes;
    usage.rx_bytes_total = after.rx_bytes;
    usage.tx_bytes_total = after.tx_bytes;
    usage.online = is_online(after.connectivity);
  }
  if (row.is_new ? shown == nullptr : after == row.runtime) return;
  rows_.add(row.peer_id).add(after.handshake_at).add(after.handshake_epoch).add(after.endpoint).add(after.connectivity);
  rows_.add(after.since).add(after.first_connected_at).add(after.rx_counter).add(after.tx_counter);
  rows_.add(after.counter_of).add(after.rx_bytes).add(after.tx_bytes).add(after.updated_at).end_row();
}

void PeerLooks::say(Tx& tx, domain::State& state, const Sealer* sealer) const {
  Ids ids = transitions_;
  for (const auto& [peer_id, usage] : usage_) ids.push_back(peer_id);
  normalise(ids);
  if (ids.empty()) return;
  const auto rows = tx.run("observe_load_peers", array_of(ids));
  Ids tenants, subscribers, customers;
  for (const auto& row : rows) {
    const domain::Peer peer = peer_from(row, state);
    tenants.push_back(peer.tenant_id);
    if (peer.subscriber_id) subscribers.push_back(*peer.subscriber_id);
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

  Speaker speaker(sealer);
  speaker.load(tx, transitions_);
  const std::string& server = state.server(look_.server_id)->name;
  Messages messages;
  for (const auto& row : rows) {
    const domain::Peer peer = peer_from(row, state);
    if (std::binary_search(transitions_.begin(), transitions_.end(), peer.id)) {
      messages.say("status", speaker.peer_status(peer, state));
    }
    const auto usage = usage_.find(peer.id);
    if (usage == usage_.end()) continue;
    const auto* subscriber = peer.subscriber_id ? state.subscriber(*peer.subscriber_id) : nullptr;
    const auto* customer =
        subscriber != nullptr && subscriber->customer_id ? state.customer(*subscriber->customer_id) : nullptr;
    messages.say("status",
                 events::peer_usage(peer, usage->second, server, customer != nullptr ? customer->name : std::string()));
  }
  messages.store(tx);
}

void PeerLooks::store(Tx& tx, domain::State& state, const Sealer* sealer, Looked& looked) {
  if (!rows_.empty()) rows_.run(tx, "observe_store_peers");
  if (!log_.empty()) log_.run(tx, "observe_log");
  if (!timers_.empty()) timers_.run(tx, "observe_timers");
  if (!transitions_.empty()) tx.run("observe_raise_versions", array_of(transitions_));
  say(tx, state, sealer);
  looked.said = looked.said || !transitions_.empty() || !usage_.empty();
  looked.timers = looked.timers || sums_.timers;
  looked.rx_bytes = sum(looked.rx_bytes, sums_.rx_bytes);
  looked.tx_bytes = sum(looked.tx_bytes, sums_.tx_bytes);
  for (const auto& [connectivity, count] : sums_.peers) looked.peers[connectivity] += count;
}

}  // namespace peerwright::store
