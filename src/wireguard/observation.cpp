#include "peerwright/wireguard/observation.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "host_reply.hpp"
#include "peerwright/wireguard/key.hpp"

// The answer of src/ssh/scripts/observe.sh, line by line:
//   now EPOCHSECONDS
//   uptime SECONDS                               "-" where the host does not tell
//   interface PUBLICKEY up|down IFINDEX          0 where the host does not tell
//   port LISTENPORT open|closed
//   forwarding 4 0|1
//   forwarding 6 0|1
//   unit ACTIVE ENABLED
//   file OWNER MODE SHA256                       each "-" where there is none
//   firewall LOADEDHASH STATEHASH FILEHASH       the same
//   push NUMBER
//   peer PUBLICKEY HANDSHAKE RX TX ENDPOINT KEEPALIVE PREFIX,...    any number of them
//   end ok PEERLINES
// or, with the exit status that push.sh has for the code,
//   error CODE DETAIL
//   end CODE
namespace peerwright::wireguard {
namespace {

constexpr std::size_t kHeadLines = 10;
constexpr std::int64_t kMaxPort = 65535;
constexpr std::int64_t kMaxIfindex = 2147483647;
constexpr std::size_t kMaxWordChars = 64;

using Words = std::vector<std::string_view>;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWordChars &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string word_or_empty(std::string_view word) { return word == "-" ? "" : std::string(word); }

bool read_flag(std::string_view word, std::string_view yes, std::string_view no, bool& flag) {
  flag = word == yes;
  return flag || word == no;
}

bool read_number(std::string_view word, std::int64_t most, std::int64_t& number) {
  const auto read = number_of(word);
  number = read.value_or(0);
  return read && number <= most;
}

bool read_uptime(std::string_view word, std::optional<double>& seconds) {
  if (word == "-") return true;
  double read = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), read);
  if (error != std::errc() || end != word.data() + word.size() || !(read >= 0 && read <= kMaxUptimeSeconds)) {
    return false;
  }
  seconds = read;
  return true;
}

bool read_interface(const Words& words, HostObservation& seen) {
  if (words[1] != "(none)") {
    if (!check_public_key(words[1])) return false;
    seen.interface_key = words[1];
  }
  const auto index = number_of(words[3]);
  if (!index || *index > kMaxIfindex) return false;
  seen.ifindex = static_cast<int>(*index);
  return read_flag(words[2], "up", "down", seen.up);
}

bool read_port(const Words& words, HostObservation& seen) {
  const auto port = number_of(words[1]);
  if (!port || *port > kMaxPort) return false;
  seen.listen_port = static_cast<int>(*port);
  return read_flag(words[2], "open", "closed", seen.listening);
}

bool read_file(const Words& words, HostObservation& seen) {
  seen.file_owner = word_or_empty(words[1]);
  seen.file_mode = word_or_empty(words[2]);
  seen.file_hash = sha256_or_empty(words[3]);
  return is_sha256_or_none(words[3]);
}

bool read_firewall(const Words& words, HostObservation& seen) {
  seen.firewall_loaded = sha256_or_empty(words[1]);
  seen.firewall_state = sha256_or_empty(words[2]);
  seen.firewall_file = sha256_or_empty(words[3]);
  return are_firewall_hashes(words);
}

// One of the first lines, by its place.
bool read_head(std::size_t place, const Words& words, HostObservation& seen) {
  struct Line {
    std::string_view start;
    std::size_t words;
  };
  static constexpr Line kLines[kHeadLines] = {{"now", 2},        {"uptime", 2},     {"interface", 4}, {"port", 3},
                                              {"forwarding", 3}, {"forwarding", 3}, {"unit", 3},      {"file", 4},
                                              {"firewall", 4},   {"push", 2}};
  if (words[0] != kLines[place].start || words.size() != kLines[place].words) return false;
  if (!std::all_of(words.begin(), words.end(), is_word)) return false;
  switch (place) {
    case 0:
      return read_number(words[1], kMaxEpochSeconds, seen.now_epoch_seconds);
    case 1:
      return read_uptime(words[1], seen.uptime_seconds);
    case 2:
      return read_interface(words, seen);
    case 3:
      return read_port(words, seen);
    case 4:
      return words[1] == "4" && read_flag(words[2], "1", "0", seen.forwarding4);
    case 5:
      return words[1] == "6" && read_flag(words[2], "1", "0", seen.forwarding6);
    case 6:
      seen.unit_active = words[1];
      seen.unit_enabled = words[2];
      return true;
    case 7:
      return read_file(words, seen);
    case 8:
      return read_firewall(words, seen);
    default:
      return read_number(words[1], std::numeric_limits<std::int64_t>::max(), seen.push_number);
  }
}

std::optional<ObservedPeer> peer_of(const Words& words) {
  ObservedPeer peer;
  if (words.size() != 8 || words[0] != "peer" || !check_public_key(words[1]) ||
      !read_number(words[2], kMaxEpochSeconds, peer.handshake_epoch_seconds) ||
      !read_number(words[3], kMaxCounterBytes, peer.rx_bytes) ||
      !read_number(words[4], kMaxCounterBytes, peer.tx_bytes) || !is_word(words[5])) {
    return std::nullopt;
  }
  peer.public_key = words[1];
  if (words[5] != "(none)") peer.endpoint = words[5];
  auto stands = host_peer_of(words[1], words[6], words[7], false);
  if (!stands) return std::nullopt;
  peer.state = open_state(*stands);
  return peer;
}

Result<HostObservation> read_success(const std::vector<std::string_view>& lines) {
  HostObservation seen;
  if (lines.size() <= kHeadLines) return incomplete("lines are missing");
  for (std::size_t i = 0; i < kHeadLines; ++i) {
    if (!read_head(i, split(lines[i], ' '), seen)) return incomplete("a short line " + std::to_string(i + 1));
  }
  for (std::size_t i = kHeadLines; i + 1 < lines.size(); ++i) {
    auto peer = peer_of(split(lines[i], ' '));
    if (!peer) return incomplete("a short peer line");
    seen.peers.push_back(std::move(*peer));
  }
  if (lines.back() != "end ok " + std::to_string(seen.peers.size())) return incomplete("no end mark");
  return seen;
}

}  // namespace

Result<HostObservation> parse_observation(std::string_view output, std::optional<int> exit_status) {
  if (!exit_status) return incomplete("the script's exit status did not arrive");
  if (*exit_status == 0) {
    auto seen = read_success(lines_of(output));
    return seen ? std::move(seen) : unread(std::move(seen.error()), output, "now");
  }
  return tl::unexpected<Error>(failure_of(output, *exit_status, "end"));
}

}  // namespace peerwright::wireguard
