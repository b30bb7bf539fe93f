// What becomes of a server that is registered: drained, in maintenance, retired, given another key, looked at.
#include "domain_server_support.hpp"

namespace peerwright::domain {
namespace {

class ServerLife : public ServerTest {};

TEST_F(ServerLife, whoeverWasNeverRegisteredIsUnknown) {
  Server named;  // by an event that makes identities
  named.id = 77;
  named.name = "named";
  world.state.load(named);
  for (const std::string name : {"named", "nobody"}) {
    expect_refused(world.say(ServerUpdate{name, {}}), "unknown_server");
    expect_refused(world.say(ServerDrain{name, true}), "unknown_server");
    expect_refused(world.say(ServerMaintenance{name, true}), "unknown_server");
    expect_refused(world.say(ServerRetire{name, ""}), "unknown_server");
    expect_refused(world.say(ServerRotateKey{name}), "unknown_server");
    expect_refused(world.say(ServerReconcile{name}), "unknown_server");
    expect_refused(world.say(ServerObserve{name}), "unknown_server");
  }
}

TEST_F(ServerLife, aRetiredServerRefusesAllButRegistration) {
  retire();
  expect_refused(world.say(ServerUpdate{"srv", {}}), "server_retired");
  expect_refused(world.say(ServerDrain{"srv", false}), "server_retired");
  expect_refused(world.say(ServerMaintenance{"srv", true}), "server_retired");
  expect_refused(world.say(ServerRotateKey{"srv"}), "server_retired");
  expect_refused(world.say(ServerObserve{"srv"}), "server_retired");
}

TEST_F(ServerLife, aRetiredServerTakesOrdersAboutWhatIsLeftUntilItsEndIsProven) {
  retire();
  EXPECT_EQ(ServerIds{srv().id}, world.say(ServerReconcile{"srv"}).doubtful_servers);
  Server held = srv();
  held.guard_held = 2;
  world.state.load(held);
  const Decision approved = world.say(ServerApprove{"srv", 2, true});
  EXPECT_EQ(Outcome::accepted, approved.outcome);
  EXPECT_EQ(ServerIds{srv().id}, approved.doubtful_servers) << "its host is gone to at once";
  EXPECT_EQ(ServerIds{srv().id}, approved.due_servers);

  Server ended = srv();
  ended.retired_proven_at = world.state.now;
  ended.guard_held = 2;
  world.state.load(ended);
  expect_refused(world.say(ServerReconcile{"srv"}), "server_retired");
  expect_refused(world.say(ServerApprove{"srv", 2, true}), "server_retired");
}

TEST_F(ServerLife, aKeyThatOnlyTheHostHadEndsWithIt) {
  for (const std::string sealed : {"", "c2VhbGVk"}) {
    retire();
    Server ended = srv();
    ended.retired_proven_at = world.state.now;
    ended.public_key = "key of srv";
    ended.private_key_sealed = sealed;
    world.state.load(ended);
    ServerRegister again = ServerWorld::registration("srv");
    again.public_key.clear();
    ASSERT_EQ(Outcome::accepted, world.say(again).outcome);
    EXPECT_EQ(sealed.empty() ? "" : "key of srv", srv().public_key);
    EXPECT_EQ(sealed, srv().private_key_sealed);
  }
}

TEST_F(ServerLife, allOfItsConfigurationIsOneRegister) {
  const Word late = world.next();
  ASSERT_EQ(Outcome::accepted, world.say(ServerDrain{"srv", true}).outcome);
  expect_refused(world.say(ServerUpdate{"srv", {}}, late), "stale");
  expect_refused(world.say(ServerDrain{"srv", false}, late), "stale");
  expect_refused(world.say(ServerMaintenance{"srv", true}, late), "stale");
  expect_refused(world.say(ServerRetire{"srv", ""}, late), "stale");
  expect_refused(world.say(ServerRotateKey{"srv"}, late), "stale");
  EXPECT_EQ(Outcome::accepted, world.say(ServerReconcile{"srv"}, late).outcome);
  EXPECT_EQ(Outcome::accepted, world.say(ServerObserve{"srv"}, late).outcome);
}

TEST_F(ServerLife, drainComesAndGoes) {
  const Server before = srv();
  EXPECT_EQ(Outcome::accepted, world.say(ServerDrain{"srv", true}).outcome);
  EXPECT_EQ(ServerState::draining, srv().state);
  EXPECT_EQ(before.version + 1, srv().version);
  EXPECT_EQ(Outcome::unchanged, world.say(ServerDrain{"srv", true}).outcome);
  EXPECT_EQ(before.version + 1, srv().version);
  world.say(ServerWorld::registration("srv"));
  EXPECT_EQ(ServerState::draining, srv().state);  // a registration does not speak of it
  const Decision decision = world.say(ServerDrain{"srv", false});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerState::active, srv().state);
  EXPECT_EQ(ServerIds{}, decision.due_servers);
}

TEST_F(ServerLife, maintenanceEndsWithADelivery) {
  const std::int64_t generation = srv().generation;
  Decision decision = world.say(ServerMaintenance{"srv", true});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_TRUE(srv().maintenance);
  EXPECT_EQ(ServerIds{}, decision.due_servers);
  EXPECT_EQ(Outcome::unchanged, world.say(ServerMaintenance{"srv", true}).outcome);
  decision = world.say(ServerMaintenance{"srv", false});
  EXPECT_FALSE(srv().maintenance);
  EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);
  EXPECT_EQ(generation, srv().generation);
  EXPECT_EQ(ServerIds{}, world.say(ServerMaintenance{"srv", false}).due_servers);
}

TEST_F(ServerLife, retireWaitsForItsPeers) {
  set_peers(1);
  expect_refused(world.say(ServerRetire{"srv", ""}), "server_has_peers");
  expect_refused(world.say(ServerRetire{"srv", "burnt down"}), "server_has_peers");
  set_peers(0);
  const std::int64_t generation = srv().generation;
  const Decision decision = world.say(ServerRetire{"srv", ""});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerState::retired, srv().state);
  EXPECT_EQ(generation + 1, srv().generation);
  EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);
  EXPECT_EQ(ServerIds{srv().id}, decision.doubtful_servers);  // the proof is a reading of everything
  EXPECT_EQ(ServerIds{}, decision.abandoned_servers);
  EXPECT_EQ(Outcome::unchanged, world.say(ServerRetire{"srv", ""}).outcome);
  EXPECT_EQ(generation + 1, srv().generation);
}

TEST_F(ServerLife, retireOnAWordGivesTheHostUp) {
  const Decision decision = world.say(ServerRetire{"srv", "burnt down"});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ("burnt down", srv().retired_word);
  EXPECT_EQ(ServerIds{srv().id}, decision.abandoned_servers);
  EXPECT_EQ(ServerIds{}, decision.due_servers);  // nobody is there to be told
  EXPECT_EQ(ServerIds{srv().id}, world.changes.abandoned_servers);
}

TEST_F(ServerLife, theWordMayFollowWhereTheProofDoesNotCome) {
  retire();
  const Decision decision = world.say(ServerRetire{"srv", "burnt down"});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerIds{srv().id}, decision.abandoned_servers);
  EXPECT_EQ("burnt down", srv().retired_word);
  EXPECT_EQ(Outcome::unchanged, world.say(ServerRetire{"srv", "burnt down"}).outcome);
}

TEST_F(ServerLife, aProofNeedsNoWordAndARegistrationForgetsIt) {
  retire();
  Server proven = srv();
  proven.retired_proven_at = world.state.now;
  world.state.load(proven);
  const Decision decision = world.say(ServerRetire{"srv", "sold"});
  EXPECT_EQ(Outcome::unchanged, decision.outcome);
  EXPECT_EQ(ServerIds{}, decision.abandoned_servers);
  EXPECT_EQ("", srv().retired_word);
  EXPECT_EQ(world.state.now, srv().retired_proven_at);
  ASSERT_EQ(Outcome::accepted, world.say(ServerWorld::registration("srv")).outcome);
  EXPECT_EQ(std::nullopt, srv().retired_proven_at);
}

TEST_F(ServerLife, rotateKeyWaitsForTheHost) {
  const Server before = srv();
  world.state.prepared.server_public_key = "next key";
  world.state.prepared.server_key_sealed = "c2VhbGVk";
  const Decision decision = world.say(ServerRotateKey{"srv"});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ("key of srv", srv().public_key);
  EXPECT_EQ("next key", srv().key_wanted);
  EXPECT_EQ("c2VhbGVk", srv().private_key_sealed);
  EXPECT_EQ(before.generation + 1, srv().generation);
  EXPECT_EQ(before.version + 1, srv().version);
  EXPECT_EQ(before.key_since, srv().key_since);
  EXPECT_EQ(ServerIds{srv().id}, decision.due_servers);
  EXPECT_EQ(nobody(), decision.wider_fan_outs);
}

TEST_F(ServerLife, rotateKeyIsRefusedWithoutAKey) {
  expect_refused(world.say(ServerRotateKey{"srv"}), "key_not_made");
  world.state.prepared.refusal = "encryption_key_missing";
  expect_refused(world.say(ServerRotateKey{"srv"}), "encryption_key_missing");
  EXPECT_EQ("", srv().key_wanted);
}

TEST_F(ServerLife, reconcileReadsFirst) {
  const Server before = srv();
  const Decision decision = world.say(ServerReconcile{"srv"});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerIds{before.id}, decision.doubtful_servers);
  EXPECT_EQ(ServerIds{before.id}, decision.due_servers);
  EXPECT_TRUE(decision.servers.empty());
  EXPECT_EQ(before.word, srv().word);
}

TEST_F(ServerLife, observeOnlyReads) {
  const Decision decision = world.say(ServerObserve{"srv"});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ServerIds{srv().id}, decision.observe_servers);
  EXPECT_EQ(ServerIds{}, decision.due_servers);
  EXPECT_EQ(ServerIds{}, decision.doubtful_servers);
  EXPECT_EQ(ServerIds{srv().id}, world.changes.observe_servers);
}

}  // namespace
}  // namespace peerwright::domain
