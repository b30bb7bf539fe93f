#include "peerwright/domain/adopt.hpp"

#include <map>

#include "peerwright/base/seal.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

using wireguard::Prefix;

constexpr std::size_t kNameDigits = 16;

// What a stranger's allowed IPs mean in its server's network.
struct Place {
  std::int64_t address_offset = 0;
  std::vector<std::string> site_networks;
};

bool is_address_in(const std::optional<Prefix>& net, const Prefix& prefix) {
  return net && prefix.size() == 1 && net->contains(prefix);
}

Decision no_address(const Network& network) {
  return rejected("address_missing",
                  "its allowed IPs have not exactly one address of each family of the network " + network.name +
                      ", all at the same place in it",
                  "give it such addresses on the host, or the network the families that are in use there, and import "
                  "again");
}

// The offset that all its addresses in the network share; the other prefixes go into `others`.
Judged<std::int64_t> offset_in(const Network& network, const std::vector<std::string>& allowed_ips, const State& state,
                               std::vector<std::string>& others) {
  std::vector<Prefix> addresses;
  for (const std::string& text : allowed_ips) {
    const auto prefix = Prefix::parse(text);
    if (prefix && (is_address_in(network.net4, *prefix) || is_address_in(network.net6, *prefix))) {
      addresses.push_back(*prefix);
    } else {
      others.push_back(text);
    }
  }
  const std::size_t families = (network.net4 ? 1U : 0U) + (network.net6 ? 1U : 0U);
  std::optional<std::int64_t> offset;
  for (const Prefix& address : addresses) {
    const auto found = (address.is_ipv4() ? network.net4 : network.net6)->offset_of(address);
    if (!found || (offset && *offset != *found)) return tl::unexpected(no_address(network));
    offset = found;
  }
  // Two of one family cannot have one offset.
  if (!offset || addresses.size() != families) return tl::unexpected(no_address(network));
  return asked_offset(addresses.front().text(false), network, state);
}

Judged<Place> place_of(const Stranger& stranger, const Server& server, const State& state) {
  if (!stranger.stands) {
    return tl::unexpected(rejected("not_in_kernel", "the saved file alone has it",
                                   "let the interface have it too, or take it out of the file"));
  }
  const Network& network = *state.network(*server.network_id);
  std::vector<std::string> others;
  auto offset = offset_in(network, stranger.shown.allowed_ips, state, others);
  if (!offset) return tl::unexpected(std::move(offset).error());
  const auto sites = sites_from(others);
  if (!sites) return tl::unexpected(sites.error());
  if (sites->size() != others.size()) {
    return tl::unexpected(rejected("prefix_covered", "one of its allowed IPs lies inside another",
                                   "take the smaller one from it on the host, and import again"));
  }
  if (auto refusal = refuse_sites(*sites, server, 0, state)) return tl::unexpected(*std::move(refusal));
  return Place{*offset, texts_of(*sites)};
}

}  // namespace

std::vector<Stranger> strangers_in(const wireguard::HostAnswer& answer,
                                   const std::set<std::string, std::less<>>& keys) {
  std::map<std::string_view, Stranger> strangers;
  for (const wireguard::HostPeer& peer : answer.kernel) {
    if (keys.contains(peer.public_key)) strangers[peer.public_key] = {peer, true, false};
  }
  std::set<std::string_view> seen;
  for (const wireguard::HostPeer& peer : answer.file) {
    if (!keys.contains(peer.public_key)) continue;
    Stranger& stranger = strangers.try_emplace(peer.public_key, Stranger{peer, false, false}).first->second;
    // A key that the file has twice is saved as nothing.
    stranger.saved = seen.insert(peer.public_key).second && stranger.stands && stranger.shown == peer;
  }
  std::vector<Stranger> all;
  all.reserve(strangers.size());
  for (auto& [key, stranger] : strangers) all.push_back(std::move(stranger));
  return all;
}

std::string adopted_name(std::string_view public_key) {
  return "adopted-" + sha256_hex(public_key).substr(0, kNameDigits);
}

Decision key_in_use() {
  return rejected("key_in_use", "the key is another peer's or node's, or was",
                  "take it off this host, or see whose it is with `peerwright peer list -o wide`");
}

std::optional<Decision> refuse_stranger(const Stranger& stranger, Id server_id, const State& state) {
  auto place = place_of(stranger, *state.server(server_id), state);
  return place ? std::nullopt : std::optional(std::move(place).error());
}

Decision adopt(const Stranger& stranger, const Adoption& into, const State& state) {
  const Server& server = *state.server(into.server_id);
  auto place = place_of(stranger, server, state);
  if (!place) return std::move(place).error();
  const Peer& before = *state.peer(into.tenant, adopted_name(stranger.shown.public_key));
  if (before.stage != Stage::unknown || before.address_offset) {
    return rejected("name_taken", "the peer " + before.name + " is used already",
                    "remove the key from the host if that peer was revoked; else give that peer another name");
  }
  Decision decision;
  Peer peer = before;
  peer.stage = Stage::provisioned;
  peer.adopted = true;
  peer.server_id = server.id;
  peer.network_id = server.network_id;
  peer.address_offset = place->address_offset;
  peer.site_networks = std::move(place->site_networks);
  peer.public_key = stranger.shown.public_key;
  peer.preshared_key_unknown = stranger.shown.has_preshared_key;
  peer.hub_keepalive_seconds = stranger.shown.keepalive_seconds;
  peer.keepalive_seconds = server.keepalive_seconds;
  peer.client_routes = {"0.0.0.0/0", "::/0"};
  peer.provisioned_at = state.now;
  peer.created_by = into.source;
  peer.cause = into.cause;
  peer.changed_at = state.now;
  peer.version += 1;
  peer.generation = into.generation;
  peer.entitlement = entitlement_now(peer, state, {});
  const bool applied = peer.entitlement == Entitlement::active && stranger.saved;
  peer.applied_generation = applied ? peer.generation : peer.generation - 1;
  count_peer(peer, 1, state, decision);
  if (!applied) decision.due_servers.insert(server.id);
  if (!on_host(peer.entitlement)) decision.removals.push_back({server.id, peer.public_key, peer.id});
  if (peer.entitlement != Entitlement::active) decision.urgent_servers.insert(server.id);
  decision.peers.push_back(std::move(peer));
  return decision;
}

}  // namespace peerwright::domain
