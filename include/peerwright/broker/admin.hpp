#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

struct NewTopic {
  std::string name;
  int partitions = 1;
  std::vector<std::pair<std::string, std::string>> settings;  // such as message.timestamp.type=LogAppendTime
};

// Creates what does not exist yet, with the broker's default replication, and returns when all can be used. A topic
// that exists is left as it is. Errors: `kafka_unreachable` (later), `kafka_topic_refused` (never),
// `kafka_setting_invalid`.
Result<void> create_topics(const Connection& connection, const std::vector<NewTopic>& topics,
                           std::chrono::milliseconds deadline);

// librdkafka's mock cluster of one broker in this process, for demonstrations: it forgets everything with the process,
// ignores topic settings, keeps 5 MiB a partition, reads aborted transactions, does not deduplicate a resend, and may
// let the first member of a group wait 3 s.
class DevBroker {
 public:
  // Error: `dev_broker_failed`.
  static Result<std::unique_ptr<DevBroker>> start(const std::vector<NewTopic>& topics);
  virtual ~DevBroker() = default;
  [[nodiscard]] virtual const std::string& brokers() const = 0;  // host:port
};

}  // namespace peerwright::broker
