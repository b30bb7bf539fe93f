#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/wireguard/host.hpp"

// What a look at a host shows (src/ssh/scripts/observe.sh): the script changes nothing and prints no secret. Pure text.
namespace peerwright::wireguard {

// Nothing that a host may say of time or traffic is beyond these, so that it can be added up and converted: an answer
// with more is none.
inline constexpr std::int64_t kMaxEpochSeconds = std::int64_t{1} << 36;  // in the year 4147
inline constexpr std::int64_t kMaxUptimeSeconds = std::int64_t{1} << 36;
inline constexpr std::int64_t kMaxCounterBytes = (std::int64_t{1} << 62) - 1;  // the sum of two fits

struct ObservedPeer {
  std::string public_key;
  std::int64_t handshake_epoch_seconds = 0;  // the latest, by the host's clock; 0: none since the peer was added
  std::int64_t rx_bytes = 0;                 // both start again at 0 when the peer or the interface is made anew
  std::int64_t tx_bytes = 0;
  std::string endpoint;  // where it was last seen, ip:port; empty: nowhere yet
  std::string state;     // open_state() of it; empty: not told
};

struct HostObservation {
  std::string interface_key;  // public key; empty: the interface has none
  bool up = false;
  int ifindex = 0;  // another one than before without a reboot: the interface was made anew; 0: not told
  std::int64_t now_epoch_seconds = 0;  // the host's clock
  std::optional<double> uptime_seconds;
  int listen_port = 0;     // 0: none
  bool listening = false;  // a UDP socket is open on that port
  bool forwarding4 = false;
  bool forwarding6 = false;
  std::string unit_active;      // as systemctl says of wg-quick@INTERFACE; "unknown" where there is none to ask
  std::string unit_enabled;     // the same
  std::string file_owner;       // of the configuration file; empty: there is no such file
  std::string file_mode;        // octal digits, "600"
  std::string file_hash;        // SHA-256
  std::string firewall_loaded;  // as in HostAnswer
  std::string firewall_state;
  std::string firewall_file;
  std::int64_t push_number = 0;  // the greatest that the host has taken; 0: none yet
  std::vector<ObservedPeer> peers;
};

// The command line to execute on the host, like exec_command(); nothing goes to its standard input. Error:
// `host_setting_invalid`.
Result<std::string> observe_command(const HostInterface& where, int timeout_seconds, std::string_view script);

// Reads what the script said. Only what has its end mark and exit status 0 is an observation; all else is an Error, of
// those of parse_answer: `host_answer_incomplete`, `host_timeout` (later), `interface_missing`, `host_tool_missing`,
// `wg_refused`, `nft_refused` (never).
Result<HostObservation> parse_observation(std::string_view output, std::optional<int> exit_status);

}  // namespace peerwright::wireguard
