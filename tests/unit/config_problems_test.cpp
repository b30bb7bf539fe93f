// What is wrong, where it stands, what to do: all at once, and never a secret among it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_support.hpp"
#include "peerwright/base/config.hpp"

namespace peerwright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<ConfigProblem> problems_of(const std::string& text) {
  const TemporaryFile file(text);
  LoadedConfig loaded = load_config({file.path(), needed_variables(), {}});
  for (ConfigProblem& problem : loaded.problems) {
    if (problem.place.starts_with(file.path())) problem.place.replace(0, file.path().size(), "FILE");
  }
  return loaded.problems;
}

// "PLACE CODE" of each.
std::vector<std::string> brief(const std::string& text) {
  std::vector<std::string> out;
  for (const ConfigProblem& problem : problems_of(text)) out.push_back(problem.place + ' ' + problem.code);
  return out;
}

ConfigProblem only(const std::string& text) {
  const auto all = problems_of(text);
  EXPECT_EQ(all.size(), 1U) << text;
  return all.empty() ? ConfigProblem{} : all.front();
}

TEST(ConfigProblems, AllAreToldAtOnceInTheirOrder) {
  const TemporaryFile file(R"(deliver:
  threads: 0
  chunk_peers: many
  thread: 3
kafka:
  group: a
  group: b
log: {level: loud, format: [json]}
roles: [deliver, sweeper]
)");
  ConfigInput input{file.path(), needed_variables(), {{"sweep.poll", "3"}}};
  input.environment["PEERWRIGHT_SWEEP_POLL_MS"] = "1";
  input.environment.erase("PEERWRIGHT_POSTGRES_DSN");
  std::vector<std::string> told;
  for (const ConfigProblem& problem : load_config(input).problems) {
    EXPECT_FALSE(problem.message.empty());
    EXPECT_FALSE(problem.remedy.empty()) << problem.message;
    told.push_back(problem.place + ' ' + problem.code);
  }
  const std::string& f = file.path();
  EXPECT_THAT(told, ElementsAre(f + " setting_required", f + ":2:12 out_of_range", f + ":3:16 type_wrong",
                                f + ":4:3 key_unknown", f + ":7:3 key_duplicate", f + ":8:14 value_unknown",
                                f + ":8:28 type_wrong", f + ":9:18 value_unknown",
                                "PEERWRIGHT_SWEEP_POLL_MS out_of_range", "--sweep.poll key_unknown"));
}

TEST(ConfigProblems, ARangeIsInTheRemedy) {
  const ConfigProblem problem = only("deliver: {threads: 257}\n");
  EXPECT_EQ(problem.code, "out_of_range");
  EXPECT_THAT(problem.remedy, HasSubstr("1 to 256 threads"));
  EXPECT_THAT(only("deliver: {threads: 99999999999999999999}\n").code, "out_of_range");
  for (const char* bad : {"8.0", "0x8", "8k", "1e1", "yes", "'8 '"}) {
    EXPECT_EQ(only("deliver: {threads: " + std::string(bad) + "}\n").code, "type_wrong") << bad;
  }
  EXPECT_THAT(problems_of("deliver: {threads: 256}\n"), IsEmpty());
}

TEST(ConfigProblems, AnUnknownNameIsAnsweredWithTheNearest) {
  EXPECT_THAT(only("kafka: {broker: x}\n").message, HasSubstr("did you mean kafka.brokers?"));
  EXPECT_THAT(only("kafak: {brokers: x}\n").message, HasSubstr("did you mean kafka?"));
  EXPECT_THAT(only("deliver: {dead_peer_ms: 1}\n").message, HasSubstr("did you mean ssh.dead_peer_ms?"));
  EXPECT_THAT(only("elephants: 3\n").message, Not(HasSubstr("did you mean")));
  EXPECT_THAT(only("kafka.group: x\n").remedy, HasSubstr("write group: below kafka:"));
  ConfigInput input{{}, needed_variables(), {}};
  input.environment["PEERWRIGHT_KAFKA_BROKRES"] = "x";
  const auto problems = load_config(input).problems;
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0].message, HasSubstr("did you mean PEERWRIGHT_KAFKA_BROKERS?"));
}

TEST(ConfigProblems, DuplicatesAreFoundAtEveryDepth) {
  EXPECT_THAT(brief("kafka: {group: a}\nkafka: {group: b}\n"), ElementsAre("FILE:2:1 key_duplicate"));
  EXPECT_THAT(brief("kafka:\n  properties:\n    a: 1\n    a: 2\n"), ElementsAre("FILE:4:5 key_duplicate"));
  EXPECT_THAT(brief("sources:\n  - {name: n, tenants: [t], types: [a], name: m}\n"),
              ElementsAre("FILE:2:41 key_duplicate"));
}

TEST(ConfigProblems, WhatIsNeededMayNotBeEmpty) {
  ConfigInput input{{}, needed_variables(), {}};
  input.environment["PEERWRIGHT_KAFKA_BROKERS"] = "";
  EXPECT_THAT(codes(load_config(input)), ElementsAre("value_empty"));
  EXPECT_EQ(only("kafka: {group: ''}\n").code, "value_empty");
  EXPECT_EQ(only("kafka:\n  group:\n").place, "FILE:2:3");
  EXPECT_EQ(only("roles: []\n").code, "value_empty");
  EXPECT_EQ(only("sources:\n").code, "value_empty");
  EXPECT_THAT(problems_of("worker: {name: ''}\n"), IsEmpty());
}

TEST(ConfigProblems, SomeSettingsComeFromTheFileAlone) {
  ConfigInput input{{}, needed_variables(), {{"sources", "billing"}, {"kafka.properties.debug", "all"}}};
  input.environment["PEERWRIGHT_KAFKA_PROPERTIES"] = "a=b";
  input.environment["PEERWRIGHT_KAFKA_PROPERTIES_DEBUG"] = "all";
  EXPECT_THAT(codes(load_config(input)), ElementsAre("file_only", "file_only", "file_only", "file_only"));
}

TEST(ConfigProblems, WhatGoesTogetherIsChecked) {
  EXPECT_THAT(brief("worker: {heartbeat_ms: 300, dead_after_ms: 899}\n"), ElementsAre("FILE:1:44 settings_conflict"));
  EXPECT_THAT(problems_of("worker: {heartbeat_ms: 300, dead_after_ms: 900}\n"), IsEmpty());
  EXPECT_THAT(brief("worker: {heartbeat_ms: 1000}\n"), ElementsAre("FILE:1:24 settings_conflict"));
  EXPECT_THAT(brief("deliver: {retry_base_ms: 500, retry_max_ms: 499}\n"), ElementsAre("FILE:1:26 settings_conflict"));
  EXPECT_THAT(brief("kafka: {status_topic: peerwright.events}\n"), ElementsAre("FILE:1:23 settings_conflict"));
  EXPECT_THAT(brief("kafka:\n  properties: {debug: all}\n  secret_property_files: {debug: /x}\n"),
              ElementsAre("FILE:2:15 settings_conflict"));
  EXPECT_THAT(brief("sources: [{name: n, topics: [unread], tenants: [t], types: [a]}]\n"),
              ElementsAre("FILE:1:10 settings_conflict"));
}

TEST(ConfigProblems, SourcesAreChecked) {
  const auto source = [](const std::string& fields) { return "sources: [{" + fields + "}]\n"; };
  EXPECT_EQ(only(source("name: n, tenants: [t]")).message, "this source has no types");
  EXPECT_EQ(only(source("name: n, types: [t]")).message, "this source has no tenants");
  EXPECT_EQ(only(source("tenants: [t], types: [t]")).message, "this source has no name");
  EXPECT_EQ(only(source("name: 'a*b', tenants: [t], types: [t]")).code, "value_invalid");
  EXPECT_EQ(only(source("name: n, tenants: ['*t'], types: [t]")).code, "value_invalid");
  EXPECT_EQ(only(source("name: n, tenants: [t], types: [Peer.*]")).code, "value_invalid");
  EXPECT_EQ(only(source("name: n, tenants: [t], types: [t], kinds: [t]")).code, "key_unknown");
  EXPECT_EQ(only("sources: [billing]\n").code, "type_wrong");
  EXPECT_EQ(only("sources: {name: n}\n").code, "type_wrong");
  EXPECT_THAT(brief("sources:\n  - {name: n, tenants: [t], types: [a]}\n  - {name: n, tenants: [t], types: [b]}\n"),
              ElementsAre("FILE:3:5 value_duplicate"));
}

TEST(ConfigProblems, OtherFormsAreChecked) {
  EXPECT_EQ(only("admin: {listen: localhost}\n").code, "address_invalid");
  EXPECT_EQ(only("kafka: {audit_topic: a b}\n").code, "value_invalid");
  EXPECT_EQ(only("kafka: {group: \"a\\nb\"}\n").code, "value_invalid");
  EXPECT_EQ(only("kafka: {event_topics: [a, a]}\n").code, "value_duplicate");
  EXPECT_EQ(only("kafka: {event_topics: a}\n").code, "type_wrong");
  EXPECT_EQ(only("kafka: {properties: {sasl: {mechanism: PLAIN}}}\n").code, "type_wrong");
  EXPECT_EQ(only("kafka: x\n").code, "type_wrong");
  EXPECT_EQ(only("[kafka]\n").code, "type_wrong");
  EXPECT_EQ(only("? [kafka]\n: x\n").code, "type_wrong");
}

TEST(ConfigProblems, ABrokenFileSaysWhere) {
  EXPECT_THAT(brief("kafka:\n  group: a: b\n"), ElementsAre("FILE:2:11 yaml_invalid"));
  EXPECT_THAT(brief("log: {level: info}\n---\nlog: {level: warn}\n"), ElementsAre("FILE:2:1 yaml_invalid"));
  EXPECT_THAT(brief("kafka: &k {group: a}\nlog: *k\n"), testing::Contains("FILE:2:6 yaml_invalid"));
  EXPECT_THAT(problems_of("a: " + std::string(100, '[') + std::string(100, ']') + '\n'),
              testing::Contains(testing::Field(&ConfigProblem::code, "yaml_invalid")));
  EXPECT_THAT(problems_of("a: " + std::string(100'000, '[')),
              testing::Contains(testing::Field(&ConfigProblem::code, "yaml_invalid")));
  // What is missing is not told of a file that could not be read.
  const TemporaryFile broken("kafka: {brokers: x\n");
  EXPECT_THAT(codes(load_config({broken.path(), {}, {}})), ElementsAre("yaml_invalid"));
  EXPECT_EQ(only(std::string(2'000'000, '#')).code, "config_too_large");
  EXPECT_THAT(codes(load_config({"/nowhere/peerwright.yaml", needed_variables(), {}})),
              ElementsAre("config_unreadable"));
  EXPECT_THAT(codes(load_config({testing::TempDir(), needed_variables(), {}})), ElementsAre("config_unreadable"));
}

TEST(ConfigRender, PointsAtTheColumn) {
  const ConfigProblem problem = only("deliver:\n  threads: 0\n");
  EXPECT_EQ(render(problem),
            "FILE:2:12: out_of_range: deliver.threads: \"0\" is out of range\n"
            "      threads: 0\n"
            "               ^\n"
            "    remedy: use 1 to 256 threads\n");
  // One column for each character, tabs kept.
  EXPECT_EQ(render({"P", "c", "m", "", "\té: x", 6}), "P: c: m\n    \té: x\n    \t   ^\n");
  EXPECT_EQ(render({"--x", "c", "m", "r", "", 0}), "--x: c: m\n    remedy: r\n");
}

class InlineSecret : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(InlineSecret, IsRefusedAndNeverRepeated) {
  const auto& [text, remedy] = GetParam();
  const TemporaryFile file(text);
  const ConfigInput input{file.path(), needed_variables(), {}};
  const LoadedConfig loaded = load_config(input);
  std::string all;
  for (const ConfigProblem& problem : loaded.problems) all += render(problem);
  for (const SettingView& row : show(input)) all += row.value;
  EXPECT_THAT(codes(loaded), testing::Contains("secret_inline")) << all;
  EXPECT_THAT(all, HasSubstr(remedy));
  EXPECT_THAT(all, Not(HasSubstr("hunter2")));
}

INSTANTIATE_TEST_SUITE_P(
    Config, InlineSecret,
    testing::Values(std::pair("postgres: {password: hunter2}", "postgres.password_file"),
                    std::pair("postgres: {dsn: 'host=x password=hunter2'}", "postgres.password_file"),
                    std::pair("postgres: {dsn: 'host=x PassWord = hunter2'}", "postgres.password_file"),
                    std::pair("postgres: {dsn: 'postgresql://u:hunter2@h/db'}", "postgres.password_file"),
                    std::pair("postgres: {dsn: 'postgresql://h/db?%70assword=hunter2'}", "postgres.password_file"),
                    std::pair("kafka: {properties: {sasl.password: hunter2}}",
                              "kafka.secret_property_files.sasl.password"),
                    std::pair("kafka: {properties: {ssl.key.pem: hunter2}}", "kafka.secret_property_files.ssl.key.pem"),
                    std::pair("kafka: {sasl_password: hunter2}", "_file"),
                    std::pair("ssh: {private_key: hunter2}", "ssh.private_key_file"),
                    std::pair("ssh: {private_key_file: \"-----BEGIN OPENSSH PRIVATE KEY----- hunter2\"}", "a file"),
                    std::pair("encryption: {key: hunter2}", "encryption.key_file")));

TEST(ConfigSecrets, AreRefusedInTheEnvironmentAndInFlagsToo) {
  ConfigInput input{{}, needed_variables(), {{"postgres.password", "hunter2"}}};
  input.environment["PEERWRIGHT_POSTGRES_PASSWORD"] = "hunter2";
  input.environment["PEERWRIGHT_POSTGRES_DSN"] = "postgres://u:hunter2@h/";
  const LoadedConfig loaded = load_config(input);
  EXPECT_THAT(codes(loaded), ElementsAre("secret_inline", "secret_inline", "secret_inline"));
  for (const ConfigProblem& problem : loaded.problems) EXPECT_THAT(render(problem), Not(HasSubstr("hunter2")));
  EXPECT_EQ(loaded.config.postgres.dsn, "");
}

TEST(ConfigSecrets, AreNotRepeatedByProblemsOfAnotherKindInTheirLine) {
  for (const char* text : {
           "postgres: {passwrod: hunter2}",                     // a slip in the name
           "kafka: {broker: x, sasl_password: hunter2}",        // another problem, before it
           "postgres: {password: hunter2, password: hunter2}",  // twice
           "postgres:\n  password: hunter2: x",                 // bad syntax
           "postgres:\n  dsn: postgresql://u:hunter2@h: x",
           "ssh:\n  private_key: |\n  b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZhunter2",
       }) {
    const auto problems = problems_of(text);
    EXPECT_FALSE(problems.empty()) << text;
    for (const ConfigProblem& problem : problems) EXPECT_THAT(render(problem), Not(HasSubstr("hunter2"))) << text;
  }
}

TEST(ConfigSecrets, NamesOfFilesAndUsersAreNoSecrets) {
  EXPECT_THAT(problems_of("kafka: {properties: {sasl.username: u, ssl.key.location: /k, ssl.ca.location: /c,"
                          " sasl.oauthbearer.token.endpoint.url: 'https://x'}}\n"
                          "postgres: {dsn: 'postgresql://u@h/db?passfile=/p', password_file: /p}\n"),
              IsEmpty());
}

}  // namespace
}  // namespace peerwright
