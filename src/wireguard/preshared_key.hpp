#pragma once

#include <string_view>

#include "peerwright/base/secret.hpp"

namespace peerwright::wireguard {

// The preshared key that stands for none: `wg` would keep the old one if nothing were said.
inline constexpr std::string_view kZeroKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

// Whether `key` is one: neither empty nor zero.
inline bool is_preshared_key(const Secret& key) { return !key.empty() && key.reveal() != kZeroKey; }

}  // namespace peerwright::wireguard
