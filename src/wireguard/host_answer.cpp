#include <algorithm>
#include <charconv>

#include "host_reply.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"
#include "peerwright/wireguard/prefix.hpp"

// The answer of src/ssh/scripts/push.sh, line by line:
//   interface PUBLICKEY
//   kernel PUBLICKEY KEEPALIVE PREFIX,... psk|none    any number of them; whether it has a preshared key
//   file PUBLICKEY KEEPALIVE PREFIX,... psk|none      any number of them
//   secrets KERNELHASH FILEHASH
//   config HASH PUBLICKEY                        of the saved [Interface]; "(none)"
//   firewall LOADEDHASH STATEHASH FILEHASH       each "-" where there is none, "?" where nft does not tell
//   end PUSHNUMBER ok KERNELLINES FILELINES
// or, with an exit status of its own for each code,
//   error CODE DETAIL
//   end PUSHNUMBER CODE
namespace peerwright::wireguard {
namespace {

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

// Reads the words after `kernel` or `file`. A file may hold anything: what is no value stays in it as it is
// (`tolerant`) and so equals nothing that is wanted.
std::optional<HostPeer> peer_of(const std::vector<std::string_view>& words, bool tolerant) {
  if (words.size() != 5 || !check_public_key(words[1])) return std::nullopt;
  if (words[4] != "psk" && words[4] != "none") return std::nullopt;
  auto keepalive = keepalive_of(words[2], tolerant);
  auto prefixes = prefixes_of(words[3], tolerant);
  if (!keepalive || !prefixes) return std::nullopt;
  return HostPeer{std::string(words[1]), std::move(*prefixes), *keepalive, words[4] == "psk"};
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
  if (lines.size() != next + 4) return incomplete("lines are missing or unknown");

  const auto secrets = split(lines[next], ' ');
  const auto config = split(lines[next + 1], ' ');
  if (secrets.size() != 3 || secrets[0] != "secrets" || !is_sha256(secrets[1]) || !is_sha256(secrets[2]) ||
      config.size() != 3 || config[0] != "config" || !is_sha256(config[1])) {
    return incomplete("a short line of hashes");
  }
  const auto firewall = split(lines[next + 2], ' ');
  if (firewall[0] != "firewall" || !are_firewall_hashes(firewall)) {
    return incomplete("a short line of the firewall");
  }
  answer.kernel_secrets_hash = secrets[1];
  answer.file_secrets_hash = secrets[2];
  answer.file_hash = config[1];
  if (config[2] != "(none)") {
    if (!check_public_key(config[2])) return incomplete("a short line of the configuration");
    answer.file_interface_key = config[2];
  }
  answer.firewall_loaded = sha256_or_empty(firewall[1]);
  answer.firewall_state = sha256_or_empty(firewall[2]);
  answer.firewall_file = sha256_or_empty(firewall[3]);
  const std::string end = "end " + std::to_string(push_number) + " ok " + std::to_string(answer.kernel.size()) + " " +
                          std::to_string(answer.file.size());
  if (lines[next + 3] != end) return incomplete("no end mark of this push");
  return answer;
}

}  // namespace

Result<HostAnswer> parse_answer(std::string_view output, std::optional<int> exit_status, std::int64_t push_number) {
  if (!exit_status) return incomplete("the script's exit status did not arrive");
  if (*exit_status == 0) return read_success(lines_of(output), push_number);
  return tl::unexpected<Error>(failure_of(output, *exit_status, "end " + std::to_string(push_number)));
}

}  // namespace peerwright::wireguard
