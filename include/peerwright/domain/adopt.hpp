#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/domain/decision.hpp"
#include "peerwright/wireguard/host.hpp"

// Peers that were on a host before anybody spoke of them: how what stands there becomes a peer, without a change on the
// host. Pure.
namespace peerwright::domain {

// A key on a host that is nobody's.
struct Stranger {
  wireguard::HostPeer shown;  // by the kernel, or, where that does not have it, by the saved file
  bool stands = false;        // the kernel has it
  bool saved = false;         // the file shows the same
};

// Those of the keys that the answer of a reading shows, by key.
std::vector<Stranger> strangers_in(const wireguard::HostAnswer& answer, const std::set<std::string, std::less<>>& keys);

// The name that an adopted peer gets: "adopted-" and the first 16 hexadecimal digits of the SHA-256 of its key.
std::string adopted_name(std::string_view public_key);

// The server whose strangers become peers of a tenant; the pointed-to are of the state, without after-images.
struct Adoption {
  Id server_id = 0;
  std::string tenant;
  std::string source;           // who asked for it
  std::string cause;            // "SOURCE/ID"
  std::int64_t generation = 0;  // of the server, raised once for all of them
};

// `key_in_use`: why a key is left alone that is another peer's or node's, or was.
Decision key_in_use();

// Why a stranger is left alone, as a rejection, or nullopt where adopt() would take it. Needs the server, its network,
// the use of its addresses and the site prefixes on the server that overlap its own. Codes: `not_in_kernel` (the file
// alone has it), `address_missing` (not one address of each of the network's families, at one offset),
// `prefix_covered`, and those of addresses and site networks that a peer.provision is refused with.
std::optional<Decision> refuse_stranger(const Stranger& stranger, Id server_id, const State& state);

// The stranger becomes the peer of its name, which the state has as a mere identity: active as it stands, its address
// and site networks taken, counted whatever the limits say, for it is there. Applied where kernel and file agree and
// nothing holds it; else the server is due, and for one that must be off, urgently. Rejected as refuse_stranger says,
// and with `name_taken` where the identity is used.
Decision adopt(const Stranger& stranger, const Adoption& into, const State& state);

}  // namespace peerwright::domain
