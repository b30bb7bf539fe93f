#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

inline wireguard::Prefix prefix(const std::string& text) { return wireguard::Prefix::parse(text).value(); }

// A word whose place follows that of the one made before; ids are new each time unless told.
inline Word word(const std::string& source, std::optional<std::int64_t> sequence, const std::string& id = {}) {
  static std::int64_t number = 0;
  ++number;
  Place place;
  place.broker_time = time_from_micros(1'700'000'000'000'000 + number * 1000);
  place.offset = number;
  return {source, id.empty() ? "word-" + std::to_string(number) : id, sequence, place};
}

// A database in memory: identities are made as the store makes them, and what was decided is there for the next event.
class World {
 public:
  World() {
    state.now = time_from_micros(1'800'000'000'000'000);
    state.load(Tenant{1, "acme"});
  }

  template <typename Event>
  Decision say(const Event& event, const Word& word) {
    make_identities(refs_of(event));
    Decision decision = decide(event, word, state);
    take(decision);
    return decision;
  }

  void take(const Decision& decision) {
    changes.apply(state, decision);
    for (const Removal& removal : decision.removals) {
      removals[{removal.server_id, removal.public_key}] = removal.wanted_gone;
    }
  }

  // A network 10.0.0.0/24 and a server in it.
  void with_server(std::int64_t max_peers = 100) {
    say(network("net", "10.0.0.0/24"), word("operator-tool", 1));
    say(server("srv", "net", max_peers), word("operator-tool", 1));
  }

  static NetworkSet network(const std::string& name, const std::string& net4, const std::string& net6 = {}) {
    NetworkSet event;
    event.network = name;
    if (!net4.empty()) event.net4 = prefix(net4);
    if (!net6.empty()) event.net6 = prefix(net6);
    return event;
  }
  static ServerRegister server(const std::string& name, const std::string& network, std::int64_t max_peers = 100) {
    ServerRegister event;
    event.server = name;
    event.network = network;
    event.ssh_host = "192.0.2.1";
    event.ssh_host_key = "ssh-ed25519 AAAA";
    event.interface = "wg0";
    event.endpoint = "192.0.2.1:51820";
    event.max_peers = max_peers;
    return event;
  }
  static PeerProvision provision(const std::string& peer, const std::string& subscriber = {}) {
    PeerProvision event;
    event.tenant = "acme";
    event.peer = peer;
    event.subscriber = subscriber;
    event.server = "srv";
    event.public_key = "key of " + peer;
    event.client_routes = {"0.0.0.0/0", "::/0"};
    return event;
  }
  static PeerHold hold(const std::string& peer, bool held) { return {"acme", peer, held, "because"}; }
  static PeerRevoke revoke(const std::string& peer) { return {"acme", peer, "because"}; }
  static SubscriberHold hold_all(const std::string& subscriber, bool held) {
    return {"acme", subscriber, held, "because"};
  }

  [[nodiscard]] const Peer& peer(const std::string& name) const { return *state.peer("acme", name); }
  [[nodiscard]] const Server& server(const std::string& name = "srv") const { return *state.server(name); }
  // Whether the key of the peer is listed to go from its server.
  [[nodiscard]] bool to_be_removed(const std::string& name) const {
    const Peer& found = peer(name);
    const auto row = removals.find({found.server_id.value_or(0), found.public_key});
    return row != removals.end() && row->second;
  }

  // The sweep: a subscriber's peers as the holds stand.
  std::vector<Decision> fan_out(const std::string& subscriber, const std::string& cause) {
    std::vector<Decision> decisions;
    const Id id = state.subscriber("acme", subscriber)->id;
    for (const auto& name : peer_names_) {
      const Peer found = peer(name);
      if (found.subscriber_id != id) continue;
      Decision decision;
      settle_peer(found, state, cause, false, decision);
      take(decision);
      decisions.push_back(std::move(decision));
    }
    return decisions;
  }

  State state;
  Changes changes;
  std::map<std::pair<Id, std::string>, bool> removals;  // (server, key) -> it has to go

 private:
  void make_identities(const Refs& refs) {
    if (!refs.subscriber.empty() && state.subscriber("acme", refs.subscriber) == nullptr) {
      state.load(Subscriber{++last_id_, 1, refs.subscriber, 0});
    }
    if (!refs.peer.empty() && state.peer("acme", refs.peer) == nullptr) {
      Peer made;
      made.id = ++last_id_;
      made.tenant_id = 1;
      made.tenant = "acme";
      made.name = refs.peer;
      state.load(made);
      peer_names_.push_back(refs.peer);
    }
    if (refs.makes_network && state.network(refs.network) == nullptr) {
      Network made;
      made.id = ++last_id_;
      made.name = refs.network;
      state.load(made);
    }
    if (refs.makes_server && state.server(refs.server) == nullptr) {
      Server made;
      made.id = ++last_id_;
      made.name = refs.server;
      state.load(made);
    }
  }

  Id last_id_ = 100;
  std::vector<std::string> peer_names_;
};

}  // namespace peerwright::domain
