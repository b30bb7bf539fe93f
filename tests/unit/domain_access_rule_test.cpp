#include <gtest/gtest.h>

#include "domain_server_support.hpp"

namespace peerwright::domain {
namespace {

using ServerIds = std::set<Id>;

class AccessRules : public ::testing::Test {
 protected:
  AccessRules() {
    for (const char* server : {"a", "b", "c"}) world.add_server(server);
    world.add_peer("pa", "a");
    world.add_peer("pb", "b");
    world.add_peer("pc", "c", Stage::reserved);
    world.add_peer("gone", "a", Stage::revoked);
    world.add_peer("named", "", Stage::unknown);
    world.add_peer("foreign", "a", Stage::provisioned, ServerWorld::kOther);
  }

  static RuleSet rule(const std::string& source, const std::string& dest) {
    RuleSet event;
    event.tenant = "acme";
    event.rule = "r";
    event.source_peer = source;
    event.dest_peer = dest;
    event.dest_port = 443;
    event.dest_protocol = wireguard::RuleProtocol::tcp;
    event.action = wireguard::RuleAction::allow;
    event.priority = 10;
    return event;
  }
  static RuleRemove removal() { return {"acme", "r"}; }
  [[nodiscard]] const AccessRule& held() const { return *world.state.rule("acme", "r"); }
  [[nodiscard]] ServerIds ids(const std::vector<std::string>& servers) const {
    ServerIds all;
    for (const std::string& server : servers) all.insert(world.id(server));
    return all;
  }
  static bool all_of_the_tenant(const Decision& decision) {
    return decision.wider_fan_outs.contains({FanOut::tenant, ServerWorld::kAcme});
  }

  ServerWorld world;
};

TEST_F(AccessRules, refsNameThePeersThatAreNotMade) {
  const Refs refs = refs_of(rule("pa", ""));
  EXPECT_EQ("acme", refs.tenant);
  EXPECT_EQ("r", refs.rule);
  EXPECT_EQ("", refs.peer);
  EXPECT_EQ(std::vector<std::string>{"pa"}, refs.other_peers);
  EXPECT_EQ("r", refs_of(removal()).rule);
}

TEST_F(AccessRules, setConcernsTheServersOfThePeersItNames) {
  const Server before = world.server("a");
  const Decision decision = world.say(rule("pa", "pb"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(held().active);
  EXPECT_EQ(world.state.peer("acme", "pa")->id, held().source_peer_id);
  EXPECT_EQ(world.state.peer("acme", "pb")->id, held().dest_peer_id);
  EXPECT_EQ(443, held().dest_port);
  EXPECT_EQ(wireguard::RuleProtocol::tcp, held().dest_protocol);
  EXPECT_EQ(wireguard::RuleAction::allow, held().action);
  EXPECT_EQ(10, held().priority);
  EXPECT_EQ(ids({"a", "b"}), decision.due_servers);
  EXPECT_EQ(ServerIds{}, decision.urgent_servers);
  EXPECT_EQ(before.generation + 1, world.server("a").generation);
  EXPECT_EQ(before.version + 1, world.server("a").version);
  EXPECT_EQ(1, world.server("c").generation);
  EXPECT_FALSE(all_of_the_tenant(decision));
  EXPECT_EQ(ServerIds{held().id}, world.changes.rules);
}

TEST_F(AccessRules, twoPeersOnOneServerTouchItOnce) {
  world.add_peer("pa2", "a");
  const std::int64_t generation = world.server("a").generation;
  const Decision decision = world.say(rule("pa", "pa2"));
  EXPECT_EQ(ids({"a"}), decision.due_servers);
  EXPECT_EQ(1U, decision.servers.size());
  EXPECT_EQ(generation + 1, world.server("a").generation);
}

TEST_F(AccessRules, allPeersMeansAllServersOfTheTenant) {
  Decision decision = world.say(rule("", "pb"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(all_of_the_tenant(decision));
  EXPECT_EQ(ids({"b"}), decision.due_servers);
  EXPECT_EQ(std::nullopt, held().source_peer_id);
  decision = world.say(rule("", ""));
  EXPECT_TRUE(all_of_the_tenant(decision));
  decision = world.say(rule("pa", "pb"));  // it was everywhere before
  EXPECT_TRUE(all_of_the_tenant(decision));
}

TEST_F(AccessRules, aRuleThatMovesConcernsTheOldAndTheNewServers) {
  world.say(rule("pa", "pb"));
  const Decision decision = world.say(rule("pa", "pc"));
  EXPECT_EQ(ids({"a", "b", "c"}), decision.due_servers);
  EXPECT_EQ(3U, decision.servers.size());
}

TEST_F(AccessRules, theSameAgainIsUnchanged) {
  world.say(rule("pa", "pb"));
  const std::int64_t generation = world.server("a").generation;
  const Word last = world.next();
  const Decision decision = world.say(rule("pa", "pb"), last);
  EXPECT_EQ(Outcome::unchanged, decision.outcome);
  EXPECT_EQ(ServerIds{}, decision.due_servers);
  EXPECT_EQ(generation, world.server("a").generation);
  EXPECT_EQ(last, held().word);
  auto other = rule("pa", "pb");
  other.priority = 11;
  EXPECT_EQ(Outcome::accepted, world.say(other).outcome);
  other.dest_port = 80;
  EXPECT_EQ(Outcome::accepted, world.say(other).outcome);
  other.dest_protocol = wireguard::RuleProtocol::udp;
  EXPECT_EQ(Outcome::accepted, world.say(other).outcome);
  other.action = wireguard::RuleAction::deny;
  EXPECT_EQ(Outcome::accepted, world.say(other).outcome);
}

TEST_F(AccessRules, removalConcernsWhereItWas) {
  world.say(rule("pa", ""));
  const Decision decision = world.say(removal());
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_FALSE(held().active);
  EXPECT_EQ(ids({"a"}), decision.due_servers);
  EXPECT_TRUE(all_of_the_tenant(decision));
  EXPECT_EQ(Outcome::unchanged, world.say(removal()).outcome);
  EXPECT_EQ(Outcome::accepted, world.say(rule("pa", "")).outcome);
}

TEST_F(AccessRules, aRemovalMayOvertakeTheRule) {
  const Word first = world.next();
  const Decision decision = world.say(removal());
  EXPECT_EQ(Outcome::unchanged, decision.outcome);
  ASSERT_EQ(1U, decision.rules.size());
  expect_refused(world.say(rule("pa", "pb"), first), "stale");
  EXPECT_FALSE(held().active);
}

TEST_F(AccessRules, whoeverIsNotThereIsUnknown) {
  for (const std::string peer : {"nobody", "gone", "named", "foreign"}) {
    const Decision as_source = world.say(rule(peer, "pb"));
    expect_refused(as_source, "unknown_peer");
    expect_refused(world.say(rule("pb", peer)), "unknown_peer");
    expect_refused(world.say(rule("", peer)), "unknown_peer");
    // The answer says the same of all of them.
    EXPECT_EQ("there is no peer " + peer, as_source.message);
  }
}

TEST_F(AccessRules, orderIsKept) {
  const Word late = world.next();
  world.say(rule("pa", "pb"));
  expect_refused(world.say(rule("pa", "pc"), late), "stale");
  expect_refused(world.say(removal(), late), "stale");
  expect_refused(world.say(removal(), world.word(std::nullopt)), "sequence_required");
}

}  // namespace
}  // namespace peerwright::domain
