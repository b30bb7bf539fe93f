#include <algorithm>
#include <map>

#include "peerwright/domain/mesh.hpp"

namespace peerwright::domain {
namespace {

using Ends = std::pair<Id, std::string>;  // the server on whose interface it stands, the other end

bool says_the_same(const NodeLink& a, const NodeLink& b) {
  return a.wanted == b.wanted && a.other_server_id == b.other_server_id && a.public_key == b.public_key &&
         a.allowed_ips == b.allowed_ips && a.endpoint == b.endpoint && a.keepalive_seconds == b.keepalive_seconds;
}

// One server's entry for another member.
NodeLink entry_for(Id mesh_id, Id server_id, const MeshMember& other, const State& state) {
  NodeLink link;
  link.mesh_id = mesh_id;
  link.server_id = server_id;
  link.other = other.name;
  link.public_key = other.public_key;
  link.endpoint = other.endpoint;
  link.keepalive_seconds = other.keepalive_seconds;
  for (const wireguard::Prefix& prefix : allowed_prefixes(other)) link.allowed_ips.push_back(prefix.text());
  const Server* server = other.managed ? state.server(other.name) : nullptr;
  if (server != nullptr) {
    link.other_server_id = server->id;
    link.public_key = server->public_key;
    if (link.endpoint.empty()) link.endpoint = server->endpoint;
  }
  return link;
}

std::map<Ends, NodeLink> wanted_links(const Mesh& mesh, const State& state) {
  std::map<Ends, NodeLink> wanted;
  if (!mesh.active) return wanted;
  for (const MeshMember& member : mesh.members) {
    const Server* server = member.managed ? state.server(member.name) : nullptr;
    if (server == nullptr) continue;
    for (const MeshMember& other : mesh.members) {
      if (other.name == member.name) continue;
      wanted.emplace(Ends(server->id, other.name), entry_for(mesh.id, server->id, other, state));
    }
  }
  return wanted;
}

class Weaver {
 public:
  Weaver(const Mesh& mesh, const State& state, Decision& decision)
      : state_(state), decision_(decision), wanted_(wanted_links(mesh, state)) {
    for (const NodeLink* link : state.links_of_mesh(mesh.id))
      before_.emplace(Ends(link->server_id, link->other), *link);
  }

  void weave() {
    for (auto& [ends, link] : wanted_) want(ends, link);
    for (const auto& [ends, link] : before_) {
      if (!wanted_.contains(ends)) drop(link);
    }
  }

 private:
  void want(const Ends& ends, NodeLink& link) {
    const auto before = before_.find(ends);
    if (before != before_.end()) {
      if (says_the_same(before->second, link)) return;
      link.id = before->second.id;
    }
    put(link);
  }

  void drop(NodeLink link) {
    if (!link.wanted) return;
    link.wanted = false;
    decision_.urgent_servers.insert(link.server_id);
    put(std::move(link));
  }

  void put(NodeLink link) {
    link.generation = touch(link.server_id);
    decision_.links.push_back(std::move(link));
  }

  std::int64_t touch(Id server_id) {
    const auto touched = touched_.find(server_id);
    if (touched != touched_.end()) return touched->second;
    const Server* server = state_.server(server_id);
    if (server == nullptr) return 0;
    // The decision may have changed this server already.
    const auto changed = std::find_if(decision_.servers.begin(), decision_.servers.end(),
                                      [&](const Server& s) { return s.id == server_id; });
    Server& after = changed != decision_.servers.end() ? *changed : decision_.servers.emplace_back(*server);
    after.generation += 1;
    after.version += 1;
    decision_.due_servers.insert(server_id);
    touched_[server_id] = after.generation;
    return after.generation;
  }

  const State& state_;
  Decision& decision_;
  std::map<Ends, NodeLink> wanted_;
  std::map<Ends, NodeLink> before_;
  std::map<Id, std::int64_t> touched_;
};

}  // namespace

std::vector<wireguard::Prefix> allowed_prefixes(const MeshMember& member) {
  std::vector<wireguard::Prefix> all;
  for (const std::string& text : member.allowed_ips) {
    if (const auto prefix = wireguard::Prefix::parse(text)) all.push_back(prefix->network());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::vector<wireguard::Prefix> widest;
  std::copy_if(all.begin(), all.end(), std::back_inserter(widest), [&](const wireguard::Prefix& prefix) {
    return std::none_of(all.begin(), all.end(),
                        [&](const wireguard::Prefix& other) { return other != prefix && other.contains(prefix); });
  });
  return widest;
}

void settle_mesh(const Mesh& mesh, const State& state, Decision& decision) { Weaver(mesh, state, decision).weave(); }

}  // namespace peerwright::domain
