#include "delivery_plan.hpp"

#include <algorithm>

#include "foreign.hpp"
#include "sealed.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using wireguard::PeerConfig;

constexpr int kMostHalvings = 16;

// After a failure removals go alone, and additions in ever smaller portions, until the one that is to blame stands
// alone.
int most_peers(const DeliveryRow& delivery, bool removals, const DeliveryLimits& limits) {
  if (delivery.attempts > 0)
    return removals ? 0 : std::max(1, limits.peers >> std::min(delivery.attempts, kMostHalvings));
  return delivery.urgent ? limits.urgent_peers : limits.peers;
}

// Whether the host part of "host:port" has to be looked up.
bool is_name(const std::string& endpoint) {
  const std::string host = endpoint.substr(0, endpoint.rfind(':'));
  return !host.empty() && host.front() != '[' && !wireguard::Prefix::parse(host);
}

class Picker {
 public:
  Picker(Tx& tx, domain::State& state, const DeliveryRow& delivery, const DeliveryLimits& limits, const Sealer* sealer,
         PlannedPush& push)
      : tx_(tx), state_(state), delivery_(delivery), limits_(limits), sealer_(sealer), push_(push) {}

  Picked pick(const Links& links) {
    Links::Plan nodes = links.plan(true);
    std::string firewall = judge_firewall();
    pick_removals();
    if (!push_.firewall.refused_code.empty()) pick_walled_out();
    pick_foreign();
    for (const std::string& key : nodes.removals) remove(key);
    // What comes after a failure comes alone, and so do removals that do not all fit in: the firewall may stop holding
    // back those that are still to go, and no peer may come before its firewall.
    const bool full = most_removals_ >= limits_.removals;
    const bool alone = !push_.plan.removals.empty() && (full || delivery_.attempts > 0);
    push_.firewall.carried = awaits_firewall_ && !alone;
    if (push_.firewall.carried) push_.plan.firewall = std::move(firewall);
    // After a failure it goes alone too: what a stranger on the host has must not hold up the walls.
    only_firewall_ = push_.firewall.carried && delivery_.attempts > 0;
    if (!alone && !only_firewall_) pick_interface_key();
    if (!alone || !awaits_firewall_) pick_peers();
    picked_.links.keys.insert(nodes.settled.begin(), nodes.settled.end());
    if (!alone && !only_firewall_) pick_links(std::move(nodes));
    return std::move(picked_);
  }

 private:
  void remove(const std::string& key) {
    auto& removals = push_.plan.removals;
    if (std::find(removals.begin(), removals.end(), key) == removals.end()) removals.push_back(key);
  }

  void pick_removals() {
    std::set<std::string> keys;
    for (const auto& row : tx_.run("delivery_removals", push_.server.id, limits_.removals)) {
      ++most_removals_;
      const std::string other = text_at(row, 3);  // of the same peer
      const bool proven_gone = bool_at(row, 1) && !row[2].is_null() && row[2].size() == 0;
      for (const std::string& key : {text_at(row, 0), other}) {
        if (key.empty() || !keys.insert(key).second) continue;
        if (proven_gone) {
          picked_.peers.keys[key] = "";
        } else {
          push_.plan.removals.push_back(key);
        }
      }
    }
  }

  // What no event caused comes behind what somebody asked for.
  void pick_foreign() {
    if (most_removals_ >= limits_.removals) return;
    for (const std::string& key : foreign_removals(tx_, push_.server.id, limits_.removals - most_removals_)) {
      ++most_removals_;
      remove(key);
    }
  }

  // A garden that cannot stand is a cut: whose walls the host refuses is taken off it.
  void pick_walled_out() {
    Ids parked;
    for (const auto& row : tx_.run("firewall_walled_out", push_.server.id, push_.firewall.refused_code)) {
      if (!bool_at(row, 4)) parked.push_back(int_at(row, 0));
      if (bool_at(row, 3) || most_removals_ >= limits_.removals) continue;
      ++most_removals_;
      for (const int column : {1, 2}) {
        if (!text_at(row, column).empty()) remove(text_at(row, column));
      }
    }
    park(tx_, state_, parked, sealer_, push_.firewall.refused_code);
  }

  // What is wanted, whether the host refuses it, and whether it is still to be pushed. Answers the text.
  std::string judge_firewall() {
    std::string text = wanted_firewall(tx_, state_, push_.server, delivery_.needs);
    push_.firewall.hash = wireguard::firewall_hash(text);
    push_.firewall.refused_code = refused_code(delivery_.firewall, push_.firewall.hash);
    push_.complaint = delivery_.complaint(push_.firewall.refused_code);
    const bool due = is_due(delivery_.firewall, push_.firewall.hash);
    if (!due && delivery_.was_refused) tx_.run("firewall_forget_refused", push_.server.id);
    awaits_firewall_ = due && push_.firewall.refused_code.empty();
    picked_.peers.garden = !due;
    picked_.peers.firewall = picked_.links.firewall = !awaits_firewall_;
    picked_.peers.walled_out = !push_.firewall.refused_code.empty();
    return text;
  }

  void pick_interface_key() {
    if (push_.server.key_wanted.empty()) return;
    auto key = open_column(sealer_, push_.server.private_key_sealed, server_key_place(push_.server));
    if (key) {
      push_.plan.interface_key = *std::move(key);
    } else {
      push_.complaint = "interface_key_unreadable";
    }
  }

  void pick_peers() {
    const domain::Network& network = *state_.network(*push_.server.network_id);
    const int most = most_peers(delivery_, !push_.plan.removals.empty(), limits_);
    Ids unreadable;
    for (const auto& row : tx_.run("delivery_pending_peers", push_.server.id, most)) {
      domain::Peer peer = peer_from(row, state_);
      if (!peer.preshared_key_sealed.empty()) load_name(peer);
      std::optional<std::string> proven;
      if (!row[kPeerColumns].is_null()) proven = text_at(row, kPeerColumns);
      if (peer.entitlement == domain::Entitlement::walled_garden && !push_.firewall.refused_code.empty()) {
        continue;  // without its garden's walls it does not come in
      }
      auto configs = configs_of(peer, network, sealer_);
      if (!configs) {
        unreadable.push_back(peer.id);
      } else {
        pick_peer(peer, *std::move(configs), proven);
      }
    }
    normalise(unreadable);
    park(tx_, state_, unreadable, sealer_, "preshared_key_unreadable");
    normalise(unknown_secrets_);
    park(tx_, state_, unknown_secrets_, sealer_, "preshared_key_unknown");
  }

  // A sealed value's place has the tenant's name in it.
  void load_name(domain::Peer& peer) {
    if (state_.tenant(peer.tenant_id) == nullptr) load_tenants(tx_, {peer.tenant_id}, state_);
    if (const domain::Tenant* tenant = state_.tenant(peer.tenant_id)) peer.tenant = tenant->name;
  }

  void pick_peer(const domain::Peer& peer, PeerConfigs configs, const std::optional<std::string>& proven) {
    if (proven && *proven == proven_text(configs, peer.endpoint)) {
      wireguard::Proof& settled = awaits_firewall_ ? push_.settled : picked_.peers.keys;
      settled[peer.public_key] = wireguard::fingerprint(configs.main);
      if (configs.staged) settled[peer.staged_key] = wireguard::fingerprint(*configs.staged);
      (awaits_firewall_ ? push_.configured_endpoints : picked_.peers.configured_endpoints)[peer.public_key] =
          peer.endpoint;
      return;
    }
    if (configs.main.keeps_preshared_key) {
      unknown_secrets_.push_back(peer.id);  // pushed without its preshared key it would be cut off
      return;
    }
    if (only_firewall_) return;
    const bool set_endpoint = !peer.endpoint.empty() && proven_endpoint(proven, peer.public_key) != peer.endpoint;
    // Nothing that takes somebody off waits for a name.
    if (set_endpoint && is_name(peer.endpoint) && (!push_.plan.removals.empty() || push_.plan.firewall)) return;
    if (set_endpoint) configs.main.endpoint = peer.endpoint;
    push_.configured_endpoints[peer.public_key] = peer.endpoint;
    if (peer.delivery_error == "not_shown_by_host") push_.tried_again.insert({peer.public_key, peer.staged_key});
    push_.plan.peers.push_back(std::move(configs.main));
    if (!configs.staged) return;
    push_.staged_of[peer.public_key] = peer.staged_key;
    push_.plan.peers.push_back(*std::move(configs.staged));
  }

  // Nodes go with the peers while all is well. After a failure they go when no peer is left, one by one.
  void pick_links(Links::Plan nodes) {
    const bool careful = delivery_.attempts > 0;
    const bool holds_back = !push_.plan.removals.empty() || push_.plan.firewall;
    if (careful && !push_.plan.peers.empty()) return;
    std::set<std::string> keys;
    for (const PeerConfig& peer : push_.plan.peers) keys.insert(peer.public_key);
    for (PeerConfig& node : nodes.peers) {
      if (keys.contains(node.public_key) || (holds_back && is_name(node.endpoint))) continue;
      push_.link_keys.insert(node.public_key);
      push_.configured_endpoints[node.public_key] = nodes.endpoints[node.public_key];
      push_.plan.peers.push_back(std::move(node));
      if (careful) return;
    }
  }

  Tx& tx_;
  domain::State& state_;
  const DeliveryRow& delivery_;
  const DeliveryLimits& limits_;
  const Sealer* sealer_;
  PlannedPush& push_;
  Picked picked_;
  Ids unknown_secrets_;
  int most_removals_ = 0;
  bool only_firewall_ = false;
  bool awaits_firewall_ = false;  // nothing is applied before it is proven
};

}  // namespace

Picked pick_push(Tx& tx, domain::State& state, const DeliveryRow& delivery, const DeliveryLimits& limits,
                 const Sealer* sealer, const Links& links, PlannedPush& push) {
  Picked picked = Picker(tx, state, delivery, limits, sealer, push).pick(links);
  picked.peers.planned_generation = picked.links.planned_generation = push.planned_generation;
  return picked;
}

void pick_reading(Tx& tx, domain::State& state, const Sealer* sealer, const Links& links, PlannedPush& push) {
  const domain::Network& network = *state.network(*push.server.network_id);
  const auto rows = tx.run("delivery_wanted_peers", push.server.id);
  Ids tenants;
  for (const auto& row : rows) tenants.push_back(int_at(row, 1));
  normalise(tenants);
  load_tenants(tx, tenants, state);
  std::set<std::string> keys, hashed;
  const auto add = [&](PeerConfig config) {
    if (!keys.insert(config.public_key).second) return;
    if (!config.preshared_key.empty()) hashed.insert(config.public_key);
    push.wanted.push_back(std::move(config));
  };
  for (const auto& row : rows) {
    const domain::Peer peer = peer_from(row, state);
    // One whose key cannot be opened is seen as it is: unproven. In the hash it would make all others so.
    auto configs = configs_of(peer, network, sealer);
    if (!configs) continue;
    add(std::move(configs->main));
    if (configs->staged) add(*std::move(configs->staged));
  }
  for (PeerConfig& node : links.wanted()) add(std::move(node));
  push.plan.hashed_keys.assign(hashed.begin(), hashed.end());
  push.plan.equal_listing = wireguard::equal_listing(push.wanted);
}

bool is_empty(const wireguard::PushPlan& plan) {
  return plan.removals.empty() && plan.peers.empty() && !plan.firewall && plan.interface_key.empty();
}

bool tells_keys(const PlannedPush& push) {
  return !push.plan.removals.empty() || std::any_of(push.plan.peers.begin(), push.plan.peers.end(), [&](auto& peer) {
    return !push.tried_again.contains(peer.public_key);
  });
}

void PlannedPush::drop_unresolved(const std::string& key) {
  unresolved.insert(key);
  if (link_keys.contains(key)) {
    for (PeerConfig& peer : plan.peers) {
      if (peer.public_key == key) peer.endpoint.clear();
    }
    return;
  }
  const auto staged = staged_of.find(key);
  std::erase_if(plan.peers, [&](const PeerConfig& peer) {
    return peer.public_key == key || (staged != staged_of.end() && peer.public_key == staged->second);
  });
}

std::string PlannedPush::lone_key() const {
  if (mode != wireguard::PushMode::push || !plan.removals.empty() || !plan.interface_key.empty()) return {};
  if (plan.peers.empty()) return {};
  const std::string& key = plan.peers.front().public_key;
  const std::size_t of_one = staged_of.contains(key) ? 2 : 1;
  return plan.peers.size() == of_one ? key : std::string();
}

}  // namespace peerwright::store
