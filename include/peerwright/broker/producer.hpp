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

  // Sends all and waits until each is acknowledged or given up, at most `deadline` (and up to 1.5 s to take back what
  // is still unsent, so that nothing is sent behind the caller's back). The answers stand in the order of the messages.
  // What has no acknowledgement may have been written all the same: send it again. Messages with one key keep their
  // order in their topic, also across a failure: after the first one of a key that failed, the later ones of that key
  // in this call answer `kafka_unsent` (later) and are not sent where that can still be helped; those that were written
  // already are to be sent again all the same, so that the last word stands last in the log. An empty key is none: such
  // messages have no order. Errors per message: `kafka_message_refused` (never: over 12 MiB or over the topic's limit,
  // or refused by the broker's validation), `kafka_topic_missing` (later: a broker says at the deadline, or after 5 s,
  // that its topic does not exist), `kafka_unreachable` (later; also without permission, for that is no fault of the
  // message). A fatal producer is replaced by a new one.
  virtual std::vector<Result<void>> send(std::span<const OutMessage> messages, std::chrono::milliseconds deadline) = 0;
};

}  // namespace peerwright::broker
