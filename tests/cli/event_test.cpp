#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <regex>
#include <stdexcept>
#include <thread>

#include "command_line.hpp"
#include "peerwright/broker/admin.hpp"
#include "peerwright/broker/consumer.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kTopic = "cli.events";

std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) files.push_back(entry.path().string());
  return files;
}

TEST(EventValidateTest, TheValidExamplesAreValid) {
  const CommandLine cli;
  auto command = files_in(PEERWRIGHT_SOURCE_DIR "/schemas/examples/valid");
  const std::size_t count = command.size();
  ASSERT_GT(count, 0U);
  command.insert(command.begin(), {"event", "validate"});
  const Answer answer = cli.run(command);
  EXPECT_EQ(answer.exit, 0) << answer.out;
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(answer.out, '\n')), count);
  EXPECT_THAT(answer.out, HasSubstr("/peer.provision.json: ok\n"));
}

TEST(EventValidateTest, TheInvalidExamplesAreNot) {
  const CommandLine cli;
  auto command = files_in(PEERWRIGHT_SOURCE_DIR "/schemas/examples/invalid");
  ASSERT_GT(command.size(), 0U);
  const auto files = command;
  command.insert(command.begin(), {"event", "validate"});
  const Answer answer = cli.run(command);
  EXPECT_EQ(answer.exit, 1);
  for (const std::string& file : files) {
    EXPECT_THAT(answer.out, HasSubstr(file + ":"));
    EXPECT_THAT(answer.out, testing::Not(HasSubstr(file + ": ok"))) << file;
  }
}

TEST(EventValidateTest, EachInvalidExampleIsToldWithItsLineAndRemedy) {
  const CommandLine cli;
  for (const std::string& file : files_in(PEERWRIGHT_SOURCE_DIR "/schemas/examples/invalid")) {
    const Answer answer = cli.run({"event", "validate", file});
    EXPECT_EQ(answer.exit, 1) << file;
    ASSERT_THAT(answer.out, StartsWith(file + ':'));
    const std::string told = answer.out.substr(file.size());
    const bool has_no_place = told.find(" is missing ") != std::string::npos;  // an attribute that is not there
    EXPECT_TRUE(has_no_place || std::regex_search(told, std::regex("^:[0-9]+:[0-9]+: [a-z_]+: "))) << told;
    EXPECT_THAT(told, HasSubstr("\n  remedy: ")) << file;
  }
}

TEST(EventValidateTest, PatternsAreExpandedWhereNoShellDoesIt) {
  const CommandLine cli;
  const Answer valid = cli.run({"event", "validate", PEERWRIGHT_SOURCE_DIR "/schemas/examples/valid/peer.*.json"});
  EXPECT_EQ(valid.exit, 0) << valid.out;
  EXPECT_THAT(valid.out, HasSubstr("/peer.provision.json: ok\n"));
  EXPECT_THAT(cli.run({"event", "validate", cli.path("none-*.json")}).out, HasSubstr("file_unreadable"));
}

TEST(EventValidateTest, ItNamesTheLineAndColumn) {
  const CommandLine cli;
  const auto said_of = [&](const std::string& text) {
    const std::string file = cli.write("event.json", text);
    const std::string out = cli.run({"event", "validate", file}).out;
    EXPECT_THAT(out, StartsWith(file));
    return out.substr(file.size());
  };
  const std::string head = R"({"specversion": "1.0", "id": "1", "source": "billing",
)";
  const std::string type = R"( "type": "peerwright.peer.suspend.v1",
)";
  EXPECT_THAT(said_of(head + type + R"( "data": {"tenant": "acme",
           "peer": 7}})"),
              StartsWith(":4:20: schema_violation: /peer"));
  EXPECT_THAT(said_of(head + type + R"( "data": {"tenant": "acme"}})"),
              StartsWith(":3:10: schema_violation: the data"));
  EXPECT_THAT(said_of(head + R"( "type": "peerwright.peer.dance.v1", "data": {}})"), StartsWith(":2:10: unknown_type"));
  EXPECT_THAT(said_of(head + type + R"( "time": "yesterday", "data": {}})"), StartsWith(":3:10: envelope_invalid"));
  EXPECT_THAT(said_of(head + type + R"( "data": {"tenant" "acme"}})"), StartsWith(":3:"));
  EXPECT_THAT(said_of(head + type + R"( "data": {"peer": "a",
  "peer": "b"}})"),
              StartsWith(":4:11: not_json"));
  EXPECT_THAT(said_of(head + R"( "data": {}})"), StartsWith(":1:1: envelope_invalid: the attribute type"))
      << "what is missing is missing in the whole";
  EXPECT_THAT(said_of(head + R"( "type": "peerwright.network.set.v1",
 "data": {"network": "n", "ipv4": "10.0.0.0/8", "reserved": ["10.0.0.1", "10.0.0.0/9"]}})"),
              StartsWith(":3:74: prefix_invalid: /reserved/1"));
}

TEST(EventValidateTest, AFileThatCannotBeReadIsNotValid) {
  const CommandLine cli;
  const Answer answer = cli.run({"event", "validate", cli.path("none.json")});
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.out, HasSubstr("none.json: file_unreadable"));
}

TEST(EventFileTest, AFileMayHoldMany) {
  const CommandLine cli;
  const TestEvent one = peer_event("suspend", "acme", "laptop"), other = peer_event("resume", "acme", "laptop");
  for (const std::string& text :
       {one.text() + '\n' + other.text() + '\n', '[' + one.text() + ",\n" + other.text() + ']'}) {
    const Answer answer = cli.run({"event", "publish", "--dry-run", "-"}, text);
    EXPECT_EQ(answer.exit, 0) << answer.err;
    EXPECT_EQ(answer.out, one.text() + '\n' + other.text() + '\n');
  }
  const Answer wrong = cli.run({"event", "publish", "--dry-run", "-"}, one.text() + "\n{\"id\": 7}\n");
  EXPECT_EQ(wrong.exit, 2);
  EXPECT_THAT(wrong.out, IsEmpty()) << "all of them, or none";
  EXPECT_THAT(wrong.err, HasSubstr("- (event at line 2): envelope_invalid"));
}

// A broker in this process, and a thread that stands for a worker: it executes what arrives and delivers it.
class EventPublishTest : public testing::Test, broker::AssignmentListener {
 protected:
  EventPublishTest() : broker_(broker::DevBroker::start({{kTopic, 2, {}}}).value()) { cli_.execute(usual_events()); }
  ~EventPublishTest() override {
    stop_ = true;
    if (worker_.joinable()) worker_.join();
  }

  void start_worker(bool delivers = true) {
    cli_.deliver();
    worker_ = std::thread([this, delivers] { work(delivers); });
    ASSERT_TRUE(eventually([this] { return assigned_.load(); }, std::chrono::seconds(60)));
  }
  // Only before the worker is started: its thread uses the same objects.
  CommandLine& cli() { return cli_; }

  Answer publish(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), {"event", "publish", "--kafka.brokers", broker_->brokers(),
                                         "--kafka.event_topics", kTopic, "--user", "tester"});
    return cli_.run(arguments, input);
  }
  Answer run(std::vector<std::string> arguments) {
    for (const char* more :
         {"--kafka.brokers", broker_->brokers().c_str(), "--kafka.event_topics", kTopic, "--user", "tester"}) {
      arguments.emplace_back(more);
    }
    return cli_.run(arguments);
  }
  static json step(const Answer& answer, std::size_t number) {
    std::istringstream in(answer.out);
    std::string line;
    for (std::size_t i = 0; i <= number; ++i) std::getline(in, line);
    return json::parse(line, nullptr, false);
  }
  // The first message of the topic.
  broker::Message sent() {
    const auto consumer = consume();
    std::optional<broker::Message> message;
    EXPECT_TRUE(eventually([&] {
      auto polled = consumer->poll(std::chrono::milliseconds(100)).value();
      if (auto* read = std::get_if<broker::Message>(&polled)) message = std::move(*read);
      return message.has_value();
    }));
    return message.value_or(broker::Message());
  }

 private:
  std::unique_ptr<broker::Consumer> consume() {
    return broker::Consumer::create({broker_->brokers(), {}, {}}, "tests", {kTopic}, *this).value();
  }
  void work(bool delivers) {
    const auto consumer = consume();
    while (!stop_) {
      auto polled = consumer->poll(std::chrono::milliseconds(50)).value();
      const auto* message = std::get_if<broker::Message>(&polled);
      if (message == nullptr) continue;
      cli_.execute_text(message->payload);
      if (delivers) cli_.deliver();
    }
  }
  std::vector<broker::Position> assigned(const std::vector<broker::Partition>& partitions) override {
    std::vector<broker::Position> positions;
    for (const broker::Partition& partition : partitions) positions.push_back({partition, 0});
    assigned_ = true;
    return positions;
  }
  void revoked(const std::vector<broker::Partition>&) override {}

  std::unique_ptr<broker::DevBroker> broker_;
  CommandLine cli_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> assigned_{false};
  std::thread worker_;
};

TEST_F(EventPublishTest, AnEventMadeOfWordsIsWhole) {
  const Answer answer = publish({"--type", "peer.suspend", "--tenant", "acme", "--peer", "laptop", "--reason", "abuse",
                                 "--id", "case-7", "-o", "json"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(step(answer, 0), json({{"step", "sent"},
                                   {"source", "peerwright-cli/tester"},
                                   {"id", "case-7"},
                                   {"key", "acme/laptop"},
                                   {"topic", kTopic}}));
  const broker::Message message = sent();
  EXPECT_EQ(message.key, "acme/laptop");
  EXPECT_EQ(message.headers, (broker::Headers{{"content-type", "application/cloudevents+json"}}));
  const auto event = json::parse(message.payload);
  EXPECT_EQ(event["type"], "peerwright.peer.suspend.v1");
  EXPECT_EQ(event["data"], json({{"tenant", "acme"}, {"peer", "laptop"}, {"reason", "abuse"}}));
  EXPECT_GT(std::stoll(event["sequence"].get<std::string>()), 1'700'000'000'000'000) << "microseconds since 1970";
}

TEST_F(EventPublishTest, IdsAreRandomUuids) {
  const std::vector<std::string> words = {"--type", "peer.resume", "--tenant", "acme",
                                          "--peer", "laptop",      "-o",       "name"};
  const std::string first = publish(words).out;
  EXPECT_THAT(first, testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n"));
  EXPECT_NE(publish(words).out, first);
}

TEST_F(EventPublishTest, WhatIsNotValidIsNotSent) {
  Answer answer = publish({"--type", "peer.suspend", "--tenant", "acme"});
  EXPECT_EQ(answer.exit, 2);
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_THAT(answer.err, HasSubstr("event:1:"));
  EXPECT_THAT(answer.err, HasSubstr("schema_violation: the data: has no member 'peer'"));
  EXPECT_EQ(publish({"--type", "peer.suspend", "--data", "[]"}).exit, 2);
  EXPECT_EQ(publish({"--type", "peer.suspend", "a.json"}).exit, 2) << "files or words, not both";
  // One wrong file keeps the right ones from being sent.
  const std::string right = cli().write("right.json", peer_event("suspend", "acme", "laptop").text());
  const std::string wrong = cli().write("wrong.json", "{}");
  answer = publish({right, wrong});
  EXPECT_EQ(answer.exit, 2);
  EXPECT_THAT(answer.out, IsEmpty());
}

TEST_F(EventPublishTest, WaitFollowsToTheProof) {
  start_worker();
  const Answer answer = publish(
      {"--type", "peer.suspend", "--tenant", "acme", "--peer", "laptop", "--wait", "--timeout", "60", "-o", "jsonl"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(step(answer, 0)["step"], "sent");
  EXPECT_EQ(step(answer, 1)["step"], "accepted");
  EXPECT_EQ(step(answer, 2)["step"], "proven");
  EXPECT_EQ(step(answer, 2)["concerned"], 1);
  EXPECT_GE(step(answer, 2)["latency_ms"], 0);
}

TEST_F(EventPublishTest, WaitFollowsAHoldToAllPeersOfTheSubscriber) {
  start_worker();
  const Answer answer = publish({"--type", "subscriber.suspend", "--tenant", "acme", "--subscriber", "S-1", "--wait",
                                 "--timeout", "60", "-o", "jsonl"});
  EXPECT_EQ(answer.exit, 0) << answer.err;
  EXPECT_EQ(step(answer, 2)["step"], "proven");
  EXPECT_EQ(step(answer, 2)["concerned"], 2);
}

TEST_F(EventPublishTest, WaitKnowsWhatThereIsToProve) {
  start_worker();
  auto events = usual_events();
  const std::string network = cli().write("network.json", events[0].with_id("network-again").text());
  const std::string server = cli().write("server.json", events[1].with_id("server-again").text());
  const Answer answer = publish({network, server, "--wait", "--timeout", "60"});
  EXPECT_EQ(answer.exit, 0) << answer.out << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("network-again: done (nothing stands on a host)\n"));
  EXPECT_THAT(answer.out, HasSubstr("server-again: proven "));
}

TEST_F(EventPublishTest, WaitSaysARejectionAndExitsWith4) {
  start_worker();
  const std::string provision =
      peer_provision("acme", "new", "no-such-server", "Sp1p+HUAK3J5SZZ0wnSRZ4RvTbTVqSZVVrjtNcMvVhI=").text();
  const Answer answer = publish({"-", "--wait", "--timeout", "60"}, provision);
  EXPECT_EQ(answer.exit, 4) << answer.out << answer.err;
  EXPECT_THAT(answer.out, HasSubstr(": rejected unknown_server: there is no server no-such-server"));
}

TEST_F(EventPublishTest, WaitKnowsAnIdThatWasUsedForSomethingElse) {
  start_worker();
  const std::string other = peer_event("revoke", "acme", "laptop").with_id("late").text();
  const Answer answer = publish({"-", "--wait", "--timeout", "60"}, other);
  EXPECT_EQ(answer.exit, 4);
  EXPECT_THAT(answer.out, HasSubstr("rejected id_reused"));
}

TEST_F(EventPublishTest, WithoutAWorkerTheWaitEnds) {
  const Answer answer =
      publish({"--type", "peer.suspend", "--tenant", "acme", "--peer", "laptop", "--wait", "--timeout", "0.2"});
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("wait_timeout"), HasSubstr("is not decided yet")));
}

TEST_F(EventPublishTest, WhatIsDecidedButNotProvenIsNoSuccess) {
  start_worker(false);
  const Answer answer =
      publish({"--type", "peer.suspend", "--tenant", "acme", "--peer", "laptop", "--wait", "--timeout", "10"});
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.out, HasSubstr(": accepted\n"));
  EXPECT_THAT(answer.err, HasSubstr("is not proven yet; 1 of 1 are open"));
}

TEST_F(EventPublishTest, WhatTheHostRefusesEndsTheWait) {
  cli().deliver();
  const std::string resume = peer_event("resume", "acme", "phone").text();
  cli().execute_text(resume);
  cli().db().execute("UPDATE peers SET delivery_error = 'prefix_taken_on_host' WHERE name = 'phone'");
  const Answer answer = publish({"-", "--wait", "--timeout", "60"}, resume);
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.out, HasSubstr(": failed prefix_taken_on_host: "));
}

TEST_F(EventPublishTest, AVerbIsAnEvent) {
  start_worker();
  const Answer answer =
      run({"peer", "suspend", "acme/laptop", "--reason", "abuse", "--wait", "--timeout", "60", "-o", "jsonl"});
  EXPECT_EQ(answer.exit, 0) << answer.out << answer.err;
  EXPECT_EQ(step(answer, 0)["source"], "peerwright-cli/tester");
  EXPECT_EQ(step(answer, 2)["step"], "proven");
  const Answer again = run({"subscriber", "resume", "acme/S-1", "--wait", "--timeout", "60", "-o", "jsonl"});
  EXPECT_EQ(again.exit, 0) << again.out << again.err;
}

TEST_F(EventPublishTest, AServerInMaintenanceHoldsWhatIsWaitedFor) {
  start_worker(false);
  Answer answer = run({"server", "maintenance", "ams-1", "--wait", "--timeout", "60"});
  EXPECT_EQ(answer.exit, 0) << answer.out << answer.err;
  answer = run({"peer", "suspend", "acme/laptop", "--wait", "--timeout", "60"});
  EXPECT_EQ(answer.exit, 1) << answer.out << answer.err;
  EXPECT_THAT(answer.out, HasSubstr(": held (its pushes wait until the maintenance ends)\n"));
}

TEST_F(EventPublishTest, UnreachableBrokersExitWith5) {
  const Answer answer = cli().run({"event", "publish", "--type", "peer.suspend", "--tenant", "acme", "--peer", "laptop",
                                   "--kafka.brokers", "127.0.0.1:1"});
  EXPECT_EQ(answer.exit, 5) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("kafka_unreachable"));
}

}  // namespace
}  // namespace peerwright::test
