#include "peer_settings.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

// Timers whose times the change moves. The quota is judged by its timer alone, which knows what was used.
void set_timers(const Peer& before, const Peer& after, Time now, Decision& decision) {
  if (after.stage != Stage::provisioned) return;  // those of a reserved peer are set when it is provisioned
  if (before.expires_at != after.expires_at) {
    decision.timers.push_back({TimerKind::expiry, after.id, {}, after.expires_at});
  }
  if (before.quota_bytes != after.quota_bytes) decision.timers.push_back({TimerKind::quota, after.id, {}, now});
}

// The change has to reach the host: as settle_peer would, but what is to be removed stays as it is.
void touch_host(Peer& peer, const State& state, Decision& decision) {
  Server* server = changed_server(*peer.server_id, state, decision);
  server->generation += 1;
  peer.generation = server->generation;
  peer.delivery_error.clear();
  decision.due_servers.insert(server->id);
}

// The peer as the event leaves it, or the rejection.
Judged<Peer> updated(const PeerUpdate& event, const Peer& before, const State& state) {
  const auto sites = sites_said(event.settings);
  if (!sites) return tl::unexpected(sites.error());
  const Server* server = before.server_id ? state.server(*before.server_id) : nullptr;
  if (server != nullptr) {
    if (auto refusal = refuse_sites(*sites, *server, before.id, state)) return tl::unexpected(*std::move(refusal));
  }
  Peer after = before;
  put_settings(event.settings, *sites, state.prepared, after);
  if (!after.expires_at || *after.expires_at > state.now) after.expired = false;
  return after;
}

}  // namespace

Refs refs_of(const PeerUpdate& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.peer = event.peer;
  refs.counts_tenant = true;  // a peer whose subscriber was released meanwhile is counted down
  refs.site_networks = event.settings.site_networks.value_or(std::vector<std::string>());
  return refs;
}

Decision decide(const PeerUpdate& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.tenant, event.peer);
  if (auto refusal = refuse_change(before, word)) return *std::move(refusal);
  const Tenant& tenant = *state.tenant(event.tenant);
  if (auto refusal = refuse_secrets(false, event.settings, tenant, state)) return *std::move(refusal);
  auto after = updated(event, before, state);
  if (!after) return std::move(after).error();

  Decision decision;
  after->word = following(word, after->word);
  if (same_settings(before, *after) && before.expired == after->expired) {
    decision.outcome = Outcome::unchanged;
    decision.peers.push_back(*std::move(after));
    return decision;
  }
  set_timers(before, *after, state.now, decision);
  const Entitlement entitlement = entitlement_now(*after, state, {});
  if (entitlement != before.entitlement) {
    settle_peer(*std::move(after), state, cause_of(word), true, decision);
    return decision;
  }
  after->version += 1;
  after->cause = cause_of(word);
  after->changed_at = state.now;
  if (on_host(entitlement) && !same_on_host(before, *after)) touch_host(*after, state, decision);
  decision.peers.push_back(*std::move(after));
  return decision;
}

}  // namespace peerwright::domain
