#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace peerwright::events {

// The bytes of a message and its headers, as they came. Views: the caller keeps them alive.
struct RawMessage {
  std::string_view payload;
  const std::vector<std::pair<std::string, std::string>>* headers = nullptr;
};

// The attributes of a CloudEvent (1.0) in JSON. Structured mode: the content type is application/cloudevents+json, or
// there is no ce_ header and the payload is an object with "specversion". Else binary mode: ce_ headers, and the
// payload is the data. Extensions that are not named here are ignored.
struct Envelope {
  std::string id;       // never empty
  std::string source;   // never empty
  std::string type;     // peerwright.<name>.v<version>
  std::string subject;  // may be empty
  std::string time;     // RFC 3339 as sent; may be empty
  std::optional<std::int64_t> sequence;
  std::string traceparent;  // W3C; from the header of that name, else the extension; empty where malformed
};

inline constexpr std::size_t kMaxMessageBytes = 1024 * 1024;
inline constexpr std::size_t kMaxDepth = 32;          // arrays and objects inside of each other, the outermost counted
inline constexpr std::size_t kMaxStringBytes = 4096;  // of each string and each member name in the JSON
inline constexpr std::size_t kMaxValues = 10'000;     // in one message: bounds memory and the work of validation
inline constexpr std::size_t kMaxAttributeBytes = 256;  // of each attribute

}  // namespace peerwright::events
