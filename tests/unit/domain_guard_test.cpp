#include <gtest/gtest.h>

#include "domain_server_support.hpp"
#include "peerwright/domain/guard.hpp"

// The guard on removals that no event caused, and an operator's word on it.
namespace peerwright::domain {
namespace {

constexpr GuardLimits kLimits{10, 50};

std::string stop(const UncausedRemovals& removals, const GuardLimits& limits = kLimits) {
  const char* code = guard_stop(removals, limits);
  return code == nullptr ? "" : code;
}

TEST(GuardStop, LetsAFewOfManyGo) {
  EXPECT_EQ("", stop({.keys = 0, .standing = 0, .first = true}));
  EXPECT_EQ("", stop({.keys = 10, .standing = 20, .believed = 10, .recognised = 10}));
  EXPECT_EQ("", stop({.keys = 1, .standing = 2, .believed = 0}));
}

TEST(GuardStop, HasALimitInKeysAndInParts) {
  EXPECT_EQ("guard_too_many", stop({.keys = 11, .standing = 1000, .believed = 9, .recognised = 9}));
  EXPECT_EQ("guard_too_large_a_part", stop({.keys = 2, .standing = 3, .believed = 1, .recognised = 1}));
  EXPECT_EQ("guard_too_many", stop({.keys = 1, .standing = 1000}, {0, 50}));
  EXPECT_EQ("guard_too_large_a_part", stop({.keys = 1, .standing = 1000}, {10, 0}));
  EXPECT_EQ("", stop({.keys = 1000, .standing = 1000}, {1000, 100}));
}

TEST(GuardStop, DoesNotBelieveAReadingThatKnowsNobody) {
  EXPECT_EQ("guard_impossible_reading", stop({.keys = 1, .standing = 1, .believed = 1, .recognised = 0}));
  EXPECT_EQ("guard_first_reading", stop({.keys = 1, .standing = 100, .first = true}));
}

struct Approval : ::testing::Test {
  Approval() { world.add_server("srv"); }
  void hold(int keys, const std::string& digest = "3f0c1a9be27d4458") {
    Server server = world.server("srv");
    server.guard_held = keys;
    server.guard_digest = digest;
    world.state.load(server);
  }
  ServerWorld world;
};

TEST_F(Approval, LetsThemGoOrStay) {
  for (const bool approved : {true, false}) {
    hold(3);
    const Decision decision = world.say(ServerApprove{"srv", 3, approved});
    EXPECT_EQ(Outcome::accepted, decision.outcome);
    EXPECT_EQ((std::map<Id, bool>{{world.id("srv"), approved}}), decision.approved_servers);
    EXPECT_EQ(approved ? 1U : 0U, decision.due_servers.size());
    EXPECT_EQ(0, world.server("srv").guard_held);
    EXPECT_EQ("", world.server("srv").guard_digest);
  }
}

TEST_F(Approval, SpeaksOfNoMoreThanWasSeen) {
  expect_refused(world.say(ServerApprove{"srv", std::nullopt, true}), "nothing_awaits_approval");
  hold(4);
  expect_refused(world.say(ServerApprove{"srv", 3, true}), "guard_changed");
  EXPECT_EQ(Outcome::accepted, world.say(ServerApprove{"srv", std::nullopt, true}).outcome);
  expect_refused(world.say(ServerApprove{"none", std::nullopt, true}), "unknown_server");
}

TEST_F(Approval, SpeaksOfNoOthersThanWereSeen) {
  hold(3);
  expect_refused(world.say(ServerApprove{"srv", 3, true, "0000000000000000"}), "guard_changed");
  EXPECT_EQ(Outcome::accepted, world.say(ServerApprove{"srv", 3, true, "3f0c1a9be27d4458"}).outcome);
}

TEST(OwnWay, IsNotCutByTheFirewall) {
  ServerWorld world;
  ServerRegister event = ServerWorld::registration("srv");
  event.more.tunnel_only_ports = {{wireguard::RuleProtocol::tcp, 22}};
  expect_refused(world.say(event), "ssh_port_closed");
  event.ssh_host = "10.0.0.1";
  EXPECT_EQ(Outcome::accepted, world.say(event).outcome);
  event.ssh_host = "srv.example.net";
  event.ssh_port = 2222;
  EXPECT_EQ(Outcome::accepted, world.say(event).outcome);
  ServerUpdate update{"srv", {}};
  update.settings.tunnel_only_ports = {{wireguard::RuleProtocol::tcp, 443}, {wireguard::RuleProtocol::tcp, 2222}};
  expect_refused(world.say(update), "ssh_port_closed");
  update.settings.tunnel_only_ports = {{wireguard::RuleProtocol::udp, 2222}};
  EXPECT_EQ(Outcome::accepted, world.say(update).outcome);
}

}  // namespace
}  // namespace peerwright::domain
