#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

// Idempotent, acks=all, partitioner murmur2 (keys land where a Java producer puts them). One thread uses it.
class Producer {
 public:
  // Errors: `kafka_setting_invalid`.
  static Result<std::unique_ptr<Producer>> create(const Connection& connection);
  virtual ~Producer() = default;

  // Sends all and waits until each is acknowledged or given up, at most `deadline`. The answers stand in the order of
  // the messages. What has no acknowledgement may have been written all the same: send it again. Messages with one key
  // keep their order, also across a failure: after the first one of a key that failed, the later ones of that key in
  // this call answer `kafka_unsent` (later) and are not sent where that can still be helped. Errors per message:
  // `kafka_message_refused` (never: too large, unknown topic after the deadline), `kafka_unreachable` (later). A fatal
  // producer is replaced by a new one.
  virtual std::vector<Result<void>> send(std::span<const OutMessage> messages, std::chrono::milliseconds deadline) = 0;
};

}  // namespace peerwright::broker
