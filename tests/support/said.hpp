#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "support/installation.hpp"

namespace peerwright::test {

// Waits until a status of this type ("peer.status") says what `wanted` asks for; its body, or null after the limit
// (which fails the test).
nlohmann::json wait_said(Installation& installation, const std::string& type,
                         const std::function<bool(const nlohmann::json&)>& wanted,
                         std::chrono::seconds limit = std::chrono::seconds(30));
// The same for members that have to be equal: {"peer": "P1", "delivery": "applied"}.
nlohmann::json wait_said(Installation& installation, const std::string& type, const nlohmann::json& members);

// The database's clock, for everything that is due at a time, moves so far ahead.
void move_clock(Installation& installation, std::chrono::seconds ahead);

}  // namespace peerwright::test
