#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

// What would be sent.
json said(const CommandLine& cli, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--dry-run", "--user", "tester", "--kafka.brokers", "127.0.0.1:1"});
  const Answer answer = cli.run(arguments);
  EXPECT_EQ(answer.exit, 0) << answer.err;
  return json::parse(answer.out, nullptr, false);
}

TEST(VerbTest, EachSaysItsEvent) {
  struct Case {
    std::vector<std::string> words;
    std::string type;
    json data;
  };
  const std::string key = "kuZKPJJm4LFYqcLJ9SVLrKxNSRjKBHxHQHyxBFTlkWs=";
  const std::vector<Case> cases = {
      {{"peer", "suspend", "acme/p", "--reason", "late", "--mode", "walled_garden", "--grace", "60"},
       "peer.suspend",
       {{"tenant", "acme"}, {"peer", "p"}, {"reason", "late"}, {"mode", "walled_garden"}, {"grace_seconds", 60}}},
      {{"peer", "resume", "acme/p"}, "peer.resume", {{"tenant", "acme"}, {"peer", "p"}}},
      {{"peer", "revoke", "acme/p", "--yes"}, "peer.revoke", {{"tenant", "acme"}, {"peer", "p"}}},
      {{"peer", "move", "acme/p", "--region", "eu"},
       "peer.move",
       {{"tenant", "acme"}, {"peer", "p"}, {"region", "eu"}}},
      {{"peer", "rotate-key", "acme/p", "--public-key", key, "--stage", "0"},
       "peer.rotate_key",
       {{"tenant", "acme"}, {"peer", "p"}, {"public_key", key}, {"stage_seconds", 0}}},
      {{"peer", "rotate-key", "acme/p", "--make-key"},
       "peer.rotate_key",
       {{"tenant", "acme"}, {"peer", "p"}, {"make_key", true}}},
      {{"subscriber", "suspend", "acme/S-1", "--release-after", "86400"},
       "subscriber.suspend",
       {{"tenant", "acme"}, {"subscriber", "S-1"}, {"release_after_seconds", 86400}}},
      {{"subscriber", "resume", "acme/S-1"}, "subscriber.resume", {{"tenant", "acme"}, {"subscriber", "S-1"}}},
      {{"subscriber", "revoke", "acme/S-1"}, "subscriber.revoke", {{"tenant", "acme"}, {"subscriber", "S-1"}}},
      {{"customer", "suspend", "acme/C-1"}, "subscriber.suspend", {{"tenant", "acme"}, {"customer", "C-1"}}},
      {{"customer", "resume", "acme/C-1"}, "subscriber.resume", {{"tenant", "acme"}, {"customer", "C-1"}}},
      {{"customer", "revoke", "acme/C-1"}, "subscriber.revoke", {{"tenant", "acme"}, {"customer", "C-1"}}},
      {{"tenant", "approve", "acme", "--subscriber", "S-1"},
       "tenant.approve",
       {{"tenant", "acme"}, {"subscriber", "S-1"}}},
      {{"tenant", "reject", "acme", "--customer", "C-1"},
       "tenant.approve",
       {{"tenant", "acme"}, {"customer", "C-1"}, {"approved", false}}},
      {{"server", "drain", "ams-1"}, "server.drain", {{"server", "ams-1"}}},
      {{"server", "drain", "ams-1", "--off"}, "server.drain", {{"server", "ams-1"}, {"on", false}}},
      {{"server", "maintenance", "ams-1"}, "server.maintenance", {{"server", "ams-1"}}},
      {{"server", "reconcile", "ams-1"}, "server.reconcile", {{"server", "ams-1"}}},
      {{"server", "observe", "ams-1"}, "server.observe", {{"server", "ams-1"}}},
      {{"server", "keep", "ams-1", "--keys", "3", "--digest", "3f0c1a9be27d4458"},
       "server.approve",
       {{"server", "ams-1"}, {"keys", 3}, {"digest", "3f0c1a9be27d4458"}, {"approved", false}}},
      {{"server", "rotate-key", "ams-1"}, "server.rotate_key", {{"server", "ams-1"}}},
      {{"server", "retire", "ams-1", "--operator-word", "burnt down"},
       "server.retire",
       {{"server", "ams-1"}, {"operator_word", "burnt down"}}}};
  const CommandLine cli;
  for (const Case& one : cases) {
    const json event = said(cli, one.words);
    EXPECT_EQ(event["type"], "peerwright." + one.type + ".v1");
    EXPECT_EQ(event["data"], one.data) << event.dump();
    EXPECT_EQ(event["source"], "peerwright-cli/tester");
    EXPECT_GT(std::stoll(event["sequence"].get<std::string>()), 1'700'000'000'000'000) << "microseconds since 1970";
  }
}

TEST(VerbTest, WhatCannotBeUndoneNeedsAYes) {
  const CommandLine cli;
  for (const std::vector<std::string>& words : {std::vector<std::string>{"peer", "revoke", "acme/p"},
                                                {"customer", "revoke", "acme/c"},
                                                {"server", "retire", "s"}}) {
    std::vector<std::string> arguments = words;
    arguments.insert(arguments.end(), {"--kafka.brokers", "127.0.0.1:1"});
    const Answer answer = cli.run(arguments);
    EXPECT_EQ(answer.exit, 2);
    EXPECT_THAT(answer.out, IsEmpty());
    EXPECT_THAT(answer.err, HasSubstr("say --yes"));
  }
}

TEST(VerbTest, WhatIsNotValidIsNotSent) {
  const CommandLine cli;
  EXPECT_EQ(cli.run({"peer", "suspend", "without-a-tenant", "--dry-run"}).exit, 2);
  const Answer nowhere = cli.run({"peer", "move", "acme/p", "--dry-run"});
  EXPECT_EQ(nowhere.exit, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("schema_violation"));
}

class LetterTest : public testing::Test {
 protected:
  LetterTest() {
    for (const char* text : {"no json", "{}", "none either"}) cli_.execute_text(text);
  }
  std::string states() { return cli_.db().value("SELECT string_agg(state, ',' ORDER BY id) FROM dead_letters"); }
  CommandLine cli_;
};

TEST_F(LetterTest, AReplayIsAskedForAndOnRecord) {
  EXPECT_EQ(cli_.run({"dlq", "replay", "1", "--dry-run"}).out, "1: would be replayed\n");
  EXPECT_EQ(states(), "open,open,open");
  const Answer answer = cli_.run({"dlq", "replay", "1", "--user", "tester"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(states(), "replay,open,open");
  EXPECT_EQ(cli_.db().value(
                "SELECT source || ' ' || event_type || ' ' || key FROM audit WHERE source LIKE 'peerwright-cli/%'"),
            "peerwright-cli/tester peerwright.dead_letter.replay.v1 dead_letter/events/0/0");
  const Answer again = cli_.run({"dlq", "replay", "1"});
  EXPECT_EQ(again.exit, 4);
  EXPECT_THAT(again.err, HasSubstr("dead_letter_settled"));
  EXPECT_EQ(cli_.run({"dlq", "replay", "77"}).exit, 3);
  EXPECT_EQ(cli_.run({"dlq", "replay"}).exit, 2);
}

TEST_F(LetterTest, DiscardingNeedsAYesAndTakesAllOrNone) {
  EXPECT_EQ(cli_.run({"dlq", "discard", "1"}).exit, 2);
  EXPECT_EQ(cli_.run({"dlq", "discard", "1", "77", "--yes"}).exit, 3);
  EXPECT_EQ(states(), "open,open,open");
  EXPECT_EQ(cli_.run({"dlq", "discard", "1", "3", "--yes", "-o", "name"}).out, "1\n3\n");
  EXPECT_EQ(states(), "discarded,open,discarded");
  EXPECT_EQ(cli_.db().value("SELECT count(*) FROM dead_letters WHERE settled_at IS NOT NULL"), "2");
  EXPECT_EQ(cli_.run({"dlq", "list", "--state", "open", "-o", "name"}).out, "2\n");
}

TEST_F(LetterTest, AllMeansTheSnapshotThatIsNamed) {
  const Answer answer = cli_.run({"dlq", "replay", "--all", "--code", "not_json", "--yes", "-o", "name"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(answer.out, "1\n3\n");
  EXPECT_THAT(answer.err, HasSubstr("snapshot: 2 open dead letters, the last is 3"));
}

}  // namespace
}  // namespace peerwright::test
