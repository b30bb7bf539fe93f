#include "peerwright/domain/model.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace peerwright::domain {
namespace {

template <typename Value, std::size_t N>
using Names = std::array<std::pair<Value, const char*>, N>;

constexpr Names<Stage, 3> kStages{
    {{Stage::unknown, "unknown"}, {Stage::provisioned, "provisioned"}, {Stage::revoked, "revoked"}}};
constexpr Names<Entitlement, 4> kEntitlements{{{Entitlement::unprovisioned, "unprovisioned"},
                                               {Entitlement::active, "active"},
                                               {Entitlement::suspended, "suspended"},
                                               {Entitlement::revoked, "revoked"}}};
constexpr Names<Delivery, 4> kDeliveries{{{Delivery::none, "none"},
                                          {Delivery::pending, "pending"},
                                          {Delivery::applied, "applied"},
                                          {Delivery::failed, "failed"}}};
constexpr Names<ScopeKind, 2> kScopes{{{ScopeKind::subscriber, "subscriber"}, {ScopeKind::peer, "peer"}}};

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
std::optional<Stage> stage_from(std::string_view name) { return value_in(kStages, name); }
std::optional<Entitlement> entitlement_from(std::string_view name) { return value_in(kEntitlements, name); }

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
