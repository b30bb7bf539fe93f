#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "peerwright/domain/events.hpp"

namespace peerwright::domain {

// A refusal changes nothing, and says what a person can do.
inline void expect_refused(const Decision& decision, const std::string& code) {
  EXPECT_EQ(Outcome::rejected, decision.outcome);
  EXPECT_EQ(code, decision.code);
  EXPECT_FALSE(decision.message.empty());
  EXPECT_FALSE(decision.remedy.empty());
  EXPECT_TRUE(decision.servers.empty() && decision.rules.empty() && decision.meshes.empty() && decision.links.empty());
  EXPECT_TRUE(decision.due_servers.empty() && decision.urgent_servers.empty() && decision.doubtful_servers.empty());
  EXPECT_TRUE(decision.wider_fan_outs.empty() && decision.observe_servers.empty() &&
              decision.abandoned_servers.empty());
}

// A state that is built by hand: two tenants, a network 10.0.0.0/24 whose first ten addresses are kept back, and
// servers that are registered by an event each. What was decided is there for the next event.
class ServerWorld {
 public:
  static constexpr Id kAcme = 1;
  static constexpr Id kOther = 2;
  static constexpr Id kNetwork = 10;

  ServerWorld() {
    state.now = time_from_micros(1'800'000'000'000'000);
    Tenant acme;
    acme.id = kAcme;
    acme.name = "acme";
    state.load(acme);
    Tenant other;
    other.id = kOther;
    other.name = "other";
    state.load(other);
    add_network("net", kNetwork, "10.0.0.0/24");
  }

  void add_network(const std::string& name, Id id, const std::string& net4) {
    Network network;
    network.id = id;
    network.name = name;
    network.net4 = wireguard::Prefix::parse(net4).value();
    for (std::int64_t offset = 1; offset <= 10; ++offset) network.reserved.push_back(offset);
    network.word = word(1);
    state.load(network);
  }

  // A word of the operator whose place follows that of the one made before.
  Word word(std::optional<std::int64_t> sequence, const std::string& source = "ops") {
    ++words_;
    Place place;
    place.broker_time = time_from_micros(1'700'000'000'000'000 + words_ * 1000);
    place.offset = words_;
    return {source, "word-" + std::to_string(words_), sequence, place};
  }
  Word next() { return word(++sequence_); }

  template <typename Event>
  Decision say(const Event& event, const Word& said) {
    make_identities(refs_of(event));
    Decision decision = decide(event, said, state);
    changes.apply(state, decision);
    return decision;
  }
  template <typename Event>
  Decision say(const Event& event) {
    return say(event, next());
  }

  static ServerRegister registration(const std::string& name, const std::string& network = "net") {
    ServerRegister event;
    event.server = name;
    event.network = network;
    event.ssh_host = name + ".example.net";
    event.ssh_user = "peerwright";
    event.ssh_host_key = "ssh-ed25519 AAAA";
    event.interface = "wg0";
    event.config_path = "/etc/wireguard/wg0.conf";
    event.public_key = "key of " + name;
    event.endpoint = name + ".example.net:51820";
    event.max_peers = 100;
    return event;
  }
  Decision add_server(const std::string& name, const std::string& network = "net") {
    return say(registration(name, network));
  }

  Id add_peer(const std::string& name, const std::string& server, Stage stage = Stage::provisioned,
              Id tenant_id = kAcme) {
    Peer peer;
    peer.id = ++last_id_;
    peer.tenant_id = tenant_id;
    peer.tenant = tenant_id == kAcme ? "acme" : "other";
    peer.name = name;
    peer.stage = stage;
    if (!server.empty()) {
      peer.server_id = state.server(server)->id;
      peer.network_id = kNetwork;
      peer.address_offset = 20 + peer.id;
    }
    state.load(peer);
    return peer.id;
  }

  [[nodiscard]] const Server& server(const std::string& name) const { return *state.server(name); }
  [[nodiscard]] Id id(const std::string& server) const { return state.server(server)->id; }

  State state;
  Changes changes;

 private:
  void make_identities(const Refs& refs) {
    if (refs.makes_server && state.server(refs.server) == nullptr) {
      Server made;
      made.id = ++last_id_;
      made.name = refs.server;
      state.load(made);
    }
    if (!refs.rule.empty() && state.rule(refs.tenant, refs.rule) == nullptr) {
      AccessRule made;
      made.id = ++last_id_;
      made.tenant_id = state.tenant(std::string_view(refs.tenant))->id;
      made.name = refs.rule;
      state.load(made);
    }
    if (!refs.mesh.empty() && state.mesh(refs.mesh) == nullptr) {
      Mesh made;
      made.id = ++last_id_;
      made.name = refs.mesh;
      state.load(made);
    }
  }

  Id last_id_ = 100;
  std::int64_t words_ = 0;
  std::int64_t sequence_ = 0;
};

// A registered server "srv", and what is said to it.
class ServerTest : public ::testing::Test {
 protected:
  using ServerIds = std::set<Id>;

  ServerTest() { world.add_server("srv"); }

  Decision update(const ServerSettings& settings) { return world.say(ServerUpdate{"srv", settings}); }
  [[nodiscard]] const Server& srv() const { return world.server("srv"); }
  void set_peers(std::int64_t count) {
    Server server = srv();
    server.peer_count = count;
    world.state.load(server);
  }
  void retire() { ASSERT_EQ(Outcome::accepted, world.say(ServerRetire{"srv", ""}).outcome); }
  static std::map<std::pair<FanOut, Id>, std::string> nobody() { return {}; }

  ServerWorld world;
};

}  // namespace peerwright::domain
