// What events would do, said without doing it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <pqxx/pqxx>

#include "command_line.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kWatchKey = "cGVlcndyaWdodCBwbGFuIHRlc3Q6IGEgd2F0Y2hrZXk=";
constexpr const char* kTabletKey = "Sp1p+HUAK3J5SZZ0wnSRZ4RvTbTVqSZVVrjtNcMvVhI=";

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    std::ofstream(cli.config_file(), std::ios::app) << "sources: [{name: billing, tenants: ['*'], types: ['*']}]\n";
    cli.execute(usual_events());
    cli.deliver();
  }

  // All that the database holds, in one number. Sequences may move.
  std::string contents() {
    std::string all;
    for (const auto& table : cli.db().rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")) {
      all += table[0] + ' ' +
             cli.db().value("SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM " + table[0] +
                            " t") +
             '\n';
    }
    return all;
  }

  Answer plan(const std::vector<TestEvent>& events, std::vector<std::string> more = {}) {
    std::string lines;
    for (const TestEvent& event : events) lines += event.text() + '\n';
    return plan_text(lines, std::move(more));
  }
  Answer plan_text(const std::string& text, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"plan", "--file", "-"});
    const std::string before = contents();
    Answer answer = cli.run(more, text);
    EXPECT_EQ(contents(), before) << "a plan changed the database";
    answer.out = without_times(answer.out);
    return answer;
  }

  static std::vector<TestEvent> some_of_each() {
    return {peer_event("suspend", "acme", "laptop").with_id("overdue"),
            peer_event("resume", "acme", "phone").with_id("paid"),
            peer_provision("acme", "tablet", "ams-1", kTabletKey, "S-2").with_id("tablet"),
            event("peer.update", {{"tenant", "acme"}, {"peer", "router"}, {"endpoint", "192.0.2.7:51820"}}, "acme/S-2")
                .with_id("fixed"),
            peer_event("revoke", "acme", "laptop").with_id("overdue"),
            peer_provision("acme", "watch", "ams-9", kWatchKey).with_id("nowhere")};
  }

  CommandLine cli;
};

TEST_F(PlanTest, ForPeople) {
  const Answer answer = plan(some_of_each());
  EXPECT_EQ(answer.exit, 6) << answer.err;
  EXPECT_EQ(
      answer.out,
      "what 6 events would do, as things stood at TIME\n"
      "ams-1\n"
      "  - peer acme/laptop  10.200.0.2/32, fd00:200::2/128  (suspended: billing/overdue)\n"
      "  ~ peer acme/router  10.200.0.4/32, fd00:200::4/128  (endpoint: billing/fixed)\n"
      "  + peer acme/phone  10.200.0.3/32, fd00:200::3/128  (active: billing/paid)\n"
      "  + peer acme/tablet  10.200.0.5/32, fd00:200::5/128  (provisioned: billing/tablet)\n"
      "  1 removed, 1 changed, 2 added\n"
      "not executed\n"
      "  line 5 billing/overdue peerwright.peer.revoke.v1: dead_letter, id_reused: source and id were used before "
      "with another payload\n"
      "    remedy: give every event an id of its own; a repetition has to be the same to the letter\n"
      "  line 6 billing/nowhere peerwright.peer.provision.v1: rejected, unknown_server: " +
          answer.out.substr(answer.out.find("unknown_server: ") + 16));
  EXPECT_THAT(answer.out, HasSubstr("events: 4 accepted, 1 dead_letter, 1 rejected\n"
                                    "hosts: 1 removed, 1 changed, 2 added on 1 server\n"));
  EXPECT_THAT(plan(some_of_each(), {"--limit", "1"}).out, HasSubstr("\n  ... and 3 more\n"));
}

// What an approval lets go is nobody's: it has a key, and no name.
TEST_F(PlanTest, KeysThatTheGuardHoldsGoWithAnApproval) {
  cli.db().execute("INSERT INTO foreign_peers SELECT id, '" + std::string(kWatchKey) +
                   "', '{10.200.0.9/32}', 'held' FROM servers WHERE name = 'ams-1'");
  cli.db().execute("UPDATE servers SET guard_held = 1 WHERE name = 'ams-1'");
  const auto approve = [](bool approved) {
    return event("server.approve", {{"server", "ams-1"}, {"approved", approved}}, "server/ams-1");
  };
  const Answer answer = plan({approve(true)});
  EXPECT_EQ(answer.exit, 6) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("ams-1\n  - key " + std::string(kWatchKey) +
                                    "  10.200.0.9/32  (approved)\n  1 removed, 0 changed, 0 added\n"));
  const json shown = json::parse(plan({approve(true)}, {"-o", "json"}).out)["servers"][0]["peers"];
  EXPECT_EQ(shown, (json{{{"action", "remove"},
                          {"kind", "foreign"},
                          {"tenant", nullptr},
                          {"name", nullptr},
                          {"public_key", kWatchKey},
                          {"allowed_ips", {"10.200.0.9/32"}},
                          {"changes", json::array()},
                          {"why", "approved"},
                          {"cause", nullptr}}}));
  EXPECT_THAT(plan({approve(false)}).out, HasSubstr("hosts: nothing would change"));
}

TEST_F(PlanTest, ForPrograms) {
  const Answer answer = plan(some_of_each(), {"-o", "json"});
  EXPECT_EQ(answer.exit, 6) << answer.err;
  const json shown = json::parse(answer.out);
  const auto line = [](const char* action, const char* name, int address, const json& key, const json& changes,
                       const char* why, const char* cause) {
    const std::string number = std::to_string(address);
    return json{{"action", action},   {"kind", "peer"},
                {"tenant", "acme"},   {"name", name},
                {"public_key", key},  {"allowed_ips", {"10.200.0." + number + "/32", "fd00:200::" + number + "/128"}},
                {"changes", changes}, {"why", why},
                {"cause", cause}};
  };
  EXPECT_EQ(shown["servers"],
            (json{{{"server", "ams-1"},
                   {"registered", false},
                   {"read_first", false},
                   {"held", false},
                   {"abandoned", false},
                   {"firewall", false},
                   {"interface_key", false},
                   {"removed", 1},
                   {"changed", 1},
                   {"added", 2},
                   {"peers",
                    {line("remove", "laptop", 2, "kuZKPJJm4LFYqcLJ9SVLrKxNSRjKBHxHQHyxBFTlkWs=", json::array(),
                          "suspended", "billing/overdue"),
                     line("change", "router", 4, "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=", {"endpoint"}, "active",
                          "billing/fixed"),
                     line("add", "phone", 3, "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", json::array(), "active",
                          "billing/paid"),
                     line("add", "tablet", 5, kTabletKey, json::array(), "provisioned", "billing/tablet")}}}}));
  EXPECT_EQ(shown["events"][0], (json{{"place", "line 1"},
                                      {"source", "billing"},
                                      {"id", "overdue"},
                                      {"type", "peerwright.peer.suspend.v1"},
                                      {"outcome", "accepted"},
                                      {"code", nullptr},
                                      {"message", nullptr},
                                      {"remedy", nullptr},
                                      {"alert", nullptr}}));
  EXPECT_EQ(shown["events"][5]["code"], "unknown_server");
  EXPECT_EQ(shown["totals"], (json{{"removed", 1},
                                   {"changed", 1},
                                   {"added", 2},
                                   {"firewalls", 0},
                                   {"interface_keys", 0},
                                   {"events", 6},
                                   {"outcomes", {{"accepted", 4}, {"dead_letter", 1}, {"rejected", 1}}}}));
  EXPECT_EQ(shown["at"], "TIME");
  EXPECT_EQ(shown["differences"], true);
}

TEST_F(PlanTest, WhereNothingWouldChangeItExitsWith0) {
  const Answer again = plan(usual_events());
  EXPECT_EQ(again.exit, 0) << again.out;
  EXPECT_EQ(again.out,
            "what 6 events would do, as things stood at TIME\n"
            "events: 6 duplicate\n"
            "hosts: nothing would change\n");
  EXPECT_EQ(plan_text("[]").exit, 0);
}

TEST_F(PlanTest, WhereAllIsRefusedItExitsWith4) {
  const Answer unbound = plan({peer_event("suspend", "acme", "laptop").from("nobody")});
  EXPECT_EQ(unbound.exit, 4) << unbound.out;
  EXPECT_THAT(unbound.out, HasSubstr("nobody/"));
  EXPECT_THAT(unbound.out, HasSubstr("rejected, source_not_bound: "));
  const Answer stale = plan(
      {event("peer.update", {{"tenant", "acme"}, {"peer", "laptop"}, {"name", "old"}}, "acme/S-1").with_sequence(1)});
  EXPECT_EQ(stale.exit, 4) << stale.out;
  EXPECT_THAT(stale.out, HasSubstr("rejected, stale: "));
}

TEST_F(PlanTest, AFileIsOneEventOrManyOrAnArray) {
  const TestEvent one = peer_event("suspend", "acme", "laptop");
  const TestEvent other = peer_event("suspend", "acme", "router");
  const auto count = [&](const std::string& text) {
    const Answer answer = plan_text(text, {"-o", "json"});
    const json shown = json::parse(answer.out, nullptr, false);
    EXPECT_FALSE(shown.is_discarded()) << answer.err;
    return shown["events"].size();
  };
  EXPECT_EQ(count(one.cloud_event.dump(2)), 1U);
  EXPECT_EQ(count(one.text() + "\n\n" + other.cloud_event.dump(2) + '\n'), 2U);
  EXPECT_EQ(count('[' + one.text() + " ,\n" + other.text() + "]\n"), 2U);
  const Answer broken = plan_text('[' + one.text() + ' ' + other.text() + ']');
  EXPECT_EQ(broken.exit, 4);
  EXPECT_THAT(broken.out, HasSubstr("line 1 / : dead_letter, not_json"));
}

TEST_F(PlanTest, ASubscribersHoldShowsAllItsPeers) {
  const Answer answer = plan({subscriber_event("suspend", "acme", "S-2").with_id("hold")});
  EXPECT_THAT(answer.out,
              HasSubstr("  - peer acme/router  10.200.0.4/32, fd00:200::4/128  (suspended: billing/hold)\n"));
  const Answer customers =
      plan({peer_provision("acme", "router2", "ams-1", kTabletKey, "S-3"), subscriber_event("suspend", "acme", "S-3")});
  EXPECT_THAT(customers.out, AllOf(HasSubstr("events: 2 accepted"), HasSubstr("nothing would change")))
      << "what comes and goes within the plan is no change";
}

TEST_F(PlanTest, WhatIsMadeForAClientIsNotShown) {
  const TestEvent made = event(
      "peer.provision", {{"tenant", "acme"}, {"peer", "kiosk"}, {"server", "ams-1"}, {"make_key", true}}, "acme/kiosk");
  const TestEvent recipient = event("tenant.set", {{"tenant", "acme"}, {"recipient_key", kTabletKey}}, "acme");
  const json shown = json::parse(plan({recipient, made}, {"-o", "json"}).out);
  ASSERT_EQ(shown["events"][1]["outcome"], "accepted") << shown.dump(2);
  EXPECT_EQ(shown["servers"][0]["peers"][0]["public_key"], nullptr);
}

TEST_F(PlanTest, ItGivesWayToWhoeverHoldsTheSubjects) {
  pqxx::connection worker(cli.db().dsn());
  pqxx::work held(worker);
  held.exec("SELECT FROM peers WHERE name = 'laptop' FOR UPDATE");
  const Answer answer = plan({peer_event("suspend", "acme", "laptop")});
  EXPECT_EQ(answer.exit, 5);
  EXPECT_THAT(answer.err, HasSubstr("plan_gave_way"));
  EXPECT_THAT(answer.out, IsEmpty());
}

TEST_F(PlanTest, WhatIsWrongWithTheCommandLineExitsWith2) {
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"plan"},
           {"plan", "--file", "-", "--topic", "t"},
           {"plan", "--topic", "t", "--from", "yesterday", "--kafka.brokers", "127.0.0.1:1"},
           {"plan", "--topic", "t", "--from", "7", "--kafka.brokers", "127.0.0.1:1"},
           {"plan", "--file", "-", "--count", "0"},
           {"plan", "--file", cli.path("none.json")}}) {
    const Answer answer = cli.run(wrong);
    EXPECT_EQ(answer.exit, 2) << testing::PrintToString(wrong) << answer.out << answer.err;
    EXPECT_THAT(answer.out, IsEmpty());
  }
}

}  // namespace
}  // namespace peerwright::test
