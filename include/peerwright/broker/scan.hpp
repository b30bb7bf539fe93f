#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

// Reads a topic outside of any group, each partition for itself, up to the ends that it had when it was opened. One
// thread uses it.
class TopicScan {
 public:
  // Errors: `kafka_setting_invalid`; `kafka_unreachable` (later); `kafka_topic_missing` (later): the brokers say that
  // there is no such topic.
  static Result<std::unique_ptr<TopicScan>> open(const Connection& connection, const std::string& topic,
                                                 std::chrono::milliseconds timeout);
  virtual ~TopicScan() = default;

  struct Range {
    std::int64_t low = 0;   // first offset in the log
    std::int64_t high = 0;  // behind the last one
  };
  // One for each partition.
  [[nodiscard]] virtual const std::vector<Range>& ranges() const = 0;
  // Where next() begins in the partition; anew where it was read before.
  virtual Result<void> start(std::int32_t partition, std::int64_t offset) = 0;
  // The next message; nullopt at the end. Errors: `kafka_unreachable` (later): nothing came within `timeout`;
  // `partition_unreadable` (later).
  virtual Result<std::optional<Message>> next(std::int32_t partition, std::chrono::milliseconds timeout) = 0;
};

// What stands first and last in a partition.
struct Ends {
  Message first;
  Message last;
};
// Those of each partition that has messages. Reads no more. The same errors.
Result<std::vector<Ends>> end_messages(const Connection& connection, const std::string& topic,
                                       std::chrono::milliseconds timeout);

}  // namespace peerwright::broker
