#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peerwright/domain/state.hpp"
#include "peerwright/events/envelope.hpp"

// Messages that cannot be executed now: whom they concern, and their originals.
namespace peerwright::store {

// Whom a message concerns: timers of these wait, and so does their configuration.
struct Concerned {
  std::string tenant;                 // "" with no subjects: could be read nowhere, so it may be anybody
  std::vector<std::string> subjects;  // "peer/NAME", "subscriber/NAME", ..., its own subject first; empty: all of it
};
Concerned concerned_by(const domain::Refs& refs);
// As far as the message's JSON shows it, else as its key says.
Concerned concerned_by(const events::RawMessage& raw, std::string_view key);

// The original of a dead letter, as pack_original wrote it; nullopt where it is none.
struct Original {
  std::string key;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string payload;
};
std::optional<Original> unpack_original(std::string_view packed);

}  // namespace peerwright::store
