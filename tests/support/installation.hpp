#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "peerwright/broker/consumer.hpp"
#include "peerwright/broker/producer.hpp"
#include "support/events.hpp"
#include "support/lab.hpp"
#include "support/postgres.hpp"
#include "support/process.hpp"

namespace peerwright::test {

struct InstallationOptions {
  int partitions = 4;
  std::map<std::string, std::string> settings;  // YAML path "deliver.poll_ms" -> value, over the defaults
};

// peerwright as an operator runs it: a database, topics on a real broker, a configuration file, and workers as
// processes of their own.
class Installation {
 public:
  explicit Installation(const InstallationOptions& options = {});
  ~Installation();

  TestDatabase& db() { return db_; }
  [[nodiscard]] const std::string& config_file() const { return config_file_; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::string topic(const std::string& name) const { return prefix_ + "." + name; }

  // Starts a worker; its log lies in log_of(name). `environment` may hold PEERWRIGHT_CRASH_AT; `settings` (YAML path ->
  // value) are this worker's own.
  Process& start_worker(const std::string& name, const std::map<std::string, std::string>& environment = {},
                        const std::map<std::string, std::string>& settings = {});
  Process& worker(const std::string& name) { return *workers_.at(name); }
  void kill_worker(const std::string& name);                        // SIGKILL, and it is gone
  [[nodiscard]] std::string log_of(const std::string& name) const;  // its text so far

  // Publishes to the event topic and waits for the acknowledgement.
  void publish(const TestEvent& event) { publish(std::vector{event}); }
  void publish(const std::vector<TestEvent>& events);
  // One after the other, each once the one before was accepted: events of different subjects may lie in different
  // partitions, between which there is no order.
  void establish(const std::vector<TestEvent>& events);
  void publish_raw(const broker::OutMessage& message);

  // (outcome, code) of an event's decision, once it is stored; fails the test when that takes too long.
  std::pair<std::string, std::string> decision(const std::string& event_id, const std::string& source = "billing");
  // Whether every message was executed, every hold carried on, every delivery done and the outbox emptied.
  bool settled();
  // What it would still wait for, for a failure's message.
  std::string unsettled();
  bool wait_settled(std::chrono::seconds limit = std::chrono::seconds(60)) {
    return eventually([this] { return settled(); }, limit);
  }

  struct Said {
    std::string id, type, key;
    nlohmann::json body;
  };
  // Everything on a topic so far, in the order of its partitions.
  std::vector<Said> read_topic(const std::string& name);
  // What the status topic has said up to now, as far as it has arrived; grows from call to call.
  const std::vector<Said>& statuses();

  // Runs the command line with this installation's configuration.
  Finished cli(std::vector<std::string> arguments, const std::string& input = {}) const;

 private:
  void write_config(const InstallationOptions& options);
  std::int64_t end_offsets();

  std::string brokers_;
  std::string prefix_;
  std::filesystem::path directory_;
  std::string config_file_;
  int partitions_;
  TestDatabase db_;
  std::unique_ptr<broker::Producer> producer_;
  std::unique_ptr<broker::AssignmentListener> status_listener_;
  std::unique_ptr<broker::Consumer> status_reader_;
  std::vector<Said> statuses_;
  std::map<std::string, std::unique_ptr<Process>> workers_;
  std::int64_t published_ = 0;
};

// What the database wants on a server, as LabHost shows peers.
LabHost::Peers wanted_peers(TestDatabase& db, const std::string& server);

}  // namespace peerwright::test
