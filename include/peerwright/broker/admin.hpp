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

// Creates what does not exist yet. Errors: `kafka_unreachable` (later), `kafka_topic_refused` (never).
Result<void> create_topics(const Connection& connection, const std::vector<NewTopic>& topics,
                           std::chrono::milliseconds deadline);

// librdkafka's mock cluster of one broker in this process, for demonstrations: it forgets everything with the process.
class DevBroker {
 public:
  // Error: `dev_broker_failed`.
  static Result<std::unique_ptr<DevBroker>> start(const std::vector<NewTopic>& topics);
  virtual ~DevBroker() = default;
  [[nodiscard]] virtual const std::string& brokers() const = 0;  // host:port
};

}  // namespace peerwright::broker
