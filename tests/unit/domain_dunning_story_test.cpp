#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>

#include "domain_hold_support.hpp"

// Random stories of suspensions with plans, payments and time, by several owners over peers, subscribers and a
// customer, with timers and sweeps that come when they come. At every rest each peer is what an oracle says, which
// knows only the list of what was said, and computes from scratch.
namespace peerwright::domain {
namespace {

constexpr int kStories = 1500;
constexpr int kDeeds = 40;
constexpr std::uint32_t kFirstSeed = 20260417;

struct Deed {
  enum class Kind { suspend, resume, provision, timers } kind = Kind::timers;
  ScopeKind scope = ScopeKind::peer;
  std::string subject;
  std::string owner;
  HoldPlan plan;
  Time at;
};

struct Home {
  std::string subscriber;
  std::string customer;
};
const std::map<std::string, Home>& homes() {
  static const std::map<std::string, Home> all = {{"a", {"s", "k"}}, {"b", {"s", "k"}}, {"c", {"u", "k"}},
                                                  {"d", {"t", ""}},  {"e", {"t", ""}},  {"f", {"", ""}}};
  return all;
}

// What one suspension has come to at a time, from its plan alone.
struct Course {
  explicit Course(const Deed& said) {
    Time at = said.at;
    if (said.plan.effective_at && *said.plan.effective_at > at) at = *said.plan.effective_at;
    felt = at + std::chrono::seconds(said.plan.grace_seconds);
    const bool garden = said.plan.level == HoldLevel::walled_garden;
    if (!garden) cut = felt;
    if (garden && said.plan.garden_seconds > 0) cut = felt + std::chrono::seconds(said.plan.garden_seconds);
    if (cut && said.plan.release_after_seconds > 0) {
      release = *cut + std::chrono::seconds(said.plan.release_after_seconds);
    }
  }
  [[nodiscard]] HoldLevel level(Time now) const {
    if (cut && *cut <= now) return HoldLevel::cut;
    return felt <= now ? HoldLevel::walled_garden : HoldLevel::none;
  }
  Time felt;
  std::optional<Time> cut;
  std::optional<Time> release;
};

class Oracle {
 public:
  Oracle(const std::vector<Deed>& deeds, Time now) : deeds_(deeds), now_(now) {}

  [[nodiscard]] Entitlement of(const std::string& peer) const {
    const auto born = std::find_if(deeds_.begin(), deeds_.end(), [&](const Deed& deed) {
      return deed.kind == Deed::Kind::provision && deed.subject == peer;
    });
    const bool exists = born != deeds_.end();
    const Home& home = homes().at(peer);
    std::vector<std::pair<ScopeKind, std::string>> scopes = {{ScopeKind::peer, peer}};
    if (exists && !home.subscriber.empty()) scopes.emplace_back(ScopeKind::subscriber, home.subscriber);
    if (exists && !home.customer.empty()) scopes.emplace_back(ScopeKind::customer, home.customer);
    bool cut = false;
    bool garden = false;
    for (const auto& [scope, subject] : scopes) {
      // A peer's own release is for ever, whenever it is; its subscriber's takes those who are there.
      const auto released = last_release(scope, subject);
      if (released && (scope == ScopeKind::peer || born->at <= *released)) return Entitlement::revoked;
      for (const char* owner : {"billing", "security", "operator"}) {
        const HoldLevel level = level_of(scope, subject, owner);
        cut = cut || level == HoldLevel::cut;
        garden = garden || level == HoldLevel::walled_garden;
      }
    }
    if (cut) return Entitlement::suspended;
    if (!exists) return Entitlement::unprovisioned;
    return garden ? Entitlement::walled_garden : Entitlement::active;
  }

 private:
  static bool speaks(const Deed& deed, ScopeKind scope, const std::string& subject, const std::string& owner) {
    return (deed.kind == Deed::Kind::suspend || deed.kind == Deed::Kind::resume) && deed.scope == scope &&
           deed.subject == subject && deed.owner == owner;
  }

  [[nodiscard]] HoldLevel level_of(ScopeKind scope, const std::string& subject, const std::string& owner) const {
    const auto last = std::find_if(deeds_.rbegin(), deeds_.rend(),
                                   [&](const Deed& deed) { return speaks(deed, scope, subject, owner); });
    if (last == deeds_.rend() || last->kind == Deed::Kind::resume) return HoldLevel::none;
    return Course(*last).level(now_);
  }

  // When the timers ran last that found a release due which nobody had taken back; each runs once.
  [[nodiscard]] std::optional<Time> last_release(ScopeKind scope, const std::string& subject) const {
    std::optional<Time> last;
    for (const char* owner : {"billing", "security", "operator"}) {
      Time due = Time::max();
      for (const Deed& deed : deeds_) {
        if (speaks(deed, scope, subject, owner)) {
          due = deed.kind == Deed::Kind::suspend ? Course(deed).release.value_or(Time::max()) : Time::max();
        } else if (deed.kind == Deed::Kind::timers && due <= deed.at) {
          if (!last || deed.at > *last) last = deed.at;
          due = Time::max();
        }
      }
    }
    return last;
  }

  const std::vector<Deed>& deeds_;
  Time now_;
};

class Tale {
 public:
  explicit Tale(std::uint32_t seed) : random_(seed) {}

  void run() {
    for (int count = 0; count < kDeeds && !::testing::Test::HasFailure(); ++count) {
      world_.pass(1 + static_cast<std::int64_t>(pick(6)));
      switch (pick(5)) {
        case 0:
          provision();
          break;
        case 1:
          rest();
          break;
        case 2:
          world_.sweep();
          break;
        default:
          speak();
      }
    }
    world_.pass(1);
    rest();
  }

 private:
  [[nodiscard]] bool chance(int of) { return std::uniform_int_distribution<int>(1, of)(random_) == 1; }
  std::size_t pick(std::size_t of) { return std::uniform_int_distribution<std::size_t>(0, of - 1)(random_); }
  std::int64_t seconds_or_none() { return chance(2) ? 0 : 1 + static_cast<std::int64_t>(pick(20)); }

  void provision() {
    const std::string name = std::next(homes().begin(), static_cast<std::ptrdiff_t>(pick(homes().size())))->first;
    const Peer* known = world_.state.peer("acme", name);
    if (known != nullptr && known->stage != Stage::unknown) return;
    const Home& home = homes().at(name);
    world_.provision(name, home.subscriber, home.customer);
    deeds_.push_back({Deed::Kind::provision, ScopeKind::peer, name, "", {}, world_.state.now});
  }

  void speak() {
    static const std::vector<std::pair<ScopeKind, std::string>> subjects = {
        {ScopeKind::peer, "a"},       {ScopeKind::peer, "d"},       {ScopeKind::peer, "f"},
        {ScopeKind::subscriber, "s"}, {ScopeKind::subscriber, "t"}, {ScopeKind::subscriber, "u"},
        {ScopeKind::customer, "k"}};
    static const std::array<const char*, 4> sources = {"billing", "security", "peerwright-cli/alice",
                                                       "peerwright-cli/bob"};
    const auto& [scope, subject] = subjects[pick(subjects.size())];
    const std::string source = sources[pick(sources.size())];
    Deed deed{
        chance(2) ? Deed::Kind::resume : Deed::Kind::suspend, scope, subject, owner_of(source), {}, world_.state.now};
    deed.plan = plan_of(chance(2) ? HoldLevel::cut : HoldLevel::walled_garden, seconds_or_none(), seconds_or_none(),
                        chance(3) ? seconds_or_none() : 0);
    if (chance(4)) deed.plan.effective_at = deed.at + std::chrono::seconds(static_cast<std::int64_t>(pick(30)) - 10);
    const Word word = world_.word_of(source);
    const Decision decision = tell(deed, word);
    if (decision.outcome == Outcome::rejected) {
      EXPECT_EQ("peer_revoked", decision.code);
      return;
    }
    deeds_.push_back(deed);
    if (!chance(6)) return;
    deed.kind = deed.kind == Deed::Kind::resume ? Deed::Kind::suspend : Deed::Kind::resume;
    const std::string code = tell(deed, word).code;  // the same place in the order, whatever it says
    EXPECT_TRUE(code == "stale" || code == "peer_revoked") << code;
  }

  Decision tell(const Deed& deed, const Word& word) {
    const bool held = deed.kind == Deed::Kind::suspend;
    if (deed.scope == ScopeKind::peer) return world_.say(PeerHold{"acme", deed.subject, held, "", deed.plan}, word);
    SubscriberHold event{"acme", deed.subject, "", held, "", deed.plan};
    if (deed.scope == ScopeKind::customer) std::swap(event.subscriber, event.customer);
    return world_.say(event, word);
  }

  // Timers and sweep run, and everything is as it should be.
  void rest() {
    deeds_.push_back({Deed::Kind::timers, ScopeKind::peer, "", "", {}, world_.state.now});
    world_.settle();
    const Oracle oracle(deeds_, world_.state.now);
    std::int64_t living = 0;
    for (const auto& [name, home] : homes()) {
      const Peer* peer = world_.state.peer("acme", name);
      if (peer == nullptr) continue;
      const Entitlement wanted = oracle.of(name);
      EXPECT_EQ(wanted, peer->entitlement)
          << name << " is " << name_of(peer->entitlement) << ", not " << name_of(wanted);
      EXPECT_EQ(peer->entitlement, entitlement_now(*peer, world_.state, {}));
      if (peer->stage == Stage::provisioned) ++living;
      if (!peer->server_id) continue;
      EXPECT_EQ(!on_host(wanted), world_.to_be_removed(peer->public_key)) << name;
    }
    EXPECT_EQ(living, world_.tenant().peer_count);
    EXPECT_EQ(living, world_.server().peer_count);
    for (const auto& [key, timer] : world_.timers) EXPECT_GT(*timer.due_at, world_.state.now);
  }

  std::mt19937 random_;
  HoldWorld world_;
  std::vector<Deed> deeds_;
};

TEST(DomainDunningStory, endsAsTheLastWordsAndTheirPlansSay) {
  for (std::uint32_t story = 0; story < kStories; ++story) {
    const std::uint32_t seed = kFirstSeed + story;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Tale(seed).run();
    if (::testing::Test::HasFailure()) return;  // one story is enough to look into
  }
}

}  // namespace
}  // namespace peerwright::domain
