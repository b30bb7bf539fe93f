// What was planned is what happens: events are planned, then published, and the hosts are compared with the plan.
#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Plan : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    installation.establish({network_set("net", {{"reserved", {"10.200.0.1", "10.200.255.1", "10.200.255.2"}}}),
                            server_register("muc1", "net", second)});
    provision("P1", {{"subscriber", "S1"}});
    provision("P2", {{"subscriber", "S1"}});
    provision("P3");
    provision("P4", json::object(), "muc1");
  }

  json plan(const std::vector<TestEvent>& events) {
    std::string lines;
    for (const TestEvent& event : events) lines += event.text() + '\n';
    return shown(installation.cli({"plan", "--file", "-", "-o", "json"}, lines));
  }
  static json shown(const Finished& done) {
    json plan = json::parse(done.out, nullptr, false);
    if (plan.is_discarded()) throw std::runtime_error("no plan, exit " + std::to_string(done.exit_status));
    EXPECT_EQ(done.exit_status == 6, plan["differences"] == true);
    return plan;
  }

  struct Seen {
    LabHost::Peers peers;
    std::string firewall;
  };
  Seen see(const LabHost& lab) { return {lab.kernel_peers(), lab.sh("nft list ruleset 2>/dev/null || true")}; }

  // What is to stand on a server once the plan was carried out.
  static Seen planned(const json& plan, const std::string& server, Seen seen) {
    for (const json& row : plan["servers"]) {
      if (row["server"] != server) continue;
      if (row["firewall"] == true) seen.firewall = "changed";
      for (const json& peer : row["peers"]) {
        const std::string key = peer["public_key"];
        std::string prefixes;
        for (const std::string prefix : peer["allowed_ips"]) prefixes += (prefixes.empty() ? "" : ",") + prefix;
        if (peer["action"] == "remove") {
          EXPECT_EQ(seen.peers.erase(key), 1U) << "a removal of what does not stand there: " << peer;
        } else {
          EXPECT_EQ(seen.peers.contains(key), peer["action"] == "change") << peer;
          seen.peers[key] = prefixes;
        }
      }
    }
    return seen;
  }

  // Plans, publishes, and compares.
  json expect_as_planned(const std::vector<TestEvent>& events) {
    const Seen first = see(host), other = see(second);
    const json plan = this->plan(events);
    expect_same(first, see(host), "a plan changed a host");
    for (std::size_t i = 0; i < events.size(); ++i) {
      installation.publish(events[i]);
      const auto decided = installation.decision(events[i].id(), events[i].cloud_event["source"]);
      EXPECT_EQ(decided.first, plan["events"][i]["outcome"]) << plan["events"][i];
      EXPECT_EQ(json(decided.second),
                plan["events"][i].value("code", json("")).is_null() ? json("") : plan["events"][i]["code"]);
    }
    settle();
    expect_became(first, planned(plan, "fra1", first), see(host), plan);
    expect_became(other, planned(plan, "muc1", other), see(second), plan);
    return plan;
  }
  static void expect_same(const Seen& before, const Seen& after, const char* why) {
    EXPECT_EQ(before.peers, after.peers) << why;
    EXPECT_EQ(before.firewall, after.firewall) << why;
  }
  static void expect_became(const Seen& before, const Seen& planned, const Seen& after, const json& plan) {
    EXPECT_EQ(planned.peers, after.peers) << plan.dump(2);
    EXPECT_EQ(planned.firewall == "changed", before.firewall != after.firewall) << plan.dump(2);
  }
  static json member(const std::string& server, int number) {
    return {{"server", server}, {"allowed_ips", {"10.200.255." + std::to_string(number) + "/32"}}};
  }

  LabHost second{2};
};

TEST_F(Plan, PeersComeGoMoveAndChange) {
  const json plan = expect_as_planned(
      {of_subscriber("suspend"),
       of_peer("provision", "P5", {{"server", "fra1"}, {"public_key", keys("P5").public_key}}),
       of_peer("move", "P4", {{"server", "fra1"}}), of_peer("update", "P3", {{"site_networks", {"172.30.0.0/24"}}}),
       of_peer("revoke", "P9"), of_peer("suspend", "P9")});
  EXPECT_EQ(plan["totals"]["removed"], 3) << plan.dump(2);
  EXPECT_EQ(plan["totals"]["added"], 2);
  EXPECT_EQ(plan["totals"]["changed"], 1);
  EXPECT_EQ(this->plan({of_peer("suspend", "P1")})["servers"].size(), 0U) << "it is off already";
}

TEST_F(Plan, FirewallsOfGardensAndRulesShow) {
  const json rule = {
      {"tenant", "acme"}, {"rule", "r1"}, {"action", "deny"}, {"source_peer", "P3"}, {"dest_peer", "P4"}};
  expect_as_planned({event("rule.set", rule, "acme")});
  const json plan = expect_as_planned({of_subscriber("suspend", {{"mode", "walled_garden"}})});
  EXPECT_EQ(plan["servers"][0]["firewall"], true) << plan.dump(2);
  EXPECT_EQ(plan["totals"]["removed"], 0) << "in the garden the key stays";
  expect_as_planned({of_subscriber("resume")});
  expect_as_planned({of_peer("revoke", "P3")});
}

TEST_F(Plan, NodesOfMeshesShowAndFollowTheirServers) {
  expect_as_planned(
      {event("mesh.set", {{"mesh", "m1"}, {"members", {member("fra1", 1), member("muc1", 2)}}}, "mesh/m1")});
  const json plan = this->plan({of_server("update", {{"endpoint", "192.0.2.99:51820"}}, "muc1")});
  ASSERT_EQ(plan["servers"].size(), 1U) << plan.dump(2);
  EXPECT_EQ(plan["servers"][0]["server"], "fra1");
  EXPECT_EQ(plan["servers"][0]["peers"][0]["kind"], "node");
  EXPECT_EQ(plan["servers"][0]["peers"][0]["changes"], json{"endpoint"});
  const json rotated = this->plan({of_server("rotate_key")});
  ASSERT_EQ(rotated["servers"].size(), 1U) << rotated.dump(2);
  EXPECT_EQ(rotated["servers"][0]["interface_key"], true);
}

TEST_F(Plan, WhatWaitsInATopicIsPlannedFromWhereTheWorkersStand) {
  installation.worker("w1").signal(SIGTERM);
  ASSERT_TRUE(installation.worker("w1").wait(std::chrono::seconds(20)));
  const auto late = of_peer("suspend", "P3"), more = of_subscriber("suspend");
  installation.publish({late, more});
  const std::string topic = installation.topic("events");
  const json waiting = shown(installation.cli({"plan", "--topic", topic, "-o", "json"}));
  EXPECT_EQ(waiting["events"].size(), 2U) << waiting.dump(2);
  EXPECT_EQ(waiting["totals"]["removed"], 3);
  EXPECT_EQ(shown(installation.cli({"plan", "--topic", topic, "--count", "1", "-o", "json"}))["events"].size(), 1U);

  const Seen before = see(host);
  installation.start_worker("w2");
  ASSERT_TRUE(installation.wait_settled()) << installation.unsettled();
  EXPECT_EQ(planned(waiting, "fra1", before).peers, see(host).peers);

  const json now = shown(installation.cli({"plan", "--topic", topic, "-o", "json"}));
  EXPECT_TRUE(now["events"].empty());
  const json again =
      shown(installation.cli({"plan", "--topic", topic, "--from", "2020-01-01T00:00:00Z", "-o", "json"}));
  EXPECT_EQ(again["totals"]["outcomes"]["duplicate"], again["events"].size()) << "all of it was executed before";
  const auto beyond = installation.cli({"plan", "--topic", topic, "--partition", "0", "--from", "9999"});
  EXPECT_EQ(beyond.exit_status, 1) << beyond.out;
}

}  // namespace
}  // namespace peerwright::test
