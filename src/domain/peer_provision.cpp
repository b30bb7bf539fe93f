#include "peer_claim.hpp"
#include "peer_settings.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

const std::string& key_of(const PeerProvision& event, const State& state) {
  return event.public_key.empty() ? state.prepared.client_public_key : event.public_key;
}

Decision decide_again(const PeerProvision& event, const Peer& peer, const State& state) {
  const bool same_key =
      event.public_key.empty() ? !peer.client_key_sealed.empty() : event.public_key == peer.public_key;
  if (!same_key) {
    return rejected("peer_has_key", "the peer was provisioned with another key",
                    "send peer.rotate_key to give it a new one, or provision a peer of another name");
  }
  if (event.type != peer.type || !says_the_same(event.place, event.settings, peer, state)) {
    return rejected("peer_exists", "the peer was provisioned with other settings",
                    "send peer.update or peer.move to change it");
  }
  Decision decision;
  decision.outcome = Outcome::unchanged;
  decision.peers.push_back(peer);
  return decision;
}

Decision reservation_expired() {
  return rejected("reservation_expired", "the peer's reservation has ended",
                  "reserve again, or name a server or a region to get a place now");
}

// A reserved peer becomes a provisioned one: it keeps its place, also on a server that takes no new ones, and is
// counted already.
std::optional<Decision> activate(const PeerProvision& event, const Word& word, const State& state, Peer& peer,
                                 Decision& decision) {
  if (!names_its_place(event.place, peer, state)) {
    return rejected("peer_reserved_elsewhere", "the peer is reserved with another server, region or address",
                    "leave them out to get what was reserved, or send peer.move first");
  }
  if (peer.reserved_until && word.place.broker_time >= *peer.reserved_until) return reservation_expired();
  auto sites = sites_said(event.settings);
  if (!sites) return std::move(sites).error();
  if (auto refusal = refuse_sites(*sites, *state.server(*peer.server_id), peer.id, state)) return refusal;
  if (auto refusal = give_subscriber(event.place, cause_of(word), state, peer, decision)) return refusal;
  if (auto refusal = change_plan(event.place.plan, peer, state, decision)) return refusal;
  put_settings(event.settings, *sites, state.prepared, peer);
  peer.word = following(word, peer.word);
  peer.reservation = Reservation::activated;
  decision.timers.push_back({TimerKind::reservation, peer.id, {}, std::nullopt});
  return std::nullopt;
}

std::optional<Decision> allocate(const PeerProvision& event, const Word& word, const State& state, Peer& peer,
                                 Decision& decision) {
  const bool is_placed = !event.place.server.empty() || !event.place.region.empty();
  if (!is_placed && peer.reservation == Reservation::expired) return reservation_expired();
  peer = blank(peer);
  return admit(event.place, event.settings, word, state, peer, decision);
}

}  // namespace

Refs refs_of(const PeerProvision& event) {
  Refs refs = refs_of_place(event.place, event.settings);
  refs.public_key = event.public_key;
  return refs;
}

Decision decide(const PeerProvision& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.place.tenant, event.place.peer);
  if (before.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "provision a peer of another name");
  }
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  const Tenant& tenant = *state.tenant(event.place.tenant);
  const std::string& key = key_of(event, state);
  const Peer* adopted = state.adopted_peer(tenant.id, key);
  const bool is_claim = adopted != nullptr && (before.public_key.empty() || before.id == adopted->id);
  const bool comparable = state.prepared.refusal.empty();
  if (before.stage == Stage::provisioned && comparable && !is_claim) return decide_again(event, before, state);
  if (auto refusal = refuse_secrets(event.public_key.empty(), event.settings, tenant, state)) {
    return *std::move(refusal);
  }
  if (is_claim) return claim(event, word, *adopted, state);
  // The refusal is the same whoever holds the key: it must not tell one tenant about another.
  if (state.key_taken(key)) {
    return rejected("key_unavailable", "the public key cannot be used", "make a new key pair on the client");
  }

  Decision decision;
  Peer after = before;
  auto refusal = before.stage == Stage::reserved ? activate(event, word, state, after, decision)
                                                 : allocate(event, word, state, after, decision);
  if (refusal) return *std::move(refusal);
  after.stage = Stage::provisioned;
  after.provisioned_at = after_releases(after, state);
  after.type = event.type;
  after.public_key = key;
  after.client_key_sealed = event.public_key.empty() ? state.prepared.client_key_sealed : std::string();
  if (after.expires_at) decision.timers.push_back({TimerKind::expiry, after.id, {}, after.expires_at});
  settle_peer(std::move(after), state, cause_of(word), true, decision);
  return decision;
}

}  // namespace peerwright::domain
