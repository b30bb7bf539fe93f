#include <algorithm>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

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
  Decision decision;
  Network after = before;
  after.net4 = event.net4;
  after.net6 = event.net6;
  after.reserved = reserved_offsets(event);
  after.quarantine_seconds = event.quarantine_seconds;
  after.word = word;
  decision.networks.push_back(std::move(after));
  return decision;
}

}  // namespace peerwright::domain
