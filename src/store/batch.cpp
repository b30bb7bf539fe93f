#include "batch.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "peerwright/domain/rules.hpp"

namespace peerwright::store {
namespace {

using domain::Id;

template <typename Names>
std::string text_array(const Names& names) {
  Column column;
  for (const auto& name : names) column.add(std::string_view(name));
  return column.text();
}

std::string place_of(const Arrival& arrival) {
  return arrival.topic + '/' + std::to_string(arrival.partition) + '/' + std::to_string(arrival.offset);
}

}  // namespace

struct Batch::Wanted {
  Ids subscribers, networks, servers, peers;
  std::map<Id, std::array<std::optional<Id>, 3>> pointers;  // peer -> subscriber, server, network
};

Batch::Batch(Tx& tx, const Sealer& sealer, std::span<const Arrival> arrivals, std::span<const Cursor> cursors)
    : tx_(tx), sealer_(sealer), arrivals_(arrivals), cursors_(cursors) {
  state_.now = time_from_micros(int_at(tx_.run("intake_now")[0], 0));
}

bool Batch::lock_partitions() {
  Column topic, number;
  for (const Cursor& cursor : cursors_) {
    topic.add(cursor.topic);
    number.add(std::int64_t{cursor.partition});
  }
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> stored;
  for (const auto& row : tx_.run("intake_lock_partitions", topic.text(), number.text())) {
    const auto partition = static_cast<std::int32_t>(int_at(row, 1));
    stored[{text_at(row, 0), partition}] = int_at(row, 2);
    const auto cursor = std::find_if(cursors_.begin(), cursors_.end(), [&](const Cursor& c) {
      return c.partition == partition && c.topic == text_at(row, 0);
    });
    if (cursor != cursors_.end()) last_time_[{cursor->topic, partition}] = time_from_micros(int_at(row, 3));
  }
  for (const Cursor& cursor : cursors_) {
    const auto found = stored.find({cursor.topic, cursor.partition});
    if (found == stored.end() || found->second != cursor.expected) return false;
  }
  for (const Arrival& arrival : arrivals_) {
    Time& last = last_time_[{arrival.topic, arrival.partition}];
    last = std::max(last, arrival.broker_time);
    place_time_[&arrival] = last;
  }
  return true;
}

domain::Word Batch::word_of(const Arrival& arrival) const {
  const events::Envelope& envelope = arrival.event->envelope;
  return {
      envelope.source, envelope.id, envelope.sequence, {place_time_.at(&arrival), arrival.partition, arrival.offset}};
}

void Batch::sort_out() {
  FirstByName first;  // the first of each source and id in this batch
  std::vector<const Arrival*> again;
  for (const Arrival& arrival : arrivals_) {
    if (!arrival.event) {
      bury(arrival, arrival.refusal);
      continue;
    }
    if (arrival.verdict) {
      // Who may not speak must not use up an id that belongs to somebody else: the offset alone keeps it from
      // repeating.
      fresh_.push_back(&arrival);
      continue;
    }
    const bool is_first =
        first.try_emplace({arrival.event->envelope.source, arrival.event->envelope.id}, &arrival).second;
    if (!is_first) again.push_back(&arrival);
  }
  if (!first.empty()) sort_by_inbox(first, again);
  std::sort(fresh_.begin(), fresh_.end());  // pointers into one array: the order of the batch
}

void Batch::sort_by_inbox(const FirstByName& first, const std::vector<const Arrival*>& again) {
  Column source, id, hash;
  for (const auto& [name, arrival] : first) {
    source.add(name.first);
    id.add(name.second);
    hash.add(hex_of(arrival->event->payload_hash));
  }
  std::set<std::pair<std::string, std::string>> fresh;
  for (const auto& row : tx_.run("intake_inbox_insert", source.text(), id.text(), hash.text())) {
    fresh.emplace(text_at(row, 0), text_at(row, 1));
  }
  Column known_source, known_id;
  for (const auto& [name, arrival] : first) {
    if (fresh.contains(name)) {
      fresh_.push_back(arrival);
    } else {
      known_source.add(name.first);
      known_id.add(name.second);
    }
  }
  if (!known_source.empty()) {
    for (const auto& row : tx_.run("intake_inbox_known", known_source.text(), known_id.text())) {
      absorb_or_bury(*first.at({text_at(row, 0), text_at(row, 1)}), text_at(row, 2));
    }
  }
  for (const Arrival* arrival : again) {
    const Arrival* other = first.at({arrival->event->envelope.source, arrival->event->envelope.id});
    absorb_or_bury(*arrival, hex_of(other->event->payload_hash));
  }
}

void Batch::absorb_or_bury(const Arrival& arrival, const std::string& known_hash) {
  if (hex_of(arrival.event->payload_hash) == known_hash) {
    ++report_.duplicates;
    return;
  }
  ++report_.reused_ids;
  bury(arrival, {"id_reused", "source and id were used before with another payload",
                 "give every event an id of its own; a repetition has to be the same to the letter", Retry::never});
}

void Batch::bury(const Arrival& arrival, const Error& why) {
  events::DeadLetter letter;
  letter.topic = arrival.topic;
  letter.partition = arrival.partition;
  letter.offset = arrival.offset;
  letter.key = std::string(arrival.key);
  const events::Sender sender = events::sender_of(arrival.raw);
  letter.id = sender.id;
  letter.source = sender.source;
  letter.type = sender.type;
  letter.code = why.code;
  letter.message = why.message;
  letter.remedy = why.remedy;
  letter.size_bytes = arrival.raw.payload.size();
  messages_.say("dead_letter", events::dead_letter(letter));

  const std::string place = "dead_letters/" + place_of(arrival);
  dead_[0].add(arrival.topic);
  dead_[1].add(std::int64_t{arrival.partition});
  dead_[2].add(arrival.offset);
  dead_[3].add(micros_of(arrival.broker_time));
  dead_[4].add(sender.source);
  dead_[5].add(sender.id);
  dead_[6].add(sender.type);
  dead_[7].add(why.code);
  dead_[8].add(why.message);
  dead_[9].add(hex_of(sealer_.seal(pack_original(arrival.key, arrival.raw), place)));
  ++report_.dead_letters;
  ++report_.dead_letter_codes[why.code];
}

void Batch::make_identities() {
  std::set<std::string> tenants, networks, servers;
  for (const Arrival* arrival : fresh_) {
    if (arrival->verdict) continue;
    const domain::Refs& refs = arrival->event->refs;
    named_.push_back(&refs);
    if (!refs.tenant.empty()) tenants.insert(refs.tenant);
    if (refs.makes_network) networks.insert(refs.network);
    if (refs.makes_server) servers.insert(refs.server);
  }
  if (!tenants.empty()) {
    const std::string names = text_array(tenants);
    tx_.run("intake_tenants_insert", names);
    for (const auto& row : tx_.run("intake_tenants", names)) {
      state_.load(domain::Tenant{int_at(row, 0), text_at(row, 1)});
    }
  }
  std::set<std::pair<Id, std::string>> subscribers, peers;
  for (const domain::Refs* refs : named_) {
    if (refs->tenant.empty()) continue;
    const Id tenant_id = state_.tenant(std::string_view(refs->tenant))->id;
    if (!refs->subscriber.empty()) subscribers.emplace(tenant_id, refs->subscriber);
    if (!refs->peer.empty()) peers.emplace(tenant_id, refs->peer);
  }
  const auto insert = [&](const char* name, const std::set<std::pair<Id, std::string>>& rows) {
    if (rows.empty()) return;
    Column tenant, subject;
    for (const auto& [tenant_id, text] : rows) {
      tenant.add(tenant_id);
      subject.add(text);
    }
    tx_.run(name, tenant.text(), subject.text());
  };
  insert("intake_subscribers_insert", subscribers);
  if (!networks.empty()) tx_.run("intake_networks_insert", text_array(networks));
  if (!servers.empty()) tx_.run("intake_servers_insert", text_array(servers));
  insert("intake_peers_insert", peers);
}

void Batch::find_subjects(Wanted& wanted) {
  Column subscriber_tenant, subscriber_name, peer_tenant, peer_name;
  std::set<std::string> servers, networks;
  for (const domain::Refs* refs : named_) {
    if (!refs->server.empty()) servers.insert(refs->server);
    if (!refs->network.empty()) networks.insert(refs->network);
    if (refs->tenant.empty()) continue;
    const Id tenant_id = state_.tenant(std::string_view(refs->tenant))->id;
    if (!refs->subscriber.empty()) {
      subscriber_tenant.add(tenant_id);
      subscriber_name.add(refs->subscriber);
    }
    if (!refs->peer.empty()) {
      peer_tenant.add(tenant_id);
      peer_name.add(refs->peer);
    }
  }
  if (!subscriber_name.empty()) {
    for (const auto& row : tx_.run("intake_subscribers_find", subscriber_tenant.text(), subscriber_name.text())) {
      wanted.subscribers.push_back(int_at(row, 0));
    }
  }
  if (!peer_name.empty()) {
    for (const auto& row : tx_.run("intake_peers_find", peer_tenant.text(), peer_name.text())) {
      wanted.peers.push_back(int_at(row, 0));
      auto& pointers = wanted.pointers[int_at(row, 0)];
      pointers = {maybe_int_at(row, 1), maybe_int_at(row, 2), maybe_int_at(row, 3)};
      if (pointers[0]) wanted.subscribers.push_back(*pointers[0]);
      if (pointers[1]) wanted.servers.push_back(*pointers[1]);
      if (pointers[2]) wanted.networks.push_back(*pointers[2]);
    }
  }
  if (!networks.empty()) {
    for (const auto& row : tx_.run("intake_networks_find", text_array(networks))) {
      wanted.networks.push_back(int_at(row, 0));
    }
  }
  normalise(wanted.servers);
  if (!servers.empty() || !wanted.servers.empty()) {
    for (const auto& row : tx_.run("intake_servers_find", text_array(servers), array_of(wanted.servers))) {
      wanted.servers.push_back(int_at(row, 0));
      if (const auto network = maybe_int_at(row, 1)) wanted.networks.push_back(*network);
    }
  }
  normalise(wanted.subscribers);
  normalise(wanted.networks);
  normalise(wanted.servers);
  normalise(wanted.peers);
}

void Batch::lock_and_load() {
  if (named_.empty()) return;
  Wanted wanted;
  find_subjects(wanted);
  lock_subscribers(tx_, wanted.subscribers, state_);
  lock_networks(tx_, wanted.networks, state_);
  lock_servers(tx_, wanted.servers, state_);
  for (const Id server_id : wanted.servers) {
    const domain::Server* server = state_.server(server_id);
    if (server->network_id && state_.network(*server->network_id) == nullptr) {
      throw pqxx::transaction_rollback("a server got its network while it was being locked");
    }
  }
  for (const domain::Peer& peer : lock_peers(tx_, wanted.peers, state_)) {
    const auto& pointers = wanted.pointers.at(peer.id);
    if (pointers[0] != peer.subscriber_id || pointers[1] != peer.server_id || pointers[2] != peer.network_id) {
      // Somebody gave the peer another home between the look and the lock: what hangs on it is not locked.
      throw pqxx::transaction_rollback("a peer moved while it was being locked");
    }
  }
  load_holds(tx_, wanted.subscribers, wanted.peers, state_);
  std::set<std::string> keys;
  for (const domain::Refs* refs : named_) {
    if (!refs->public_key.empty()) keys.insert(refs->public_key);
  }
  if (!keys.empty()) {
    for (const auto& row : tx_.run("intake_keys_taken", text_array(keys))) state_.load_taken_key(text_at(row, 0));
  }
  load_free_offsets();
}

void Batch::load_free_offsets() {
  std::map<Id, std::int64_t> demand;  // network -> provisions in this batch
  for (const domain::Refs* refs : named_) {
    if (refs->public_key.empty()) continue;
    const domain::Server* server = state_.server(std::string_view(refs->server));
    if (server != nullptr && server->network_id) ++demand[*server->network_id];
  }
  Column id, most;
  for (const auto& [network_id, count] : demand) {
    const domain::Network* network = state_.network(network_id);
    if (network == nullptr) continue;
    const std::int64_t most_wanted = count + static_cast<std::int64_t>(network->reserved.size());
    if (network->next_offset + most_wanted < domain::offsets_of(*network)) continue;
    id.add(network_id);
    most.add(most_wanted);
  }
  if (id.empty()) return;
  std::map<Id, domain::Network> filled;
  for (const auto& row : tx_.run("load_free_offsets", id.text(), most.text())) {
    const Id network_id = int_at(row, 0);
    auto [entry, is_new] = filled.try_emplace(network_id);
    if (is_new) entry->second = *state_.network(network_id);
    entry->second.free.push_back(int_at(row, 1));
  }
  for (auto& [network_id, network] : filled) state_.load(std::move(network));
}

void Batch::decide() {
  for (const Arrival* arrival : fresh_) {
    const events::Event& event = *arrival->event;
    const domain::Word word = word_of(*arrival);
    const domain::Decision decision = arrival->verdict ? *arrival->verdict : event.decide(word, state_);
    changes_.apply(state_, decision);
    if (decision.outcome == domain::Outcome::rejected) {
      events::Outbound answer = events::rejected(word, event.envelope.type, event.refs, decision);
      // Its source and id are what the sender claims: they must not look like an answer to their owner.
      if (arrival->verdict) answer.id = "rejected/" + place_of(*arrival);
      messages_.say("status", answer);
      ++report_.rejections[decision.code];
    } else {
      say_statuses(decision, state_, domain::cause_of(word), messages_);
    }
    messages_.record(word, event.envelope.type, event.key, decision,
                     events::audit_body(word, event.envelope.type, event.refs, decision));
    ++report_.executed;
    ++report_.results[{event.envelope.type, name_of(decision.outcome)}];
  }
}

BatchReport Batch::store() {
  store_changes(tx_, changes_, state_);
  messages_.store(tx_);
  if (!dead_[0].empty()) {
    tx_.run("store_dead_letters", dead_[0].text(), dead_[1].text(), dead_[2].text(), dead_[3].text(), dead_[4].text(),
            dead_[5].text(), dead_[6].text(), dead_[7].text(), dead_[8].text(), dead_[9].text());
  }
  Column topic, number, expected, next, last;
  for (const Cursor& cursor : cursors_) {
    topic.add(cursor.topic);
    number.add(std::int64_t{cursor.partition});
    expected.add(cursor.expected);
    next.add(cursor.next);
    last.add(micros_of(last_time_.at({cursor.topic, cursor.partition})));
  }
  const auto moved =
      tx_.run("intake_move_partitions", topic.text(), number.text(), expected.text(), next.text(), last.text());
  if (static_cast<std::size_t>(moved.affected_rows()) != cursors_.size())
    throw std::logic_error("a locked partition was moved by somebody else");
  report_.due = !changes_.due_servers.empty();
  report_.fan_out = !changes_.fan_outs.empty();
  return report_;
}

}  // namespace peerwright::store
