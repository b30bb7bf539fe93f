#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/wireguard/host.hpp"

// What the answers of all scripts on a host have in common: lines, an end mark, refusals with an exit status each.
namespace peerwright::wireguard {

// `host_answer_incomplete`: the outcome is unknown.
tl::unexpected<Error> incomplete(std::string_view why);

// Why an answer cannot be read: `why`, or `host_login_prints` where it has an end mark, and its first word, but not at
// its beginning.
tl::unexpected<Error> unread(Error why, std::string_view output, std::string_view first_word);

// The lines of a text of which every one has its end; empty where the last has none.
std::vector<std::string_view> lines_of(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

bool is_sha256(std::string_view text);
// "-" is none.
bool is_sha256_or_none(std::string_view text);
std::string sha256_or_empty(std::string_view text);
// The words after `firewall`: hashes or "-", the first two also kUnreadableHash.
bool are_firewall_hashes(const std::vector<std::string_view>& words);
// Digits only; nullopt where they are none or too many.
std::optional<std::int64_t> number_of(std::string_view digits);

// A peer out of the words that all scripts say of one. A file may hold anything: what is no value stays in it as it is
// (`tolerant`) and so equals nothing that is wanted. `key` has been checked.
std::optional<HostPeer> host_peer_of(std::string_view key, std::string_view keepalive, std::string_view prefixes,
                                     bool tolerant);

// Why a script's exit status is not 0: the refusal that its last two lines ("error CODE DETAIL", then `end` and the
// code) agree on with it, or what stopped the script. `end` is the end mark without the code.
Error failure_of(std::string_view output, int exit_status, std::string_view end);

}  // namespace peerwright::wireguard
