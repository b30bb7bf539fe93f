#pragma once

#include <string>

namespace peerwright::events {

// docs/reference/events.md, made from the schemas, their examples and the catalogue.
std::string events_reference_markdown();

}  // namespace peerwright::events
