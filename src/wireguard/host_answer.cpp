#include "host_reply.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"

// The answer of src/ssh/scripts/push.sh, line by line:
//   interface PUBLICKEY [kept]                   kept: it did not get the plan's
//   kernel PUBLICKEY KEEPALIVE PREFIX,... psk|none    any number of them; whether it has a preshared key
//   file PUBLICKEY KEEPALIVE PREFIX,... psk|none      any number of them
//   equal                                        in the place of both, where each has the hash `equal_listing`
//   secrets KERNELHASH FILEHASH
//   config HASH PUBLICKEY                        of the saved [Interface]; "(none)"
//   firewall LOADEDHASH STATEHASH FILEHASH       each "-" where there is none, "?" where nft does not tell
//   end PUSHNUMBER ok KERNELLINES FILELINES
// or, with an exit status of its own for each code,
//   error CODE DETAIL
//   end PUSHNUMBER CODE
// That of src/ssh/scripts/retire.sh, which refuses in the same way:
//   absent interface firewall config
//   end PUSHNUMBER ok 0 0
namespace peerwright::wireguard {
namespace {

// Reads the words after `kernel` or `file`.
std::optional<HostPeer> peer_of(const std::vector<std::string_view>& words, bool tolerant) {
  if (words.size() != 5 || !check_public_key(words[1]) || (words[4] != "psk" && words[4] != "none"))
    return std::nullopt;
  auto peer = host_peer_of(words[1], words[2], words[3], tolerant);
  if (peer) peer->has_preshared_key = words[4] == "psk";
  return peer;
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

Result<HostAnswer> read_success(const std::vector<std::string_view>& lines, std::int64_t push_number,
                                const std::vector<PeerConfig>& equal_to) {
  HostAnswer answer;
  answer.push_number = push_number;
  std::size_t next = 1;
  const auto interface = split(lines.empty() ? std::string_view() : lines[0], ' ');
  answer.keeps_interface_key = interface.size() == 3 && interface[2] == "kept";
  const std::size_t words = answer.keeps_interface_key ? 3 : 2;
  if (interface.size() != words || interface[0] != "interface") return incomplete("no interface line");
  if (interface[1] != "(none)") {
    if (!check_public_key(interface[1])) return incomplete("a short interface line");
    answer.interface_key = interface[1];
  }
  if (lines.size() > next && lines[next] == "equal") {
    for (const auto& peer : equal_to) answer.kernel.push_back(as_shown(peer));
    answer.file = answer.kernel;
    ++next;
  } else {
    if (!read_peers(lines, next, "kernel", answer.kernel)) return incomplete("a short kernel line");
    if (!read_peers(lines, next, "file", answer.file)) return incomplete("a short file line");
  }
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

Result<HostAnswer> parse_answer(std::string_view output, std::optional<int> exit_status, std::int64_t push_number,
                                const std::vector<PeerConfig>& equal_to) {
  if (!exit_status) return incomplete("the script's exit status did not arrive");
  if (*exit_status == 0) {
    auto answer = read_success(lines_of(output), push_number, equal_to);
    return answer ? std::move(answer) : unread(std::move(answer.error()), output, "interface");
  }
  return tl::unexpected<Error>(failure_of(output, *exit_status, "end " + std::to_string(push_number)));
}

Result<HostAnswer> parse_retired(std::string_view output, std::optional<int> exit_status, std::int64_t push_number) {
  if (!exit_status) return incomplete("the script's exit status did not arrive");
  const std::string end = "end " + std::to_string(push_number);
  if (*exit_status != 0) return tl::unexpected<Error>(failure_of(output, *exit_status, end));
  if (output != "absent interface firewall config\n" + end + " ok 0 0\n") return incomplete("it is not all absent");
  HostAnswer answer;
  answer.push_number = push_number;
  return answer;
}

}  // namespace peerwright::wireguard
