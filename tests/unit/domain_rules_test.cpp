#include <gtest/gtest.h>

#include "domain_support.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

Network network_of(const std::string& net4, const std::string& net6 = {}) {
  Network network;
  network.id = 1;
  network.name = "net";
  if (!net4.empty()) network.net4 = prefix(net4);
  if (!net6.empty()) network.net6 = prefix(net6);
  return network;
}

// All offsets that the network hands out, one after the other.
std::vector<std::int64_t> all_offsets(Network& network) {
  std::vector<std::int64_t> offsets;
  while (const auto offset = take_offset(network)) offsets.push_back(*offset);
  return offsets;
}

using Offsets = std::vector<std::int64_t>;

TEST(DomainAllocation, countsUpAndNeverGivesNetworkOrBroadcastAddress) {
  Network network = network_of("10.0.0.0/29");
  EXPECT_EQ((Offsets{1, 2, 3, 4, 5, 6}), all_offsets(network));
  EXPECT_EQ(std::nullopt, take_offset(network));
}

TEST(DomainAllocation, neverGivesAReservedAddress) {
  Network network = network_of("10.0.0.0/29");
  network.reserved = {1, 2, 4, 6};
  EXPECT_EQ((Offsets{3, 5}), all_offsets(network));
}

TEST(DomainAllocation, aReservedAddressThatCameBackIsNotGivenEither) {
  Network network = network_of("10.0.0.0/30");
  network.next_offset = 3;
  network.free = {2, 1};
  network.reserved = {2};
  EXPECT_EQ((Offsets{1}), all_offsets(network));
}

TEST(DomainAllocation, takesTheCounterFirstAndThenWhatWaitedLongest) {
  Network network = network_of("10.0.0.0/29");
  network.next_offset = 5;
  network.free = {4, 1, 3};  // oldest first
  EXPECT_EQ((Offsets{5, 6, 4, 1, 3}), all_offsets(network));
}

TEST(DomainAllocation, ofTwoFamiliesIsBoundByTheSmallerOne) {
  Network small4 = network_of("10.0.0.0/29", "fd00::/64");
  EXPECT_EQ((Offsets{1, 2, 3, 4, 5, 6}), all_offsets(small4));
  Network small6 = network_of("10.0.0.0/16", "fd00::/126");
  EXPECT_EQ((Offsets{1, 2, 3}), all_offsets(small6));  // IPv6 has no broadcast address
  Peer peer;
  peer.address_offset = 3;
  EXPECT_EQ((std::vector<std::string>{"10.0.0.3/32", "fd00::3/128"}), addresses_of(peer, small6));
}

TEST(DomainAllocation, ofIpv6AloneNeedsNoIpv4) {
  Network network = network_of("", "fd00::/125");
  EXPECT_EQ((Offsets{1, 2, 3, 4, 5, 6, 7}), all_offsets(network));
  Network large = network_of("", "fd00::/64");
  EXPECT_EQ(1, take_offset(large));
  EXPECT_GT(offsets_of(large), 1LL << 60);
}

TEST(DomainAllocation, ofTooSmallANetworkGivesNothing) {
  for (const char* net4 : {"10.0.0.0/32", "10.0.0.0/31"}) {
    Network network = network_of(net4);
    EXPECT_EQ(Offsets{}, all_offsets(network)) << net4;
  }
}

TEST(DomainRules, aFirstWordIsNeverRefused) {
  EXPECT_FALSE(refuse_by_order(word("billing", 1), std::nullopt).has_value());
  EXPECT_FALSE(refuse_by_order(word("billing", std::nullopt), std::nullopt).has_value());
}

TEST(DomainRules, everyOrderHasItsRefusal) {
  const Word held = word("billing", 5, "held");
  const auto code = [&](const Word& said) {
    const auto refusal = refuse_by_order(said, held);
    if (!refusal) return std::string();
    EXPECT_EQ(Outcome::rejected, refusal->outcome);
    EXPECT_FALSE(refusal->message.empty());
    EXPECT_FALSE(refusal->remedy.empty());
    return refusal->code;
  };
  EXPECT_EQ("", code(word("billing", 6)));
  EXPECT_EQ("stale", code(word("billing", 4)));
  EXPECT_EQ("sequence_reused", code(word("billing", 5)));
  EXPECT_EQ("sequence_required", code(word("billing", std::nullopt)));
}

// A peer on a server, active and applied, alone in its state.
struct OnePeer : ::testing::Test {
  OnePeer() {
    world.with_server();
    world.say(World::provision("p", "sub"), word("billing", 1));
  }
  [[nodiscard]] Hold hold_of(ScopeKind kind, const std::string& owner, bool held) const {
    const Id id = kind == ScopeKind::peer ? world.peer("p").id : *world.peer("p").subscriber_id;
    return {{kind, id}, owner, held, "", word(owner, 1)};
  }
  [[nodiscard]] Hold garden_of(ScopeKind kind, const std::string& owner) const {
    Hold hold = hold_of(kind, owner, true);
    hold.level = HoldLevel::walled_garden;
    return hold;
  }
  // The peer as `change` leaves it, settled; and its decision.
  template <typename Change>
  Decision settled(Change&& change_it, bool force = false) const {
    Peer peer = world.peer("p");
    change_it(peer);
    Decision decision;
    settle_peer(peer, world.state, "cause", force, decision);
    return decision;
  }
  Entitlement judged(const Peer& peer) const { return entitlement_now(peer, world.state, {}); }
  void load_subscriber(std::optional<Time> released_at, bool revoked) {
    Subscriber subscriber = *world.state.subscriber("acme", "sub");
    subscriber.released_at = released_at;
    subscriber.revoked = revoked;
    world.state.load(subscriber);
  }
  World world;
};

TEST_F(OnePeer, isOffWhileAnyHoldOfAnyScopeStands) {
  EXPECT_EQ(Entitlement::active, entitlement_now(world.peer("p"), world.state, {}));
  for (const ScopeKind kind : {ScopeKind::peer, ScopeKind::subscriber}) {
    world.state.load(hold_of(kind, "billing", true));
    world.state.load(hold_of(kind, "security", true));
    world.state.load(hold_of(kind, "billing", false));
    EXPECT_EQ(Entitlement::suspended, entitlement_now(world.peer("p"), world.state, {}));
    world.state.load(hold_of(kind, "security", false));
    EXPECT_EQ(Entitlement::active, entitlement_now(world.peer("p"), world.state, {}));
  }
}

TEST_F(OnePeer, whatIsSaidNowCountsBeforeWhatIsStored) {
  world.state.load(hold_of(ScopeKind::peer, "billing", true));
  const std::vector<Hold> lifted = {hold_of(ScopeKind::peer, "billing", false)};
  EXPECT_EQ(Entitlement::active, entitlement_now(world.peer("p"), world.state, lifted));
  world.state.load(hold_of(ScopeKind::peer, "security", true));
  EXPECT_EQ(Entitlement::suspended, entitlement_now(world.peer("p"), world.state, lifted));
  world.state.load(hold_of(ScopeKind::peer, "security", false));
  world.state.load(hold_of(ScopeKind::subscriber, "billing", true));
  EXPECT_EQ(Entitlement::suspended, entitlement_now(world.peer("p"), world.state, lifted));
}

TEST_F(OnePeer, settlingSaysNothingWhereNothingChanges) {
  Peer peer = world.peer("p");
  peer.applied_generation = peer.generation;
  Decision decision;
  settle_peer(peer, world.state, "cause", false, decision);
  EXPECT_TRUE(decision.peers.empty());
  EXPECT_TRUE(decision.servers.empty());
  EXPECT_TRUE(decision.due_servers.empty());
  for (const Removal& removal : decision.removals) EXPECT_FALSE(removal.wanted_gone);
}

// A hold may have come and gone before it reached the peer, and a delivery may have seen it.
TEST_F(OnePeer, settlingMendsWhatAHoldThatPassedByLeftBehind) {
  Decision decision;
  settle_peer(world.peer("p"), world.state, "cause", false, decision);
  EXPECT_TRUE(decision.peers.empty());
  EXPECT_TRUE(decision.due_servers.contains(world.server().id));  // it is not proven yet
  ASSERT_EQ(1U, decision.removals.size());
  EXPECT_FALSE(decision.removals[0].wanted_gone);
}

TEST_F(OnePeer, settlingCarriesAHoldToThePeerAndItsServer) {
  world.state.load(hold_of(ScopeKind::subscriber, "billing", true));
  const Peer before = world.peer("p");
  Decision decision;
  settle_peer(before, world.state, "billing/x", false, decision);
  ASSERT_EQ(1U, decision.peers.size());
  const Peer& after = decision.peers[0];
  EXPECT_EQ(Entitlement::suspended, after.entitlement);
  EXPECT_EQ("billing/x", after.cause);
  EXPECT_EQ(world.state.now, after.changed_at);
  EXPECT_EQ(before.version + 1, after.version);
  ASSERT_EQ(1U, decision.servers.size());
  EXPECT_EQ(world.server().generation + 1, decision.servers[0].generation);
  EXPECT_EQ(decision.servers[0].generation, after.generation);
  EXPECT_EQ(before.address_offset, after.address_offset);
  ASSERT_EQ(1U, decision.removals.size());
  EXPECT_TRUE(decision.removals[0].wanted_gone);
  EXPECT_TRUE(decision.due_servers.contains(world.server().id));
  EXPECT_TRUE(decision.urgent_servers.contains(world.server().id));
}

TEST_F(OnePeer, theStricterOfTwoHoldsIsFelt) {
  world.state.load(garden_of(ScopeKind::subscriber, "billing"));
  EXPECT_EQ(Entitlement::walled_garden, judged(world.peer("p")));
  world.state.load(hold_of(ScopeKind::peer, "security", true));
  EXPECT_EQ(Entitlement::suspended, judged(world.peer("p")));
  const std::vector<Hold> said = {garden_of(ScopeKind::peer, "security")};
  EXPECT_EQ(Entitlement::walled_garden, entitlement_now(world.peer("p"), world.state, said));
  world.state.load(hold_of(ScopeKind::peer, "abuse", true));
  EXPECT_EQ(Entitlement::suspended, entitlement_now(world.peer("p"), world.state, said));
}

TEST_F(OnePeer, isFirstWhatIsMostFinal) {
  world.state.load(garden_of(ScopeKind::peer, "billing"));
  Peer peer = world.peer("p");
  peer.over_quota = true;
  EXPECT_EQ(Entitlement::suspended, judged(peer));
  peer.expired = true;
  EXPECT_EQ(Entitlement::expired, judged(peer));
  peer.stage = Stage::reserved;
  EXPECT_EQ(Entitlement::reserved, judged(peer));
  load_subscriber(std::nullopt, true);
  EXPECT_EQ(Entitlement::revoked, judged(peer));
  peer.stage = Stage::revoked;
  EXPECT_EQ(Entitlement::revoked, judged(peer));
  peer.stage = Stage::unknown;  // it was never there
  EXPECT_EQ(Entitlement::unprovisioned, judged(peer));
}

TEST_F(OnePeer, aReleaseEndsWhoWasThere) {
  const Time then = *world.peer("p").provisioned_at;
  load_subscriber(then - std::chrono::seconds(1), false);
  EXPECT_EQ(Entitlement::active, judged(world.peer("p")));
  load_subscriber(then, false);
  EXPECT_EQ(Entitlement::revoked, judged(world.peer("p")));
}

TEST_F(OnePeer, aCustomerCountsAsItsSubscriberDoes) {
  Customer customer;
  customer.id = 77;
  customer.tenant_id = 1;
  customer.name = "cust";
  world.state.load(customer);
  Subscriber subscriber = *world.state.subscriber("acme", "sub");
  Hold hold{{ScopeKind::customer, customer.id}, "billing", true, "", word("billing", 1)};
  world.state.load(hold);
  EXPECT_EQ(Entitlement::active, judged(world.peer("p")));
  subscriber.customer_id = customer.id;
  Decision joining;  // the decision's own after-image counts before the state's
  joining.subscribers.push_back(subscriber);
  settle_peer(world.peer("p"), world.state, "cause", false, joining);
  EXPECT_EQ(Entitlement::suspended, joining.peers.at(0).entitlement);
  world.state.load(subscriber);
  EXPECT_EQ(Entitlement::suspended, judged(world.peer("p")));
  customer.released_at = world.state.now;
  world.state.load(customer);
  EXPECT_EQ(Entitlement::revoked, judged(world.peer("p")));
}

TEST_F(OnePeer, inTheGardenKeepsItsKeyAndIsUrgent) {
  world.state.load(garden_of(ScopeKind::peer, "billing"));
  const Decision decision = settled([](Peer&) {});
  EXPECT_EQ(Entitlement::walled_garden, decision.peers.at(0).entitlement);
  EXPECT_EQ(world.server().generation + 1, decision.peers[0].generation);
  ASSERT_EQ(1U, decision.removals.size());
  EXPECT_FALSE(decision.removals[0].wanted_gone);
  EXPECT_TRUE(decision.due_servers.contains(world.server().id));
  EXPECT_TRUE(decision.urgent_servers.contains(world.server().id));
  world.take(decision);
  world.state.load(hold_of(ScopeKind::peer, "billing", false));
  const Decision freed = settled([](Peer&) {});
  EXPECT_EQ(Entitlement::active, freed.peers.at(0).entitlement);
  EXPECT_TRUE(freed.due_servers.contains(world.server().id));
  EXPECT_TRUE(freed.urgent_servers.empty());
  world.state.load(hold_of(ScopeKind::peer, "billing", true));
  EXPECT_TRUE(settled([](Peer&) {}).urgent_servers.contains(world.server().id));
}

TEST_F(OnePeer, outOfTheCutIntoTheGardenIsNotUrgent) {
  world.state.load(hold_of(ScopeKind::peer, "billing", true));
  world.take(settled([](Peer&) {}));
  world.state.load(garden_of(ScopeKind::peer, "billing"));
  const Decision decision = settled([](Peer&) {});
  EXPECT_EQ(Entitlement::walled_garden, decision.peers.at(0).entitlement);
  EXPECT_TRUE(decision.urgent_servers.empty());
  EXPECT_FALSE(decision.removals.at(0).wanted_gone);
}

TEST_F(OnePeer, aStagedKeyGoesAndComesWithTheOther) {
  world.state.load(hold_of(ScopeKind::peer, "billing", true));
  const auto stage = [](Peer& peer) { peer.staged_key = "next"; };
  const Decision cut = settled(stage);
  ASSERT_EQ(2U, cut.removals.size());
  EXPECT_EQ("next", cut.removals[1].public_key);
  EXPECT_TRUE(cut.removals[0].wanted_gone && cut.removals[1].wanted_gone);
  world.state.load(hold_of(ScopeKind::peer, "billing", false));
  const Decision mended = settled(stage);
  EXPECT_TRUE(mended.peers.empty());
  ASSERT_EQ(2U, mended.removals.size());
  EXPECT_FALSE(mended.removals[0].wanted_gone || mended.removals[1].wanted_gone);
}

TEST_F(OnePeer, revokedWithItsSubscriberIsRevokedOnceAndForAll) {
  Peer peer = world.peer("p");
  peer.staged_key = "next";
  peer.staged_until = world.state.now;
  peer.expires_at = world.state.now;
  peer.plan = "gold";
  world.state.load(peer);
  Tenant tenant = world.tenant();
  tenant.plans["gold"] = {5, 1, true};
  world.state.load(tenant);
  load_subscriber(std::nullopt, true);
  world.fan_out("sub", "billing/x");
  EXPECT_EQ(Stage::revoked, world.peer("p").stage);
  EXPECT_EQ("", world.peer("p").staged_key);
  EXPECT_EQ("billing/x", world.peer("p").cause);
  EXPECT_EQ(2U, world.removals.size());
  for (const auto& [key, gone] : world.removals) EXPECT_TRUE(gone) << key.second;
  EXPECT_TRUE(world.peer("p").address_offset);  // until the proof
  for (const auto& [key, timer] : world.changes.timers) EXPECT_EQ(std::nullopt, timer.due_at);
  EXPECT_EQ(2U, world.changes.timers.size());
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(0, world.server().peer_count);
    EXPECT_EQ(0, world.tenant().peer_count);
    EXPECT_EQ(0, world.tenant().plans.at("gold").peer_count);
    EXPECT_EQ(5, world.tenant().plans.at("gold").max_peers);
    world.fan_out("sub", "billing/x");
    world.say(World::revoke("p"), word("billing", 9));
  }
}

TEST_F(OnePeer, onlyReservedTouchesNoHost) {
  world.say(World::reserve("r"), word("billing", 1));
  const std::int64_t generation = world.server().generation;
  world.say(World::hold("r", true), word("billing", 2));
  EXPECT_EQ(Entitlement::reserved, world.peer("r").entitlement);
  Decision forced;
  Peer reserved = world.peer("r");
  reserved.public_key = "early key";
  settle_peer(reserved, world.state, "cause", true, forced);
  EXPECT_TRUE(forced.removals.empty() && forced.servers.empty() && forced.due_servers.empty());
  EXPECT_EQ(1U, forced.peers.size());
  EXPECT_EQ(generation, world.server().generation);
}

TEST_F(OnePeer, oneDecisionCountsOnOneAfterImage) {
  world.say(World::provision("q", "sub"), word("billing", 1));
  load_subscriber(std::nullopt, true);
  Decision both;
  for (const char* name : {"p", "q"}) settle_peer(world.peer(name), world.state, "cause", false, both);
  ASSERT_EQ(1U, both.servers.size());
  EXPECT_EQ(world.server().generation + 2, both.servers[0].generation);
  EXPECT_EQ(0, both.servers[0].peer_count);
  ASSERT_EQ(1U, both.tenants.size());
  EXPECT_EQ(0, both.tenants[0].peer_count);
}

TEST_F(OnePeer, aPlanThatNobodyListedIsCountedToo) {
  Peer peer = world.peer("p");
  peer.plan = "odd";
  Decision decision;
  count_peer(peer, 1, world.state, decision);
  EXPECT_EQ(1, decision.tenants.at(0).plans.at("odd").peer_count);
  EXPECT_FALSE(decision.tenants[0].plans.at("odd").listed);
  count_peer(peer, -1, world.state, decision);
  count_peer(peer, -1, world.state, decision);
  EXPECT_EQ(0, decision.tenants[0].plans.at("odd").peer_count);
}

TEST_F(OnePeer, causeNamesSourceAndId) { EXPECT_EQ("billing/17", cause_of(word("billing", 1, "17"))); }

}  // namespace
}  // namespace peerwright::domain
