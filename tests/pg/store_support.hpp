#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/store/delivery.hpp"
#include "peerwright/store/intake.hpp"
#include "peerwright/store/publish.hpp"
#include "peerwright/store/sweep.hpp"
#include "peerwright/store/workers.hpp"
#include "support/events.hpp"
#include "support/postgres.hpp"
#include "support/process.hpp"

namespace peerwright::test {

inline constexpr const char* kTopic = "events";

// A message as the broker would hand it over; the arrivals that point into it live shorter.
struct Message {
  std::string topic = kTopic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Time broker_time;
  std::string key;
  std::string payload;
};
store::Arrival arrival_of(const Message& message);

// What stands in the partitions, and positions in them.
class Log {
 public:
  // Appends behind what is there; the broker's time grows by a second unless told.
  const Message& append(const TestEvent& event, std::int32_t partition = 0, std::optional<Time> time = std::nullopt);
  const Message& append_text(const std::string& text, std::int32_t partition = 0, const std::string& key = {});
  // The message as a batch of its own, and the cursor that moves over it.
  static std::vector<store::Arrival> batch(const std::vector<const Message*>& messages);
  static std::vector<store::Cursor> cursors(const std::vector<const Message*>& messages);

 private:
  std::deque<Message> messages_;  // a deque: views into it stay valid
  std::map<std::int32_t, std::int64_t> next_;
  std::int64_t seconds_ = 0;
};

// A host that does what it is told: kernel and saved file, and the number of the last push.
class FakeHost {
 public:
  // Executes the push as the script would; nullopt where the host refuses its number.
  std::optional<wireguard::HostAnswer> run(const store::PlannedPush& push);
  static wireguard::Proof proof(const store::PlannedPush& push, const wireguard::HostAnswer& answer);
  [[nodiscard]] std::set<std::string> keys() const;

  std::map<std::string, wireguard::HostPeer> peers;
  std::int64_t push_number = 0;
  int runs = 0;
};

// One transaction of somebody else, open until it ends: what the stores have to wait for, or to pass over.
class Other {
 public:
  explicit Other(TestDatabase& db) : connection_(db.dsn()), work_(connection_) {}
  pqxx::result execute(const std::string& sql) { return work_.exec(sql); }
  void commit() { work_.commit(); }

 private:
  pqxx::connection connection_;
  pqxx::work work_;
};

// A database with a network and servers in it, and the stores of one worker.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest();

  // Registers a server (and its network) over intake, as everything else comes in. A null member of `network` takes its
  // default away.
  void register_server(const std::string& server = "srv", const nlohmann::json& network = nlohmann::json::object(),
                       const nlohmann::json& settings = nlohmann::json::object());
  TestEvent provision(const std::string& peer, const std::string& subscriber = {}, const std::string& server = "srv");
  static std::string key_pair();  // a new public key
  [[nodiscard]] std::string key_of(const std::string& peer) { return keys_.at(peer); }

  // Appends the events to a partition and executes them in one batch; fails the test where that fails.
  store::BatchReport execute(const std::vector<TestEvent>& events, std::int32_t partition = 0);
  Result<store::BatchReport> execute(store::IntakeStore& store, const std::vector<const Message*>& messages);
  // (outcome, code) of the event's last decision.
  std::pair<std::string, std::string> decision(const TestEvent& event);
  std::string entitlement(const std::string& peer);
  std::int64_t of_peer(const std::string& peer, const std::string& column);
  std::string of_delivery(const std::string& column, const std::string& server = "srv");
  domain::Id server_id(const std::string& server = "srv");
  std::set<std::string> removal_keys();
  void fan_out();
  // Carries everything on to those that it concerns.
  void sweep_all();
  // All partitions are caught up as of now.
  void caught_up(int partitions = kPartitions);
  // Decides the timers that are due; how many.
  std::size_t run_timers(std::chrono::milliseconds margin = std::chrono::milliseconds(0));
  // Moves the clock by which things fall due.
  void set_clock_ahead(const std::string& interval);

  // Due servers, those that failed before behind the others.
  std::vector<domain::Id> claimed(store::DeliveryStore& store, const std::string& worker, int most);
  // Claims and delivers until nothing is due for the worker; fails the test where that takes more than `most` pushes.
  // How many it took.
  int deliver(store::DeliveryStore& store, const std::string& worker, FakeHost& host, int most = 20);
  // Claims the one due server and plans; fails the test where nothing is due.
  store::PlannedPush planned(store::DeliveryStore& store, const std::string& worker);
  void silence(const std::string& worker);  // its last heartbeat lies an hour back
  // Waits until `count` sessions of this database wait for a lock.
  bool waiting_for_locks(int count = 1);

  static constexpr int kPartitions = 8;
  static constexpr store::DeliveryLimits kLimits{100, 100, 50, {2, 60}};
  static constexpr std::chrono::milliseconds kDeadAfter{std::chrono::minutes(10)};  // however slow a test is

  TestDatabase db;
  Sealer sealer;
  Log log;
  store::IntakeStore intake;
  store::SweepStore sweep;
  store::WorkerStore workers;
  store::DeliveryStore delivery;
  std::string me;  // a worker's id
  FakeHost host;

 private:
  std::map<std::string, std::string> keys_;
};

}  // namespace peerwright::test
