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
  bool blocks =
      true;  // where it cannot be executed, those whom it concerns wait; false: its source may not speak of them
  domain::Prepared prepared;                // secrets that were made or opened for it, sealed for the database
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
  std::size_t kept = 0;        // for a newer version of this program
  std::map<std::string, std::size_t> kept_codes;
  std::map<std::string, std::size_t> alerts;  // accepted decisions that a person should hear of, by code
  bool due = false;                           // deliveries became due
  bool sweep = false;                         // others have to follow, or a timer is due
};

// A message that was not executed when it was read, with its first place.
struct KeptMessage {
  std::int64_t id = 0;  // of its row
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Time broker_time;
  std::string key;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string payload;
};

// That intake was caught up: everything before `next_offset` is committed, and the end that the broker named when it
// was asked, at `asked` by the database's clock, was passed.
struct CaughtUp {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t next_offset = 0;
  Time asked;
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
  // The database's clock, by which everything is judged that is due at a time.
  Result<Time> clock();
  // Notes how far intake has caught up, where each partition still stands as it is said, and how many partitions the
  // topics have now.
  Result<void> note_caught_up(std::span<const CaughtUp> marks, const std::map<std::string, int>& partition_counts);
  // Offset and hash (message_hash) of the last message that was executed; nullopt where there was none.
  Result<std::optional<std::pair<std::int64_t, std::string>>> last_message(const std::string& topic,
                                                                           std::int32_t partition);

  // Messages that are kept and that this version may execute now (types it knows, or that an operator wants replayed),
  // in the order of their places, from behind `after` on.
  Result<std::vector<KeptMessage>> replayable(const std::vector<std::string>& known_types, const domain::Place& after,
                                              int most);
  // Executes one of them in a transaction of its own, with its first place. Nothing happens where it is not kept any
  // more, or waits for an earlier one. Where it cannot be executed still, it stays, with the reason.
  Result<BatchReport> replay(std::int64_t id, const Arrival& message);

  // Remembers the Kafka cluster at first, and compares later. Error: `kafka_cluster_changed` (never).
  Result<void> check_cluster(const std::string& cluster_id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The tenant that a message concerns which cannot be decoded, as far as it or its key shows one; "": something that
// belongs to no tenant, or nobody knows whom.
std::string concerned_tenant(const events::RawMessage& raw, std::string_view key);

// SHA-256 (32 bytes) of key, headers and payload: by which a message is known again.
std::string message_hash(std::string_view key, const events::RawMessage& raw);

// The original of a dead letter as it is sealed: key and headers in a line of JSON, then the payload's bytes.
std::string pack_original(std::string_view key, const events::RawMessage& raw);

}  // namespace peerwright::store
