#include <gtest/gtest.h>

#include <algorithm>

#include "domain_server_support.hpp"
#include "peerwright/domain/mesh.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::domain {
namespace {

using ServerIds = std::set<Id>;
using Texts = std::vector<std::string>;

MeshMember node(const std::string& server, const std::string& allowed) {
  MeshMember member;
  member.name = server;
  member.allowed_ips = {allowed};
  return member;
}

MeshMember unmanaged(const std::string& name, const std::string& allowed, const std::string& key) {
  MeshMember member = node(name, allowed);
  member.managed = false;
  member.public_key = key;
  return member;
}

class Meshes : public ::testing::Test {
 protected:
  Meshes() {
    for (const char* server : {"a", "b", "c", "d"}) world.add_server(server);
  }

  static MeshSet mesh(const std::vector<MeshMember>& members, const std::string& name = "mesh/core") {
    MeshSet event;
    event.mesh = name;
    event.members = members;
    return event;
  }
  static MeshSet link_removal(const std::string& name) {
    MeshSet event;
    event.mesh = name;
    event.active = false;
    return event;
  }
  Decision set(const std::vector<MeshMember>& members) { return world.say(mesh(members)); }
  // a, b and c behind one address each of the network that they share.
  void three() { ASSERT_EQ(Outcome::accepted, set(members_).outcome); }
  void expect_code(const std::vector<MeshMember>& members, const std::string& code) {
    expect_refused(set(members), code);
  }
  [[nodiscard]] const NodeLink* find(const std::string& server, const std::string& other,
                                     const std::string& name = "mesh/core") const {
    for (const NodeLink* link : world.state.links_of_mesh(world.state.mesh(name)->id)) {
      if (link->server_id == world.id(server) && link->other == other) return link;
    }
    return nullptr;
  }
  [[nodiscard]] ServerIds ids(const Texts& servers) const {
    ServerIds all;
    for (const std::string& server : servers) all.insert(world.id(server));
    return all;
  }
  static std::string key() { return wireguard::generate_key_pair().public_key; }

  ServerWorld world;
  std::vector<MeshMember> members_{node("a", "10.0.0.1/32"), node("b", "10.0.0.2/32"), node("c", "10.0.0.3/32")};
};

TEST_F(Meshes, refsNameTheServersTheKeysAndThePrefixes) {
  const Refs refs = refs_of(mesh({node("a", "10.9.8.7/16"), unmanaged("x", "192.168.1.0/24", "its key")}));
  EXPECT_EQ("mesh/core", refs.mesh);
  EXPECT_EQ(Texts{"a"}, refs.other_servers);
  EXPECT_EQ(Texts{"its key"}, refs.keys);
  EXPECT_EQ((Texts{"10.9.0.0/16", "192.168.1.0/24"}), refs.site_networks);
  EXPECT_EQ("", refs.tenant);
}

TEST_F(Meshes, everyMemberGetsAnEntryForEachOther) {
  members_[1].keepalive_seconds = 25;
  members_[2].endpoint = "vpn.example.com:51000";
  members_[2].allowed_ips = {"192.168.3.9/24", "10.0.0.3", "192.168.3.128/25", "10.0.0.3/32"};
  const Decision decision = set(members_);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(6U, decision.links.size());
  EXPECT_EQ(ids({"a", "b", "c"}), decision.due_servers);
  EXPECT_EQ(ServerIds{}, decision.urgent_servers);
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(2, world.server(name).generation);
  EXPECT_EQ(1, world.state.mesh("mesh/core")->version);
  EXPECT_TRUE(world.state.mesh("mesh/core")->active);
  const NodeLink& to_b = *find("a", "b");
  EXPECT_EQ("key of b", to_b.public_key);
  EXPECT_EQ(world.id("b"), to_b.other_server_id);
  EXPECT_EQ("b.example.net:51820", to_b.endpoint);
  EXPECT_EQ(25, to_b.keepalive_seconds);
  EXPECT_EQ(2, to_b.generation);
  EXPECT_TRUE(to_b.wanted);
  EXPECT_EQ(0, find("b", "a")->keepalive_seconds);
  const NodeLink& to_c = *find("a", "c");
  EXPECT_EQ("vpn.example.com:51000", to_c.endpoint);
  EXPECT_EQ((Texts{"192.168.3.0/24", "10.0.0.3/32"}), to_c.allowed_ips);  // none inside of another
}

TEST_F(Meshes, aJoinTouchesEachOtherNodeOnce) {
  three();
  members_.push_back(node("d", "10.0.0.4/32"));
  const std::int64_t generation = world.server("a").generation;
  const Decision decision = set(members_);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(6U, decision.links.size());  // one on each of the three, three on the new one
  EXPECT_EQ(4U, decision.servers.size());
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(1, std::count_if(decision.links.begin(), decision.links.end(),
                               [&](const NodeLink& link) { return link.server_id == world.id(name); }));
    EXPECT_EQ(generation + 1, world.server(name).generation);
    EXPECT_EQ(generation + 1, find(name, "d")->generation);
  }
  EXPECT_EQ(generation, find("a", "b")->generation);  // the others' entries stay as they are
  EXPECT_EQ(2, world.state.mesh("mesh/core")->version);
}

TEST_F(Meshes, whoeverLeavesIsGoneFromTheOthersAndTheyFromIt) {
  three();
  const auto all = members_;
  members_.pop_back();
  Decision decision = set(members_);
  EXPECT_EQ(4U, decision.links.size());
  EXPECT_TRUE(std::none_of(decision.links.begin(), decision.links.end(), [](const NodeLink& l) { return l.wanted; }));
  EXPECT_FALSE(find("a", "c")->wanted);
  EXPECT_EQ("key of c", find("a", "c")->public_key);  // so that it is known what has to go
  EXPECT_FALSE(find("c", "a")->wanted);
  EXPECT_TRUE(find("a", "b")->wanted);
  EXPECT_EQ(ids({"a", "b", "c"}), decision.due_servers);
  EXPECT_EQ(ids({"a", "b", "c"}), decision.urgent_servers);

  EXPECT_EQ(Outcome::unchanged, set(members_).outcome);  // what is gone is not told again

  decision = set(all);  // and it comes back
  EXPECT_EQ(4U, decision.links.size());
  EXPECT_TRUE(find("a", "c")->wanted);
  EXPECT_EQ(world.server("a").generation, find("a", "c")->generation);
  EXPECT_EQ(ServerIds{}, decision.urgent_servers);
}

TEST_F(Meshes, theSameAgainIsUnchanged) {
  three();
  const std::int64_t generation = world.server("a").generation;
  const Word last = world.next();
  const Decision decision = world.say(mesh(members_), last);
  EXPECT_EQ(Outcome::unchanged, decision.outcome);
  EXPECT_TRUE(decision.links.empty() && decision.due_servers.empty());
  EXPECT_EQ(generation, world.server("a").generation);
  EXPECT_EQ(1, world.state.mesh("mesh/core")->version);
  EXPECT_EQ(last, world.state.mesh("mesh/core")->word);
}

TEST_F(Meshes, aChangedEndpointTouchesTheOthersAlone) {
  three();
  members_[0].endpoint = "new.example.net:51820";
  const Decision decision = set(members_);
  EXPECT_EQ(2U, decision.links.size());
  EXPECT_EQ(ids({"b", "c"}), decision.due_servers);
  EXPECT_EQ("new.example.net:51820", find("b", "a")->endpoint);
  EXPECT_EQ(ServerIds{}, decision.urgent_servers);
  members_[0].allowed_ips.emplace_back("192.168.1.0/24");
  EXPECT_EQ(ids({"b", "c"}), set(members_).due_servers);
  EXPECT_EQ((Texts{"192.168.1.0/24", "10.0.0.1/32"}), find("c", "a")->allowed_ips);
  members_[0].keepalive_seconds = 25;
  EXPECT_EQ(ids({"b", "c"}), set(members_).due_servers);
}

TEST_F(Meshes, linksFollowTheServersTheyPointTo) {
  three();
  Server other = world.server("b");
  other.public_key = "next key of b";
  world.state.load(other);
  Decision decision;
  settle_mesh(*world.state.mesh("mesh/core"), world.state, decision);
  world.changes.apply(world.state, decision);
  EXPECT_EQ(ids({"a", "c"}), decision.due_servers);
  EXPECT_EQ("next key of b", find("a", "b")->public_key);
  Decision again;
  settle_mesh(*world.state.mesh("mesh/core"), world.state, again);
  EXPECT_TRUE(again.links.empty() && again.servers.empty());
}

TEST_F(Meshes, theSameAgainTellsOfAServerThatMoved) {
  three();
  Server moved = world.server("b");
  moved.endpoint = "198.51.100.7:51820";
  world.state.load(moved);
  const Decision decision = set(members_);
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(ids({"a", "c"}), decision.due_servers);
  EXPECT_EQ("198.51.100.7:51820", find("a", "b")->endpoint);
  EXPECT_EQ(2, world.state.mesh("mesh/core")->version);
}

TEST_F(Meshes, aKeyThatIsNotKnownYetIsFilledInLater) {
  auto event = ServerWorld::registration("e");
  event.public_key.clear();
  world.say(event);
  EXPECT_EQ(Outcome::accepted, set({members_[0], node("e", "10.0.0.5/32")}).outcome);
  EXPECT_EQ("", find("a", "e")->public_key);
  Server learned = world.server("e");
  learned.public_key = "key of e";
  world.state.load(learned);
  Decision decision;
  settle_mesh(*world.state.mesh("mesh/core"), world.state, decision);
  EXPECT_EQ(ids({"a"}), decision.due_servers);
  ASSERT_EQ(1U, decision.links.size());
  EXPECT_EQ("key of e", decision.links[0].public_key);
}

TEST_F(Meshes, anUnmanagedEndGetsNoEntriesAndIsOneForTheOthers) {
  const std::string its = key();
  const Decision decision = set({members_[0], members_[1], unmanaged("x", "192.168.7.0/24", its)});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(4U, decision.links.size());
  EXPECT_EQ(its, find("a", "x")->public_key);
  EXPECT_EQ(std::nullopt, find("a", "x")->other_server_id);
  EXPECT_EQ("", find("a", "x")->endpoint);
  // Its own key is no obstacle to the same again, or to a new name for it.
  EXPECT_EQ(Outcome::unchanged, set({members_[0], members_[1], unmanaged("x", "192.168.7.0/24", its)}).outcome);
  EXPECT_EQ(Outcome::accepted, set({members_[0], members_[1], unmanaged("y", "192.168.7.0/24", its)}).outcome);
  EXPECT_EQ(its, find("a", "y")->public_key);
  EXPECT_FALSE(find("a", "x")->wanted);
}

TEST_F(Meshes, anUnmanagedEndMayGetANewKey) {
  const std::string old = key(), next = key();
  set({members_[0], unmanaged("x", "192.168.7.0/24", old)});
  const Decision decision = set({members_[0], unmanaged("x", "192.168.7.0/24", next)});
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(next, find("a", "x")->public_key);
  EXPECT_EQ(1U, decision.links.size());
  EXPECT_EQ(world.server("a").generation, find("a", "x")->generation);
}

TEST_F(Meshes, aLinkComesAndGoes) {
  const auto event = mesh({node("a", "192.168.1.0/24"), node("b", "192.168.2.0/24")}, "link/ab");
  EXPECT_EQ(2U, world.say(event).links.size());
  const Decision decision = world.say(link_removal("link/ab"));
  EXPECT_EQ(Outcome::accepted, decision.outcome);
  EXPECT_EQ(2U, decision.links.size());
  EXPECT_FALSE(find("a", "b", "link/ab")->wanted);
  EXPECT_FALSE(world.state.mesh("link/ab")->active);
  EXPECT_TRUE(world.state.mesh("link/ab")->members.empty());
  EXPECT_EQ(ids({"a", "b"}), decision.urgent_servers);
  EXPECT_EQ(Outcome::unchanged, world.say(link_removal("link/ab")).outcome);
}

TEST_F(Meshes, aRemovalMayOvertakeTheLink) {
  const Word first = world.next();
  const Decision removal = world.say(link_removal("link/ab"));
  EXPECT_EQ(Outcome::unchanged, removal.outcome);
  EXPECT_EQ(1U, removal.meshes.size());
  const auto event = mesh({node("a", "192.168.1.0/24"), node("b", "192.168.2.0/24")}, "link/ab");
  expect_refused(world.say(event, first), "stale");
}

TEST_F(Meshes, orderIsKept) {
  const Word late = world.next();
  three();
  expect_refused(world.say(mesh({}), late), "stale");
  expect_refused(world.say(mesh({}), world.word(std::nullopt)), "sequence_required");
}

TEST_F(Meshes, membersAreRefused) {
  expect_code({members_[0], node("nobody", "10.0.0.4/32")}, "unknown_server");
  expect_code({members_[0], members_[1], members_[0]}, "member_twice");
  world.say(ServerRetire{"d", ""});
  expect_code({members_[0], node("d", "10.0.0.4/32")}, "server_retired");
  MeshMember silent = members_[1];
  silent.allowed_ips.clear();
  expect_code({members_[0], silent}, "allowed_ips_missing");
  expect_refused(world.say(mesh({members_[0]}, "link/one")), "link_ends");
  expect_refused(world.say(mesh(members_, "link/three")), "link_ends");
}

TEST_F(Meshes, keysOfUnmanagedEndsAreRefused) {
  const auto with_key = [&](const std::string& its) {
    return std::vector<MeshMember>{members_[0], unmanaged("x", "192.168.7.0/24", its)};
  };
  expect_code(with_key(""), "public_key_missing");
  expect_code(with_key("not a key"), "key_invalid");
  const std::string taken = key();
  world.state.load_taken_key(taken);
  expect_code(with_key(taken), "key_unavailable");
  const std::string shared = key();
  expect_code({members_[0], unmanaged("x", "192.168.7.0/24", shared), unmanaged("y", "192.168.8.0/24", shared)},
              "key_unavailable");
  Server keyed = world.server("a");
  keyed.public_key = key();
  world.state.load(keyed);
  expect_code(with_key(keyed.public_key), "key_unavailable");
  keyed.key_wanted = key();
  world.state.load(keyed);
  expect_code(with_key(keyed.key_wanted), "key_unavailable");
  // Another mesh's node.
  ASSERT_EQ(Outcome::accepted, world.say(mesh(with_key(shared), "mesh/first")).outcome);
  expect_code({node("b", "10.0.0.2/32"), unmanaged("x", "192.168.9.0/24", shared)}, "key_unavailable");
}

TEST_F(Meshes, somebodyHasToBeCalled) {
  auto event = ServerWorld::registration("e");
  event.endpoint.clear();
  world.say(event);
  auto mute = unmanaged("x", "192.168.7.0/24", key());
  expect_code({node("e", "10.0.0.5/32"), mute}, "endpoint_missing");
  mute.endpoint = "198.51.100.9:51820";
  EXPECT_EQ(Outcome::accepted, set({node("e", "10.0.0.5/32"), mute}).outcome);
}

TEST_F(Meshes, prefixesAreRefused) {
  expect_code({members_[0], node("b", "0.0.0.0/0")}, "prefix_too_wide");
  expect_code({members_[0], node("b", "::/0")}, "prefix_too_wide");
  expect_code({members_[0], node("b", "300.0.0.0/8")}, "prefix_invalid");
  expect_code({node("a", "192.168.0.0/16"), node("b", "192.168.4.0/24")}, "prefix_taken");
  expect_code({members_[0], node("b", "10.0.0.0/24")}, "prefix_taken");  // the network of a, too
  expect_code({members_[0], node("b", "10.0.0.2/31")}, "prefix_taken");  // no single address
  expect_code({members_[0], node("b", "10.0.0.0/8")}, "prefix_taken");   // around it
  expect_code({members_[0], node("b", "10.0.0.77/32")}, "address_not_reserved");
}

TEST_F(Meshes, aMembersOwnNetworkMayBeSentToIt) {
  world.add_network("far", 11, "10.7.0.0/24");
  world.add_server("f", "far");
  EXPECT_EQ(Outcome::accepted, set({node("a", "10.0.0.0/24"), node("f", "10.7.0.0/24")}).outcome);
  EXPECT_EQ(Texts{"10.7.0.0/24"}, find("a", "f")->allowed_ips);
}

TEST_F(Meshes, whatAServerSendsToAPeerOrAnotherNodeIsTaken) {
  Peer gateway = *world.state.peer(world.add_peer("gateway", "a"));
  gateway.site_networks = {"192.168.50.0/24"};
  world.state.load(gateway);
  expect_code({members_[0], node("b", "192.168.50.128/25")}, "prefix_taken");
  EXPECT_EQ(Outcome::accepted, set({node("a", "192.168.50.0/24"), members_[1]}).outcome);  // behind its own server

  ASSERT_EQ(Outcome::accepted,
            world.say(mesh({node("c", "10.0.0.3/32"), node("d", "192.168.60.0/24")}, "link/cd")).outcome);
  expect_code({node("c", "10.0.0.3/32"), node("b", "192.168.60.0/25")}, "prefix_taken");
  // Its own may grow, and what was given up is free.
  ASSERT_EQ(Outcome::accepted,
            world.say(mesh({node("c", "10.0.0.3/32"), node("d", "192.168.60.0/23")}, "link/cd")).outcome);
  world.say(link_removal("link/cd"));
  EXPECT_EQ(Outcome::accepted, set({node("c", "10.0.0.3/32"), node("b", "192.168.60.0/25")}).outcome);
}

TEST_F(Meshes, aLinkMayStandBesideAMesh) {
  three();
  const auto link = mesh({node("a", "192.168.1.0/24"), node("b", "192.168.2.0/24")}, "link/ab");
  EXPECT_EQ(Outcome::accepted, world.say(link).outcome);
  EXPECT_TRUE(find("a", "b")->wanted);
  EXPECT_EQ(Texts{"192.168.2.0/24"}, find("a", "b", "link/ab")->allowed_ips);
}

}  // namespace
}  // namespace peerwright::domain
