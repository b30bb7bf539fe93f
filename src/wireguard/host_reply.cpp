#include "host_reply.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/prefix.hpp"
#include "peerwright/wireguard/refusal.hpp"

namespace peerwright::wireguard {
namespace {

constexpr int kTimedOut = 124;  // timeout(1)
constexpr int kKilled = 137;    // by timeout -k, or by the kernel
constexpr int kTerminated = 143;
constexpr int kCommandNotFound = 127;
constexpr int kSudoRefused = 1;
constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kMaxDetailChars = 200;

constexpr int kMaxKeepaliveSeconds = 65535;

std::optional<int> keepalive_of(std::string_view text, bool tolerant) {
  if (text == "off") return 0;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size() && seconds >= 0 && seconds <= kMaxKeepaliveSeconds) {
    return seconds;
  }
  return tolerant ? std::optional<int>(kUnreadableKeepalive) : std::nullopt;
}

std::optional<std::vector<std::string>> prefixes_of(std::string_view text, bool tolerant) {
  std::vector<std::string> prefixes;
  if (text == "(none)") return prefixes;
  for (const auto part : split(text, ',')) {
    const auto prefix = Prefix::parse(part);
    if (!prefix && !tolerant) return std::nullopt;
    prefixes.push_back(prefix ? prefix->network().text() : std::string(part));
  }
  std::sort(prefixes.begin(), prefixes.end());
  return prefixes;
}

struct Refusal {
  std::string_view code;
  Retry retry;
  std::string_view message;
  std::string_view remedy;
};

// In the order of the script's exit statuses, of which the first is kFirstRefusal.
constexpr int kFirstRefusal = 10;
constexpr std::array<Refusal, 19> kRefusals{{
    {"plan_incomplete", Retry::later,
     "the host received only a part of the plan and did nothing:", "nothing: it is sent again"},
    {"push_number_refused", Retry::later, "the host has already seen push number",
     "nothing to do once; where it stays so, the database was restored from a backup: run peerwright recover"},
    {"host_of_other_installation", Retry::never, "the interface belongs to installation",
     "retire the server there, or remove CONFIG.push on the host if that installation is gone"},
    {"prefix_taken_on_host", Retry::never, "a peer that the plan does not know holds a prefix of it:",
     "adopt or remove that peer, or give the new one other addresses"},
    {"host_tool_missing", Retry::never, "a tool is missing on the host:", "install it on the host"},
    {"host_config_missing", Retry::never, "no usable configuration file on the host:",
     "write it, with one [Interface], or correct the server's configuration path"},
    {"interface_missing", Retry::never, "the host has no WireGuard interface", "bring the interface up on the host"},
    {"wg_refused", Retry::never, "the host's wg refused a command:",
     "check that the login may administer the network and that the host's WireGuard works"},
    {"host_busy", Retry::later,
     "another push held the host's lock for too long:", "see what else runs on the host if this stays so"},
    {"host_storage_failed", Retry::later,
     "the host could not store a file:", "check the host's disks for space and for being writable"},
    {"interface_key_changed", Retry::never, "the interface has another key than the one registered:",
     "give the interface its key back, or register the new key"},
    {"nft_refused", Retry::never, "the host's nft refused a command:",
     "check that the host's kernel has nf_tables and that the login may administer it; the old firewall stays"},
    {"host_script_outdated", Retry::never,
     "the scripts that lie on the host are not this worker's:", "run peerwright server prepare for this server"},
    {"host_command_refused", Retry::never, "the host's /usr/local/lib/peerwright/hand refuses the command:",
     "where it names an interface and a path, write both into /usr/local/lib/peerwright/allowed on the host"},
    {"host_not_root", Retry::never, "a host is prepared as root; the login's user id there is",
     "log in as root (--login root), or give the server an exec prefix that makes it root"},
    {"host_key_missing", Retry::never, "the host has no private key, and none was sent, for",
     "run peerwright server prepare again"},
    {"host_step_failed", Retry::never,
     "a step on the host failed:", "see on the host why, and run it again: what was done is seen, and not done twice"},
    {"own_way_cut", Retry::never, "the worker's own way to the host would be cut by what is planned for the key",
     "let the worker reach the host another way (ssh.host), and reconcile the server"},
    {"peers_left_on_host", Retry::later, "the server is retired, and a peer that is not ours still stands there:",
     "approve its removal (server.approve), remove it on the host, or retire the server on an operator's word"},
}};

Error failed(const Refusal& refusal, std::string_view detail) {
  std::string message = std::string(refusal.message) + " ";
  for (const char c : detail.substr(0, kMaxDetailChars)) message += c >= ' ' && c <= '~' ? c : '?';
  if (detail.empty()) message.pop_back();
  const bool unsent = refusal.code == kRefusals[0].code;
  return {unsent ? "host_answer_incomplete" : std::string(refusal.code), std::move(message),
          std::string(refusal.remedy), refusal.retry};
}

const Refusal& refusal_of(std::string_view code) {
  return *std::find_if(kRefusals.begin(), kRefusals.end(), [code](const Refusal& r) { return r.code == code; });
}

// The refusal that the last two lines and the exit status agree on.
std::optional<Error> read_refusal(std::string_view output, int exit_status, std::string_view end_mark) {
  const auto lines = lines_of(output);
  const int index = exit_status - kFirstRefusal;
  if (index < 0 || index >= static_cast<int>(kRefusals.size()) || lines.size() < 2) return std::nullopt;
  const Refusal& refusal = kRefusals[static_cast<std::size_t>(index)];
  const std::string end = std::string(end_mark) + " " + std::string(refusal.code);
  const std::string start = "error " + std::string(refusal.code);
  std::string_view said = lines[lines.size() - 2];
  if (lines.back() != end || said.substr(0, start.size()) != start) return std::nullopt;
  said.remove_prefix(start.size());
  if (!said.empty() && said[0] != ' ') return std::nullopt;
  return failed(refusal, said.substr(said.empty() ? 0 : 1));
}

}  // namespace

std::optional<Error> closed_way(WayIn way, std::optional<int> exit_status, std::string_view output,
                                std::string_view error_output) {
  if (way == WayIn::shell || !exit_status || !output.empty()) return std::nullopt;
  const bool by_sudo = way == WayIn::sudo || error_output.find("sudo: ") != std::string_view::npos;
  const bool no_such_file = error_output.find("command not found") != std::string_view::npos;
  if (by_sudo && *exit_status == kCommandNotFound) return failed(refusal_of("host_tool_missing"), "sudo");
  if (by_sudo && *exit_status == kSudoRefused && !no_such_file) {
    return Error{"host_sudo_refused", "the host's sudo does not let the user run " + std::string(kHandCommand),
                 "allow that user on the host to run it without a password: peerwright server prepare writes the rule",
                 Retry::never};
  }
  if (*exit_status != (by_sudo ? kSudoRefused : kCommandNotFound)) return std::nullopt;
  return failed(refusal_of("host_script_outdated"),
                std::string(kHandCommand) + (by_sudo ? " is missing" : " is missing, or is not the key's command"));
}

tl::unexpected<Error> incomplete(std::string_view why) {
  return transient("host_answer_incomplete", "the outcome on the host is unknown: " + std::string(why),
                   "nothing: the host is read before anything else is done there");
}

tl::unexpected<Error> unread(Error why, std::string_view output, std::string_view first_word) {
  const auto lines = lines_of(output);
  const std::size_t start = output.find(std::string(first_word) + " ");
  if (lines.empty() || !lines.back().starts_with("end ") || start == 0 || start == std::string_view::npos) {
    return tl::unexpected(std::move(why));
  }
  return permanent("host_login_prints", "the login on the host prints something of its own before the script's answer",
                   "let the files that its shell reads (.bashrc, .profile) print nothing unless there is a terminal "
                   "([ -t 1 ]), then reconcile the server");
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  if (text.empty() || text.back() != '\n') return lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_sha256(std::string_view text) {
  return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_sha256_or_none(std::string_view text) { return text == "-" || is_sha256(text); }

std::string sha256_or_empty(std::string_view text) { return text == "-" ? "" : std::string(text); }

bool are_firewall_hashes(const std::vector<std::string_view>& words) {
  const auto is_hash = [](std::string_view word) { return word == kUnreadableHash || is_sha256_or_none(word); };
  return words.size() == 4 && is_hash(words[1]) && is_hash(words[2]) && is_sha256_or_none(words[3]);
}

std::optional<std::int64_t> number_of(std::string_view digits) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || digits[0] == '-') return std::nullopt;
  return number;
}

std::optional<HostPeer> host_peer_of(std::string_view key, std::string_view keepalive, std::string_view prefixes,
                                     bool tolerant) {
  const auto seconds = keepalive_of(keepalive, tolerant);
  auto list = prefixes_of(prefixes, tolerant);
  if (!seconds || !list) return std::nullopt;
  return HostPeer{std::string(key), *std::move(list), *seconds};
}

std::optional<std::int64_t> number_seen_by_host(const Error& error) {
  if (error.code != "push_number_refused") return std::nullopt;
  return number_of(std::string_view(error.message).substr(error.message.rfind(' ') + 1));
}

Error failure_of(std::string_view output, int exit_status, std::string_view end) {
  if (auto refusal = read_refusal(output, exit_status, end)) return std::move(*refusal);
  if (exit_status == kTimedOut || exit_status == kKilled || exit_status == kTerminated) {
    return transient("host_timeout", "the script on the host did not end in time and was stopped",
                     "see what slows the host down if this stays so")
        .value();
  }
  if (exit_status == kCommandNotFound && output.empty()) {
    return failed(refusal_of("host_tool_missing"), "sh, timeout or a command of the exec prefix");
  }
  return incomplete("exit status " + std::to_string(exit_status) + " without an end mark").value();
}

}  // namespace peerwright::wireguard
