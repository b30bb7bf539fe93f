#pragma once

#include <chrono>
#include <string>

#include "deadline.hpp"
#include "handles.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::ssh {

// A non-blocking TCP connection to `host` (a name or an address), made by `deadline`: every address of a name is tried,
// each with its share of the time. The kernel gives the connection up when bytes stay unacknowledged for `dead_peer`.
// Error: `ssh_unreachable` (later).
Result<Socket> connect_tcp(const std::string& host, int port, const Deadline& deadline,
                           std::chrono::milliseconds dead_peer);

}  // namespace peerwright::ssh
