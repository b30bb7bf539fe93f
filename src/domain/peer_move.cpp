#include "peer_claim.hpp"
#include "peer_settings.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

// Takes the peer from its server. Its keys go from there with a proof; an address that it does not keep comes back with
// that proof, for until then the old host may still answer for it.
void leave_server(const Peer& before, bool keeps_address, const State& state, Decision& decision) {
  Server& old = *changed_server(*before.server_id, state, decision);
  old.peer_count -= 1;
  if (before.public_key.empty()) {  // reserved: never on a host
    if (!keeps_address) decision.freed.push_back({*before.network_id, *before.address_offset});
    return;
  }
  Removal removal{old.id, before.public_key, before.id};
  if (!keeps_address) {
    removal.network_id = before.network_id;
    removal.address_offset = before.address_offset;
  }
  decision.removals.push_back(std::move(removal));
  if (!before.staged_key.empty()) decision.removals.push_back({old.id, before.staged_key, before.id});
  old.generation += 1;
  decision.due_servers.insert(old.id);
  if (on_host(before.entitlement)) decision.urgent_servers.insert(old.id);
}

bool is_there(const PeerMove& event, const Server& server) {
  return event.server.empty() ? !event.region.empty() && event.region == server.region : event.server == server.name;
}

}  // namespace

Refs refs_of(const PeerMove& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.peer = event.peer;
  refs.counts_tenant = true;  // a peer whose subscriber was released meanwhile is counted down
  refs.server = event.server;
  refs.region = event.region;
  refs.takes_address = true;
  return refs;
}

Decision decide(const PeerMove& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.tenant, event.peer);
  if (auto refusal = refuse_change(before, word)) return *std::move(refusal);
  if (auto refusal = refuse_unknown_secret(before)) return *std::move(refusal);
  Decision decision;
  Peer after = before;
  after.word = following(word, after.word);
  if (is_there(event, *state.server(*before.server_id))) {
    decision.outcome = Outcome::unchanged;
    decision.peers.push_back(std::move(after));
    return decision;
  }
  const auto sites = sites_from(before.site_networks);
  if (!sites) return sites.error();
  const Wanted wanted{before.tenant_id, before.id, event.server, event.region, {}, *sites, before.network_id};
  const auto server = choose_server(wanted, state);
  if (!server) return server.error();

  leave_server(before, before.network_id == (*server)->network_id, state, decision);
  seat_peer(after, **server, wanted, state, decision);
  changed_server((*server)->id, state, decision)->peer_count += 1;
  after.applied_generation = 0;  // generations are counted by each server for itself
  settle_peer(std::move(after), state, cause_of(word), true, decision);
  return decision;
}

}  // namespace peerwright::domain
