#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace peerwright::wireguard {

// Pointers to `peers` (anything with a `public_key`) in ascending order of the keys; of equal keys, in the order in
// which they stand. The first characters are compared as one number: they decide nearly always, and lie beside each
// other.
template <typename Peer>
std::vector<const Peer*> by_key(const std::vector<Peer>& peers) {
  struct Place {
    std::uint64_t head;
    const Peer* peer;
  };
  std::vector<Place> places;
  places.reserve(peers.size());
  for (const Peer& peer : peers) {
    std::uint64_t head = 0;
    for (std::size_t i = 0; i < sizeof head; ++i) {
      head = head << 8U | (i < peer.public_key.size() ? static_cast<unsigned char>(peer.public_key[i]) : 0U);
    }
    places.push_back({head, &peer});
  }
  const auto before = [](const Place& a, const Place& b) {
    return a.head != b.head ? a.head < b.head : a.peer->public_key < b.peer->public_key;
  };
  if (!std::is_sorted(places.begin(), places.end(), before)) std::stable_sort(places.begin(), places.end(), before);
  std::vector<const Peer*> sorted;
  sorted.reserve(places.size());
  for (const Place& place : places) sorted.push_back(place.peer);
  return sorted;
}

}  // namespace peerwright::wireguard
