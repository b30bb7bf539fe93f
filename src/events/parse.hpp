#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "peerwright/base/result.hpp"

namespace peerwright::events {

using Json = nlohmann::json;

// Reads JSON under the limits of envelope.hpp, which are enforced while reading: what breaks one is never built.
// Errors: `message_too_large`, `not_utf8`, `not_json`, `too_deep`, `string_too_long`, `value_invalid` (a NUL in a
// string, which the database cannot store).
Result<Json> parse_json(std::string_view text);

}  // namespace peerwright::events
