#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

// The end of a partition was reached: everything below `position.offset` was handed out (also past transaction
// markers).
struct EndOfPartition {
  Position position;
};
// A partition that cannot be read on, while the others go on. Codes: `offset_out_of_range` (never; its position lies
// outside the log), `partition_unknown` (never; it was deleted or never was), `partition_forbidden` (never),
// `partition_unreadable` (later; such as a damaged batch). A restart_at() tries it again. Where a whole topic is
// unknown or forbidden, the number of the partition is -1.
struct PartitionFault {
  Partition partition;
  Error error;
};
struct Nothing {};
using Polled = std::variant<Nothing, Message, EndOfPartition, PartitionFault>;

// Called from poll(), on its thread, and never from the destructor. Errors are the listener's own business: a partition
// without an answer is not read. An answer for a partition that is not assigned is ignored; an offset below 0 is a
// fault.
class AssignmentListener {
 public:
  virtual ~AssignmentListener() = default;
  // Where to begin with each partition; those left out stay assigned, but are not read.
  virtual std::vector<Position> assigned(const std::vector<Partition>& partitions) = 0;
  // They are gone, or about to go: nothing of them that is not committed counts.
  virtual void revoked(const std::vector<Partition>& partitions) = 0;
};

// A member of a consumer group that reads committed messages from positions that its owner keeps elsewhere. Eager
// `range` assignment, no automatic commits, `auto.offset.reset=error`. One thread uses it; the listener outlives it.
class Consumer {
 public:
  // Joins when first polled. Errors: `kafka_setting_invalid`.
  static Result<std::unique_ptr<Consumer>> create(const Connection& connection, const std::string& group,
                                                  const std::vector<std::string>& topics, AssignmentListener& listener);
  // Leaves the group without telling the listener; waits for that at most kCloseDeadline, then abandons the handle
  // with its threads (librdkafka's close can hang).
  virtual ~Consumer() = default;

  // The next message or sign, waiting at most `timeout`. An unreachable broker is Nothing (librdkafka reconnects by
  // itself), with a line in the log when it begins and when it ends. Error: `kafka_fatal` (never: make a new Consumer).
  virtual Result<Polled> poll(std::chrono::milliseconds timeout) = 0;

  // Paused partitions deliver nothing, while poll() keeps the membership alive, also those that are assigned meanwhile.
  // resume() goes on where each stood; what was fetched before is fetched anew, and ends are told again.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // Throws away what was fetched and begins anew at `positions`, for all that is assigned; like an answer of
  // assigned(). Lasts until the next assignment; with nothing assigned it does nothing. Does not lift a pause. Error:
  // `kafka_fatal`.
  virtual Result<void> restart_at(const std::vector<Position>& positions) = 0;
  [[nodiscard]] virtual std::vector<Partition> assignment() const = 0;

  // For lag displays and KEDA only; our own positions live in Postgres. Does not wait.
  virtual void commit(const std::vector<Position>& positions) = 0;

  struct Watermarks {
    std::int64_t low = 0;   // first offset in the log
    std::int64_t high = 0;  // the next one to be written; with a transaction open, the first one of the oldest of them
  };
  // Asked of the broker anew, on this thread. Errors (later): `kafka_unreachable`, also for an unknown partition.
  virtual Result<Watermarks> watermarks(const Partition& partition, std::chrono::milliseconds timeout) = 0;
  // How many partitions the topic has now. Errors (later): `kafka_unreachable`, also for an unknown topic.
  virtual Result<int> partition_count(const std::string& topic, std::chrono::milliseconds timeout) = 0;
  virtual Result<std::string> cluster_id(std::chrono::milliseconds timeout) = 0;

  static constexpr std::chrono::seconds kCloseDeadline{5};
};

}  // namespace peerwright::broker
