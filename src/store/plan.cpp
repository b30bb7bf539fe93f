#include "peerwright/store/plan.hpp"

#include <algorithm>
#include <chrono>

#include "batch.hpp"
#include "plan_view.hpp"
#include "sweep.hpp"

namespace peerwright::store {
namespace {

using domain::FanOut;
using domain::Id;
using Clock = std::chrono::steady_clock;

constexpr int kMostAttempts = 3;  // against workers that change the same subjects
// While locks are held: less than Postgres' deadlock_timeout, so that it is never a worker that has to begin again.
constexpr const char* kLockTimeoutMs = "500";
constexpr const char* kIdleTimeoutMs = "5000";
constexpr const char* kReadTimeoutMs = "20000";  // once none is held any more
constexpr const char* kCancelled = "57014";      // SQLSTATE of a statement that took too long

tl::unexpected<Error> gave_way(const char* why) {
  return transient("plan_gave_way", why, "try again, when the workers have less to do or with fewer events");
}

tl::unexpected<Error> too_large(const char* what, std::size_t most) {
  return permanent("plan_too_large", "the events concern more than " + std::to_string(most) + ' ' + what,
                   "plan fewer events at once");
}

class Fates final : public Witness {
 public:
  Fates(std::span<const Arrival> arrivals, std::vector<PlannedEvent>& events) : first_(arrivals.data()), to_(events) {
    to_.assign(arrivals.size(), {});
  }

  void decided(const Arrival& arrival, const domain::Decision& decision) override {
    using Fate = PlannedEvent::Fate;
    PlannedEvent& event = of(arrival);
    event.fate = decision.outcome == domain::Outcome::accepted    ? Fate::accepted
                 : decision.outcome == domain::Outcome::unchanged ? Fate::unchanged
                                                                  : Fate::rejected;
    if (event.fate == Fate::rejected) {
      event.code = decision.code;
      event.message = decision.message;
      event.remedy = decision.remedy;
    } else {
      event.alert = decision.alert;
    }
  }
  void absorbed(const Arrival& arrival) override { of(arrival).fate = PlannedEvent::Fate::duplicate; }
  void put_away(const Arrival& arrival, const Error& why, bool kept) override {
    of(arrival) = {
        kept ? PlannedEvent::Fate::kept : PlannedEvent::Fate::dead_letter, why.code, why.message, why.remedy, {}};
  }

 private:
  PlannedEvent& of(const Arrival& arrival) { return to_[static_cast<std::size_t>(&arrival - first_)]; }

  const Arrival* first_;
  std::vector<PlannedEvent>& to_;
};

// One run of a plan's transaction.
class Rehearsal {
 public:
  Rehearsal(Tx& tx, const Sealer& sealer, std::span<const Arrival> arrivals)
      : tx_(tx), sealer_(sealer), arrivals_(arrivals) {
    for (const Arrival& arrival : arrivals) {
      for (const std::string& key : {arrival.prepared.client_public_key, arrival.prepared.server_public_key}) {
        if (!key.empty()) scope_.made_keys.insert(key);
      }
      if (arrival.event) causes_.add(std::string_view(cause_of(*arrival.event)));
    }
  }

  Result<Plan> run(std::size_t batch) {
    tx_.run("plan_isolation");
    plan_.at = time_from_micros(int_at(tx_.run("delivery_clock")[0], 0));
    const std::string locked = std::to_string(PlanStore::kMostLockedMs);
    tx_.run("plan_limits", "0", kReadTimeoutMs, kIdleTimeoutMs);
    tx_.run("plan_savepoint");
    tx_.run("plan_limits", kLockTimeoutMs, locked, kIdleTimeoutMs);
    deadline_ = Clock::now() + std::chrono::milliseconds(PlanStore::kMostLockedMs);
    if (auto executed = execute(batch); !executed) return tl::unexpected(executed.error());
    if (auto found = find_concerned(); !found) return tl::unexpected(found.error());
    const PlanView after = PlanView::load(tx_, scope_);
    tx_.run("plan_undo");
    const PlanView before = PlanView::load(tx_, scope_);
    plan_.servers = PlanView::compare(before, after, scope_);
    return std::move(plan_);
  }

 private:
  static std::string cause_of(const events::Event& event) { return event.envelope.source + '/' + event.envelope.id; }

  Result<void> execute(std::size_t batch) {
    const KnownTenants nobody;
    Fates fates(arrivals_, plan_.events);
    for (auto left = arrivals_; !left.empty(); left = left.subspan(std::min(batch, left.size()))) {
      if (Clock::now() > deadline_) return gave_way("the events would keep the workers waiting for too long");
      Batch work(tx_, sealer_, nobody, left.first(std::min(batch, left.size())), {}, &fates);
      work.sort_out();
      work.make_identities();
      work.lock_and_load();
      work.decide();
      work.store();
      note(work.changes());
    }
    return {};
  }

  void note(const domain::Changes& changes) {
    scope_.told.insert(changes.peers.begin(), changes.peers.end());
    scope_.servers.insert(changes.servers.begin(), changes.servers.end());
    scope_.servers.insert(changes.due_servers.begin(), changes.due_servers.end());
    scope_.servers.insert(changes.doubtful_servers.begin(), changes.doubtful_servers.end());
    for (const auto& [ends, link] : changes.links) scope_.servers.insert(link.server_id);
  }

  // Everybody whom the changes reach in the end: with those to whom they are still to be carried on.
  Result<void> find_concerned() {
    Ids subscribers, customers, tenants, networks, linked;
    for (const auto& row : tx_.run("plan_causes", causes_.text())) {
      const std::string kind = text_at(row, 0);
      const Id id = int_at(row, 1);
      if (kind == "subscriber") subscribers.push_back(id);
      if (kind == domain::name_of(FanOut::customer)) customers.push_back(id);
      if (kind == domain::name_of(FanOut::network)) networks.push_back(id);
      if (kind == domain::name_of(FanOut::tenant)) tenants.push_back(id);
      if (kind == domain::name_of(FanOut::server)) linked.push_back(id);
    }
    for (Ids* ids : {&subscribers, &customers, &tenants, &networks, &linked}) normalise(*ids);
    for (const Id server_id : linked) carry_to_meshes(tx_, server_id, "plan", &sealer_);
    const auto servers = tx_.run("plan_servers_reached", array_of(tenants), array_of(networks), array_of(linked));
    for (const auto& row : servers) scope_.servers.insert(int_at(row, 0));
    scope_.peers = scope_.told;
    const auto most = static_cast<std::int64_t>(kMaxPlanPeers);
    for (const auto& row : tx_.run("plan_peers_reached", array_of(subscribers), array_of(customers), most + 1)) {
      scope_.peers.insert(int_at(row, 0));
    }
    if (scope_.peers.size() > kMaxPlanPeers) return too_large("peers", kMaxPlanPeers);
    if (scope_.servers.size() > kMaxPlanServers) return too_large("servers", kMaxPlanServers);
    return {};
  }

  Tx& tx_;
  const Sealer& sealer_;
  std::span<const Arrival> arrivals_;
  Column causes_;
  PlanScope scope_;
  Clock::time_point deadline_;
  Plan plan_;
};

}  // namespace

const char* name_of(PlannedEvent::Fate fate) {
  switch (fate) {
    case PlannedEvent::Fate::accepted:
      return "accepted";
    case PlannedEvent::Fate::unchanged:
      return "unchanged";
    case PlannedEvent::Fate::rejected:
      return "rejected";
    case PlannedEvent::Fate::duplicate:
      return "duplicate";
    case PlannedEvent::Fate::kept:
      return "kept";
    case PlannedEvent::Fate::dead_letter:
      return "dead_letter";
  }
  return "";
}

const char* name_of(PlanAction action) {
  switch (action) {
    case PlanAction::add:
      return "add";
    case PlanAction::change:
      return "change";
    case PlanAction::remove:
      return "remove";
  }
  return "";
}

struct PlanStore::Impl {
  Impl(const Database& database, const Sealer& s) : db(database, "plan"), sealer(s) {}
  Db db;
  const Sealer& sealer;
};

PlanStore::PlanStore(const Database& database, const Sealer& sealer)
    : impl_(std::make_unique<Impl>(database, sealer)) {}
PlanStore::~PlanStore() = default;

Result<Plan> PlanStore::plan(std::span<const Arrival> arrivals, std::size_t batch) {
  if (arrivals.size() > kMaxPlanEvents) return too_large("events", kMaxPlanEvents);
  for (int attempt = 1;; ++attempt) {
    auto planned = impl_->db.rehearse(
        [&](Tx& tx) { return Rehearsal(tx, impl_->sealer, arrivals).run(std::max<std::size_t>(batch, 1)); });
    if (planned) return planned;
    const Error& error = planned.error();
    if (error.message.find(kCancelled) != std::string::npos) {
      return gave_way("reading what the events lead to would keep the workers waiting for too long");
    }
    if (error.code != "db_conflict" && error.code != "db_unique") return planned;
    if (attempt == kMostAttempts) return gave_way("the workers change the same subjects just now");
  }
}

Result<std::map<std::int32_t, std::int64_t>> PlanStore::positions(const std::string& topic) {
  using Answer = std::map<std::int32_t, std::int64_t>;
  return impl_->db.transact([&](Tx& tx) -> Result<Answer> {
    Answer answer;
    for (const auto& row : tx.run("plan_positions", topic)) {
      answer[static_cast<std::int32_t>(int_at(row, 0))] = int_at(row, 1);
    }
    return answer;
  });
}

}  // namespace peerwright::store
