#include "peerwright/domain/rules.hpp"

#include <algorithm>
#include <utility>

namespace peerwright::domain {

std::string cause_of(const Word& word) { return word.source + '/' + word.id; }

std::optional<Decision> refuse_by_order(const Word& said, const std::optional<Word>& held) {
  if (!held) return std::nullopt;
  switch (order_of(said, *held)) {
    case Order::newer:
      return std::nullopt;
    case Order::older:
      return rejected("stale", "a newer word on this subject was accepted before: " + cause_of(*held),
                      "nothing to do, unless the sequence is wrong: it has to grow per source and subject");
    case Order::sequence_reused:
      return rejected("sequence_reused", "the sequence was used before by " + cause_of(*held),
                      "give every event of a subject a sequence of its own, growing");
    case Order::sequence_required:
      return rejected("sequence_required", "this source's last word on the subject had a sequence, this one has none",
                      "send the CloudEvents extension `sequence` with every event of this source");
  }
  return std::nullopt;
}

namespace {

template <typename Thing>
Thing* changed(std::vector<Thing>& after_images, const Thing* before) {
  if (before == nullptr) return nullptr;
  const auto found = std::find_if(after_images.begin(), after_images.end(),
                                  [&](const Thing& thing) { return thing.id == before->id; });
  return found != after_images.end() ? &*found : &after_images.emplace_back(*before);
}

// The after-image that the decision has already, else what the state has.
template <typename Thing>
const Thing* latest(const std::vector<Thing>& after_images, const Thing* before) {
  if (before == nullptr) return nullptr;
  const auto found = std::find_if(after_images.begin(), after_images.end(),
                                  [&](const Thing& thing) { return thing.id == before->id; });
  return found != after_images.end() ? &*found : before;
}

}  // namespace

Tenant* changed_tenant(Id id, const State& state, Decision& decision) {
  return changed(decision.tenants, state.tenant(id));
}
Server* changed_server(Id id, const State& state, Decision& decision) {
  return changed(decision.servers, state.server(id));
}
Subscriber* changed_subscriber(Id id, const State& state, Decision& decision) {
  return changed(decision.subscribers, state.subscriber(id));
}
Customer* changed_customer(Id id, const State& state, Decision& decision) {
  return changed(decision.customers, state.customer(id));
}

namespace {

// What a hold does to its peers. A level without `held` is one that an older version lifted.
HoldLevel felt(const Hold& hold) {
  if (!hold.held) return HoldLevel::none;
  return hold.level == HoldLevel::cut ? HoldLevel::cut : HoldLevel::walled_garden;
}

HoldLevel stricter(HoldLevel one, HoldLevel other) {
  if (one == HoldLevel::cut || other == HoldLevel::cut) return HoldLevel::cut;
  return one == HoldLevel::none ? other : one;
}

HoldLevel level_of(Scope scope, const State& state, std::span<const Hold> said) {
  for (const Hold& hold : said) {
    if (hold.scope == scope) return stricter(felt(hold), state.level_by_others(scope, hold.owner));
  }
  return state.level_by_others(scope, {});
}

// Whom a peer belongs to; nullptr for nobody.
struct Belonging {
  const Subscriber* subscriber = nullptr;
  const Customer* customer = nullptr;
};

template <typename Thing>
bool ended_by(const Thing* thing, const Peer& peer) {
  if (thing == nullptr) return false;
  if (thing->revoked) return true;
  if (!thing->released_at || peer.stage != Stage::provisioned) return false;
  // A peer of the version before knows no time: it was there before any release.
  return !peer.provisioned_at || *peer.provisioned_at <= *thing->released_at;
}

Entitlement judge(const Peer& peer, const Belonging& to, const State& state, std::span<const Hold> said) {
  if (peer.stage == Stage::revoked) return Entitlement::revoked;
  const bool placed = peer.stage == Stage::reserved || peer.stage == Stage::provisioned;
  if (placed && (ended_by(to.subscriber, peer) || ended_by(to.customer, peer))) return Entitlement::revoked;
  if (peer.stage == Stage::reserved) return Entitlement::reserved;

  HoldLevel level = level_of({ScopeKind::peer, peer.id}, state, said);
  if (peer.subscriber_id) level = stricter(level, level_of({ScopeKind::subscriber, *peer.subscriber_id}, state, said));
  if (to.subscriber != nullptr && to.subscriber->customer_id) {
    level = stricter(level, level_of({ScopeKind::customer, *to.subscriber->customer_id}, state, said));
  }
  if (peer.stage == Stage::unknown) {
    return level == HoldLevel::cut ? Entitlement::suspended : Entitlement::unprovisioned;
  }
  if (peer.expired) return Entitlement::expired;
  if (peer.over_quota || level == HoldLevel::cut) return Entitlement::suspended;
  return level == HoldLevel::walled_garden ? Entitlement::walled_garden : Entitlement::active;
}

Entitlement entitlement_in(const Peer& peer, const State& state, const Decision& decision) {
  Belonging to;
  if (peer.subscriber_id) to.subscriber = latest(decision.subscribers, state.subscriber(*peer.subscriber_id));
  if (to.subscriber != nullptr && to.subscriber->customer_id) {
    to.customer = latest(decision.customers, state.customer(*to.subscriber->customer_id));
  }
  return judge(peer, to, state, decision.holds);
}

}  // namespace

Entitlement entitlement_now(const Peer& peer, const State& state, std::span<const Hold> said) {
  Belonging to;
  if (peer.subscriber_id) to.subscriber = state.subscriber(*peer.subscriber_id);
  if (to.subscriber != nullptr && to.subscriber->customer_id) to.customer = state.customer(*to.subscriber->customer_id);
  return judge(peer, to, state, said);
}

void count_peer(const Peer& peer, int by, const State& state, Decision& decision) {
  if (peer.server_id) {
    if (Server* server = changed_server(*peer.server_id, state, decision)) server->peer_count += by;
  }
  Tenant* tenant = changed_tenant(peer.tenant_id, state, decision);
  if (tenant == nullptr) return;
  const auto counted = [by](std::int64_t count) { return std::max<std::int64_t>(0, count + by); };
  tenant->peer_count = counted(tenant->peer_count);
  if (peer.plan.empty()) return;
  PlanLimit& plan = tenant->plans.try_emplace(peer.plan, PlanLimit{0, 0, false}).first->second;
  plan.peer_count = counted(plan.peer_count);
}

void drop_reservation(Peer& peer, const State& state, Decision& decision) {
  count_peer(peer, -1, state, decision);
  if (peer.network_id && peer.address_offset) decision.freed.push_back({*peer.network_id, *peer.address_offset});
  decision.timers.push_back({TimerKind::reservation, peer.id, {}, std::nullopt});
  peer.reservation = Reservation::expired;
  peer.reserved_until.reset();
  peer.server_id.reset();
  peer.network_id.reset();
  peer.address_offset.reset();
  peer.site_networks.clear();
  peer.plan.clear();
  peer.expires_at.reset();
  peer.quota_bytes = 0;
  peer.preshared_key_sealed.clear();
  peer.preshared_key_hash.clear();
  peer.client_key_sealed.clear();
}

void revoke_peer(Peer& peer, const State& state, Decision& decision) {
  if (peer.stage == Stage::revoked) return;
  if (peer.stage == Stage::provisioned) count_peer(peer, -1, state, decision);
  if (peer.stage == Stage::reserved) drop_reservation(peer, state, decision);
  if (peer.stage == Stage::unknown && peer.address_offset) {  // allocated beforehand: never on a host
    decision.freed.push_back({*peer.network_id, *peer.address_offset});
    peer.network_id.reset();
    peer.address_offset.reset();
  }
  peer.stage = Stage::revoked;
  peer.site_networks.clear();  // for whoever comes after it; the host takes keys off before it puts others on
  if (peer.expires_at) decision.timers.push_back({TimerKind::expiry, peer.id, {}, std::nullopt});
  if (peer.staged_key.empty()) return;
  if (peer.server_id) decision.removals.push_back({*peer.server_id, peer.staged_key, peer.id});
  decision.timers.push_back({TimerKind::rotation, peer.id, {}, std::nullopt});
  peer.staged_key.clear();
  peer.staged_until.reset();
  peer.staged_client_key_sealed.clear();
}

void switch_key(Peer& peer, Decision& decision) {
  if (peer.server_id) decision.removals.push_back({*peer.server_id, peer.public_key, peer.id});
  decision.used_keys.insert_or_assign(peer.public_key, peer.id);
  peer.public_key = std::exchange(peer.staged_key, {});
  // Empty where the client made the new pair itself: the private key that was made here belongs to the old one.
  peer.client_key_sealed = std::exchange(peer.staged_client_key_sealed, {});
  peer.staged_until.reset();
  // The client may use the new key alone by now, and gets nowhere until its addresses are at that key.
  if (peer.server_id && on_host(peer.entitlement)) decision.urgent_servers.insert(*peer.server_id);
}

namespace {

bool reaches_host(const Peer& peer) {
  return peer.server_id && !peer.public_key.empty() && peer.stage != Stage::reserved;
}

// Removal rows for the peer's keys, or their end.
void list_removals(const Peer& peer, bool gone, Decision& decision) {
  decision.removals.push_back({*peer.server_id, peer.public_key, peer.id, gone});
  if (!peer.staged_key.empty()) decision.removals.push_back({*peer.server_id, peer.staged_key, peer.id, gone});
}

// A hold that came and went before it reached the peer has changed nothing, but a plan or a reading in between saw it:
// the removal row that this left has to go again, and what became unproven is due.
void mend_delivery(const Peer& peer, Entitlement entitlement, Decision& decision) {
  if (!reaches_host(peer)) return;
  const bool gone = !on_host(entitlement);
  const bool pending = peer.applied_generation < peer.generation;
  if (!gone || pending) list_removals(peer, gone, decision);
  if (pending) decision.due_servers.insert(*peer.server_id);
}

// A removal, or what is one in effect: all but the garden is out of reach from now on.
bool takes_away(Entitlement before, Entitlement after) {
  return on_host(before) && (!on_host(after) || (before == Entitlement::active && after == Entitlement::walled_garden));
}

}  // namespace

void settle_peer(Peer peer, const State& state, const std::string& cause, bool force, Decision& decision) {
  const Entitlement entitlement = entitlement_in(peer, state, decision);
  if (entitlement == peer.entitlement && !force) return mend_delivery(peer, entitlement, decision);
  if (entitlement == Entitlement::revoked) revoke_peer(peer, state, decision);
  const Entitlement before = std::exchange(peer.entitlement, entitlement);
  peer.cause = cause;
  peer.changed_at = state.now;
  peer.version += 1;
  peer.delivery_error.clear();
  // The decision may have changed this server already, for another peer of the same event.
  if (Server* server = reaches_host(peer) ? changed_server(*peer.server_id, state, decision) : nullptr) {
    server->generation += 1;
    peer.generation = server->generation;
    list_removals(peer, !on_host(entitlement), decision);
    decision.due_servers.insert(server->id);
    if (takes_away(before, entitlement)) decision.urgent_servers.insert(server->id);
  }
  decision.peers.push_back(std::move(peer));
}

}  // namespace peerwright::domain
