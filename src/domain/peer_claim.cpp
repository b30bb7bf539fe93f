#include "peer_claim.hpp"

#include "hold_plan.hpp"
#include "peer_settings.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

Decision elsewhere() {
  return rejected("adopted_elsewhere", "the key stands on a host already, with another server or address",
                  "leave server, region and address out to claim the peer as it stands; peer.move moves it then");
}

// The identity under which the peer was adopted: nothing is left of it but its end.
Peer ended(const Peer& adopted, const Word& word, Time now) {
  Peer left;
  left.id = adopted.id;
  left.tenant_id = adopted.tenant_id;
  left.tenant = adopted.tenant;
  left.name = adopted.name;
  left.stage = Stage::revoked;
  left.entitlement = Entitlement::revoked;
  left.word = adopted.word;
  left.cause = cause_of(word);
  left.changed_at = now;
  left.version = adopted.version + 1;
  left.created_by = adopted.created_by;
  return left;
}

// Reasons why it is off stay: of each owner the last word, on whichever of the two names.
void move_holds(const Peer& adopted, Id to, const State& state, Decision& decision) {
  for (const Hold* hold : state.holds_of({ScopeKind::peer, adopted.id})) {
    decision.timers.push_back({TimerKind::hold_peer, adopted.id, hold->owner, std::nullopt});
    const Hold* own = state.hold({ScopeKind::peer, to}, hold->owner);
    if (own != nullptr && order_of(hold->word, own->word) != Order::newer) continue;
    Hold moved = *hold;
    moved.scope.id = to;
    set_hold_timer(moved, own, decision);
    decision.holds.push_back(std::move(moved));
  }
}

void take_over(const Peer& adopted, const Peer& named, const Word& word, const State& state, Peer& peer,
               Decision& decision) {
  peer.id = named.id;
  peer.name = named.name;
  peer.version = named.version;
  peer.created_by = named.created_by.empty() ? word.source : named.created_by;
  // Sealed values are bound to the peer's name: those of the adopted name say nothing under another.
  peer.preshared_key_sealed.clear();
  peer.preshared_key_hash.clear();
  peer.client_key_sealed.clear();
  peer.staged_client_key_sealed.clear();
  move_holds(adopted, named.id, state, decision);
  for (const TimerKind kind : {TimerKind::expiry, TimerKind::rotation, TimerKind::quota}) {
    decision.timers.push_back({kind, adopted.id, {}, std::nullopt});
  }
  if (peer.staged_until) decision.timers.push_back({TimerKind::rotation, peer.id, {}, peer.staged_until});
  decision.claims[adopted.id] = named.id;
  decision.peers.push_back(ended(adopted, word, state.now));
}

// What the event says over what was found, or the rejection.
std::optional<Decision> put_event(const PeerProvision& event, const Word& word, const State& state, Id before_id,
                                  Peer& peer, Decision& decision) {
  auto sites = sites_said(event.settings);
  if (!sites) return std::move(sites).error();
  if (auto refusal = refuse_sites(*sites, *state.server(*peer.server_id), before_id, state)) return refusal;
  if (auto refusal = give_subscriber(event.place, cause_of(word), state, peer, decision)) return refusal;
  if (auto refusal = change_plan(event.place.plan, peer, state, decision)) return refusal;
  put_settings(event.settings, *sites, state.prepared, peer);
  peer.type = event.type;
  return std::nullopt;
}

}  // namespace

Time after_releases(const Peer& peer, const State& state) {
  Time at = state.now;
  const auto pass = [&](const std::optional<Time>& released_at) {
    if (released_at) at = std::max(at, *released_at + std::chrono::microseconds(1));
  };
  const Subscriber* subscriber = peer.subscriber_id ? state.subscriber(*peer.subscriber_id) : nullptr;
  if (subscriber == nullptr) return at;
  pass(subscriber->released_at);
  const Customer* customer = subscriber->customer_id ? state.customer(*subscriber->customer_id) : nullptr;
  if (customer != nullptr) pass(customer->released_at);
  return at;
}

std::optional<Decision> change_plan(const std::string& plan, Peer& peer, const State& state, Decision& decision) {
  if (plan.empty() || plan == peer.plan) return std::nullopt;
  if (auto refusal = refuse_plan(*state.tenant(peer.tenant_id), plan)) return refusal;
  count_peer(peer, -1, state, decision);
  peer.plan = plan;
  count_peer(peer, 1, state, decision);
  return std::nullopt;
}

std::optional<Decision> refuse_unknown_secret(const Peer& peer) {
  if (!peer.preshared_key_unknown) return std::nullopt;
  return rejected("preshared_key_unknown", "only the peer's host knows its preshared key",
                  "say the preshared key first, sealed, with peer.provision or peer.update");
}

Decision claim(const PeerProvision& event, const Word& word, const Peer& adopted, const State& state) {
  const Peer& named = *state.peer(event.place.tenant, event.place.peer);
  const bool by_its_name = named.id == adopted.id;
  const bool has_place = named.stage != Stage::unknown || named.address_offset;
  if ((has_place && !by_its_name) || !names_its_place(event.place, adopted, state)) return elsewhere();
  if (!by_its_name && !adopted.preshared_key_sealed.empty() && !event.settings.preshared_key) {
    return rejected("preshared_key_required",
                    "the adopted peer has a preshared key, which is bound to its present name",
                    "say the preshared key in this event too, sealed");
  }
  Decision decision;
  Peer peer = adopted;
  peer.adopted = false;
  if (!by_its_name) take_over(adopted, named, word, state, peer, decision);
  if (auto refusal = put_event(event, word, state, adopted.id, peer, decision)) return *std::move(refusal);
  peer.word = following(word, named.word);
  peer.provisioned_at = after_releases(peer, state);
  if (peer.expires_at) decision.timers.push_back({TimerKind::expiry, peer.id, {}, peer.expires_at});
  if (!on_host(peer.entitlement)) decision.removals.push_back({*peer.server_id, peer.public_key, peer.id});

  const bool as_it_stands = same_on_host(adopted, peer);
  const std::size_t others = decision.peers.size();
  settle_peer(peer, state, cause_of(word), !as_it_stands, decision);
  if (decision.peers.size() == others) {
    peer.version += 1;
    peer.cause = cause_of(word);
    peer.changed_at = state.now;
    decision.peers.push_back(std::move(peer));
  }
  return decision;
}

}  // namespace peerwright::domain
