#include <algorithm>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"
#include "preshared_key.hpp"

namespace peerwright::wireguard {
namespace {

constexpr std::size_t kSecretLineBytes = 96;  // two keys, a space and a newline

// What the kernel, or the file, shows of each key. A key that a file has twice is shown by none of its sections.
class Shown {
 public:
  explicit Shown(const std::vector<HostPeer>& peers) {
    for (const auto& peer : peers) {
      const auto [place, is_new] = peers_.try_emplace(peer.public_key, &peer);
      if (!is_new) place->second = nullptr;
    }
  }
  [[nodiscard]] bool has(std::string_view key) const { return peers_.find(key) != peers_.end(); }
  [[nodiscard]] bool equals(const HostPeer& peer) const {
    const auto found = peers_.find(peer.public_key);
    return found != peers_.end() && found->second != nullptr && *found->second == peer;
  }

 private:
  std::map<std::string_view, const HostPeer*> peers_;
};

// What the script hashes: a line per key that is to have a preshared key and is shown, in ascending order of the keys.
std::string secrets_hash(const std::vector<const PeerConfig*>& sorted, const Shown& shown) {
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
void prove_peers(const std::vector<PeerConfig>& peers, const HostAnswer& answer, const Shown& kernel, const Shown& file,
                 Proof& proof) {
  std::vector<const PeerConfig*> sorted;
  sorted.reserve(peers.size());
  for (const auto& peer : peers) sorted.push_back(&peer);
  std::sort(sorted.begin(), sorted.end(),
            [](const PeerConfig* a, const PeerConfig* b) { return a->public_key < b->public_key; });
  const bool secrets_equal = secrets_hash(sorted, kernel) == answer.kernel_secrets_hash &&
                             secrets_hash(sorted, file) == answer.file_secrets_hash;
  for (const auto* peer : sorted) {
    auto& proven = proof[peer->public_key];
    const HostPeer wanted = as_shown(*peer);
    if (!kernel.has(peer->public_key) && !file.has(peer->public_key)) {
      proven = "";
    } else if ((secrets_equal || !is_preshared_key(peer->preshared_key)) && kernel.equals(wanted) &&
               file.equals(wanted)) {
      proven = fingerprint(*peer);
    } else {
      proven = std::nullopt;
    }
  }
}

}  // namespace

Proof prove_push(const PushPlan& plan, const HostAnswer& answer) {
  const Shown kernel(answer.kernel);
  const Shown file(answer.file);
  Proof proof;
  for (const auto& key : plan.removals) {
    proof[key] = kernel.has(key) || file.has(key) ? std::nullopt : std::optional<std::string>("");
  }
  prove_peers(plan.peers, answer, kernel, file, proof);
  return proof;
}

Proof prove_reading(const std::vector<PeerConfig>& wanted, const HostAnswer& answer) {
  const Shown kernel(answer.kernel);
  const Shown file(answer.file);
  Proof proof;
  for (const auto& peer : answer.kernel) proof[peer.public_key] = std::nullopt;
  for (const auto& peer : answer.file) proof[peer.public_key] = std::nullopt;
  prove_peers(wanted, answer, kernel, file, proof);
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
