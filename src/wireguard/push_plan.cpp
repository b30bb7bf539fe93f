#include <algorithm>
#include <utility>

#include "by_key.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/host.hpp"
#include "preshared_key.hpp"

namespace peerwright::wireguard {
namespace {

constexpr std::size_t kFingerprintDigits = 16;
constexpr std::size_t kFingerprintBytes = 160;  // of most
constexpr std::size_t kListingLineBytes = 128;
constexpr std::size_t kPeerLinesBytes = 320;  // all of a [Peer] and its #hash line but the prefixes
constexpr std::size_t kKeyLineBytes = 64;
constexpr std::size_t kPlanLinesBytes = 256;
constexpr std::string_view kFirewallLine = "#nft ";

void append_joined(std::string& text, const std::vector<std::string>& words) {
  if (!std::is_sorted(words.begin(), words.end())) {
    auto sorted = words;
    std::sort(sorted.begin(), sorted.end());
    return append_joined(text, sorted);
  }
  const char* between = "";
  for (const auto& word : words) text.append(std::exchange(between, ",")).append(word);
}

std::string state_of(std::string_view public_key, const std::vector<std::string>& allowed_ips, int keepalive_seconds) {
  std::string text;
  text.reserve(kFingerprintBytes);
  text.append(public_key).append(" allowed_ips=");
  append_joined(text, allowed_ips);
  return text.append(" keepalive=").append(keepalive_seconds == 0 ? "off" : std::to_string(keepalive_seconds));
}

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
         (text.empty() || text.back() == '\n' ? 0 : 1);
}

std::size_t bytes_of(const PushPlan& plan) {
  std::size_t bytes = kPlanLinesBytes + (plan.removals.size() + plan.hashed_keys.size()) * kKeyLineBytes;
  bytes += plan.interface_key.size();
  if (plan.firewall) bytes += plan.firewall->size() + lines_in(*plan.firewall) * (kFirewallLine.size() + 1);
  for (const auto& peer : plan.peers) {
    bytes += kPeerLinesBytes + peer.preshared_key.size() + peer.endpoint.size();
    for (const auto& prefix : peer.allowed_ips) bytes += prefix.size() + 1;
  }
  return bytes;
}

void render_peer(std::string& text, const PeerConfig& peer) {
  text.append("[Peer]\nPublicKey = ").append(peer.public_key).append("\n");
  if (is_preshared_key(peer.preshared_key)) {
    text.append("PresharedKey = ").append(peer.preshared_key.reveal()).append("\n");
  }
  // `wg addconf` empties the list of a peer whose section has none, and takes no empty one.
  if (!peer.allowed_ips.empty()) {
    append_joined(text.append("AllowedIPs = "), peer.allowed_ips);
    text.append("\n");
  }
  if (peer.keepalive_seconds != 0) {
    text.append("PersistentKeepalive = ").append(std::to_string(peer.keepalive_seconds)).append("\n");
  }
  if (!peer.endpoint.empty()) text.append("Endpoint = ").append(peer.endpoint).append("\n");
}

void render_firewall_lines(std::string& text, std::string_view firewall) {
  text.append("#firewall ").append(std::to_string(lines_in(firewall))).append("\n");
  while (!firewall.empty()) {
    const std::size_t end = firewall.find('\n');
    text.append(kFirewallLine).append(firewall.substr(0, end)).append("\n");
    firewall.remove_prefix(end == std::string_view::npos ? firewall.size() : end + 1);
  }
}

}  // namespace

std::string open_state(const HostPeer& peer) {
  return state_of(peer.public_key, peer.allowed_ips, peer.keepalive_seconds);
}

std::string fingerprint(const PeerConfig& peer) {
  std::string text = state_of(peer.public_key, peer.allowed_ips, peer.keepalive_seconds).append(" psk=");
  if (peer.keeps_preshared_key) return text.append("kept");
  if (!is_preshared_key(peer.preshared_key)) return text.append("none");
  return text.append(sha256_hex(peer.preshared_key.reveal()), 0, kFingerprintDigits);
}

HostPeer as_shown(const PeerConfig& peer) {
  HostPeer host{peer.public_key, peer.allowed_ips, peer.keepalive_seconds,
                peer.keeps_preshared_key || is_preshared_key(peer.preshared_key)};
  std::sort(host.allowed_ips.begin(), host.allowed_ips.end());
  return host;
}

std::string equal_listing(const std::vector<PeerConfig>& peers) {
  std::string text;
  text.reserve(peers.size() * kListingLineBytes);
  for (const PeerConfig* peer : by_key(peers)) {
    text.append(peer->public_key).append(" ");
    text.append(peer->keepalive_seconds == 0 ? "off" : std::to_string(peer->keepalive_seconds)).append(" ");
    if (peer->allowed_ips.empty()) text.append("(none)");
    append_joined(text, peer->allowed_ips);
    const bool secret = peer->keeps_preshared_key || is_preshared_key(peer->preshared_key);
    text.append(secret ? " psk\n" : " none\n");
  }
  return sha256_hex(text);
}

// A file for `wg addconf`, in which all that is not for `wg` is a comment:
//   #plan REMOVALS ADDS
//   #remove KEY
//   #firewall LINES        where the plan says something of it; 0: it is to be gone
//   #nft LINE              of the text, as many as LINES says
//   #key KEY               the interface's new private key
//   [Peer] sections        what a section does not say, a peer that stands there loses
//   #hash KEY              in ascending order, each once: those that are to have a preshared key
//   #equal HASH            where a listing that has it, of kernel and of file, is not to be spelt out
//   #end
Secret render_push(const PushPlan& plan) {
  std::vector<std::string_view> hashed(plan.hashed_keys.begin(), plan.hashed_keys.end());
  for (const auto& peer : plan.peers) {
    if (is_preshared_key(peer.preshared_key)) hashed.emplace_back(peer.public_key);
  }
  std::sort(hashed.begin(), hashed.end());
  hashed.erase(std::unique(hashed.begin(), hashed.end()), hashed.end());

  std::string text;
  // Room for all of it, for a string that grows leaves copies of keys behind.
  text.reserve(bytes_of(plan));
  text.append("#plan ").append(std::to_string(plan.removals.size()));
  text.append(" ").append(std::to_string(plan.peers.size())).append("\n");
  for (const auto& key : plan.removals) text.append("#remove ").append(key).append("\n");
  if (plan.firewall) render_firewall_lines(text, *plan.firewall);
  if (!plan.interface_key.empty()) text.append("#key ").append(plan.interface_key.reveal()).append("\n");
  for (const auto& peer : plan.peers) render_peer(text, peer);
  for (const auto& key : hashed) text.append("#hash ").append(key).append("\n");
  const bool many = plan.equal_listing.empty() && plan.peers.size() > kSpeltOutPeers;
  const std::string equal = many ? equal_listing(plan.peers) : plan.equal_listing;
  if (!equal.empty()) text.append("#equal ").append(equal).append("\n");
  text.append("#end\n");
  Secret secret(text);
  wipe(text);
  return secret;
}

}  // namespace peerwright::wireguard
