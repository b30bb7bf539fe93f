#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"
#include "peerwright/ssh/connect_gate.hpp"

namespace peerwright::domain {
struct Server;
}

namespace peerwright::ssh {

// A host by way of which another one is reached; logged in to with the same key.
struct Jump {
  std::string host;
  int port = 22;
  std::string user = "root";
  std::string host_key;  // pinned as well
};

struct Target {
  std::string host;  // name or address
  int port = 22;
  std::string user = "root";
  std::string host_key;  // pinned: "ssh-ed25519 AAAA..." (a third word is ignored); never trusted on first use
  std::optional<Jump> jump{};
};
// As a server is registered.
Target target_of(const domain::Server& server);

struct Timeouts {
  // TCP, key exchange and login together, on all hops; then, each time, that the host takes a command.
  std::chrono::milliseconds connect{5000};
  std::chrono::milliseconds dead_peer{3000};  // unacknowledged bytes: TCP_USER_TIMEOUT
};

struct ExecResult {
  std::optional<int> exit_status;  // nullopt: unknown (signal, cut connection); never to be taken for success
  std::string out;
  std::string err;  // bounded, for messages
};

// An open SSH session to one host. One thread at a time may use it; different sessions are independent of each other.
// Reads neither the user's nor the system's SSH configuration, no agent, no known_hosts.
class Session {
 public:
  // What sshd turns away for its MaxStartups is tried again until the time is over. `gate`: shared by all who connect
  // to the same hosts; the wait for a place takes as long again at most; nullptr: everybody may come at once. Errors,
  // whose messages say at which of the two hosts: `ssh_unreachable` (later), `ssh_host_key_changed` (never; nothing was
  // sent there after the key exchange), `ssh_login_refused` (never), `ssh_jump_refused` (never: the jump host does not
  // forward), `ssh_key_invalid` (never), `ssh_host_key_invalid` (never: the pinned text is no key).
  static Result<std::unique_ptr<Session>> connect(const Target& target, const Secret& private_key,
                                                  const Timeouts& timeouts, ConnectGate* gate = nullptr);
  virtual ~Session() = default;

  // Runs `command`, writes `input` to its standard input, closes that, and reads until the command has ended or
  // `deadline` passes; where the host does not take it within Timeouts::connect, nothing was sent. A command may end
  // without having read its input. The first `kMaxErrorOutputBytes` of its error output are kept; more than
  // `kMaxOutputBytes` of output is an error. Errors, all `later`:
  //   `ssh_channel_failed`  no byte of `command` was sent: nothing happened on the host
  //   `ssh_in_doubt`        the command may or may not have run; it may be running still
  // After an error the session is of no more use: broken() is true.
  virtual Result<ExecResult> exec(std::string_view command, std::string_view input,
                                  std::chrono::milliseconds deadline) = 0;
  // Asks for the channel of the next command and does not wait for it, so that the next exec() takes two round trips
  // instead of three. For a session that is kept. Where the host refuses it or ends it again, exec() asks for another
  // one, and nothing is asked ahead any more. But a host that fell silent meanwhile is met by the command itself then,
  // and not by the request for a channel: that is `ssh_in_doubt`.
  virtual void open_ahead() = 0;
  [[nodiscard]] virtual bool broken() const = 0;
};

// File descriptors of one session: its connection, or that to the jump host and the two ends of the tunnel.
inline constexpr std::size_t kMostDescriptors = 3;
inline constexpr std::size_t kMaxOutputBytes = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kMaxErrorOutputBytes = 4096;

// The constant script that carries out a push (src/ssh/scripts/push.sh), for wireguard::exec_command.
std::string_view push_script();
// The one that ends a server on its host (src/ssh/scripts/retire.sh), for the same with PushMode::retire.
std::string_view retire_script();
// The one that looks at a host and changes nothing (src/ssh/scripts/observe.sh), for wireguard::observe_command.
std::string_view observe_script();
// The one that makes a server out of a host (src/ssh/scripts/prepare.sh), for wireguard::prepare_command.
std::string_view prepare_script();

}  // namespace peerwright::ssh
