#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"

namespace peerwright::cli {

struct TextPlace {
  std::size_t line = 0;    // from 1
  std::size_t column = 0;  // in bytes, from 1
};

// Where the value that a JSON pointer (RFC 6901) names begins in the text; of members of one name, the last. nullopt:
// it is not there, or the text is no JSON up to it.
std::optional<TextPlace> place_of(std::string_view text, std::string_view pointer);

// The place that an error of events::decode is about, where the text is a CloudEvent in structured mode: its message
// names a line and a column, a pointer into the data, or an attribute. nullopt: none that is in the text.
std::optional<TextPlace> place_of_error(const Error& error, std::string_view text);

}  // namespace peerwright::cli
