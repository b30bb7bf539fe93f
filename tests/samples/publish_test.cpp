// The samples of examples/publish, run as their README says, against all real parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "support/installation.hpp"

namespace peerwright::test {
namespace {

constexpr const char* kRowId = "9007199254740993";  // no double holds it
constexpr const char* kKey = "acme/S-5";
// Of four, where Java's producer puts this key. By the hash that librdkafka uses unless told it would be 0.
constexpr const char* kPartition = "1";
constexpr int kPatienceSeconds = 60;
constexpr int kShortPatienceSeconds = 4;  // long enough for an acknowledgement
constexpr int kPageLines = 60;

using Command = std::vector<std::string>;

std::string in_samples(const std::string& path) {
  return std::string(PEERWRIGHT_SOURCE_DIR) + "/examples/publish/" + path;
}
Command python() { return {required_environment("SAMPLE_PYTHON"), in_samples("python/publish.py")}; }
Command node() {
  return {"NODE_PATH=" + required_environment("SAMPLE_NODE_MODULES"), "node", in_samples("node/publish.js")};
}
Command java() { return {"java", "-cp", required_environment("SAMPLE_JARS") + "/*", in_samples("java/Publish.java")}; }
Command go() { return {required_environment("SAMPLE_GO")}; }

std::string id(int version) { return std::string("row-") + kRowId + '-' + std::to_string(version); }

class PublishSample : public testing::Test {
 protected:
  Finished run(const Command& sample, int version, int wait_seconds = kPatienceSeconds,
               const std::string& brokers = required_environment("KAFKA_BROKERS")) {
    const std::string file = installation.directory() / "row.json";
    std::ofstream(file) << nlohmann::json{{"id", kRowId},           {"version", std::to_string(version)},
                                          {"tenant", "acme"},       {"subscriber", "S-5"},
                                          {"peer", "P-5"},          {"server", "fra1"},
                                          {"email", "a@b.example"}, {"public_key", keys.public_key}};
    Command command = {"env", "BROKERS=" + brokers, "EVENT_TOPIC=" + installation.topic("events"),
                       "STATUS_TOPIC=" + installation.topic("status"), "WAIT_SECONDS=" + std::to_string(wait_seconds)};
    command.insert(command.end(), sample.begin(), sample.end());
    command.push_back(file);
    return run_command(command);
  }

  void expect_word_of_what_is_sent(const Command& sample) {
    EXPECT_EQ(run(sample, 1, 1, "127.0.0.1:1").exit_status, 3) << "nobody listens there";
    EXPECT_TRUE(installation.read_topic("events").empty());

    const Finished unanswered = run(sample, 1, kShortPatienceSeconds);
    EXPECT_EQ(unanswered.exit_status, 2) << "no worker runs";
    EXPECT_EQ(unanswered.out, "");
    const auto events = installation.read_topic("events");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].id, id(1));
    EXPECT_EQ(events[0].type, "peerwright.peer.provision.v1");
    EXPECT_EQ(events[0].key, kKey);
    const nlohmann::json data = {{"tenant", "acme"},
                                 {"subscriber", "S-5"},
                                 {"peer", "P-5"},
                                 {"server", "fra1"},
                                 {"public_key", keys.public_key}};
    EXPECT_EQ(events[0].body, data);
  }

  ClientKeys keys = make_client_keys();
  Installation installation;
};

class PublishSampleToWorker : public PublishSample {
 protected:
  void SetUp() override {
    installation.start_worker("w1");
    installation.establish({network_set("net"), server_register("fra1", "net", host)});
    EXPECT_TRUE(installation.wait_settled());  // the interface's key is known: configurations are said once
  }
  // How many messages of the key's partition were executed.
  std::int64_t executed() {
    return installation.db().number("SELECT coalesce(sum(next_offset), 0) FROM intake WHERE partition = " +
                                    std::string(kPartition));
  }

  void expect_one_effect_and_no_way_back(const Command& sample) {
    const std::int64_t before = executed();
    const Finished first = run(sample, 2);
    ASSERT_EQ(first.exit_status, 0) << first.out << installation.log_of("w1");
    const auto status = nlohmann::json::parse(first.out);
    EXPECT_EQ(status["delivery"], "applied");
    EXPECT_EQ(status["peer"], "P-5");
    EXPECT_EQ(status["cause"], "billing/" + id(2));
    EXPECT_EQ(host.kernel_peers(), (LabHost::Peers{{keys.public_key, "10.200.0.2/32,fd00:200::2/128"}}));
    EXPECT_EQ(executed(), before + 1) << "not in the partition where others publish the same key";

    const Finished second = run(sample, 2);
    EXPECT_EQ(second.exit_status, 0);
    EXPECT_EQ(second.out, first.out);
    EXPECT_TRUE(eventually([&] { return executed() == before + 2; })) << "the repetition was never read";
    EXPECT_EQ(installation.db().number("SELECT count(*) FROM audit WHERE event_id = '" + id(2) + "'"), 1);
    EXPECT_EQ(installation.db().value("SELECT version FROM peers WHERE name = 'P-5'"), status["version"].dump());
    EXPECT_EQ(installation.db().number("SELECT count(*) FROM dead_letters"), 0);

    const Finished older = run(sample, 1);
    EXPECT_EQ(older.exit_status, 1);
    const auto rejection = nlohmann::json::parse(older.out);
    EXPECT_EQ(rejection["id"], id(1));
    EXPECT_EQ(rejection["code"], "stale");
  }
  LabHost host{1};
};

TEST_F(PublishSampleToWorker, InPythonARowSentTwiceIsAppliedOnce) { expect_one_effect_and_no_way_back(python()); }
TEST_F(PublishSampleToWorker, InNodeARowSentTwiceIsAppliedOnce) { expect_one_effect_and_no_way_back(node()); }
TEST_F(PublishSampleToWorker, InJavaARowSentTwiceIsAppliedOnce) { expect_one_effect_and_no_way_back(java()); }
TEST_F(PublishSampleToWorker, InGoARowSentTwiceIsAppliedOnce) { expect_one_effect_and_no_way_back(go()); }

TEST_F(PublishSample, InPythonSaysWhetherAnUnansweredRowIsSent) { expect_word_of_what_is_sent(python()); }
TEST_F(PublishSample, InNodeSaysWhetherAnUnansweredRowIsSent) { expect_word_of_what_is_sent(node()); }
TEST_F(PublishSample, InJavaSaysWhetherAnUnansweredRowIsSent) { expect_word_of_what_is_sent(java()); }
TEST_F(PublishSample, InGoSaysWhetherAnUnansweredRowIsSent) { expect_word_of_what_is_sent(go()); }

TEST(PublishSamples, AreReadOnOnePage) {
  for (const char* source : {"python/publish.py", "node/publish.js", "java/Publish.java", "go/publish.go"}) {
    std::ifstream file(in_samples(source));
    const auto lines = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
    EXPECT_GT(lines, 0) << source;
    EXPECT_LE(lines, kPageLines) << source;
  }
}

}  // namespace
}  // namespace peerwright::test
