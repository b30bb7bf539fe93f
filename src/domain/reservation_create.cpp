#include <algorithm>

#include "peer_settings.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

constexpr auto kReservationWindow = std::chrono::hours(1);  // in which a tenant's reservations are counted

// The tenant's reservations that still count, the oldest first.
std::vector<Time> recent(const Tenant& tenant, Time now) {
  std::vector<Time> kept = tenant.reserved_at;
  std::erase_if(kept, [&](Time at) { return at + kReservationWindow <= now; });
  return kept;
}

std::optional<Decision> refuse_rate(const Tenant& tenant, Time now) {
  const std::vector<Time> kept = recent(tenant, now);
  const auto most = static_cast<std::size_t>(std::max(0, tenant.reservations_per_hour));
  if (kept.size() < most) return std::nullopt;
  const std::string message = "the tenant may reserve " + std::to_string(most) + " times an hour";
  if (most == 0) return rejected("reservations_exceeded", message, "provision the peer, or raise the limit");
  // The place that becomes free so that fewer than `most` remain.
  const Time next = kept[kept.size() - most] + kReservationWindow;
  return rejected("reservations_exceeded", message, "reserve again at " + rfc3339(next) + ", or raise the limit");
}

Decision decide_again(const ReservationCreate& event, const Word& word, const Peer& peer, const State& state) {
  if (peer.stage == Stage::provisioned) {
    return rejected("peer_exists", "the peer is provisioned already", "send peer.update or peer.move to change it");
  }
  if (peer.reserved_until && word.place.broker_time >= *peer.reserved_until) {
    return rejected("reservation_expired", "the peer's reservation has ended and its address is going back",
                    "reserve again once reservation.status says `expired`, or reserve a peer of another name");
  }
  if (!state.prepared.refusal.empty() || !says_the_same(event.place, event.settings, peer, state)) {
    return rejected("peer_reserved", "the peer is reserved already, with other settings",
                    "provision it, or send peer.update or peer.move to change it");
  }
  // Said again it is not prolonged: an address is held for the time that was promised first.
  Decision decision;
  decision.outcome = Outcome::unchanged;
  decision.peers.push_back(peer);
  return decision;
}

}  // namespace

Refs refs_of(const ReservationCreate& event) { return refs_of_place(event.place, event.settings); }

Decision decide(const ReservationCreate& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.place.tenant, event.place.peer);
  if (before.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "reserve a peer of another name");
  }
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  if (before.stage != Stage::unknown) return decide_again(event, word, before, state);
  const Tenant& tenant = *state.tenant(event.place.tenant);
  if (auto refusal = refuse_secrets(false, event.settings, tenant, state)) return *std::move(refusal);
  if (auto refusal = refuse_rate(tenant, state.now)) return *std::move(refusal);

  Decision decision;
  Peer after = blank(before);
  if (auto refusal = admit(event.place, event.settings, word, state, after, decision)) return *std::move(refusal);
  Tenant& counted = *changed_tenant(tenant.id, state, decision);
  counted.reserved_at = recent(tenant, state.now);
  counted.reserved_at.push_back(state.now);
  after.stage = Stage::reserved;
  after.reservation = Reservation::reserved;
  after.reserved_until = word.place.broker_time + std::chrono::seconds(event.ttl_seconds);
  decision.timers.push_back({TimerKind::reservation, after.id, {}, after.reserved_until});
  settle_peer(std::move(after), state, cause_of(word), true, decision);
  return decision;
}

}  // namespace peerwright::domain
