#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"
#include "peerwright/wireguard/way_in.hpp"

// What is said to the script on a VPS host (src/ssh/scripts/push.sh) and how its answer is read: pure text, both ways.
namespace peerwright::wireguard {

// One [Peer] as it is to stand on a host.
struct PeerConfig {
  std::string public_key;                // checked by check_public_key
  std::vector<std::string> allowed_ips;  // canonical prefixes with length, sorted as text
  int keepalive_seconds = 0;             // 0: off, at most 65535
  Secret preshared_key;                  // base64; empty: none
  // Where the host is to look for the peer, a literal ip:port; empty: left as it is. A peer moves by itself, so this is
  // given when the peer is made or somebody changes it, and is no part of its fingerprint.
  std::string endpoint{};
  // The host has a preshared key for it that is not known here: it can be compared with what stands there, and is never
  // part of a push, which would take that key away.
  bool keeps_preshared_key = false;
};

// One line that says all that a host is to show of a peer; equal lines mean equal state. A preshared key appears as the
// first 16 hexadecimal digits of its SHA-256, "none" without one, "kept" where only the host knows it.
std::string fingerprint(const PeerConfig& peer);

// Where and as whom a script runs. The fields are checked by exec_command.
struct HostInterface {
  std::string interface;    // wg0
  std::string config_path;  // /etc/wireguard/wg0.conf
  std::string exec_prefix;  // with the way shell, put before the command, such as "podman exec -i wg"; empty: none
  std::string installation_id;
  std::string expected_key{};  // public key of the right interface; empty: not known yet
  WayIn way = WayIn::shell;
};

enum class PushMode {
  push,     // remove, add, save, read back what was touched
  reading,  // change nothing but the push number; read back the whole interface
  look,     // the same, and leave the push number as it is: for people, for it proves nothing to the database
  retire,   // the end: take interface, unit, firewall and saved file away, and read back that they are absent
};

// The command line to execute on the host: `exec_prefix timeout ... sh -c SCRIPT peerwright ...`, or, where the scripts
// lie on the host, plain words that name this one by its hash: `push SHA256 ...`, after `sudo -n` and the dispatcher's
// path or without. It holds no secret. `timeout_seconds` bounds the whole run on the host. `script` is retire.sh for
// the mode of that name, push.sh for the others. Error: `host_setting_invalid` (characters that have no place in an
// interface, path or prefix).
Result<std::string> exec_command(const HostInterface& where, PushMode mode, std::int64_t push_number,
                                 int timeout_seconds, std::string_view script);

struct PushPlan {
  std::vector<std::string> removals;  // public keys
  std::vector<PeerConfig> peers;      // to be added or changed
  // Keys whose preshared keys the answer's hashes cover, besides those of `peers`: for a reading, all that are wanted
  // there with one; empty for a push. Of a key without one it is enough that the answer says so.
  std::vector<std::string> hashed_keys;
  // For a reading, equal_listing() of all that is wanted there: a host that shows just this need not spell it out, and
  // parse_answer has to be given the same. Empty: it is spelt out in any case. A push of more than kSpeltOutPeers says
  // the same of `peers` by itself.
  std::string equal_listing{};
  // These two are for a push; a reading changes neither. A push whose firewall is refused has done its removals
  // and saved them, and no more.
  // The table that is to be loaded and saved (render_firewall); "": it is to be gone; nullopt: left as it is.
  std::optional<std::string> firewall{};
  // A new private key for the interface, base64, which also goes into the saved file's [Interface]; empty: none. A host
  // that has it already is taken for the right one, whatever `expected_key` says: the push can be repeated.
  Secret interface_key{};
};

inline constexpr std::size_t kSpeltOutPeers = 100;

// What goes to the script's standard input, up to its end mark. A Secret, for it holds keys. The plan's keys
// and prefixes have been checked; no key stands in it twice, and no prefix.
Secret render_push(const PushPlan& plan);

// SHA-256 over what the lines of an answer say, without their first word, of an interface that has `peers` and nobody
// else, each key once; the same for its saved file.
std::string equal_listing(const std::vector<PeerConfig>& peers);

// A peer as the host shows it. A saved file may also hold what is no value: such a prefix stays as it is, such a
// keepalive is kUnreadableKeepalive, and a key may stand in it twice; none of them equals anything wanted.
inline constexpr int kUnreadableKeepalive = -1;
struct HostPeer {
  std::string public_key;
  std::vector<std::string> allowed_ips;  // canonical, sorted as text
  int keepalive_seconds = 0;             // 0: off
  bool has_preshared_key = false;        // which one, is never told
  bool operator==(const HostPeer&) const = default;
};

// How the host is to show a peer.
HostPeer as_shown(const PeerConfig& peer);

// What a fingerprint says beside the preshared key: a fingerprint begins with it, and goes on with " psk=".
std::string open_state(const HostPeer& peer);

inline constexpr std::string_view kUnreadableHash = "?";
struct HostAnswer {
  std::string interface_key;         // public key of the interface; empty: it has none
  bool keeps_interface_key = false;  // it was not given the plan's: the worker itself comes through it
  std::int64_t push_number = 0;
  std::vector<HostPeer> kernel;  // of the keys that the plan touched, or, in a reading, of all
  std::vector<HostPeer> file;    // the same, out of the saved file
  // SHA-256 over a line "PUBLICKEY PRESHAREDKEY" ("none" without one) for each key that the plan asks it for, which is
  // each that is to have one, and that kernel, or file, has, in ascending order.
  std::string kernel_secrets_hash;
  std::string file_secrets_hash;
  std::string file_hash;           // SHA-256 of the saved file
  std::string file_interface_key;  // public key of the PrivateKey in the saved file; empty: it has none, or no key
  // Of the interface's own nftables table, all SHA-256 in hexadecimal. The first and the last are firewall_hash() of
  // the text in question.
  // Where nft does not tell, the first two are kUnreadableHash, which equals nothing.
  std::string firewall_loaded;  // that the loaded table carries; empty: there is no table, or one that carries none
  std::string firewall_state;   // of what `nft list table` shows, for drift; empty: there is no table
  std::string firewall_file;    // of the saved text; empty: none is saved
};

// Reads the script's answer. Only one with its end mark, exit status 0 and `push_number` is an answer at all. Errors:
//   `host_answer_incomplete` (later)  no exit status, no end mark, or a short line: the outcome is unknown
//   `push_number_refused` (later)     the host has seen this number or a greater one, which the message ends with
//   `host_of_other_installation`, `prefix_taken_on_host`, `host_tool_missing`, `host_config_missing`,
//   `interface_missing`, `wg_refused`, `nft_refused`, `interface_key_changed`, `host_script_outdated`,
//   `host_command_refused` (never),
//   `host_busy`, `host_storage_failed`, `host_timeout` (later)
//   `own_way_cut` (never)             the plan for the key that the message ends with would cut the worker off
// `equal_to` is what the plan's `equal_listing` was made of, or the `peers` of a push; the answer then shows it where
// the host says that it does.
Result<HostAnswer> parse_answer(std::string_view output, std::optional<int> exit_status, std::int64_t push_number,
                                const std::vector<PeerConfig>& equal_to = {});

// Reads the answer of the mode retire, with the errors above and
//   `peers_left_on_host` (later)      the key that the message ends with is not in the plan: nothing was taken down
//   `host_step_failed` (never)        a step failed; what was done is seen, and not done twice
// An answer shows nothing: the interface, its firewall and the saved file are absent, and with them every key.
Result<HostAnswer> parse_retired(std::string_view output, std::optional<int> exit_status, std::int64_t push_number);

// Why a command did not come as far as the dispatcher that a way other than shell leads to, where that is certain;
// nothing was run on the host then. nullopt: the answer speaks for itself. Errors, all `never`: `host_script_outdated`
// (there is no dispatcher), `host_sudo_refused`.
std::optional<Error> closed_way(WayIn way, std::optional<int> exit_status, std::string_view output,
                                std::string_view error_output);

// What an answer proves about each key of the plan (and, in a reading, about each of `wanted` and each key on the
// host): the fingerprint that kernel and saved file both show, "" where both show nothing, or nullopt where they differ
// from each other or hold something that no fingerprint of the plan explains. One wrong preshared key leaves all peers
// that have one unproven, for the host tells only a hash over all of them.
using Proof = std::map<std::string, std::optional<std::string>, std::less<>>;
Proof prove_push(const PushPlan& plan, const HostAnswer& answer);
Proof prove_reading(const std::vector<PeerConfig>& wanted, const HostAnswer& answer);

// Whether the host has the plan's firewall both loaded and saved, or, where none is wanted, neither; true where the
// plan leaves it as it is. A loaded table that was changed by hand still carries its hash: see firewall_state.
bool proves_firewall(const PushPlan& plan, const HostAnswer& answer);

// Whether interface and saved file both have the plan's new key; true where it has none.
bool proves_interface_key(const PushPlan& plan, const HostAnswer& answer);

}  // namespace peerwright::wireguard
