#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/base/seal.hpp"
#include "peerwright/domain/decision.hpp"
#include "peerwright/events/catalogue.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

// One message of a batch, decoded or refused. The views point into the caller's message, which outlives the call.
struct Arrival {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Time broker_time;
  std::string_view key;
  events::RawMessage raw;
  std::optional<events::Event> event;  // nullopt: a dead letter, for the reason in `refusal`
  Error refusal;
  std::optional<domain::Decision> verdict;  // decided already, without a look at the database: the source is not bound
};

// A partition that a batch moves on: from where it must stand to behind the batch's last message.
struct Cursor {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t expected = 0;
  std::int64_t next = 0;
};

struct BatchReport {
  std::size_t executed = 0;
  std::size_t duplicates = 0;
  std::size_t dead_letters = 0;
  std::map<std::pair<std::string, std::string>, std::size_t> results;  // (type, outcome) -> count
  std::map<std::string, std::size_t> rejections;                       // by code
  std::map<std::string, std::size_t> dead_letter_codes;
  std::size_t reused_ids = 0;  // same source and id with another payload
  bool due = false;            // deliveries became due
  bool fan_out = false;        // peers have to follow a hold
};

// Intake's way into the database. One thread uses it.
class IntakeStore {
 public:
  // `database` and `sealer` outlive it.
  IntakeStore(const Database& database, const Sealer& sealer);
  ~IntakeStore();

  // Executes a batch in one transaction: offsets by compare-and-set, inbox, identities, locks, load, decide, store.
  // Beside the errors of Db::transact: `offset_moved` (later): another worker has been here; read the positions again.
  Result<BatchReport> execute(std::span<const Arrival> batch, std::span<const Cursor> cursors);

  // A message that cannot be executed, in a transaction of its own: dead letter, offset.
  Result<BatchReport> bury(const Arrival& message, const Cursor& cursor, const Error& why);

  // Where to read on. Partitions without an entry are missing in the answer.
  using Partitions = std::vector<std::pair<std::string, std::int32_t>>;
  Result<std::map<std::pair<std::string, std::int32_t>, std::int64_t>> positions(const Partitions& partitions);
  // Begins a partition that was never read, and answers where: at `low` where the topic had it when this installation
  // saw the topic first (with `partition_count` partitions, if this is that moment), else at 0.
  Result<std::int64_t> begin_partition(const std::string& topic, std::int32_t partition, std::int64_t low,
                                       int partition_count = kAllPartitions);
  static constexpr int kAllPartitions = std::numeric_limits<int>::max();
  // Remembers the Kafka cluster at first, and compares later. Error: `kafka_cluster_changed` (never).
  Result<void> check_cluster(const std::string& cluster_id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The original of a dead letter as it is sealed: key and headers in a line of JSON, then the payload's bytes.
std::string pack_original(std::string_view key, const events::RawMessage& raw);

}  // namespace peerwright::store
