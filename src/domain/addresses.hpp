#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "peerwright/domain/decision.hpp"

// Which offset of a network a peer gets; beside offsets_of and take_offset (rules.hpp).
namespace peerwright::domain {

// What was asked for, or the rejection.
template <typename T>
using Judged = tl::expected<T, Decision>;

// What take_offset would give, without taking it.
std::optional<std::int64_t> free_offset(const Network& network);

// The offset of an address (text, one address of either family) that may be handed out now, or
// `address_outside_network`, `address_reserved`, `address_taken`, `address_in_quarantine`. Its use is loaded.
Judged<std::int64_t> asked_offset(const std::string& address, const Network& network, const State& state);

// Takes an offset that asked_offset gave: neither the counter nor the list of released ones gives it again.
void take_asked_offset(Network& network, std::int64_t offset);

}  // namespace peerwright::domain
