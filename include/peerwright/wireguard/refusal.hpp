#pragma once

#include <cstdint>
#include <optional>

#include "peerwright/base/result.hpp"

namespace peerwright::wireguard {

// The push number that the host has seen, of a `push_number_refused`; nullopt of any other error, or where it says
// none.
std::optional<std::int64_t> number_seen_by_host(const Error& error);

}  // namespace peerwright::wireguard
