#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace peerwright::events {

// What of `data` does not fit the draft-07 schema, as the library says it; "" where it fits.
std::string violation_of(const nlohmann::json& schema, const nlohmann::json& data);

}  // namespace peerwright::events
