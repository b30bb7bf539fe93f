#pragma once

#include <memory>
#include <string>

#include "keys.hpp"
#include "link.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::ssh {

// One end of an SSH connection.
struct Machine {
  std::string place;  // for messages
  std::string user;
  PinnedKey pinned;
};

// What went wrong before any login. `turned_away`: the other side ended the connection before it said what it is, as
// sshd does with what exceeds its MaxStartups.
struct Failure {
  Error error;
  bool turned_away = false;
};

// Key exchange over a connected stream, the proof that the machine is the pinned one, and the login. `tunnel`: what the
// socket is the far end of, or nullptr. Errors: `ssh_unreachable` (later), `ssh_host_key_changed`, `ssh_login_refused`
// (never).
tl::expected<std::unique_ptr<Link>, Failure> log_in(Socket socket, std::unique_ptr<Tunnel> tunnel,
                                                    const Machine& machine, const KeyHandle& key,
                                                    const Deadline& deadline);

}  // namespace peerwright::ssh
