#include <algorithm>

#include "by_key.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"
#include "preshared_key.hpp"

namespace peerwright::wireguard {
namespace {

constexpr std::size_t kSecretLineBytes = 96;  // two keys, a space and a newline

// What the kernel, or the file, shows of each key. Hosts answer in the order of the keys, and are asked about in it.
class Shown {
 public:
  explicit Shown(const std::vector<HostPeer>& peers) : peers_(by_key(peers)) {}
  bool has(std::string_view key) { return seek(key) != peers_.size(); }
  // A key that a file has twice is shown by none of its sections.
  bool shows(const PeerConfig& wanted) {
    const std::size_t place = seek(wanted.public_key);
    if (place == peers_.size()) return false;
    const bool twice = place + 1 < peers_.size() && peers_[place + 1]->public_key == wanted.public_key;
    return !twice && is_as_wanted(*peers_[place], wanted);
  }
  template <typename Each>
  void for_each_key(Each each) const {
    for (const HostPeer* peer : peers_) each(peer->public_key);
  }

 private:
  static bool is_as_wanted(const HostPeer& peer, const PeerConfig& wanted) {
    const bool has_secret = wanted.keeps_preshared_key || is_preshared_key(wanted.preshared_key);
    if (peer.keepalive_seconds != wanted.keepalive_seconds || peer.has_preshared_key != has_secret) return false;
    return peer.allowed_ips == wanted.allowed_ips || peer == as_shown(wanted);
  }
  // The place of the first one with the key; the end where there is none. Mostly it is where the last one was, or next.
  std::size_t seek(std::string_view key) {
    const auto is_here = [&](std::size_t place) {
      return place < peers_.size() && peers_[place]->public_key == key &&
             (place == 0 || peers_[place - 1]->public_key != key);
    };
    if (is_here(last_)) return last_;
    if (is_here(last_ + 1)) return ++last_;
    const auto found = std::lower_bound(peers_.begin(), peers_.end(), key,
                                        [](const HostPeer* peer, std::string_view k) { return peer->public_key < k; });
    if (found == peers_.end() || (*found)->public_key != key) return peers_.size();
    return last_ = static_cast<std::size_t>(found - peers_.begin());
  }

  std::vector<const HostPeer*> peers_;
  std::size_t last_ = 0;
};

// What the script hashes: a line per key that is to have a preshared key and is shown, in ascending order of the keys.
std::string secrets_hash(const std::vector<const PeerConfig*>& sorted, Shown& shown) {
  std::string text;
  text.reserve(sorted.size() * kSecretLineBytes);
  for (const auto* peer : sorted) {
    if (!is_preshared_key(peer->preshared_key) || !shown.has(peer->public_key)) continue;
    text.append(peer->public_key).append(" ").append(peer->preshared_key.reveal()).append("\n");
  }
  std::string hash = sha256_hex(text);
  wipe(text);
  return hash;
}

// Adds what is proven about each of `peers`.
void prove_peers(const std::vector<PeerConfig>& peers, const HostAnswer& answer, Shown& kernel, Shown& file,
                 Proof& proof) {
  const auto sorted = by_key(peers);
  // The host tells one hash of all secrets.
  const bool secrets_equal = secrets_hash(sorted, kernel) == answer.kernel_secrets_hash &&
                             secrets_hash(sorted, file) == answer.file_secrets_hash;
  for (const auto* peer : sorted) {
    const bool told = secrets_equal || !is_preshared_key(peer->preshared_key);
    std::optional<std::string> proven;
    if (told && kernel.shows(*peer) && file.shows(*peer)) {
      proven = fingerprint(*peer);
    } else if (!kernel.has(peer->public_key) && !file.has(peer->public_key)) {
      proven = "";
    }
    proof.insert_or_assign(proof.end(), peer->public_key, std::move(proven));
  }
}

}  // namespace

Proof prove_push(const PushPlan& plan, const HostAnswer& answer) {
  Shown kernel(answer.kernel);
  Shown file(answer.file);
  Proof proof;
  prove_peers(plan.peers, answer, kernel, file, proof);
  for (const auto& key : plan.removals) {
    proof.try_emplace(key, kernel.has(key) || file.has(key) ? std::nullopt : std::optional<std::string>(""));
  }
  return proof;
}

Proof prove_reading(const std::vector<PeerConfig>& wanted, const HostAnswer& answer) {
  Shown kernel(answer.kernel);
  Shown file(answer.file);
  Proof proof;
  prove_peers(wanted, answer, kernel, file, proof);
  const auto unknown = [&proof, next = proof.begin()](const std::string& key) mutable {
    while (next != proof.end() && next->first < key) ++next;
    if (next == proof.end() || next->first != key) next = proof.emplace_hint(next, key, std::nullopt);
  };
  kernel.for_each_key(unknown);
  file.for_each_key(unknown);
  return proof;
}

bool proves_interface_key(const PushPlan& plan, const HostAnswer& answer) {
  if (plan.interface_key.empty()) return true;
  const auto wanted = public_key_of(plan.interface_key);
  return wanted && answer.interface_key == *wanted && answer.file_interface_key == *wanted;
}

bool proves_firewall(const PushPlan& plan, const HostAnswer& answer) {
  if (!plan.firewall) return true;
  const std::string wanted = firewall_hash(*plan.firewall);
  return answer.firewall_loaded == wanted && answer.firewall_file == wanted &&
         answer.firewall_state.empty() == wanted.empty();
}

}  // namespace peerwright::wireguard
