// Where settings come from, and what is made of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "config_support.hpp"
#include "peerwright/base/config.hpp"

namespace peerwright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(ConfigLoad, DefaultsStandWhereNothingIsSaid) {
  const LoadedConfig loaded = load_config({.file = {}, .environment = needed_variables(), .flags = {}});
  ASSERT_THAT(codes(loaded), IsEmpty());
  const Config& c = loaded.config;
  EXPECT_EQ(c.kafka.group, "peerwright");
  EXPECT_THAT(c.kafka.event_topics, ElementsAre("peerwright.events"));
  EXPECT_EQ(c.kafka.dead_letter_topic, "peerwright.dead-letters");
  EXPECT_EQ(c.ssh.exec_timeout_ms, 60'000);
  EXPECT_EQ(c.deliver.threads, 8);
  EXPECT_EQ(c.worker.dead_after_ms, 2'000);
  EXPECT_EQ(c.admin.listen, "127.0.0.1:9464");
  EXPECT_EQ(c.log.level, log::Level::info);
  EXPECT_EQ(c.log.format, log::Format::automatic);
  EXPECT_THAT(c.roles, ElementsAre("intake", "deliver", "observe", "sweep", "publish"));
  EXPECT_THAT(c.sources, IsEmpty());
}

TEST(ConfigLoad, AFlagBeatsTheEnvironmentWhichBeatsTheFile) {
  const TemporaryFile file("kafka: {group: from-file}\nlog: {level: debug}\nsweep: {poll_ms: 200}\n");
  ConfigInput input{file.path(), needed_variables(), {}};
  EXPECT_EQ(load_config(input).config.kafka.group, "from-file");
  input.environment["PEERWRIGHT_KAFKA_GROUP"] = "from-environment";
  EXPECT_EQ(load_config(input).config.kafka.group, "from-environment");
  input.flags["kafka.group"] = "from-flag";
  const LoadedConfig loaded = load_config(input);
  EXPECT_THAT(codes(loaded), IsEmpty());
  EXPECT_EQ(loaded.config.kafka.group, "from-flag");
  EXPECT_EQ(loaded.config.log.level, log::Level::debug);
  EXPECT_EQ(loaded.config.sweep.poll_ms, 200);
}

TEST(ConfigLoad, ListsMapsAndSourcesAreRead) {
  const TemporaryFile file(R"(
kafka:
  event_topics: [one, two]
  properties: {security.protocol: SASL_SSL, sasl.username: u}
  secret_property_files:
    sasl.password: /run/secrets/kafka
roles:
  - deliver
  - sweep
sources:
  - {name: billing, topics: [two], tenants: [acme, "b*"], types: [peer.*]}
  - {name: "cli/*", tenants: ["*"], types: ["*"]}
)");
  const LoadedConfig loaded = load_config({file.path(), needed_variables(), {}});
  ASSERT_THAT(codes(loaded), IsEmpty());
  EXPECT_THAT(loaded.config.kafka.event_topics, ElementsAre("one", "two"));
  EXPECT_THAT(loaded.config.kafka.properties,
              UnorderedElementsAre(Pair("security.protocol", "SASL_SSL"), Pair("sasl.username", "u")));
  EXPECT_THAT(loaded.config.kafka.secret_property_files, ElementsAre(Pair("sasl.password", "/run/secrets/kafka")));
  EXPECT_THAT(loaded.config.roles, ElementsAre("deliver", "sweep"));
  ASSERT_EQ(loaded.config.sources.size(), 2U);
  EXPECT_THAT(loaded.config.sources[0].topics, ElementsAre("two"));
  EXPECT_THAT(loaded.config.sources[0].tenants, ElementsAre("acme", "b*"));
  EXPECT_THAT(loaded.config.sources[1].topics, IsEmpty());
}

TEST(ConfigLoad, ListsHaveCommasInTheEnvironmentAndInFlags) {
  ConfigInput input{{}, needed_variables(), {{"roles", "publish, sweep"}}};
  input.environment["PEERWRIGHT_KAFKA_EVENT_TOPICS"] = "a,b";
  const LoadedConfig loaded = load_config(input);
  ASSERT_THAT(codes(loaded), IsEmpty());
  EXPECT_THAT(loaded.config.kafka.event_topics, ElementsAre("a", "b"));
  EXPECT_THAT(loaded.config.roles, ElementsAre("publish", "sweep"));
}

TEST(ConfigLoad, NothingIsExpanded) {
  const TemporaryFile file("kafka: {group: '${HOME}-$USER'}\n");
  EXPECT_EQ(load_config({file.path(), needed_variables(), {}}).config.kafka.group, "${HOME}-$USER");
}

TEST(ConfigLoad, AnEmptyFileAndAnEmptySectionAreFine) {
  for (const char* text : {"", "# nothing\n", "kafka:\nlog: ~\n"}) {
    const TemporaryFile file(text);
    EXPECT_THAT(codes(load_config({file.path(), needed_variables(), {}})), IsEmpty()) << text;
  }
}

TEST(ConfigLoad, VariablesOfOthersAreIgnored) {
  ConfigInput input{{}, needed_variables(), {}};
  input.environment["PEERWRIGHT_PORT_9464_TCP_ADDR"] = "10.0.0.1";
  input.environment["PEERWRIGHT_ADMIN_SERVICE_HOST"] = "10.0.0.1";
  input.environment["PEERWRIGHT_KAFKA_DIR"] = "/tmp/x";
  input.environment["PATH"] = "/bin";
  EXPECT_THAT(codes(load_config(input)), IsEmpty());
}

TEST(ConfigLoad, TheProcessEnvironmentHoldsOnlyOurs) {
  ASSERT_EQ(setenv("PEERWRIGHT_WORKER_NAME", "a=b", 1), 0);
  const auto variables = process_environment();
  unsetenv("PEERWRIGHT_WORKER_NAME");
  EXPECT_EQ(variables.at("PEERWRIGHT_WORKER_NAME"), "a=b");
  EXPECT_FALSE(variables.contains("PATH"));
}

TEST(ConfigLoad, RolesDecideWhatIsNeeded) {
  ConfigInput input{{}, {{"PEERWRIGHT_KAFKA_BROKERS", "k:9092"}, {"PEERWRIGHT_POSTGRES_DSN", "dbname=p"}}, {}};
  input.flags["roles"] = "publish";
  EXPECT_THAT(codes(load_config(input)), IsEmpty());
  input.flags["roles"] = "sweep,publish";  // whoever says statuses opens secrets
  EXPECT_THAT(codes(load_config(input)), ElementsAre("setting_required"));
  input.flags["roles"] = "deliver";
  EXPECT_THAT(codes(load_config(input)), ElementsAre("setting_required", "setting_required"));
  input.flags["roles"] = "intake,deliver";
  EXPECT_THAT(codes(load_config(input)), ElementsAre("setting_required", "setting_required"));
}

TEST(ConfigShow, TellsValueSourceAndReload) {
  const TemporaryFile file("kafka:\n  group: g\n  properties: {b: '2', a: '1'}\n");
  ConfigInput input{file.path(), needed_variables(), {{"log.level", "warn"}}};
  std::map<std::string, SettingView> rows;
  for (const SettingView& row : show(input)) rows[row.key] = row;
  EXPECT_EQ(rows.at("kafka.group").value, "g");
  EXPECT_EQ(rows.at("kafka.group").source, file.path() + ":2:10");
  EXPECT_FALSE(rows.at("kafka.group").reloads);
  EXPECT_EQ(rows.at("kafka.properties").value, "a=1,b=2");
  EXPECT_EQ(rows.at("log.level").value, "warn");
  EXPECT_EQ(rows.at("log.level").source, "--log.level");
  EXPECT_EQ(rows.at("postgres.dsn").source, "PEERWRIGHT_POSTGRES_DSN");
  EXPECT_EQ(rows.at("log.format").value, "auto");
  EXPECT_EQ(rows.at("log.format").source, "default");
}

TEST(ConfigReload, NamesWhatNeedsARestart) {
  ConfigInput input{{}, needed_variables(), {}};
  const Config before = load_config(input).config;
  EXPECT_THAT(restart_needed(before, before), IsEmpty());
  input.flags = {{"log.level", "debug"}, {"deliver.threads", "9"}, {"kafka.group", "other"}};
  EXPECT_THAT(restart_needed(before, load_config(input).config), ElementsAre("kafka.group", "deliver.threads"));
}

TEST(ConfigReload, TakesOverWhatCanChangeLiveAndNothingElse) {
  ConfigInput input{{}, needed_variables(), {}};
  const Config running = load_config(input).config;
  input.flags = {{"log.level", "debug"}, {"deliver.threads", "9"}, {"kafka.group", "other"}, {"sweep.poll_ms", "77"}};
  const Config after = with_live_settings(running, load_config(input).config);
  EXPECT_EQ(after.log.level, log::Level::debug);
  EXPECT_EQ(after.sweep.poll_ms, 77);
  EXPECT_EQ(after.deliver.threads, running.deliver.threads);
  EXPECT_EQ(after.kafka.group, running.kafka.group);
}

TEST(ConfigListen, ReadsAddressAndPort) {
  EXPECT_EQ(parse_listen_address("[::1]:0")->host, "::1");
  EXPECT_EQ(parse_listen_address("localhost:80")->host, "localhost");
  EXPECT_EQ(parse_listen_address("0.0.0.0:65535")->port, 65'535);
  for (const char* bad : {"", ":80", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8x",
                          "::1:80", "[127.0.0.1]:80", "example.net:80", "[]:80"}) {
    EXPECT_FALSE(parse_listen_address(bad).has_value()) << bad;
  }
}

TEST(ConfigDocuments, TheReferenceIsTheTable) {
  const std::string path = PEERWRIGHT_SOURCE_DIR "/docs/reference/configuration.md";
  if (std::getenv("PEERWRIGHT_UPDATE_DOCS") != nullptr) std::ofstream(path) << config_reference_markdown();
  EXPECT_EQ(content_of(path), config_reference_markdown()) << "run with PEERWRIGHT_UPDATE_DOCS=1 to write it anew";
}

TEST(ConfigDocuments, TheExampleIsRight) {
  const LoadedConfig loaded = load_config({PEERWRIGHT_SOURCE_DIR "/examples/peerwright.yaml", {}, {}});
  for (const ConfigProblem& problem : loaded.problems) ADD_FAILURE() << render(problem);
  EXPECT_EQ(loaded.config.sources.size(), 3U);
}

}  // namespace
}  // namespace peerwright
