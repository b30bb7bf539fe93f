#pragma once

#include "parse.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/events/envelope.hpp"

namespace peerwright::events {

struct Opened {
  Envelope envelope;
  Json data;
};

// Tells the mode, reads and checks the attributes, and takes the data out. Errors: those of parse_json, and
// `envelope_invalid`.
Result<Opened> open_envelope(const RawMessage& message);

}  // namespace peerwright::events
