#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

// What is said to the script on a VPS host (src/ssh/scripts/push.sh) and how its answer is read: pure text, both ways.
namespace peerwright::wireguard {

// One [Peer] as it is to stand on a host.
struct PeerConfig {
  std::string public_key;                // checked by check_public_key
  std::vector<std::string> allowed_ips;  // canonical prefixes with length, sorted as text
  int keepalive_seconds = 0;             // 0: off, at most 65535
  Secret preshared_key;                  // base64; empty: none
};

// One line that says all that a host can show of a peer; equal lines mean equal state. A preshared key appears as the
// first 16 hexadecimal digits of its SHA-256, "none" without one.
std::string fingerprint(const PeerConfig& peer);

// Where and as whom a script runs. The fields are checked by exec_command.
struct HostInterface {
  std::string interface;    // wg0
  std::string config_path;  // /etc/wireguard/wg0.conf
  std::string exec_prefix;  // put before the command, such as "podman exec -i wg"; empty: none
  std::string installation_id;
  std::string expected_key{};  // public key of the right interface; empty: not known yet
};

enum class PushMode {
  push,     // remove, add, save, read back what was touched
  reading,  // change nothing but the push number; read back the whole interface
};

// The command line to execute on the host: `exec_prefix timeout ... sh -c SCRIPT peerwright ...`. It holds no secret.
// `timeout_seconds` bounds the whole run on the host. Error: `host_setting_invalid` (characters that have no place in
// an interface, path or prefix).
Result<std::string> exec_command(const HostInterface& where, PushMode mode, std::int64_t push_number,
                                 int timeout_seconds, std::string_view script);

struct PushPlan {
  std::vector<std::string> removals;  // public keys
  std::vector<PeerConfig> peers;      // to be added or changed
  // Keys whose preshared keys the answer's hashes cover, besides those of `peers`: for a reading, all that are wanted
  // there; empty for a push.
  std::vector<std::string> hashed_keys;
};

// What goes to the script's standard input, up to its end mark. A Secret, for it holds preshared keys. The plan's keys
// and prefixes have been checked; no key stands in it twice, and no prefix.
Secret render_push(const PushPlan& plan);

// A peer as the host shows it. A saved file may also hold what is no value: such a prefix stays as it is, such a
// keepalive is kUnreadableKeepalive, and a key may stand in it twice; none of them equals anything wanted.
inline constexpr int kUnreadableKeepalive = -1;
struct HostPeer {
  std::string public_key;
  std::vector<std::string> allowed_ips;  // canonical, sorted as text
  int keepalive_seconds = 0;             // 0: off
  bool operator==(const HostPeer&) const = default;
};

struct HostAnswer {
  std::string interface_key;  // public key of the interface; empty: it has none
  std::int64_t push_number = 0;
  std::vector<HostPeer> kernel;  // of the keys that the plan touched, or, in a reading, of all
  std::vector<HostPeer> file;    // the same, out of the saved file
  // SHA-256 over a line "PUBLICKEY PRESHAREDKEY" ("none" without one) for each key that the plan asks it for and that
  // kernel, or file, has, in ascending order.
  std::string kernel_secrets_hash;
  std::string file_secrets_hash;
  std::string file_hash;  // SHA-256 of the saved file
};

// Reads the script's answer. Only one with its end mark, exit status 0 and `push_number` is an answer at all. Errors:
//   `host_answer_incomplete` (later)  no exit status, no end mark, or a short line: the outcome is unknown
//   `push_number_refused` (later)     the host has seen this number or a greater one, which the message ends with
//   `host_of_other_installation`, `prefix_taken_on_host`, `host_tool_missing`, `host_config_missing`,
//   `interface_missing`, `wg_refused`, `interface_key_changed` (never),
//   `host_busy`, `host_storage_failed`, `host_timeout` (later)
Result<HostAnswer> parse_answer(std::string_view output, std::optional<int> exit_status, std::int64_t push_number);

// What an answer proves about each key of the plan (and, in a reading, about each of `wanted` and each key on the
// host): the fingerprint that kernel and saved file both show, "" where both show nothing, or nullopt where they differ
// from each other or hold something that no fingerprint of the plan explains. One wrong preshared key leaves all peers
// unproven, for the host tells only a hash over all of them.
using Proof = std::map<std::string, std::optional<std::string>, std::less<>>;
Proof prove_push(const PushPlan& plan, const HostAnswer& answer);
Proof prove_reading(const std::vector<PeerConfig>& wanted, const HostAnswer& answer);

}  // namespace peerwright::wireguard
