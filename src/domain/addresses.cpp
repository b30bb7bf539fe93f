#include "addresses.hpp"

#include <algorithm>

#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

bool holds(const std::vector<std::int64_t>& sorted, std::int64_t offset) {
  return std::binary_search(sorted.begin(), sorted.end(), offset);
}

// Where the counter stands once it has passed what it may not give.
std::int64_t counter_of(const Network& network) {
  const std::int64_t end = offsets_of(network);
  std::int64_t offset = network.next_offset;
  while (offset < end && (holds(network.reserved, offset) || holds(network.ahead, offset))) ++offset;
  return offset;
}

bool is_free(const Network& network, std::int64_t offset) { return !holds(network.reserved, offset); }

Decision outside(const std::string& address, const Network& network) {
  return rejected("address_outside_network", "the address " + address + " is not in the network " + network.name,
                  "name an address of the network, or none to get the next one");
}

}  // namespace

std::int64_t offsets_of(const Network& network) {
  // The last IPv4 address is the broadcast address; IPv6 has none.
  std::int64_t count = network.net4 ? network.net4->size() - 1 : network.net6 ? network.net6->size() : 0;
  if (network.net4 && network.net6) count = std::min(count, network.net6->size());
  return count;
}

std::optional<std::int64_t> free_offset(const Network& network) {
  const std::int64_t next = counter_of(network);
  if (next < offsets_of(network)) return next;
  const auto found = std::find_if(network.free.begin(), network.free.end(),
                                  [&](std::int64_t offset) { return is_free(network, offset); });
  return found == network.free.end() ? std::nullopt : std::optional(*found);
}

std::optional<std::int64_t> take_offset(Network& network) {
  network.next_offset = std::max(network.next_offset, counter_of(network));
  if (network.next_offset < offsets_of(network)) return network.next_offset++;
  // A reserved one leaves the list with it: it comes back when the reservation is given up.
  const auto found = std::find_if(network.free.begin(), network.free.end(),
                                  [&](std::int64_t offset) { return is_free(network, offset); });
  if (found == network.free.end()) {
    network.free.clear();
    return std::nullopt;
  }
  const std::int64_t offset = *found;
  network.free.erase(network.free.begin(), found + 1);
  return offset;
}

Judged<std::int64_t> asked_offset(const std::string& address, const Network& network, const State& state) {
  const auto asked = wireguard::Prefix::parse(address);
  if (!asked) return tl::unexpected(outside(address, network));
  const auto& net = asked->is_ipv4() ? network.net4 : network.net6;
  const auto offset = net ? net->offset_of(*asked) : std::nullopt;
  if (!offset) return tl::unexpected(outside(address, network));
  const bool broadcast = net->is_ipv4() && *offset == net->size() - 1;
  if (*offset == 0 || broadcast || holds(network.reserved, *offset)) {
    return tl::unexpected(rejected("address_reserved", "the address " + address + " is never handed out",
                                   "name another address, or none to get the next one"));
  }
  // Where a network has both families, an offset beyond the smaller one has no address in it.
  if (*offset >= offsets_of(network)) return tl::unexpected(outside(address, network));
  switch (state.use_of(network.id, *offset)) {
    case AddressUse::free:
      return *offset;
    case AddressUse::taken:
      return tl::unexpected(rejected("address_taken", "the address " + address + " is held already",
                                     "name another address, or none to get the next one"));
    case AddressUse::quarantined:
      return tl::unexpected(rejected("address_in_quarantine", "the address " + address + " rests after its last use",
                                     "ask for it again once the network's quarantine has passed, or name another"));
  }
  return *offset;
}

void take_asked_offset(Network& network, std::int64_t offset) {
  std::erase(network.free, offset);
  if (offset < network.next_offset) return;
  const auto place = std::lower_bound(network.ahead.begin(), network.ahead.end(), offset);
  if (place == network.ahead.end() || *place != offset) network.ahead.insert(place, offset);
}

}  // namespace peerwright::domain
