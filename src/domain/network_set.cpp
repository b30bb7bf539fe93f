#include <algorithm>
#include <iterator>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"
#include "placement.hpp"

namespace peerwright::domain {
namespace {

// Every address outside of both networks, or none.
const wireguard::Prefix* outside(const NetworkSet& event) {
  for (const wireguard::Prefix& address : event.reserved) {
    const bool inside = (event.net4 && event.net4->contains(address)) || (event.net6 && event.net6->contains(address));
    if (!inside) return &address;
  }
  return nullptr;
}

std::optional<Decision> refuse_ranges(const NetworkSet& event) {
  for (const auto& net : {event.net4, event.net6}) {
    if (!net) continue;
    if (!event.allow_public && !is_private(*net)) {
      return rejected("prefix_public", "the range " + net->text() + " has public addresses",
                      "name a private range, or say allow_public");
    }
    for (const wireguard::Prefix& forbidden : event.forbidden) {
      if (!forbidden.overlaps(*net)) continue;
      return rejected("prefix_forbidden", "the range " + net->text() + " overlaps the forbidden " + forbidden.text(),
                      "forbid networks outside of the network's own ranges");
    }
  }
  return std::nullopt;
}

std::vector<std::int64_t> reserved_offsets(const NetworkSet& event) {
  std::vector<std::int64_t> offsets;
  for (const wireguard::Prefix& address : event.reserved) {
    const auto& net = address.is_ipv4() ? event.net4 : event.net6;
    if (const auto offset = net->offset_of(address)) offsets.push_back(*offset);
  }
  std::sort(offsets.begin(), offsets.end());
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  return offsets;
}

// Offsets that are reserved no more come back to be handed out. Those that the counter has not reached it will give by
// itself. An offset that a peer got before it was reserved stays that peer's: where the state knows of a use (the store
// loads those of reserved offsets), nothing is freed; it comes back when that peer gives it up.
void free_given_up(const Network& before, const Network& after, const State& state, Decision& decision) {
  std::vector<std::int64_t> given_up;
  std::set_difference(before.reserved.begin(), before.reserved.end(), after.reserved.begin(), after.reserved.end(),
                      std::back_inserter(given_up));
  for (const std::int64_t offset : given_up) {
    const bool is_passed = offset > 0 && offset < std::min(before.next_offset, offsets_of(before));
    const bool is_listed = std::find(before.free.begin(), before.free.end(), offset) != before.free.end();
    if (!is_passed || is_listed || state.use_of(before.id, offset) != AddressUse::free) continue;
    decision.freed.push_back({before.id, offset});
  }
}

}  // namespace

Refs refs_of(const NetworkSet& event) {
  Refs refs;
  refs.network = event.network;
  refs.makes_network = true;
  return refs;
}

Decision decide(const NetworkSet& event, const Word& word, const State& state) {
  const Network& before = *state.network(event.network);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  if (const wireguard::Prefix* address = outside(event)) {
    return rejected("address_outside_network", "the reserved address " + address->text() + " is not in the network",
                    "name addresses of the network alone");
  }
  if (before.word && (before.net4 != event.net4 || before.net6 != event.net6)) {
    return rejected("network_range_fixed", "the network exists with other ranges",
                    "make a network of another name; addresses that were handed out stay what they are");
  }
  if (auto refusal = refuse_ranges(event)) return *std::move(refusal);
  Decision decision;
  Network after = before;
  after.net4 = event.net4;
  after.net6 = event.net6;
  after.reserved = reserved_offsets(event);
  after.quarantine_seconds = event.quarantine_seconds;
  after.forbidden = event.forbidden;
  after.allow_public = event.allow_public;
  after.word = following(word, after.word);
  free_given_up(before, after, state, decision);
  if (before.word && before.forbidden != after.forbidden) {
    decision.wider_fan_outs.emplace(std::pair(FanOut::network, after.id), cause_of(word));
  }
  decision.networks.push_back(std::move(after));
  return decision;
}

}  // namespace peerwright::domain
