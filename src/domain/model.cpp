#include "peerwright/domain/model.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace peerwright::domain {
namespace {

template <typename Value, std::size_t N>
using Names = std::array<std::pair<Value, const char*>, N>;

constexpr Names<Stage, 4> kStages{{{Stage::unknown, "unknown"},
                                   {Stage::reserved, "reserved"},
                                   {Stage::provisioned, "provisioned"},
                                   {Stage::revoked, "revoked"}}};
constexpr Names<Entitlement, 7> kEntitlements{{{Entitlement::unprovisioned, "unprovisioned"},
                                               {Entitlement::reserved, "reserved"},
                                               {Entitlement::active, "active"},
                                               {Entitlement::walled_garden, "walled_garden"},
                                               {Entitlement::suspended, "suspended"},
                                               {Entitlement::expired, "expired"},
                                               {Entitlement::revoked, "revoked"}}};
constexpr Names<Delivery, 4> kDeliveries{{{Delivery::none, "none"},
                                          {Delivery::pending, "pending"},
                                          {Delivery::applied, "applied"},
                                          {Delivery::failed, "failed"}}};
constexpr Names<ScopeKind, 3> kScopes{
    {{ScopeKind::customer, "customer"}, {ScopeKind::subscriber, "subscriber"}, {ScopeKind::peer, "peer"}}};
constexpr Names<ServerState, 3> kServerStates{
    {{ServerState::active, "active"}, {ServerState::draining, "draining"}, {ServerState::retired, "retired"}}};
constexpr Names<PeerType, 3> kPeerTypes{
    {{PeerType::client, "client"}, {PeerType::service, "service"}, {PeerType::gateway, "gateway"}}};
constexpr Names<Reservation, 4> kReservations{{{Reservation::none, ""},
                                               {Reservation::reserved, "reserved"},
                                               {Reservation::activated, "activated"},
                                               {Reservation::expired, "expired"}}};
constexpr Names<HoldLevel, 6> kHoldLevels{{{HoldLevel::none, "none"},
                                           {HoldLevel::grace, "grace"},
                                           {HoldLevel::awaiting, "awaiting"},
                                           {HoldLevel::walled_garden, "walled_garden"},
                                           {HoldLevel::cut, "cut"},
                                           {HoldLevel::release, "release"}}};
constexpr Names<TimerKind, 7> kTimerKinds{{{TimerKind::reservation, "reservation"},
                                           {TimerKind::expiry, "expiry"},
                                           {TimerKind::quota, "quota"},
                                           {TimerKind::hold_customer, "hold_customer"},
                                           {TimerKind::hold_subscriber, "hold_subscriber"},
                                           {TimerKind::hold_peer, "hold_peer"},
                                           {TimerKind::rotation, "rotation"}}};
constexpr Names<MassAction, 2> kMassActions{{{MassAction::alert, "alert"}, {MassAction::approve, "approve"}}};

template <typename Value, std::size_t N>
const char* name_in(const Names<Value, N>& names, Value value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "";
}

template <typename Value, std::size_t N>
std::optional<Value> value_in(const Names<Value, N>& names, std::string_view wanted) {
  for (const auto& [value, name] : names) {
    if (wanted == name) return value;
  }
  return std::nullopt;
}

}  // namespace

const char* name_of(Stage stage) { return name_in(kStages, stage); }
const char* name_of(Entitlement entitlement) { return name_in(kEntitlements, entitlement); }
const char* name_of(Delivery delivery) { return name_in(kDeliveries, delivery); }
const char* name_of(ScopeKind kind) { return name_in(kScopes, kind); }
const char* name_of(ServerState state) { return name_in(kServerStates, state); }
const char* name_of(PeerType type) { return name_in(kPeerTypes, type); }
const char* name_of(Reservation reservation) { return name_in(kReservations, reservation); }
const char* name_of(HoldLevel level) { return name_in(kHoldLevels, level); }
const char* name_of(TimerKind kind) { return name_in(kTimerKinds, kind); }
const char* name_of(MassAction action) { return name_in(kMassActions, action); }
std::optional<Stage> stage_from(std::string_view name) { return value_in(kStages, name); }
std::optional<Entitlement> entitlement_from(std::string_view name) { return value_in(kEntitlements, name); }
std::optional<ScopeKind> scope_kind_from(std::string_view name) { return value_in(kScopes, name); }
std::optional<ServerState> server_state_from(std::string_view name) { return value_in(kServerStates, name); }
std::optional<PeerType> peer_type_from(std::string_view name) { return value_in(kPeerTypes, name); }
std::optional<Reservation> reservation_from(std::string_view name) { return value_in(kReservations, name); }
std::optional<HoldLevel> hold_level_from(std::string_view name) { return value_in(kHoldLevels, name); }
std::optional<TimerKind> timer_kind_from(std::string_view name) { return value_in(kTimerKinds, name); }
std::optional<MassAction> mass_action_from(std::string_view name) { return value_in(kMassActions, name); }

bool on_host(Entitlement entitlement) {
  return entitlement == Entitlement::active || entitlement == Entitlement::walled_garden;
}

std::vector<std::string> addresses_of(const Peer& peer, const Network& network) {
  std::vector<std::string> addresses;
  if (!peer.address_offset) return addresses;
  for (const auto& net : {network.net4, network.net6}) {
    if (!net) continue;
    if (const auto address = net->at(*peer.address_offset)) addresses.push_back(address->text());
  }
  return addresses;
}

}  // namespace peerwright::domain
