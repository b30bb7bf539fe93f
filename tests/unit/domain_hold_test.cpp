#include <gtest/gtest.h>

#include "domain_hold_support.hpp"

// Suspensions that go on over time: grace, walled garden, cut, release; by whom, for whom, and what undoes them.
namespace peerwright::domain {
namespace {

constexpr std::int64_t kGrace = 10;
constexpr std::int64_t kGarden = 20;
constexpr std::int64_t kRelease = 30;
const HoldPlan kDunning = plan_of(HoldLevel::walled_garden, kGrace, kGarden, kRelease);

struct Dunning : ::testing::Test {
  Dunning() {
    world.provision("a", "s");
    world.provision("b", "s");
    world.provision("other", "t");
  }
  void expect_both(Entitlement entitlement) {
    EXPECT_EQ(entitlement, world.of("a")) << name_of(world.of("a"));
    EXPECT_EQ(entitlement, world.of("b")) << name_of(world.of("b"));
    EXPECT_EQ(Entitlement::active, world.of("other"));
  }
  [[nodiscard]] const Hold& hold() const { return world.hold(ScopeKind::subscriber, world.subscriber("s").id); }
  // Lets the time pass, and the sweep do what fell due.
  void later(std::int64_t seconds) {
    world.pass(seconds);
    world.settle();
  }
  HoldWorld world;
};

TEST_F(Dunning, goesFromGraceOverGardenAndCutToRelease) {
  const std::int64_t version = world.subscriber("s").version;
  EXPECT_EQ(Outcome::accepted, world.suspend("s", kDunning).outcome);
  world.settle();
  expect_both(Entitlement::active);
  EXPECT_EQ(HoldLevel::grace, hold().level);
  EXPECT_FALSE(hold().held);
  EXPECT_EQ(version + 1, world.subscriber("s").version);

  later(kGrace - 1);
  expect_both(Entitlement::active);
  later(1);
  expect_both(Entitlement::walled_garden);
  EXPECT_TRUE(hold().held);
  EXPECT_EQ(version + 2, world.subscriber("s").version);
  EXPECT_FALSE(world.to_be_removed("key of a"));
  EXPECT_EQ("timer/hold_subscriber", world.peer("a").cause);

  later(kGarden - 1);
  expect_both(Entitlement::walled_garden);
  later(1);
  expect_both(Entitlement::suspended);
  EXPECT_EQ(world.state.now, hold().since);
  EXPECT_TRUE(world.to_be_removed("key of a"));

  later(kRelease - 1);
  expect_both(Entitlement::suspended);
  EXPECT_EQ(3, world.server().peer_count);
  later(1);
  expect_both(Entitlement::revoked);
  EXPECT_EQ(Stage::revoked, world.peer("a").stage);
  EXPECT_EQ(world.state.now, world.subscriber("s").released_at);
  EXPECT_FALSE(world.subscriber("s").revoked);
  EXPECT_EQ(1, world.server().peer_count);
  EXPECT_EQ(1, world.tenant().peer_count);
  EXPECT_EQ(HoldLevel::cut, hold().level);
  EXPECT_TRUE(world.timers.empty());
}

// One step a timer: whether intake has caught up past the next one is judged anew.
TEST_F(Dunning, ofALateSweepTakesStepAfterStep) {
  world.suspend("s", kDunning);
  later(kGrace + kGarden + kRelease);
  world.settle();
  expect_both(Entitlement::revoked);
  EXPECT_TRUE(world.timers.empty());
}

TEST_F(Dunning, isUndoneByAPaymentBeforeTheRelease) {
  for (const std::int64_t when : {std::int64_t{0}, kGrace, kGrace + kGarden, kGrace + kGarden + kRelease - 1}) {
    world.suspend("s", kDunning);
    later(when);
    EXPECT_EQ(Outcome::accepted, world.resume("s").outcome);
    world.settle();
    expect_both(Entitlement::active);
    EXPECT_EQ(HoldLevel::none, hold().level);
    EXPECT_TRUE(hold().steps.empty());
    EXPECT_TRUE(world.timers.empty()) << when;
    EXPECT_FALSE(world.to_be_removed("key of a"));
    later(1000);
    expect_both(Entitlement::active);
  }
}

TEST_F(Dunning, ofAnotherSourceIsNotUndoneByThePayment) {
  for (const std::int64_t when : {std::int64_t{0}, kGrace, kGrace + kGarden}) {
    world.suspend("s", kDunning);
    world.suspend("s", plan_of(HoldLevel::cut), "security");
    later(when);
    expect_both(Entitlement::suspended);
    world.resume("s");
    world.settle();
    expect_both(Entitlement::suspended);
    world.suspend("s", kDunning);
    world.resume("s", "security");
    later(when);
    const Entitlement left = when == 0        ? Entitlement::active
                             : when == kGrace ? Entitlement::walled_garden
                                              : Entitlement::suspended;
    expect_both(left);
    world.resume("s");
    world.settle();
    expect_both(Entitlement::active);
  }
}

TEST_F(Dunning, aReleaseIsNotUndone) {
  world.suspend("s", plan_of(HoldLevel::cut, 0, 0, kRelease));
  later(kRelease);
  EXPECT_EQ(Outcome::accepted, world.resume("s").outcome);
  world.settle();
  expect_both(Entitlement::revoked);
}

TEST_F(Dunning, afterAReleaseWhoPaysMayComeAgain) {
  world.suspend("s", plan_of(HoldLevel::cut, 0, 0, kRelease));
  later(kRelease);
  world.pass(1);
  world.provision("while held", "s");
  EXPECT_EQ(Entitlement::suspended, world.of("while held"));
  world.resume("s");
  world.settle();
  EXPECT_EQ(Entitlement::active, world.of("while held"));
  world.suspend("s", plan_of(HoldLevel::cut, 0, 0, kRelease));  // and be released again
  later(kRelease);
  EXPECT_EQ(Entitlement::revoked, world.of("while held"));
}

// The log may hold the payment already: what came due while the word lay there is the timer's, for it waits until
// intake has caught up.
TEST_F(Dunning, aLateWordTakesNoMoreThanWasDueWhenItWasSaid) {
  Word word = world.word_of("billing");
  world.pass(1000);
  world.say(SubscriberHold{"acme", "s", "", true, "", kDunning}, word);
  world.sweep();
  expect_both(Entitlement::active);
  EXPECT_EQ(HoldLevel::grace, hold().level);
  ASSERT_EQ(3U, hold().steps.size());
  EXPECT_EQ(HoldLevel::release, hold().steps[2].level);
  EXPECT_EQ(word.place.broker_time + std::chrono::seconds(kGrace + kGarden + kRelease), hold().steps[2].at);
  ASSERT_EQ(1U, world.timers.size());
  world.resume("s");
  world.settle();
  expect_both(Entitlement::active);
}

TEST_F(Dunning, startsWhenItIsToldToButNeverBeforeItWasSaid) {
  HoldPlan plan = plan_of(HoldLevel::cut);
  plan.effective_at = world.state.now + std::chrono::seconds(50);
  world.suspend("s", plan);
  world.settle();
  expect_both(Entitlement::active);
  EXPECT_EQ(HoldLevel::none, hold().level);
  later(49);
  expect_both(Entitlement::active);
  later(1);
  expect_both(Entitlement::suspended);

  plan = kDunning;
  plan.effective_at = world.state.now - std::chrono::seconds(5000);
  world.suspend("s", plan);
  EXPECT_EQ(HoldLevel::grace, hold().level);
  EXPECT_EQ(world.state.now + std::chrono::seconds(kGrace), hold().steps.at(0).at);
}

TEST_F(Dunning, aGardenWithoutTermStays) {
  world.suspend("s", plan_of(HoldLevel::walled_garden, 0, 0, kRelease));
  later(100'000);
  expect_both(Entitlement::walled_garden);
  EXPECT_TRUE(world.timers.empty());
}

TEST_F(Dunning, wordsThatComeLateOrTwiceChangeNothing) {
  const SubscriberHold suspension{"acme", "s", "", true, "", kDunning};
  const Word first = world.word_of("billing");
  const Word second = world.word_of("billing");
  world.say(suspension, second);
  const Hold before = hold();
  EXPECT_EQ("stale", world.say(SubscriberHold{"acme", "s", "", false, "", {}}, first).code);
  EXPECT_EQ("stale", world.say(suspension, second).code);
  EXPECT_EQ(before.steps, hold().steps);
  later(kGrace);
  expect_both(Entitlement::walled_garden);
  world.resume("s");
  EXPECT_EQ("stale", world.say(suspension, second).code);
  world.settle();
  expect_both(Entitlement::active);
}

TEST_F(Dunning, anotherPlanOfTheSameOwnerReplacesTheFirst) {
  world.suspend("s", plan_of(HoldLevel::cut, kGrace));
  world.suspend("s", plan_of(HoldLevel::walled_garden, 3 * kGrace));
  EXPECT_EQ(1U, world.timers.size());
  later(kGrace);
  expect_both(Entitlement::active);
  later(2 * kGrace);
  expect_both(Entitlement::walled_garden);
}

TEST_F(Dunning, isStoredForWhoIsNotKnownYet) {
  EXPECT_EQ(Outcome::accepted, world.suspend("unborn").outcome);
  world.provision("p", "unborn");
  EXPECT_EQ(Entitlement::suspended, world.of("p"));
  EXPECT_TRUE(world.to_be_removed("key of p"));
  EXPECT_EQ(Outcome::accepted, world.suspend_peer("q", plan_of(HoldLevel::walled_garden)).outcome);
  EXPECT_EQ(Entitlement::unprovisioned, world.of("q"));
  world.provision("q");
  EXPECT_EQ(Entitlement::walled_garden, world.of("q"));
  world.suspend("garden", plan_of(HoldLevel::walled_garden, kGrace));
  later(kGrace);
  world.provision("r", "garden");
  EXPECT_EQ(Entitlement::walled_garden, world.of("r"));
}

TEST_F(Dunning, ofACustomerReachesAllItsSubscribers) {
  world.provision("x", "s1", "k");
  world.provision("y", "s2", "k");
  world.suspend_customer("k", kDunning);
  later(kGrace);
  EXPECT_EQ(Entitlement::walled_garden, world.of("x"));
  EXPECT_EQ(Entitlement::walled_garden, world.of("y"));
  expect_both(Entitlement::active);
  world.provision("z", "s2", "k");
  EXPECT_EQ(Entitlement::walled_garden, world.of("z"));
  world.suspend("s1", plan_of(HoldLevel::cut));  // billing too: another register, for its scope is another
  world.settle();
  EXPECT_EQ(Entitlement::suspended, world.of("x"));
  EXPECT_EQ(Entitlement::walled_garden, world.of("y"));
  world.resume_customer("k");
  world.settle();
  EXPECT_EQ(Entitlement::suspended, world.of("x"));
  EXPECT_EQ(Entitlement::active, world.of("y"));
  world.resume("s1");
  world.settle();
  EXPECT_EQ(Entitlement::active, world.of("x"));

  world.suspend_customer("k", plan_of(HoldLevel::cut, 0, 0, kRelease));
  later(kRelease);
  EXPECT_EQ(Entitlement::revoked, world.of("x"));
  EXPECT_EQ(Entitlement::revoked, world.of("z"));
  EXPECT_EQ(world.state.now, world.customer("k").released_at);
  expect_both(Entitlement::active);
}

TEST_F(Dunning, ofAPeerEndsInItsRevocation) {
  const Decision decision = world.suspend_peer("a", kDunning);
  EXPECT_EQ(Outcome::accepted, decision.outcome);  // nobody feels it yet, but it will be felt
  EXPECT_EQ(Entitlement::active, world.of("a"));
  later(kGrace);
  EXPECT_EQ(Entitlement::walled_garden, world.of("a"));
  later(kGarden);
  EXPECT_EQ(Entitlement::suspended, world.of("a"));
  EXPECT_EQ(Entitlement::active, world.of("b"));
  later(kRelease);
  EXPECT_EQ(Stage::revoked, world.peer("a").stage);
  EXPECT_EQ("timer/hold_peer", world.peer("a").cause);
  EXPECT_EQ(2, world.server().peer_count);
  EXPECT_EQ("peer_revoked", world.resume_peer("a").code);
}

TEST_F(Dunning, allOperatorsAreOneOwner) {
  world.suspend("s", kDunning, "peerwright-cli/alice");
  world.resume("s", "peerwright-cli/bob");
  later(1000);
  expect_both(Entitlement::active);
}

struct Revocation : Dunning {
  Decision revoke(const std::string& subscriber, const std::string& customer = {}) {
    return world.say(SubscriberRevoke{"acme", subscriber, customer, "gone"});
  }
};

TEST_F(Revocation, ofASubscriberIsFinal) {
  EXPECT_EQ(Outcome::accepted, revoke("s").outcome);
  const std::int64_t version = world.subscriber("s").version;
  EXPECT_TRUE(world.subscriber("s").revoked);
  EXPECT_EQ(world.state.now, world.subscriber("s").released_at);
  world.settle();
  expect_both(Entitlement::revoked);
  EXPECT_EQ(1, world.tenant().peer_count);
  for (const Decision& refused : {world.resume("s"), world.suspend("s")}) {
    EXPECT_EQ("subscriber_revoked", refused.code);
    EXPECT_FALSE(refused.remedy.empty());
  }
  const Decision again = revoke("s");
  EXPECT_EQ(Outcome::unchanged, again.outcome);
  EXPECT_EQ(1U, again.subscribers.size());
  EXPECT_EQ(version, world.subscriber("s").version);
}

TEST_F(Revocation, ofACustomerReachesAllItsSubscribers) {
  world.provision("x", "s1", "k");
  world.provision("y", "s2", "k");
  const Decision decision = revoke("", "k");
  EXPECT_TRUE(decision.wider_fan_outs.contains({FanOut::customer, world.customer("k").id}));
  world.settle();
  EXPECT_EQ(Entitlement::revoked, world.of("x"));
  EXPECT_EQ(Entitlement::revoked, world.of("y"));
  expect_both(Entitlement::active);
  EXPECT_EQ("subscriber_revoked", world.resume_customer("k").code);
}

TEST_F(Revocation, ofSomebodyUnknownIsStored) {
  EXPECT_EQ(Outcome::accepted, revoke("unborn").outcome);
  EXPECT_TRUE(world.subscriber("unborn").revoked);
}

TEST_F(Revocation, overridesTheStepsThatAreStillToCome) {
  world.suspend("s", kDunning);
  revoke("s");
  later(1000);
  expect_both(Entitlement::revoked);
  EXPECT_TRUE(world.timers.empty());
}

TEST_F(Revocation, freesTheAddressOfAReservationAtOnce) {
  const Peer reserved = world.reserve("r", 100, "s");
  const std::int64_t generation = world.server().generation;
  EXPECT_EQ(4, world.server().peer_count);
  world.say(PeerRevoke{"acme", "r", "gone"});
  EXPECT_EQ(Stage::revoked, world.peer("r").stage);
  EXPECT_EQ(std::nullopt, world.peer("r").address_offset);
  ASSERT_EQ(1U, world.changes.freed.size());
  EXPECT_EQ(*reserved.address_offset, world.changes.freed[0].address_offset);
  EXPECT_EQ(generation, world.server().generation);
  EXPECT_EQ(3, world.server().peer_count);
  EXPECT_EQ(3, world.tenant().peer_count);
  EXPECT_TRUE(world.timers.empty());

  world.reserve("r2", 100, "s");
  revoke("s");
  world.settle();
  EXPECT_EQ(Entitlement::revoked, world.of("r2"));
  EXPECT_EQ(2U, world.changes.freed.size());
  EXPECT_EQ(1, world.tenant().peer_count);
}

}  // namespace
}  // namespace peerwright::domain
