#pragma once

#include <optional>
#include <string_view>

namespace peerwright::wireguard {

// What a login to a host may do there, and so how a script is run: where the scripts lie on the host, only the command
// below can be run, and it runs nothing but them (src/ssh/scripts/hand.sh).
enum class WayIn {
  shell,   // anything: the script travels in the command
  sudo,    // one fixed command by sudo; the scripts lie on the host
  forced,  // the login's key has one fixed command, which takes its words from what it is asked for; the same
};
inline constexpr std::string_view kHandCommand = "/usr/local/lib/peerwright/hand";

const char* name_of(WayIn way);
std::optional<WayIn> way_in_from(std::string_view name);

}  // namespace peerwright::wireguard
