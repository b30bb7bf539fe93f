#include <algorithm>
#include <limits>

#include "columns.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/events/audit.hpp"
#include "records.hpp"
#include "sweep.hpp"

// What falls due: decided as events are, from the subjects' own state under their locks.
namespace peerwright::store {
namespace {

using domain::Id;
using domain::TimerKind;

constexpr const char* kOverQuota = "over";  // as decide_timer knows it

struct TimerKey {
  std::string kind;
  Id subject_id = 0;
  std::string owner;
  std::int64_t due_us = 0;  // as it was judged
};

class Round {
 public:
  Round(Tx& tx, const std::vector<TimerKey>& keys, const Sealer* sealer) : tx_(tx), keys_(keys), speaker_(sealer) {
    const auto clock = tx_.run("intake_clock")[0];
    state_.now = time_from_micros(int_at(clock, 0));
    clock_moved_ = int_at(clock, 1) != 0;
  }

  bool run() {
    lock();
    RowWriter rows;
    for (const TimerKey& key : keys_) rows.add(key.kind).add(key.subject_id).add(key.owner).add(key.due_us).end_row();
    for (const auto& row : rows.run(tx_, "timers_again")) {
      RowReader read(row);
      domain::Timer timer;
      const auto kind = domain::timer_kind_from(read.text());
      timer.subject_id = read.number();
      timer.owner = read.text();
      timer.due_at = read.time();
      if (!kind) continue;
      timer.kind = *kind;
      decide(timer);
    }
    store_changes(tx_, changes_, state_);
    record_idle();
    messages_.store(tx_);
    return !changes_.due_servers.empty();
  }

 private:
  void lock() {
    Ids peers, subscribers, customers;
    bool rotates = false;
    for (const TimerKey& key : keys_) {
      rotates = rotates || key.kind == domain::name_of(TimerKind::rotation);
      if (key.kind == domain::name_of(TimerKind::hold_customer)) {
        customers.push_back(key.subject_id);
      } else if (key.kind == domain::name_of(TimerKind::hold_subscriber)) {
        subscribers.push_back(key.subject_id);
      } else {
        peers.push_back(key.subject_id);
      }
    }
    normalise(peers);
    if (rotates) tx_.run("intake_guard_keys");
    Levels levels;
    for (const auto& row : tx_.run("timers_peers", array_of(peers))) {
      levels.peers.push_back(int_at(row, 0));
      levels.tenants.push_back(int_at(row, 1));
      levels.add_pointers(row, 2);
    }
    for (const auto& row : tx_.run("timers_subjects", array_of(subscribers), array_of(customers))) {
      levels.tenants.push_back(int_at(row, 0));
    }
    levels.subscribers.insert(levels.subscribers.end(), subscribers.begin(), subscribers.end());
    levels.customers = customers;
    find_around(tx_, levels);
    lock_levels(tx_, levels, state_);
    load_plans(tx_, levels.tenants, state_);
    speaker_.load(tx_, levels.peers);
    load_usage(peers);
  }

  void load_usage(const Ids& peers) {
    const bool wanted = std::any_of(keys_.begin(), keys_.end(),
                                    [](const TimerKey& key) { return key.kind == domain::name_of(TimerKind::quota); });
    if (!wanted) return;
    for (const auto& row : tx_.run("timers_usage", array_of(peers))) used_bytes_[int_at(row, 0)] = int_at(row, 1);
  }

  void decide(const domain::Timer& due) {
    domain::Timer timer = due;
    if (timer.kind == TimerKind::quota) {
      const domain::Peer* peer = state_.peer(timer.subject_id);
      const bool over = peer != nullptr && peer->quota_bytes > 0 && used_bytes_[peer->id] >= peer->quota_bytes;
      timer.owner = over ? kOverQuota : "";
    }
    domain::Decision decision = domain::decide_timer(timer, state_);
    const std::string cause = std::string("timer/") + domain::name_of(timer.kind);
    // Whatever was decided, this row has done its work, unless it was set anew.
    decision.timers.insert(decision.timers.begin(), {due.kind, due.subject_id, due.owner, std::nullopt});
    if (decision.outcome == domain::Outcome::unchanged) {
      changes_.apply(state_, decision);
      // Quotas are asked for again by whoever observes.
      if (due.kind != TimerKind::quota) {
        idle_.push_back({{"kind", name_of(due.kind)}, {"subject_id", due.subject_id}, {"owner", due.owner}});
      }
      return;
    }
    speaker_.carry_out(decision, cause, state_, changes_, messages_);
    const domain::Refs refs = refs_of(due);
    domain::Word word;
    word.source = events::kOwnSource;
    word.id = cause + '/' + std::to_string(due.subject_id) + '/' + (due.owner.empty() ? "" : due.owner + '/') +
              std::to_string(micros_of(*due.due_at));
    word.place.broker_time = state_.now;
    const std::string type = std::string("peerwright.timer.") + domain::name_of(due.kind) + ".v1";
    events::AuditExtras extras;
    if (clock_moved_) extras.clock_us = micros_of(state_.now);
    messages_.record(word, type, events::key_of(refs), decision,
                     events::audit_body(word, type, refs, decision, extras));
  }

  // Those that found nothing to do are gone all the same.
  void record_idle() {
    if (idle_.empty()) return;
    const std::string id = "no_longer_due/" + std::to_string(micros_of(state_.now));
    record_own(messages_, "peerwright.no_longer_due.v1", id, "installation", state_.now, {{"timers", idle_}});
  }

  [[nodiscard]] domain::Refs refs_of(const domain::Timer& timer) const {
    domain::Refs refs;
    const auto name_tenant = [&](Id tenant_id) {
      if (const auto* tenant = state_.tenant(tenant_id)) refs.tenant = tenant->name;
    };
    if (timer.kind == TimerKind::hold_customer) {
      if (const auto* customer = state_.customer(timer.subject_id)) {
        name_tenant(customer->tenant_id);
        refs.customer = customer->name;
      }
    } else if (timer.kind == TimerKind::hold_subscriber) {
      if (const auto* subscriber = state_.subscriber(timer.subject_id)) {
        name_tenant(subscriber->tenant_id);
        refs.subscriber = subscriber->name;
      }
    } else if (const auto* peer = state_.peer(timer.subject_id)) {
      name_tenant(peer->tenant_id);
      refs.peer = peer->name;
      refs.subscriber = peer->subscriber;
    }
    return refs;
  }

  Tx& tx_;
  const std::vector<TimerKey>& keys_;
  domain::State state_;
  domain::Changes changes_;
  Messages messages_;
  Speaker speaker_;
  std::map<Id, std::int64_t> used_bytes_;
  bool clock_moved_ = false;
  nlohmann::ordered_json idle_ = nlohmann::ordered_json::array();
};

std::vector<TimerKey> due_timers(Tx& tx, const TimerGate& gate, int most) {
  Column topics;
  for (const std::string& topic : gate.topics) topics.add(std::string_view(topic));
  const auto mark = tx.run("timers_mark", topics.text())[0];
  const auto caught_up = maybe_int_at(mark, 0);
  const bool closed = gate.topics.empty() || !caught_up || bool_at(mark, 1);
  const std::int64_t margin_us = std::chrono::microseconds(gate.margin).count();
  std::vector<TimerKey> keys;
  for (const auto& row : tx.run("timers_due", closed ? std::int64_t{0} : *caught_up - margin_us, most)) {
    keys.push_back({text_at(row, 0), int_at(row, 1), text_at(row, 2), int_at(row, 3)});
  }
  return keys;
}

}  // namespace

Result<SweepStore::Step> SweepStore::timers(const TimerGate& gate, int most) {
  auto keys = impl_->db.transact([&](Tx& tx) -> Result<std::vector<TimerKey>> { return due_timers(tx, gate, most); });
  if (!keys) return tl::unexpected(keys.error());
  Step step;
  if (keys->empty()) return step;
  step.found = true;
  step.peers = keys->size();
  step.more = keys->size() == static_cast<std::size_t>(most);
  const auto attempt = [&](const std::vector<TimerKey>& some) {
    return impl_->db.transact([&](Tx& tx) -> Result<bool> { return Round(tx, some, impl_->sealer).run(); });
  };
  auto due = attempt(*keys);
  if (due) {
    step.due = *due;
    return step;
  }
  if (due.error().retry == Retry::later) return tl::unexpected(due.error());
  for (const TimerKey& key : *keys) {
    due = attempt({key});
    if (due) {
      step.due = step.due || *due;
      continue;
    }
    if (due.error().retry == Retry::later) return tl::unexpected(due.error());
    auto postponed = impl_->db.transact([&](Tx& tx) -> Result<void> {
      tx.run("timers_postpone", key.kind, key.subject_id, key.owner);
      return {};
    });
    if (!postponed) return tl::unexpected(postponed.error());
  }
  return step;
}

}  // namespace peerwright::store
