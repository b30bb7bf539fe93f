#pragma once

#include <optional>
#include <string_view>

#include "peerwright/base/clock.hpp"

namespace peerwright::events {

// A time of RFC 3339: date, time, an optional fraction and a zone. Digits beyond microseconds are cut off. nullopt: it
// is none, its date does not exist, or it lies before 1970.
std::optional<Time> time_from_rfc3339(std::string_view text);

}  // namespace peerwright::events
