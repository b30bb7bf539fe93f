#include <algorithm>
#include <set>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/mesh.hpp"
#include "peerwright/domain/rules.hpp"
#include "peerwright/wireguard/key.hpp"
#include "server_settings.hpp"

// mesh.set, link.set and link.remove
namespace peerwright::domain {
namespace {

using wireguard::Prefix;

constexpr std::size_t kLinkEnds = 2;

using Refusal = std::optional<Decision>;

// A member with what is known of it.
struct Node {
  const MeshMember* member = nullptr;
  const Server* server = nullptr;  // of a managed one
  const Network* network = nullptr;
  std::vector<Prefix> prefixes;
  [[nodiscard]] bool has_endpoint() const {
    return !member->endpoint.empty() || (server != nullptr && !server->endpoint.empty());
  }
};

bool is_link(const std::string& mesh) { return mesh.starts_with("link/"); }

Decision prefix_taken(const Prefix& prefix, const std::string& by) {
  return rejected("prefix_taken", "the prefix " + prefix.text() + " overlaps " + by,
                  "name prefixes that lead to this member alone");
}

Refusal refuse_by_names(const MeshSet& event) {
  if (is_link(event.mesh) && event.active && event.members.size() != kLinkEnds) {
    return rejected("link_ends", "a link has exactly two ends, this one has " + std::to_string(event.members.size()),
                    "name two members, or use mesh.set for more");
  }
  std::set<std::string> names;
  for (const MeshMember& member : event.members) {
    if (names.insert(member.name).second) continue;
    return rejected("member_twice", "the member " + member.name + " is named twice", "name each member once");
  }
  return std::nullopt;
}

// Whether a link of this mesh itself has the key.
bool own_key(const Mesh& mesh, const std::string& key, const State& state) {
  const auto links = state.links_of_mesh(mesh.id);
  return std::any_of(links.begin(), links.end(),
                     [&](const NodeLink* link) { return !link->other_server_id && link->public_key == key; });
}

bool key_of_another_member(const std::string& key, const MeshMember& self, const MeshSet& event, const State& state) {
  return std::any_of(event.members.begin(), event.members.end(), [&](const MeshMember& member) {
    if (member.name == self.name) return false;
    const Server* server = member.managed ? state.server(member.name) : nullptr;
    return server != nullptr ? server->public_key == key || server->key_wanted == key : member.public_key == key;
  });
}

Refusal refuse_by_key(const MeshMember& member, const MeshSet& event, const Mesh& mesh, const State& state) {
  if (member.public_key.empty()) {
    return rejected("public_key_missing", "the unmanaged member " + member.name + " has no public key",
                    "give the public key of its interface");
  }
  if (const auto checked = wireguard::check_public_key(member.public_key); !checked) {
    return rejected(checked.error().code, "the public key of " + member.name + " is none", checked.error().remedy);
  }
  const bool taken = state.key_taken(member.public_key) && !own_key(mesh, member.public_key, state);
  if (taken || key_of_another_member(member.public_key, member, event, state)) {
    return rejected("key_unavailable", "the public key of " + member.name + " cannot be used",
                    "make a new key pair on that node");
  }
  return std::nullopt;
}

Refusal refuse_by_prefixes(const MeshMember& member) {
  if (member.allowed_ips.empty()) {
    return rejected("allowed_ips_missing", "the member " + member.name + " has no allowed_ips",
                    "name its own address, and the networks behind it");
  }
  for (const std::string& text : member.allowed_ips) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) return rejected(prefix.error().code, prefix.error().message, prefix.error().remedy);
    if (prefix->length() == 0) {
      return rejected("prefix_too_wide", "the member " + member.name + " would get all traffic of the other servers",
                      "name the networks behind it");
    }
  }
  return std::nullopt;
}

Refusal refuse_by_member(const MeshMember& member, const MeshSet& event, const Mesh& mesh, const State& state) {
  if (member.managed) {
    if (auto refusal = refuse_by_state(state.server(member.name), member.name)) return refusal;
  } else if (auto refusal = refuse_by_key(member, event, mesh, state)) {
    return refusal;
  }
  return refuse_by_prefixes(member);
}

// What `to` would send to the member must not be what it serves itself. A single address out of its network is fine
// where the network keeps it back: nodes may share a network.
Refusal refuse_by_network(const Prefix& prefix, const Node& to) {
  if (to.network == nullptr) return std::nullopt;
  for (const auto& range : {to.network->net4, to.network->net6}) {
    if (!range || !range->overlaps(prefix)) continue;
    const auto offset = range->offset_of(prefix);  // of a single address alone
    if (!offset) return prefix_taken(prefix, "the network " + to.network->name + " of the server " + to.server->name);
    const auto& reserved = to.network->reserved;
    if (std::binary_search(reserved.begin(), reserved.end(), *offset)) continue;
    return rejected(
        "address_not_reserved",
        "the address " + prefix.text(false) + " could be given to a peer of the network " + to.network->name,
        "reserve it with network.set first");
  }
  return std::nullopt;
}

// Both directions are asked for: `from` is what the other sends to.
Refusal refuse_by_pair(const Node& from, const Node& to, const Mesh& mesh, const State& state) {
  if (!from.has_endpoint() && !to.has_endpoint()) {
    return rejected("endpoint_missing",
                    "neither " + from.member->name + " nor " + to.member->name + " has an endpoint to be called at",
                    "give one of the two an endpoint");
  }
  for (const Prefix& prefix : from.prefixes) {
    for (const Prefix& other : to.prefixes) {
      if (prefix.overlaps(other)) return prefix_taken(prefix, other.text() + " of the member " + to.member->name);
    }
    if (to.server == nullptr) continue;
    if (auto refusal = refuse_by_network(prefix, to)) return refusal;
    if (state.site_taken_beside(mesh.id, to.server->id, prefix)) {
      return prefix_taken(prefix, "what the server " + to.server->name + " sends to another already");
    }
  }
  return std::nullopt;
}

Refusal refuse_by_members(const MeshSet& event, const Mesh& mesh, const State& state) {
  std::vector<Node> nodes;
  for (const MeshMember& member : event.members) {
    if (auto refusal = refuse_by_member(member, event, mesh, state)) return refusal;
    Node node{&member, member.managed ? state.server(member.name) : nullptr, nullptr, allowed_prefixes(member)};
    if (node.server != nullptr && node.server->network_id) node.network = state.network(*node.server->network_id);
    nodes.push_back(std::move(node));
  }
  for (const Node& from : nodes) {
    for (const Node& to : nodes) {
      if (&from == &to) continue;
      if (auto refusal = refuse_by_pair(from, to, mesh, state)) return refusal;
    }
  }
  return std::nullopt;
}

}  // namespace

Refs refs_of(const MeshSet& event) {
  Refs refs;
  refs.mesh = event.mesh;
  for (const MeshMember& member : event.members) {
    if (member.managed) {
      refs.other_servers.push_back(member.name);
    } else if (!member.public_key.empty()) {
      refs.keys.push_back(member.public_key);
    }
    for (const Prefix& prefix : allowed_prefixes(member)) refs.site_networks.push_back(prefix.text());
  }
  return refs;
}

Decision decide(const MeshSet& event, const Word& word, const State& state) {
  const Mesh& before = *state.mesh(event.mesh);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  if (auto refusal = refuse_by_names(event)) return *std::move(refusal);
  if (event.active) {
    if (auto refusal = refuse_by_members(event, before, state)) return *std::move(refusal);
  }
  Decision decision;
  Mesh after = before;
  after.active = event.active;
  after.members = event.active ? event.members : std::vector<MeshMember>{};
  after.word = following(word, after.word);
  settle_mesh(after, state, decision);
  const bool same = after.active == before.active && after.members == before.members && decision.links.empty();
  if (same) {
    decision.outcome = Outcome::unchanged;
  } else {
    after.version += 1;
  }
  decision.meshes.push_back(std::move(after));
  return decision;
}

}  // namespace peerwright::domain
