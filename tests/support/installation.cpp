#include "support/installation.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "peerwright/base/seal.hpp"
#include "peerwright/broker/admin.hpp"

namespace peerwright::test {
namespace {

constexpr std::chrono::milliseconds kKafkaDeadline{20000};
constexpr const char* kTopics[] = {"events", "urgent", "status", "audit", "dead-letters"};

// Of one broker's topics: ids of processes come again.
std::string new_prefix() {
  static std::atomic<int> number{0};
  static const auto started = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(started).count();
  return "t" + std::to_string(ms) + "-" + std::to_string(getpid()) + "-" + std::to_string(++number);
}

template <typename T>
T required(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + ": " + result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Reads all partitions of a topic from their beginnings.
struct FromBeginning final : broker::AssignmentListener {
  std::vector<broker::Position> assigned(const std::vector<broker::Partition>& partitions) override {
    std::vector<broker::Position> positions;
    for (const auto& partition : partitions) positions.push_back({partition, 0});
    count = partitions.size();
    return positions;
  }
  void revoked(const std::vector<broker::Partition>&) override {}
  std::size_t count = 0;
};

}  // namespace

Installation::Installation(const InstallationOptions& options)
    : brokers_(required_environment("KAFKA_BROKERS")),
      prefix_(new_prefix()),
      directory_(std::filesystem::temp_directory_path() / ("peerwright-" + prefix_)),
      config_file_(directory_ / "peerwright.yaml"),
      partitions_(options.partitions) {
  std::filesystem::create_directories(directory_);
  std::filesystem::permissions(directory_, std::filesystem::perms::owner_all);
  std::vector<broker::NewTopic> topics;
  for (const char* name : kTopics) {
    topics.push_back(
        {topic(name), partitions_, {{"message.timestamp.type", "LogAppendTime"}, {"max.message.bytes", "12582912"}}});
  }
  // Partitions that a test adds are seen soon.
  const broker::Connection connection{brokers_, {{"topic.metadata.refresh.interval.ms", "1000"}}, {}};
  required(broker::create_topics(connection, topics, kKafkaDeadline));
  producer_ = required(broker::Producer::create(connection));
  write_config(options);
}

Installation::~Installation() {
  workers_.clear();
  if (testing::Test::HasFailure()) {
    std::fprintf(stderr, "the logs of the workers are in %s\n", directory_.c_str());
  } else {
    std::filesystem::remove_all(directory_);
  }
}

void Installation::write_config(const InstallationOptions& options) {
  const std::string key_file = directory_ / "encryption.key";
  std::ofstream(key_file) << sha256_hex(prefix_ + std::to_string(getpid())) << '\n';
  std::map<std::string, std::map<std::string, std::string>> sections = {
      {"kafka",
       {{"brokers", brokers_},
        {"group", prefix_},
        {"event_topics", "[\"" + topic("events") + "\", \"" + topic("urgent") + "\"]"},
        {"status_topic", topic("status")},
        {"audit_topic", topic("audit")},
        {"dead_letter_topic", topic("dead-letters")}}},
      {"postgres", {{"dsn", '"' + db_.dsn() + '"'}}},
      {"ssh", {{"private_key_file", LabHost::ssh_key_file()}}},
      {"encryption", {{"key_file", key_file}}},
      {"deliver", {{"retry_base_ms", "50"}, {"retry_max_ms", "1000"}}},
      {"admin", {{"listen", "127.0.0.1:0"}}}};
  for (const auto& [path, value] : options.settings) {
    const auto dot = path.find('.');
    sections[path.substr(0, dot)][path.substr(dot + 1)] = value;
  }
  std::ofstream file(config_file_);
  for (const auto& [section, settings] : sections) {
    file << section << ":\n";
    for (const auto& [name, value] : settings) file << "  " << name << ": " << value << '\n';
  }
  file << "sources:\n"
          "  - {name: billing, tenants: ['*'], types: ['*']}\n"
          "  - {name: security, tenants: ['*'], types: ['peer.*', 'subscriber.*']}\n"
          "  - {name: reseller, tenants: [acme], types: ['peer.*']}\n"
          "  - {name: only-urgent, topics: ["
       << topic("urgent")
       << "], tenants: ['*'], types: ['*']}\n"
          "  - {name: 'peerwright-cli/*', tenants: ['*'], types: ['*']}\n";
}

Process& Installation::start_worker(const std::string& name, const std::map<std::string, std::string>& environment,
                                    const std::map<std::string, std::string>& settings) {
  std::vector<std::string> command = {PEERWRIGHT_BINARY, "--config", config_file_, "--set", "worker.name=" + name};
  for (const auto& [path, value] : settings) {
    command.insert(command.end(), {"--set", path + "=" + value});
  }
  command.emplace_back("run");
  workers_[name] = std::make_unique<Process>(command, environment, directory_ / (name + ".log"));
  return *workers_[name];
}

void Installation::kill_worker(const std::string& name) {
  workers_.at(name)->signal(SIGKILL);
  workers_.at(name)->wait(std::chrono::seconds(10));
  workers_.erase(name);
}

std::string Installation::log_of(const std::string& name) const {
  std::ifstream file(directory_ / (name + ".log"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Installation::publish(const std::vector<TestEvent>& events) {
  std::vector<broker::OutMessage> messages;
  messages.reserve(events.size());
  for (const TestEvent& event : events) {
    messages.push_back({topic("events"), event.key, {{"content-type", "application/cloudevents+json"}}, event.text()});
  }
  for (const auto& answer : producer_->send(messages, kKafkaDeadline)) {
    if (!answer) throw std::runtime_error("not published: " + answer.error().message);
  }
  published_ += static_cast<std::int64_t>(events.size());
}

void Installation::establish(const std::vector<TestEvent>& events) {
  for (const TestEvent& event : events) {
    publish(event);
    const auto [outcome, code] = decision(event.id());
    if (outcome != "accepted") throw std::runtime_error(event.id() + " was not accepted: " + code);
  }
}

void Installation::publish_raw(const broker::OutMessage& message) {
  const std::vector one{message};
  required(producer_->send(one, kKafkaDeadline).front());
  ++published_;
}

std::pair<std::string, std::string> Installation::decision(const std::string& event_id, const std::string& source) {
  TestDatabase::Rows rows;
  const std::string sql =
      "SELECT outcome, code FROM audit WHERE event_id = '" + event_id + "' AND source = '" + source + "'";
  if (!eventually([&] { return !(rows = db_.rows(sql)).empty(); })) {
    ADD_FAILURE() << "no decision about " << source << '/' << event_id << " was stored";
    return {};
  }
  return {rows[0][0], rows[0][1]};
}

bool Installation::settled() {
  const auto answer = db_.rows(
      "SELECT (SELECT coalesce(sum(next_offset), 0) FROM intake),"
      " (SELECT count(*) FROM fan_outs) + (SELECT count(*) FROM wider_fan_outs),"
      " (SELECT count(*) FROM deliveries WHERE due), (SELECT count(*) FROM outbox),"
      " (SELECT chain_no - published_no FROM audit_head), (SELECT count(*) FROM audit WHERE chain_no IS NULL)")[0];
  return std::stoll(answer[0]) >= published_ && answer[1] == "0" && answer[2] == "0" && answer[3] == "0" &&
         answer[4] == "0" && answer[5] == "0";
}

std::string Installation::unsettled() {
  std::string text = "published " + std::to_string(published_);
  for (const char* sql :
       {"SELECT topic, partition, next_offset FROM intake", "SELECT * FROM fan_outs", "SELECT * FROM wider_fan_outs",
        "SELECT * FROM deliveries WHERE due", "SELECT count(*), min(id), max(id), count(parked_code) FROM outbox",
        "SELECT chain_no, published_no FROM audit_head", "SELECT count(*) FROM audit WHERE chain_no IS NULL",
        "SELECT * FROM leases", "SELECT id, name, now() - heartbeat_at FROM workers ORDER BY heartbeat_at DESC LIMIT 4",
        "SELECT count(*) FROM removals",
        "SELECT id, stage, entitlement, generation, applied_generation, proven FROM wanted_peers WHERE generation > "
        "applied_generation"}) {
    text += '\n' + std::string(sql) + ':';
    for (const auto& row : db_.rows(sql)) {
      text += "\n ";
      for (const std::string& field : row) text += ' ' + field;
    }
  }
  return text;
}

namespace {

Installation::Said said_by(const broker::Message& message) {
  Installation::Said said;
  for (const auto& [header, value] : message.headers) {
    if (header == "ce_id") said.id = value;
    if (header == "ce_type") said.type = value;
  }
  said.key = message.key;
  said.body = nlohmann::json::parse(message.payload);
  return said;
}

}  // namespace

const std::vector<Installation::Said>& Installation::statuses() {
  if (!status_reader_) {
    status_listener_ = std::make_unique<FromBeginning>();
    status_reader_ = required(
        broker::Consumer::create({brokers_, {}, {}}, prefix_ + "-statuses", {topic("status")}, *status_listener_));
  }
  constexpr std::chrono::milliseconds kNothingMore{50};
  for (;;) {
    auto polled = required(status_reader_->poll(kNothingMore));
    if (const auto* message = std::get_if<broker::Message>(&polled)) {
      statuses_.push_back(said_by(*message));
    } else if (!std::holds_alternative<broker::EndOfPartition>(polled)) {
      return statuses_;
    }
  }
}

std::vector<Installation::Said> Installation::read_topic(const std::string& name) {
  FromBeginning listener;
  auto consumer = required(broker::Consumer::create({brokers_, {}, {}}, prefix_ + "-reader", {topic(name)}, listener));
  std::vector<Said> all;
  std::set<std::int32_t> ended;
  const bool read = eventually([&] {
    auto polled = required(consumer->poll(std::chrono::milliseconds(200)));
    if (const auto* message = std::get_if<broker::Message>(&polled)) {
      all.push_back(said_by(*message));
    } else if (const auto* end = std::get_if<broker::EndOfPartition>(&polled)) {
      ended.insert(end->position.partition.number);
    }
    return ended.size() == static_cast<std::size_t>(partitions_);
  });
  EXPECT_TRUE(read) << "the topic " << name << " could not be read to its end";
  return all;
}

Finished Installation::cli(std::vector<std::string> arguments, const std::string& input) const {
  std::vector<std::string> command = {PEERWRIGHT_BINARY, "--config", config_file_};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, input);
}

LabHost::Peers wanted_peers(TestDatabase& db, const std::string& server) {
  LabHost::Peers peers;
  const auto rows = db.rows(
      "SELECT w.public_key, host(n.net4 + w.address_offset) || '/32,' || host(n.net6 + w.address_offset) || '/128'"
      " FROM wanted_peers w JOIN servers s ON s.id = w.server_id JOIN networks n ON n.id = w.network_id"
      " WHERE s.name = '" +
      server + "'");
  for (const auto& row : rows) peers[row[0]] = row[1];
  return peers;
}

}  // namespace peerwright::test
