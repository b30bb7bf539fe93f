#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/base/secret.hpp"

namespace peerwright::broker {

// How to reach the brokers. Everything that librdkafka takes may be set by `properties`, but for what the five promises
// rest on (offset reset, auto commit, isolation, assignment, idempotence, acks, partitioner) and what has a setting of
// its own (brokers, group): naming one of those is an error. One list serves consumers and producers; what does not
// concern one of them is ignored there.
struct Connection {
  std::string brokers;  // host:port,host:port
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<std::pair<std::string, Secret>> secret_properties;  // such as sasl.password
  [[nodiscard]] Connection clone() const;
};

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  auto operator<=>(const Partition&) const = default;
};

struct Position {
  Partition partition;
  std::int64_t offset = 0;  // the next to be read
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// A message as it was read; it owns its bytes.
struct Message {
  Partition partition;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;  // the broker's, or the producer's where the topic is so configured; -1: none
  bool has_key = false;
  std::string key;
  std::string payload;
  Headers headers;
};

struct OutMessage {
  std::string topic;
  std::string key;
  Headers headers;
  std::string payload;
};

}  // namespace peerwright::broker
