#include "peer_settings.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {

Refs refs_of_place(const Placement& place, const PeerSettings& settings) {
  Refs refs;
  refs.tenant = place.tenant;
  refs.customer = place.customer;
  refs.subscriber = place.subscriber;
  refs.peer = place.peer;
  refs.server = place.server;
  refs.region = place.region;
  refs.takes_address = !place.server.empty() || !place.region.empty();
  refs.address = place.address;
  refs.site_networks = settings.site_networks.value_or(std::vector<std::string>());
  refs.counts_tenant = true;
  return refs;
}

Judged<std::vector<wireguard::Prefix>> sites_said(const PeerSettings& settings) {
  return sites_from(settings.site_networks.value_or(std::vector<std::string>()));
}

Peer blank(const Peer& peer) {
  Peer made;
  made.id = peer.id;
  made.tenant_id = peer.tenant_id;
  made.tenant = peer.tenant;
  made.name = peer.name;
  made.network_id = peer.network_id;
  made.address_offset = peer.address_offset;
  made.stage = peer.stage;
  made.entitlement = peer.entitlement;
  made.word = peer.word;
  made.cause = peer.cause;
  made.changed_at = peer.changed_at;
  made.version = peer.version;
  made.generation = peer.generation;
  made.applied_generation = peer.applied_generation;
  made.created_by = peer.created_by;
  made.client_routes = {"0.0.0.0/0", "::/0"};  // all of the client's traffic, unless it is said otherwise
  return made;
}

std::optional<Decision> admit(const Placement& place, const PeerSettings& settings, const Word& word,
                              const State& state, Peer& peer, Decision& decision) {
  const Tenant& tenant = *state.tenant(place.tenant);
  auto sites = sites_said(settings);
  if (!sites) return std::move(sites).error();
  if (auto refusal = refuse_one_more(tenant, place.plan)) return refusal;
  const Wanted wanted{tenant.id,     peer.id, place.server,    place.region,
                      place.address, *sites,  peer.network_id, peer.address_offset};
  const auto server = choose_server(wanted, state);
  if (!server) return server.error();
  if (auto refusal = give_subscriber(place, cause_of(word), state, peer, decision)) return refusal;

  seat_peer(peer, **server, wanted, state, decision);
  peer.plan = place.plan;
  count_peer(peer, 1, state, decision);
  peer.keepalive_seconds = (*server)->keepalive_seconds;
  put_settings(settings, *sites, state.prepared, peer);
  peer.word = following(word, peer.word);
  if (peer.created_by.empty()) peer.created_by = word.source;
  return std::nullopt;
}

bool names_its_place(const Placement& place, const Peer& peer, const State& state) {
  const Server* server = peer.server_id ? state.server(*peer.server_id) : nullptr;
  const Network* network = peer.network_id ? state.network(*peer.network_id) : nullptr;
  if (server == nullptr || network == nullptr) return false;
  if (!place.server.empty() && place.server != server->name) return false;
  if (!place.region.empty() && place.region != server->region) return false;
  if (place.address.empty()) return true;
  const auto address = wireguard::Prefix::parse(place.address);
  const auto& net = address && address->is_ipv4() ? network->net4 : network->net6;
  return address && net && net->offset_of(*address) == peer.address_offset;
}

namespace {

bool names_its_owner(const Placement& place, const Peer& peer, const State& state) {
  if (!place.plan.empty() && place.plan != peer.plan) return false;
  if (!place.subscriber.empty() && place.subscriber != peer.subscriber) return false;
  if (place.customer.empty()) return true;
  const Subscriber* subscriber = peer.subscriber_id ? state.subscriber(*peer.subscriber_id) : nullptr;
  const Customer* customer =
      subscriber != nullptr && subscriber->customer_id ? state.customer(*subscriber->customer_id) : nullptr;
  return customer != nullptr && customer->name == place.customer;
}

}  // namespace

bool says_the_same(const Placement& place, const PeerSettings& settings, const Peer& peer, const State& state) {
  if (!names_its_place(place, peer, state) || !names_its_owner(place, peer, state)) return false;
  const auto sites = sites_said(settings);
  if (!sites) return false;
  PeerSettings said = settings;
  if (said.preshared_key && said.sealed_preshared_key.empty() && !peer.preshared_key_sealed.empty()) {
    said.preshared_key = false;  // one was made here before
  }
  Peer after = peer;
  put_settings(said, *sites, state.prepared, after);
  return same_settings(peer, after);
}

}  // namespace peerwright::domain
