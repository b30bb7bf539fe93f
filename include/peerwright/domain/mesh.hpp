#pragma once

#include "peerwright/domain/decision.hpp"

namespace peerwright::domain {

// What the others send to the member: networks without host bits, none inside of another, in a fixed order. Texts that
// are no prefix are left out.
std::vector<wireguard::Prefix> allowed_prefixes(const MeshMember& member);

// Adds to the decision what the links of the mesh lack of what its members and their servers say now: entries that are
// new or changed, and those that are gone (`wanted` false). Each server that gets any is touched once: one generation,
// due; urgent where an entry goes. The same members again add nothing, but what a server learned in between: whoever
// changed a server's public key or endpoint calls this for its meshes. The mesh's links and their servers are loaded.
void settle_mesh(const Mesh& mesh, const State& state, Decision& decision);

}  // namespace peerwright::domain
