#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "peerwright/base/clock.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

inline constexpr std::size_t kMaxSliceBytes = std::size_t{64} * 1024 * 1024;

// Where each partition begins; one that is missing begins at the start of its log.
using Offsets = std::map<std::int32_t, std::int64_t>;

// A part of a topic: at most `count` messages, of one partition or of all, from the first one of a time or later, or
// from offsets.
struct Slice {
  std::string topic;
  std::optional<std::int32_t> partition;  // nullopt: all
  std::variant<Time, Offsets> from;
  std::size_t count = 0;
};

// Reads committed messages, up to the end that the log has now, in the order of the broker's times. Joins no group and
// commits nothing. Errors: `kafka_unreachable` (later; also for an unknown topic), `offset_out_of_range` (never),
// `partition_unknown` (never), `partition_unreadable` (later), `slice_too_large` (never: more than kMaxSliceBytes),
// `kafka_setting_invalid`.
Result<std::vector<Message>> read_slice(const Connection& connection, const Slice& slice,
                                        std::chrono::milliseconds deadline);

}  // namespace peerwright::broker
