#include "batch.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "foreign.hpp"
#include "peerwright/domain/rules.hpp"
#include "records.hpp"

namespace peerwright::store {
namespace {

constexpr const char* kUnknownType = "unknown_type";
// Of a sealed original in an audit entry, which has to fit into a message of the audit topic.
constexpr std::size_t kMostRecordedHex = std::size_t{10} * 1024 * 1024;

std::string place_of(const Arrival& arrival) {
  return arrival.topic + '/' + std::to_string(arrival.partition) + '/' + std::to_string(arrival.offset);
}

// What one kept event keeps waiting: the tenant, and the event's own subject.
std::pair<std::string, std::string> subject_of(const Concerned& concerned) {
  return {concerned.tenant, concerned.subjects.empty() ? std::string() : concerned.subjects.front()};
}

}  // namespace

Batch::Batch(Tx& tx, const Sealer& sealer, const KnownTenants& known, std::span<const Arrival> arrivals,
             std::span<const Cursor> cursors, Witness* witness)
    : tx_(tx),
      sealer_(sealer),
      known_(known),
      arrivals_(arrivals),
      cursors_(cursors),
      witness_(witness),
      speaker_(&sealer) {
  if (cursors_.empty()) read_clock();
}

void Batch::read_clock() {
  const auto row = tx_.run("intake_clock")[0];
  state_.now = time_from_micros(int_at(row, 0));
  clock_offset_ = std::chrono::microseconds(int_at(row, 1));
  anything_kept_ = bool_at(row, 2);
  for (const Arrival& arrival : arrivals_) place_time_[&arrival] = arrival.broker_time;
}

bool Batch::lock_partitions() {
  RowWriter partitions;
  for (const Cursor& cursor : cursors_) partitions.add(cursor.topic).add(cursor.partition).end_row();
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> stored;
  for (const auto& row : partitions.run(tx_, "intake_lock_partitions")) {
    RowReader read(row);
    const std::string topic = read.text();
    const auto partition = static_cast<std::int32_t>(read.number());
    stored[{topic, partition}] = read.number();
    const auto cursor = std::find_if(cursors_.begin(), cursors_.end(),
                                     [&](const Cursor& c) { return c.partition == partition && c.topic == topic; });
    const Time last = read.time();
    if (cursor != cursors_.end()) last_time_[{cursor->topic, partition}] = last;
    state_.now = read.time();
    clock_offset_ = std::chrono::microseconds(read.number());
    anything_kept_ = read.flag();
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
  return {envelope.source,
          envelope.id,
          envelope.sequence,
          {place_time_.at(&arrival) + clock_offset_, arrival.partition, arrival.offset}};
}

void Batch::sort_out() {
  FirstByName first;  // the first of each source and id in this batch
  std::vector<const Arrival*> again;
  for (const Arrival& arrival : arrivals_) {
    if (!arrival.event) {
      arrival.refusal.code == kUnknownType ? keep(arrival, arrival.refusal) : bury(arrival, arrival.refusal);
      continue;
    }
    if (arrival.verdict) {
      // Who may not speak must not use up an id that belongs to somebody else: the offset alone keeps it from
      // repeating.
      fresh_.push_back(&arrival);
      continue;
    }
    if (waits_for_kept(arrival)) {
      keep(arrival, {"waits_for_kept", "an earlier event of this subject is kept for a newer version",
                     "run a newer version, or discard the earlier event", Retry::never});
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
  RowWriter rows;
  for (const auto& [name, arrival] : first) {
    rows.add(name.first).add(name.second).add(hex_of(arrival->event->payload_hash)).end_row();
  }
  std::set<std::pair<std::string, std::string>> fresh;
  for (const auto& row : rows.run(tx_, "intake_inbox_insert")) fresh.emplace(text_at(row, 0), text_at(row, 1));
  RowWriter known;
  for (const auto& [name, arrival] : first) {
    if (fresh.contains(name)) {
      fresh_.push_back(arrival);
    } else {
      known.add(name.first).add(name.second).end_row();
    }
  }
  if (!known.empty()) {
    for (const auto& row : known.run(tx_, "intake_inbox_known")) {
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
    if (witness_ != nullptr) witness_->absorbed(arrival);
    return;
  }
  ++report_.reused_ids;
  bury(arrival, {"id_reused", "source and id were used before with another payload",
                 "give every event an id of its own; a repetition has to be the same to the letter", Retry::never});
}

// The first that is kept of each subject that this batch configures.
void Batch::load_kept() {
  if (!anything_kept_ || kept_loaded_) return;
  kept_loaded_ = true;
  std::set<Subject> wanted;
  for (const Arrival& arrival : arrivals_) {
    if (arrival.event && arrival.event->waits) wanted.insert(subject_of(concerned_by(arrival.event->refs)));
  }
  RowWriter rows;
  for (const auto& [tenant, subject] : wanted) {
    if (tenant.empty() && subject.empty()) continue;  // of nobody knows whom
    rows.add(tenant).add(subject).end_row();
  }
  if (rows.empty()) return;
  for (const auto& row : rows.run(tx_, "kept_subjects")) {
    RowReader read(row);
    Subject subject;
    subject.first = read.text();
    subject.second = read.text();
    domain::Place place{read.time(), 0, 0};
    place.partition = static_cast<std::int32_t>(read.number());
    place.offset = read.number();
    const auto [known, is_new] = kept_.try_emplace(std::move(subject), place);
    if (!is_new) known->second = std::min(known->second, place);
  }
}

bool Batch::waits_for_kept(const Arrival& arrival) {
  load_kept();
  if (kept_.empty() || !arrival.event->waits) return false;
  const auto found = kept_.find(subject_of(concerned_by(arrival.event->refs)));
  if (found == kept_.end()) return false;
  const domain::Place mine{place_time_.at(&arrival), arrival.partition, arrival.offset};
  return found->second < mine;
}

void Batch::keep(const Arrival& arrival, const Error& why) {
  waits_ = true;
  if (witness_ != nullptr) witness_->put_away(arrival, why, true);
  const Concerned concerned =
      arrival.event ? concerned_by(arrival.event->refs) : concerned_by(arrival.raw, arrival.key);
  if (arrival.blocks && (!concerned.tenant.empty() || !concerned.subjects.empty())) {
    const domain::Place place{place_time_.at(&arrival), arrival.partition, arrival.offset};
    kept_.try_emplace(subject_of(concerned), place);
  }
  if (cursors_.empty()) {
    if (!arrival.event) refused_ = why;
    return;
  }
  put_away(arrival, why, true);
  ++report_.kept;
  ++report_.kept_codes[why.code];
}

void Batch::bury(const Arrival& arrival, const Error& why) {
  if (witness_ != nullptr) witness_->put_away(arrival, why, false);
  if (cursors_.empty()) {
    refused_ = why;
    return;
  }
  put_away(arrival, why, false);
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
  ++report_.dead_letters;
  ++report_.dead_letter_codes[why.code];
}

void Batch::put_away(const Arrival& arrival, const Error& why, bool kept) {
  const events::Sender sender = events::sender_of(arrival.raw);
  const Concerned concerned =
      arrival.event ? concerned_by(arrival.event->refs) : concerned_by(arrival.raw, arrival.key);
  std::string subjects;
  for (const std::string& subject : concerned.subjects) subjects += (subjects.empty() ? "" : "\n") + subject;
  const auto time = place_time_.find(&arrival);
  const std::string place = "dead_letters/" + place_of(arrival);
  put_away_.add(arrival.topic).add(arrival.partition).add(arrival.offset);
  put_away_.add(time == place_time_.end() ? arrival.broker_time : time->second);
  put_away_.add(sender.source).add(sender.id).add(sender.type).add(why.code).add(why.message);
  const std::string sealed_hex = hex_of(sealer_.seal(pack_original(arrival.key, arrival.raw), place));
  put_away_.add(sealed_hex);
  put_away_.add(kept).add(concerned.tenant).add(subjects).add(arrival.blocks && !arrival.verdict).end_row();
  note_put_away(arrival, why, kept, sealed_hex, concerned,
                time == place_time_.end() ? arrival.broker_time : time->second);
}

// Kept with all that a rebuild needs, for its offset is passed: the original too, unless it is too large for a message.
void Batch::note_put_away(const Arrival& arrival, const Error& why, bool kept, const std::string& sealed_hex,
                          const Concerned& concerned, Time time) {
  const events::Sender sender = events::sender_of(arrival.raw);
  nlohmann::ordered_json letter{{"topic", arrival.topic},
                                {"partition", arrival.partition},
                                {"offset", arrival.offset},
                                {"broker_time_us", micros_of(time)},
                                {"source", sender.source},
                                {"event_id", sender.id},
                                {"event_type", sender.type},
                                {"code", why.code},
                                {"message", why.message},
                                {"kept", kept},
                                {"tenant", concerned.tenant},
                                {"subjects", concerned.subjects},
                                {"blocks", arrival.blocks && !arrival.verdict}};
  if (sealed_hex.size() <= kMostRecordedHex) letter["sealed_hex"] = sealed_hex;
  letters_.insert_or_assign(place_of(arrival), nlohmann::ordered_json::array({std::move(letter)}));
}

// What is put away is on record once, however often it is read; and where a batch of nothing else leaves its
// partitions.
void Batch::store_put_away() {
  if (put_away_.empty()) return;
  nlohmann::ordered_json reached = nlohmann::ordered_json::array();
  for (const events::AuditPosition& position : fresh_.empty() ? positions() : std::vector<events::AuditPosition>()) {
    reached.push_back({{"topic", position.topic},
                       {"partition", position.partition},
                       {"next_offset", position.next_offset},
                       {"last_us", micros_of(position.last_time)},
                       {"last_hash", position.last_hash}});
  }
  for (const auto& row : put_away_.run(tx_, "store_dead_letters")) {
    const std::string place = text_at(row, 0) + '/' + text_at(row, 1) + '/' + text_at(row, 2);
    nlohmann::ordered_json changes{{"dead_letters", letters_.at(place)}};
    if (!reached.empty()) changes["positions"] = std::exchange(reached, nlohmann::ordered_json::array());
    record_own(messages_, "peerwright.message.put_away.v1", "put_away/" + place, "dead_letter/" + place, state_.now,
               changes);
  }
}

// What was made because this event named it, where its after-images do not show it.
std::vector<events::AuditIdentity> Batch::unshown(const domain::Refs& refs, const domain::Decision& decision) {
  std::vector<events::AuditIdentity> identities;
  const auto take = [&](const char* kind, const auto* thing, domain::Id tenant_id, const auto& images) {
    if (thing == nullptr) return;
    const auto made = made_.find(kind);
    if (made == made_.end() || made->second.erase(thing->id) == 0) return;
    const bool shown =
        std::any_of(images.begin(), images.end(), [&](const auto& image) { return image.id == thing->id; });
    if (!shown) identities.push_back({kind, thing->id, tenant_id, thing->name});
  };
  const domain::Tenant* tenant = tenant_of(refs);
  take("tenants", tenant, 0, decision.tenants);
  if (!refs.owner_tenant.empty()) {
    take("tenants", state_.tenant(std::string_view(refs.owner_tenant)), 0, decision.tenants);
  }
  if (tenant != nullptr) {
    take("customers", state_.customer(refs.tenant, refs.customer), tenant->id, decision.customers);
    take("subscribers", state_.subscriber(refs.tenant, refs.subscriber), tenant->id, decision.subscribers);
    take("peers", state_.peer(refs.tenant, refs.peer), tenant->id, decision.peers);
    take("rules", state_.rule(refs.tenant, refs.rule), tenant->id, decision.rules);
  }
  take("networks", state_.network(std::string_view(refs.network)), 0, decision.networks);
  take("meshes", state_.mesh(std::string_view(refs.mesh)), 0, decision.meshes);
  take("servers", state_.server(std::string_view(refs.server)), 0, decision.servers);
  return identities;
}

events::AuditExtras Batch::extras_of(const Arrival& arrival, const domain::Decision& decision) {
  events::AuditExtras extras;
  if (!arrival.verdict) {
    extras.payload_hash = hex_of(arrival.event->payload_hash);
    if (!made_.empty()) extras.made = unshown(arrival.event->refs, decision);
  }
  if (clock_offset_.count() != 0) extras.clock_us = micros_of(state_.now);
  if (cursors_.empty()) extras.replays = place_of(arrival);
  if (&arrival == fresh_.back()) extras.positions = positions();
  return extras;
}

// Where this batch leaves its partitions.
std::vector<events::AuditPosition> Batch::positions() const {
  std::map<std::pair<std::string_view, std::int32_t>, const Arrival*> last;
  for (const Arrival& arrival : arrivals_) last[{arrival.topic, arrival.partition}] = &arrival;
  std::vector<events::AuditPosition> all;
  for (const Cursor& cursor : cursors_) {
    const auto* message = last[{cursor.topic, cursor.partition}];
    all.push_back({cursor.topic, cursor.partition, cursor.next, last_time_.at({cursor.topic, cursor.partition}),
                   message == nullptr ? std::string() : hex_of(message_hash(message->key, message->raw))});
  }
  return all;
}

void Batch::decide() {
  for (const Arrival* arrival : fresh_) {
    const events::Event& event = *arrival->event;
    const domain::Word word = word_of(*arrival);
    state_.prepared = arrival->prepared;
    const domain::Decision decision = arrival->verdict ? *arrival->verdict : event.decide(word, state_);
    if (witness_ != nullptr) witness_->decided(*arrival, decision);
    if (decision.outcome == domain::Outcome::rejected) {
      changes_.apply(state_, decision);
      events::Outbound answer = events::rejected(word, event.envelope.type, event.refs, decision);
      // Its source and id are what the sender claims: they must not look like an answer to their owner.
      if (arrival->verdict) answer.id = "rejected/" + place_of(*arrival);
      messages_.say("status", answer);
      ++report_.rejections[decision.code];
    } else {
      speaker_.carry_out(decision, domain::cause_of(word), state_, changes_, messages_);
      if (!decision.alert.empty()) ++report_.alerts[decision.alert];
    }
    messages_.record(
        word, event.envelope.type, event.key, decision,
        events::audit_body(word, event.envelope.type, event.refs, decision, extras_of(*arrival, decision)));
    ++report_.executed;
    ++report_.results[{event.envelope.type, name_of(decision.outcome)}];
    // Whatever is overdue expires at the next sweep, which need not wait for its time.
    if (event.sweeps) report_.sweep = true;
  }
}

void Batch::store_cursors() {
  if (cursors_.empty()) return;
  const auto reached = positions();
  RowWriter rows;
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const events::AuditPosition& position = reached[i];
    rows.add(position.topic).add(position.partition).add(cursors_[i].expected).add(position.next_offset);
    rows.add(position.last_time).add_or_null(position.last_hash).end_row();
  }
  const auto moved = rows.run(tx_, "intake_move_partitions");
  if (static_cast<std::size_t>(moved.affected_rows()) != cursors_.size())
    throw std::logic_error("a locked partition was moved by somebody else");
}

BatchReport Batch::store() {
  record_judged(tx_, changes_.approved_servers, messages_, state_);
  const bool followed = store_changes(tx_, changes_, state_);
  store_put_away();
  messages_.store(tx_);
  store_cursors();
  report_.due = !changes_.due_servers.empty();
  const bool timers = std::any_of(changes_.timers.begin(), changes_.timers.end(), [&](const auto& entry) {
    return entry.second.due_at && *entry.second.due_at <= state_.now;
  });
  report_.sweep = report_.sweep || timers || followed;
  return report_;
}

}  // namespace peerwright::store
