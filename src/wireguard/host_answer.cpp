#include <algorithm>
#include <array>
#include <charconv>

#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"
#include "peerwright/wireguard/prefix.hpp"

// The answer of src/ssh/scripts/push.sh, line by line:
//   interface PUBLICKEY
//   kernel PUBLICKEY KEEPALIVE PREFIX,...        any number of them
//   file PUBLICKEY KEEPALIVE PREFIX,...          any number of them
//   secrets KERNELHASH FILEHASH
//   config HASH
//   end PUSHNUMBER ok KERNELLINES FILELINES
// or, with an exit status of its own for each code,
//   error CODE DETAIL
//   end PUSHNUMBER CODE
namespace peerwright::wireguard {
namespace {

constexpr int kTimedOut = 124;  // timeout(1)
constexpr int kKilled = 137;    // by timeout -k, or by the kernel
constexpr int kTerminated = 143;
constexpr int kCommandNotFound = 127;
constexpr int kMaxKeepaliveSeconds = 65535;
constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kMaxDetailChars = 200;

struct Refusal {
  std::string_view code;
  Retry retry;
  std::string_view message;
  std::string_view remedy;
};

// In the order of the script's exit statuses, of which the first is kFirstRefusal.
constexpr int kFirstRefusal = 10;
constexpr std::array<Refusal, 11> kRefusals{{
    {"plan_incomplete", Retry::later,
     "the host received only a part of the plan and did nothing:", "nothing: it is sent again"},
    {"push_number_refused", Retry::later, "the host has already seen push number",
     "nothing to do once; where it stays so, the database is older than the host: it was restored from a backup"},
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
}};

tl::unexpected<Error> incomplete(std::string_view why) {
  return transient("host_answer_incomplete", "the outcome on the host is unknown: " + std::string(why),
                   "nothing: the host is read before anything else is done there");
}

tl::unexpected<Error> failed(const Refusal& refusal, std::string_view detail) {
  std::string message = std::string(refusal.message) + " ";
  for (const char c : detail.substr(0, kMaxDetailChars)) message += c >= ' ' && c <= '~' ? c : '?';
  if (detail.empty()) message.pop_back();
  const bool unsent = refusal.code == kRefusals[0].code;
  return tl::unexpected<Error>({unsent ? "host_answer_incomplete" : std::string(refusal.code), std::move(message),
                                std::string(refusal.remedy), refusal.retry});
}

const Refusal& refusal_of(std::string_view code) {
  return *std::find_if(kRefusals.begin(), kRefusals.end(), [code](const Refusal& r) { return r.code == code; });
}

// The lines of a text of which every one has its end; empty where the last has none.
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

// Reads the words after `kernel` or `file`. A file may hold anything: what is no value stays in it as it is
// (`tolerant`) and so equals nothing that is wanted.
std::optional<HostPeer> peer_of(const std::vector<std::string_view>& words, bool tolerant) {
  if (words.size() != 4 || !check_public_key(words[1])) return std::nullopt;
  auto keepalive = keepalive_of(words[2], tolerant);
  auto prefixes = prefixes_of(words[3], tolerant);
  if (!keepalive || !prefixes) return std::nullopt;
  return HostPeer{std::string(words[1]), std::move(*prefixes), *keepalive};
}

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Reads as many lines of `name` as there are, from `next` on; false where one is not whole.
bool read_peers(const std::vector<std::string_view>& lines, std::size_t& next, std::string_view name,
                std::vector<HostPeer>& peers) {
  for (; next < lines.size(); ++next) {
    const auto words = split(lines[next], ' ');
    if (words[0] != name) return true;
    auto peer = peer_of(words, name == "file");
    if (!peer) return false;
    peers.push_back(std::move(*peer));
  }
  return true;
}

Result<HostAnswer> read_success(const std::vector<std::string_view>& lines, std::int64_t push_number) {
  HostAnswer answer;
  answer.push_number = push_number;
  std::size_t next = 1;
  const auto interface = split(lines.empty() ? std::string_view() : lines[0], ' ');
  if (interface.size() != 2 || interface[0] != "interface") return incomplete("no interface line");
  if (interface[1] != "(none)") {
    if (!check_public_key(interface[1])) return incomplete("a short interface line");
    answer.interface_key = interface[1];
  }
  if (!read_peers(lines, next, "kernel", answer.kernel)) return incomplete("a short kernel line");
  if (!read_peers(lines, next, "file", answer.file)) return incomplete("a short file line");
  if (lines.size() != next + 3) return incomplete("lines are missing or unknown");

  const auto secrets = split(lines[next], ' ');
  const auto config = split(lines[next + 1], ' ');
  if (secrets.size() != 3 || secrets[0] != "secrets" || !is_hash(secrets[1]) || !is_hash(secrets[2]) ||
      config.size() != 2 || config[0] != "config" || !is_hash(config[1])) {
    return incomplete("a short line of hashes");
  }
  answer.kernel_secrets_hash = secrets[1];
  answer.file_secrets_hash = secrets[2];
  answer.file_hash = config[1];
  const std::string end = "end " + std::to_string(push_number) + " ok " + std::to_string(answer.kernel.size()) + " " +
                          std::to_string(answer.file.size());
  if (lines[next + 2] != end) return incomplete("no end mark of this push");
  return answer;
}

// The refusal that the last two lines and the exit status agree on.
std::optional<Error> read_refusal(const std::vector<std::string_view>& lines, int exit_status,
                                  std::int64_t push_number) {
  const int index = exit_status - kFirstRefusal;
  if (index < 0 || index >= static_cast<int>(kRefusals.size()) || lines.size() < 2) return std::nullopt;
  const Refusal& refusal = kRefusals[static_cast<std::size_t>(index)];
  const std::string end = "end " + std::to_string(push_number) + " " + std::string(refusal.code);
  const std::string start = "error " + std::string(refusal.code);
  std::string_view said = lines[lines.size() - 2];
  if (lines.back() != end || said.substr(0, start.size()) != start) return std::nullopt;
  said.remove_prefix(start.size());
  if (!said.empty() && said[0] != ' ') return std::nullopt;
  return failed(refusal, said.substr(said.empty() ? 0 : 1)).value();
}

}  // namespace

Result<HostAnswer> parse_answer(std::string_view output, std::optional<int> exit_status, std::int64_t push_number) {
  if (!exit_status) return incomplete("the script's exit status did not arrive");
  const auto lines = lines_of(output);
  if (*exit_status == 0) return read_success(lines, push_number);
  if (auto refusal = read_refusal(lines, *exit_status, push_number)) return tl::unexpected<Error>(std::move(*refusal));
  if (*exit_status == kTimedOut || *exit_status == kKilled || *exit_status == kTerminated) {
    return transient("host_timeout", "the script on the host did not end in time and was stopped",
                     "see what slows the host down if this stays so");
  }
  if (*exit_status == kCommandNotFound && output.empty()) {
    return failed(refusal_of("host_tool_missing"), "sh, timeout or a command of the exec prefix");
  }
  return incomplete("exit status " + std::to_string(*exit_status) + " without an end mark");
}

}  // namespace peerwright::wireguard
