#include "placement.hpp"

#include <algorithm>
#include <array>

#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

const Network* network_of(const Server& server, const State& state) {
  return server.network_id ? state.network(*server.network_id) : nullptr;
}

bool is_visible(const Server& server, Id tenant_id, const State& state) {
  return server.word && network_of(server, state) != nullptr &&
         (!server.owner_tenant_id || *server.owner_tenant_id == tenant_id);
}

// Whether the peer keeps the address that it has: it is one of the server's network, and no other is asked for.
bool keeps_address(const Server& server, const Wanted& wanted, const State& state) {
  if (wanted.kept_network != server.network_id) return false;
  if (wanted.address.empty()) return true;
  const Network& network = *network_of(server, state);
  const auto asked = wireguard::Prefix::parse(wanted.address);
  const auto& net = asked && asked->is_ipv4() ? network.net4 : network.net6;
  return asked && net && wanted.kept_offset && net->offset_of(*asked) == wanted.kept_offset;
}

std::optional<Decision> refuse_address(const Server& server, const Wanted& wanted, const State& state) {
  if (keeps_address(server, wanted, state)) return std::nullopt;
  const Network& network = *network_of(server, state);
  if (!wanted.address.empty()) {
    auto offset = asked_offset(wanted.address, network, state);
    return offset ? std::nullopt : std::optional(std::move(offset).error());
  }
  if (free_offset(network)) return std::nullopt;
  return rejected("addresses_exhausted", "the network " + network.name + " has no free address",
                  "wait until quarantined addresses return, or use a server in another network");
}

bool is_full(const Server& server) { return server.peer_count >= server.max_peers; }

// Why the server cannot take the peer. A server in maintenance can: what is pushed there waits.
std::optional<Decision> refuse_server(const Server& server, const Wanted& wanted, const State& state) {
  if (server.state == ServerState::retired) {
    return rejected("server_retired", "the server " + server.name + " was retired", "name another server, or a region");
  }
  if (server.state == ServerState::draining) {
    return rejected("server_draining", "the server " + server.name + " takes no new peers",
                    "name another server, or a region");
  }
  if (is_full(server)) {
    return rejected("server_full", "the server has its " + std::to_string(server.max_peers) + " peers",
                    "name another server, or raise max_peers with server.update");
  }
  if (auto refusal = refuse_address(server, wanted, state)) return refusal;
  return refuse_sites(wanted.sites, server, wanted.peer_id, state);
}

// Exact, without division: a/b < c/d is a*d < c*b. Equally used ones stand in the order of their ids.
bool is_less_used(const Server& one, const Server& other) {
  return one.peer_count * other.max_peers < other.peer_count * one.max_peers;
}

// Whether another server of the region would have been refused for the same reason, for it lies in what is wanted.
bool is_about_what_is_wanted(const Decision& refusal) {
  static constexpr std::array kAboutTheServer = {"server_draining", "server_full", "addresses_exhausted"};
  return std::none_of(kAboutTheServer.begin(), kAboutTheServer.end(),
                      [&](const char* code) { return refusal.code == code; });
}

Judged<const Server*> least_used(const Wanted& wanted, const State& state) {
  const Server* best = nullptr;
  bool known = false;
  std::optional<Decision> reason;
  for (const Server* server : state.servers_in(wanted.region)) {
    if (!is_visible(*server, wanted.tenant_id, state) || server->state == ServerState::retired) continue;
    known = true;
    if (best != nullptr && !is_less_used(*server, *best)) continue;
    auto refusal = refuse_server(*server, wanted, state);
    if (!refusal) {
      best = server;
    } else if (!reason && is_about_what_is_wanted(*refusal)) {
      reason = std::move(refusal);
    }
  }
  if (best != nullptr) return best;
  if (reason) return tl::unexpected(*std::move(reason));
  if (known) {
    return tl::unexpected(rejected("region_full", "no server of the region " + wanted.region + " has room",
                                   "name another region, or let an operator add a server or raise max_peers"));
  }
  return tl::unexpected(rejected("unknown_region", "there is no server in the region " + wanted.region,
                                 "name a region that servers were registered with"));
}

}  // namespace

Judged<const Server*> visible_server(const std::string& name, Id tenant_id, const State& state) {
  const Server* server = state.server(name);
  if (server != nullptr && is_visible(*server, tenant_id, state)) return server;
  return tl::unexpected(
      rejected("unknown_server", "there is no server " + name, "name a server that was registered for this tenant"));
}

Judged<const Server*> choose_server(const Wanted& wanted, const State& state) {
  if (wanted.server.empty() && wanted.region.empty()) {
    return tl::unexpected(rejected("server_required", "neither a server nor a region is named", "name one of them"));
  }
  if (wanted.server.empty()) return least_used(wanted, state);
  auto server = visible_server(wanted.server, wanted.tenant_id, state);
  if (!server) return server;
  if (auto refusal = refuse_server(**server, wanted, state)) return tl::unexpected(*std::move(refusal));
  return server;
}

void seat_peer(Peer& peer, const Server& server, const Wanted& wanted, const State& state, Decision& decision) {
  peer.server_id = server.id;
  if (keeps_address(server, wanted, state)) return;
  if (wanted.kept_network && wanted.kept_offset) decision.freed.push_back({*wanted.kept_network, *wanted.kept_offset});
  Network network = *network_of(server, state);
  if (wanted.address.empty()) {
    peer.address_offset = take_offset(network);
  } else {
    peer.address_offset = *asked_offset(wanted.address, network, state);
    take_asked_offset(network, *peer.address_offset);
  }
  peer.network_id = network.id;
  decision.networks.push_back(std::move(network));
}

Judged<std::vector<wireguard::Prefix>> sites_from(const std::vector<std::string>& texts) {
  std::vector<wireguard::Prefix> prefixes;
  for (const std::string& text : texts) {
    const auto prefix = wireguard::Prefix::parse(text);
    if (!prefix) {
      return tl::unexpected(rejected("prefix_invalid", "not an IPv4 or IPv6 prefix: " + text, prefix.error().remedy));
    }
    if (prefix->length() == 0) {
      return tl::unexpected(rejected("prefix_too_wide", "the site network " + text + " would take all traffic",
                                     "name the networks behind the peer; what a client sends into the tunnel is said "
                                     "by client_routes"));
    }
    prefixes.push_back(prefix->network());
  }
  std::sort(prefixes.begin(), prefixes.end());
  std::vector<wireguard::Prefix> kept;
  for (const wireguard::Prefix& prefix : prefixes) {
    const bool covered = std::any_of(prefixes.begin(), prefixes.end(), [&](const wireguard::Prefix& other) {
      return other != prefix && other.contains(prefix);
    });
    if (!covered && (kept.empty() || kept.back() != prefix)) kept.push_back(prefix);
  }
  return kept;
}

std::vector<std::string> texts_of(const std::vector<wireguard::Prefix>& prefixes) {
  std::vector<std::string> texts;
  texts.reserve(prefixes.size());
  for (const wireguard::Prefix& prefix : prefixes) texts.push_back(prefix.text());
  return texts;
}

std::optional<Decision> refuse_sites(const std::vector<wireguard::Prefix>& sites, const Server& server, Id peer_id,
                                     const State& state) {
  const Network& network = *network_of(server, state);
  for (const wireguard::Prefix& site : sites) {
    const bool inside =
        (network.net4 && network.net4->overlaps(site)) || (network.net6 && network.net6->overlaps(site));
    if (inside || state.site_taken(server.id, site, peer_id)) {
      return rejected("prefix_taken", "the site network " + site.text() + " overlaps what is in use on the server",
                      "name another network, or another server");
    }
    if (std::any_of(network.forbidden.begin(), network.forbidden.end(),
                    [&](const wireguard::Prefix& forbidden) { return forbidden.overlaps(site); })) {
      return rejected("prefix_forbidden", "the site network " + site.text() + " overlaps a forbidden network",
                      "name another network; what is forbidden is said by network.set");
    }
    if (!network.allow_public && !is_private(site)) {
      return rejected("prefix_public", "the site network " + site.text() + " has public addresses",
                      "name a private network, or set allow_public with network.set");
    }
  }
  return std::nullopt;
}

bool is_private(const wireguard::Prefix& prefix) {
  static const auto kPrivate = [] {
    std::vector<wireguard::Prefix> ranges;
    for (const char* text : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                             "fc00::/7", "fe80::/10"}) {
      ranges.push_back(wireguard::Prefix::parse(text).value());
    }
    return ranges;
  }();
  return std::any_of(kPrivate.begin(), kPrivate.end(), [&](const auto& range) { return range.contains(prefix); });
}

std::optional<Decision> refuse_plan(const Tenant& tenant, const std::string& plan) {
  if (plan.empty()) return std::nullopt;
  const bool lists =
      std::any_of(tenant.plans.begin(), tenant.plans.end(), [](const auto& entry) { return entry.second.listed; });
  if (!lists) return std::nullopt;
  const auto found = tenant.plans.find(plan);
  if (found == tenant.plans.end() || !found->second.listed) {
    return rejected("unknown_plan", "the tenant has no plan " + plan, "name a plan of tenant.set, or set it there");
  }
  if (found->second.peer_count < found->second.max_peers) return std::nullopt;
  return rejected("plan_full", "the plan " + plan + " has its " + std::to_string(found->second.max_peers) + " peers",
                  "revoke peers, or raise the plan's limit with tenant.set");
}

std::optional<Decision> refuse_one_more(const Tenant& tenant, const std::string& plan) {
  if (tenant.max_peers && tenant.peer_count >= *tenant.max_peers) {
    return rejected("tenant_full", "the tenant has its " + std::to_string(*tenant.max_peers) + " peers",
                    "revoke peers, or raise max_peers with tenant.set");
  }
  return refuse_plan(tenant, plan);
}

namespace {

// Whether the customer has something to say about the peers of a subscriber that becomes its own.
bool matters(const Customer& customer, const State& state) {
  return customer.revoked || customer.released_at || state.held_by_others({ScopeKind::customer, customer.id}, {});
}

}  // namespace

std::optional<Decision> give_subscriber(const Placement& place, const std::string& cause, const State& state,
                                        Peer& peer, Decision& decision) {
  if (place.subscriber.empty() && !place.customer.empty()) {
    return rejected("subscriber_required", "a customer is named without a subscriber", "name the subscriber too");
  }
  const Subscriber* subscriber = nullptr;
  if (!place.subscriber.empty()) subscriber = state.subscriber(place.tenant, place.subscriber);
  if (subscriber == nullptr && peer.subscriber_id) subscriber = state.subscriber(*peer.subscriber_id);
  if (subscriber == nullptr) return std::nullopt;
  const Customer* owner = subscriber->customer_id ? state.customer(*subscriber->customer_id) : nullptr;
  const Customer* named = place.customer.empty() ? owner : state.customer(place.tenant, place.customer);
  if (subscriber->customer_id && named != owner) {
    return rejected("subscriber_of_other_customer", "the subscriber " + subscriber->name + " is of another customer",
                    "name its own customer, or a subscriber of another name");
  }
  if (subscriber->revoked || (named != nullptr && named->revoked)) {
    return rejected("subscriber_revoked", "the subscriber or its customer was revoked, which is final",
                    "name another subscriber");
  }
  peer.subscriber_id = subscriber->id;
  peer.subscriber = subscriber->name;
  if (subscriber->customer_id || named == nullptr) return std::nullopt;
  Subscriber* joined = changed_subscriber(subscriber->id, state, decision);
  joined->customer_id = named->id;
  joined->version += 1;
  // Peers that the subscriber had before are under the customer's holds from now on.
  if (matters(*named, state)) decision.fan_outs.insert_or_assign(subscriber->id, cause);
  return std::nullopt;
}

}  // namespace peerwright::domain
