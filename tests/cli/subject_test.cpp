#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.hpp"
#include "peerwright/base/sealed_box.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class SubjectTest : public testing::Test {
 protected:
  SubjectTest() {
    cli_.execute(usual_events());
    TestEvent gate = peer_provision("acme", "gate", "ams-1", wireguard::generate_key_pair().public_key, "S-3");
    gate.cloud_event["data"].update({{"customer", "C-1"}, {"type", "gateway"}, {"plan", "gold"}});
    cli_.execute(
        {event("tenant.set",
               {{"tenant", "acme"}, {"max_peers", 10}, {"plans", {{"gold", 5}}}, {"dns", {"10.200.0.53"}}}, "acme"),
         event("server.update", {{"server", "ams-1"}, {"region", "eu"}}, "server/ams-1"), gate});
  }
  json asked(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "json"});
    const Answer answer = cli_.run(arguments);
    EXPECT_EQ(answer.exit, 0) << answer.err;
    return json::parse(answer.out, nullptr, false);
  }
  std::string names(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "name"});
    return cli_.run(arguments).out;
  }
  CommandLine cli_;
};

TEST_F(SubjectTest, ATenantShowsItsLimitsAndHowFarTheyAreUsed) {
  const json row = asked({"tenant", "show", "acme"});
  EXPECT_EQ(row["peers"], 4);
  EXPECT_EQ(row["max_peers"], 10);
  EXPECT_EQ(row["plans"], json::array({{{"plan", "gold"}, {"peers", 1}, {"max_peers", 5}, {"listed", true}}}));
  EXPECT_EQ(row["customers"], 1);
  EXPECT_EQ(row["subscribers"], 3);
  EXPECT_EQ(names({"tenant", "list"}), "acme\n");
}

TEST_F(SubjectTest, CustomersAndSubscribersShowTheirHolds) {
  cli_.execute(
      {event("subscriber.suspend", {{"tenant", "acme"}, {"customer", "C-1"}, {"reason", "late"}}, "acme/C-1")});
  const json customer = asked({"customer", "show", "acme/C-1"});
  EXPECT_EQ(customer["entitlement"], "suspended");
  EXPECT_EQ(customer["its_subscribers"], json({"S-3"}));
  EXPECT_EQ(customer["holds"][0]["reason"], "late");
  EXPECT_EQ(asked({"subscriber", "show", "acme/S-1"})["entitlement"], "active");
  EXPECT_EQ(asked({"subscriber", "show", "acme/S-1"})["peers"], 2);
  EXPECT_EQ(names({"subscriber", "list", "--tenant", "acme"}), "acme/S-1\nacme/S-2\nacme/S-3\n");
  EXPECT_EQ(names({"subscriber", "list", "--customer", "C-1"}), "acme/S-3\n");
  EXPECT_EQ(names({"subscriber", "list", "--after", "acme/S-1", "--limit", "1"}), "acme/S-2\n");
  EXPECT_EQ(names({"customer", "list"}), "acme/C-1\n");
}

TEST_F(SubjectTest, PeersAndServersAreFiltered) {
  EXPECT_EQ(names({"peer", "list", "--customer", "C-1"}), "acme/gate\n");
  EXPECT_EQ(names({"peer", "list", "--type", "gateway"}), "acme/gate\n");
  EXPECT_EQ(names({"peer", "list", "--plan", "gold"}), "acme/gate\n");
  EXPECT_EQ(names({"peer", "list", "--region", "eu", "--status", "suspended"}), "acme/phone\n");
  EXPECT_EQ(names({"peer", "list", "--status", "reserved"}), "");
  EXPECT_EQ(cli_.run({"peer", "list", "--type", "toaster"}).exit, 2);
  EXPECT_EQ(names({"server", "list", "--region", "eu", "--status", "active"}), "ams-1\n");
  EXPECT_EQ(names({"server", "list", "--region", "us"}), "");
  EXPECT_EQ(names({"server", "list", "--tenant", "acme"}), "") << "it is shared";
  EXPECT_EQ(names({"server", "list", "--status", "maintenance"}), "");
}

TEST_F(SubjectTest, ANetworkShowsHowManyAddressesAreLeft) {
  const json row = asked({"network", "show", "eu-1"});
  EXPECT_EQ(row["addresses"], 65533) << "but for the network, the broadcast address and the server's";
  EXPECT_EQ(row["held"], 4);
  EXPECT_EQ(row["free"], 65529);
  EXPECT_EQ(row["reserved"], json({"10.200.0.1"}));
  EXPECT_EQ(names({"network", "list"}), "eu-1\n");
}

TEST_F(SubjectTest, RulesAndMeshesAreListed) {
  cli_.execute({event("rule.set",
                      {{"tenant", "acme"},
                       {"rule", "no-router"},
                       {"source_peer", "laptop"},
                       {"dest_peer", "router"},
                       {"action", "deny"}},
                      "acme")});
  const json rules = asked({"rule", "list", "--tenant", "acme"});
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0]["source"], "laptop");
  EXPECT_EQ(rules[0]["dest"], "router");
  EXPECT_EQ(rules[0]["port"], nullptr);
  EXPECT_EQ(asked({"mesh", "list"}), json::array());
}

TEST_F(SubjectTest, WhoHasAnAddressAndWhoHadIt) {
  const json now = asked({"address", "who", "10.200.0.2"});
  ASSERT_EQ(now.size(), 1U);
  EXPECT_EQ(now[0]["peer"], "laptop");
  EXPECT_EQ(now[0]["until"], nullptr);
  EXPECT_EQ(asked({"address", "who", "fd00:200::2"})[0]["peer"], "laptop");
  cli_.db().execute(
      "UPDATE address_periods SET from_at = '2026-01-01', until_at = '2026-02-01' WHERE address_offset = 2");
  EXPECT_EQ(cli_.run({"address", "who", "10.200.0.2"}).exit, 3);
  EXPECT_EQ(asked({"address", "who", "10.200.0.2", "--at", "2026-01-31T23:59:59+01:00"})[0]["peer"], "laptop");
  EXPECT_EQ(cli_.run({"address", "who", "10.200.0.2", "--at", "2026-02-01T00:00:00Z"}).exit, 3);
  EXPECT_EQ(cli_.run({"address", "who", "10.200.0.2", "--at", "yesterday"}).exit, 2);
  EXPECT_EQ(cli_.run({"address", "who", "10.200.0.0/16"}).exit, 2);
}

TEST_F(SubjectTest, KeysStatusTellsPublicHalvesAlone) {
  const std::string secret(wireguard::generate_key_pair().private_key.reveal());
  const std::string file = cli_.write("intake-key", secret);
  const json row = asked({"keys", "status", "--set", "encryption.intake_key_file=" + file});
  EXPECT_EQ(row["intake_public_key"], IntakeKey::create(Secret(secret)).value().public_key());
  EXPECT_EQ(row["encryption_key_id"].get<std::string>().size(), 16U);
  EXPECT_EQ(row["servers"][0]["public_key"], kServerKey);
  EXPECT_EQ(row.dump().find(secret), std::string::npos);
}

}  // namespace
}  // namespace peerwright::test
