#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <regex>
#include <sstream>

#include "command_line.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(GeneralTest, HelpListsTheCommandsOnStdout) {
  const CommandLine cli;
  const Answer answer = cli.run({"--help"});
  EXPECT_EQ(answer.exit, 0);
  for (const char* name : {"run", "migrate", "config", "event", "peer", "server", "dlq", "audit", "dev-broker"}) {
    EXPECT_THAT(answer.out, HasSubstr(std::string("\n  ") + name + ' '));
  }
  EXPECT_THAT(answer.out, HasSubstr("Exit codes: 0 ok"));
  const Answer of_command = cli.run({"peer", "list", "--help"});
  EXPECT_EQ(of_command.exit, 0);
  EXPECT_THAT(of_command.out, HasSubstr("--subscriber"));
  EXPECT_THAT(of_command.out, HasSubstr("--config"));
}

TEST(GeneralTest, WhatIsWrongWithTheCommandLineExitsWith2) {
  const CommandLine cli;
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"no-such-command"},
                                                       {"peer"},
                                                       {"peer", "show"},
                                                       {"peer", "show", "without-a-tenant"},
                                                       {"peer", "list", "--limit", "0"},
                                                       {"peer", "list", "--status", "happy"},
                                                       {"peer", "list", "--after", "acme"},
                                                       {"peer", "list", "-o", "xml"},
                                                       {"peer", "list", "--set", "log.level"},
                                                       {"dlq", "show", "seven"},
                                                       {"dev-broker", "--topic", "events:0"},
                                                       {"event", "publish"}};
  for (const auto& arguments : wrong) {
    const Answer answer = cli.run(arguments);
    EXPECT_EQ(answer.exit, 2) << testing::PrintToString(arguments);
    EXPECT_THAT(answer.out, IsEmpty());
    EXPECT_THAT(answer.err, Not(IsEmpty())) << testing::PrintToString(arguments);
  }
}

TEST(GeneralTest, TheVersionIsTheProjects) {
  const CommandLine cli;
  const std::string cmake = text_of(PEERWRIGHT_SOURCE_DIR "/CMakeLists.txt");
  std::smatch version;
  ASSERT_TRUE(std::regex_search(cmake, version, std::regex(R"(project\(peerwright VERSION ([0-9.]+))")));
  EXPECT_EQ(cli.run({"version", "-o", "name"}).out, version[1].str() + '\n');
  const auto json = nlohmann::json::parse(cli.run({"version", "--verbose", "-o", "json"}).out);
  EXPECT_EQ(json["version"], version[1].str());
  EXPECT_GE(json["schema"], 1);
  EXPECT_FALSE(json["libraries"]["librdkafka"].empty());
}

TEST(GeneralTest, GlobalOptionsStandBeforeAndBehindTheCommand) {
  const CommandLine cli;
  EXPECT_EQ(cli.run({"-o", "json", "peer", "list"}).out, "[]\n");
  EXPECT_EQ(cli.run({"peer", "list", "-o", "json"}).out, "[]\n");
}

TEST(GeneralTest, FlagsGoOverEnvironmentOverFile) {
  const CommandLine cli;
  const auto shown = [&](const std::vector<std::string>& arguments) {
    const Answer answer = cli.run(arguments, {}, {{"PEERWRIGHT_KAFKA_GROUP", "from-environment"}});
    for (const auto& row : nlohmann::json::parse(answer.out)) {
      if (row["key"] == "kafka.group") return row["value"].get<std::string>();
    }
    return std::string();
  };
  EXPECT_EQ(shown({"config", "show", "-o", "json"}), "from-environment");
  EXPECT_EQ(shown({"config", "show", "-o", "json", "--set", "kafka.group=a"}), "a");
  EXPECT_EQ(shown({"config", "show", "-o", "json", "--kafka.group", "b"}), "b");
  EXPECT_EQ(shown({"--set", "kafka.group=c", "--set", "log.level=warn", "config", "show", "-o", "json"}), "c");
}

TEST(GeneralTest, ConfigCheckSaysAllThatIsWrong) {
  const CommandLine cli;
  const std::string good = PEERWRIGHT_SOURCE_DIR "/examples/peerwright.yaml";
  EXPECT_EQ(cli.run({"config", "check", good}).exit, 0);
  const std::string bad = cli.write("bad.yaml", "kafka:\n  brokerz: x\ndeliver:\n  threads: many\n");
  const Answer answer = cli.run({"config", "check", bad});
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_THAT(answer.err, HasSubstr(bad + ":2:3: key_unknown"));
  EXPECT_THAT(answer.err, HasSubstr(bad + ":4:12: type_wrong"));
  EXPECT_THAT(answer.err, HasSubstr("postgres.dsn is not set"));
}

TEST(GeneralTest, RunExitsWith2OnAConfigurationThatCheckRefuses) {
  const CommandLine cli;
  const Answer answer = cli.run({"run"});
  EXPECT_EQ(answer.exit, 2);
  EXPECT_THAT(answer.err, HasSubstr("kafka.brokers is not set"));
  EXPECT_THAT(answer.err, HasSubstr("ssh.private_key_file is not set"));
}

TEST(GeneralTest, ACommandComplainsOnlyOfSettingsThatItUses) {
  const CommandLine cli;
  EXPECT_EQ(cli.run({"server", "list"}).exit, 0) << "neither brokers nor an SSH key are set";
  EXPECT_EQ(cli.run({"server", "list", "--set", "deliver.threads=many"}).exit, 0);
  const Answer without_database = cli.run({"server", "list", "--config", cli.write("empty.yaml", "")});
  EXPECT_EQ(without_database.exit, 2);
  EXPECT_THAT(without_database.err, HasSubstr("postgres.dsn is not set"));
  EXPECT_THAT(without_database.err, Not(HasSubstr("kafka.brokers")));
  const Answer unknown = cli.run({"server", "list", "--set", "postgres.dns=x"});
  EXPECT_EQ(unknown.exit, 2);
  EXPECT_THAT(unknown.err, HasSubstr("key_unknown"));
}

TEST(GeneralTest, AnUnreachableDatabaseExitsWith5) {
  const CommandLine cli;
  const Answer answer = cli.run({"peer", "list", "--set", "postgres.dsn=host=127.0.0.1 port=1 dbname=x"});
  EXPECT_EQ(answer.exit, 5);
  EXPECT_THAT(answer.err, HasSubstr("db_unavailable"));
  EXPECT_THAT(answer.err, HasSubstr("remedy: "));
}

TEST(GeneralTest, MigrateStatusTellsWhatIsMissing) {
  CommandLine cli;
  Answer status = cli.run({"migrate", "status", "-o", "json"});
  EXPECT_EQ(status.exit, 0);
  EXPECT_EQ(nlohmann::json::parse(status.out)[0]["applied"], true);
  EXPECT_EQ(cli.run({"migrate", "up", "-o", "json"}).out, "[]\n") << "all are applied";

  cli.db().execute("DROP SCHEMA public CASCADE");
  cli.db().execute("CREATE SCHEMA public");
  status = cli.run({"migrate", "status"});
  EXPECT_EQ(status.exit, 6);
  EXPECT_THAT(status.out, HasSubstr("no"));
  EXPECT_EQ(cli.run({"peer", "list"}).exit, 1);
  EXPECT_THAT(cli.run({"peer", "list"}).err, HasSubstr("remedy: run: peerwright migrate up"));
  const Answer up = cli.run({"migrate", "up", "-o", "name"});
  EXPECT_EQ(up.exit, 0);
  EXPECT_THAT(up.out, StartsWith("0001_first_path\n"));
  EXPECT_EQ(cli.run({"migrate", "status"}).exit, 0);
}

TEST(GeneralTest, DevBrokerPrintsItsAddressAndEndsWithASignal) {
  const CommandLine cli;
  Process broker({PEERWRIGHT_BINARY, "dev-broker", "--topic", "one:3"}, {}, cli.path("broker.log"));
  ASSERT_TRUE(eventually([&] { return !text_of(cli.path("broker.log")).empty(); }));
  EXPECT_THAT(text_of(cli.path("broker.log")), testing::MatchesRegex("export KAFKA_BROKERS=127.0.0.1:[0-9]+\n"));
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait(std::chrono::seconds(30)), 0);
}

// A worker that only sweeps: it needs a database and no host.
std::vector<std::string> worker_command(const CommandLine& cli) {
  return {PEERWRIGHT_BINARY,           "--config", cli.config_file(),          "--set", "roles=sweep",        "--set",
          "kafka.brokers=127.0.0.1:1", "--set",    "admin.listen=127.0.0.1:0", "--set", "worker.name=tested", "run"};
}

TEST(GeneralTest, RunEndsInOrderOnTheFirstSignal) {
  CommandLine cli;
  Process worker(worker_command(cli), {}, cli.path("worker.log"));
  ASSERT_TRUE(eventually([&] { return cli.db().number("SELECT count(*) FROM workers WHERE name = 'tested'") == 1; }))
      << text_of(cli.path("worker.log"));
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.wait(std::chrono::seconds(30)), 0);
  EXPECT_EQ(cli.db().number("SELECT count(*) FROM workers WHERE name = 'tested'"), 0) << "it gives its leases back";
}

TEST(GeneralTest, RunEndsAtOnceOnTheSecondSignal) {
  CommandLine cli;
  Process worker(worker_command(cli), {}, cli.path("worker.log"));
  ASSERT_TRUE(eventually([&] { return cli.db().number("SELECT count(*) FROM workers WHERE name = 'tested'") == 1; }));
  worker.signal(SIGSTOP);  // so that both are there before it can act on one
  worker.signal(SIGTERM);
  worker.signal(SIGINT);
  worker.signal(SIGCONT);
  const auto status = worker.wait(std::chrono::seconds(30));
  EXPECT_THAT(status, testing::AnyOf(128 + SIGTERM, 128 + SIGINT));
  EXPECT_EQ(cli.db().number("SELECT count(*) FROM workers WHERE name = 'tested'"), 1) << "nothing was put in order";
}

}  // namespace
}  // namespace peerwright::test
