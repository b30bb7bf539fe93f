#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

// A refusal changes nothing, and says what a person can do.
inline void expect_rejected(const Decision& decision, const std::string& code) {
  EXPECT_EQ(Outcome::rejected, decision.outcome);
  EXPECT_EQ(code, decision.code);
  EXPECT_FALSE(decision.message.empty());
  EXPECT_FALSE(decision.remedy.empty());
  EXPECT_TRUE(decision.networks.empty() && decision.servers.empty() && decision.subscribers.empty());
  EXPECT_TRUE(decision.peers.empty() && decision.holds.empty() && decision.removals.empty());
  EXPECT_TRUE(decision.fan_outs.empty() && decision.due_servers.empty() && decision.urgent_servers.empty());
  EXPECT_TRUE(decision.tenants.empty() && decision.customers.empty() && decision.timers.empty());
  EXPECT_TRUE(decision.freed.empty() && decision.used_keys.empty() && decision.announced_tenants.empty());
}

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
    Tenant acme;
    acme.id = 1;
    acme.name = "acme";
    state.load(acme);
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
    for (const Timer& timer : decision.timers) {
      const std::pair key(timer.kind, std::pair(timer.subject_id, timer.owner));
      timers.erase(key);
      if (timer.due_at) timers.emplace(key, timer);
    }
  }

  void pass(std::int64_t count) { state.now += std::chrono::seconds(count); }
  // The next word of a source, said now.
  Word now(const std::string& source) {
    const std::int64_t number = ++last_word_;
    return {source, "now-" + std::to_string(number), number, {state.now, 0, number}};
  }
  template <typename Event>
  Decision say_now(const Event& event, const std::string& source = "billing") {
    return say(event, now(source));
  }
  // Decides what is due. A timer that would stay due is run once.
  void run_timers() {
    std::vector<Timer> due;
    for (const auto& [key, timer] : timers) {
      if (*timer.due_at <= state.now) due.push_back(timer);
    }
    for (const Timer& timer : due) take(decide_timer(timer, state));
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
    event.ssh_host = name + ".example.net";
    event.ssh_host_key = "ssh-ed25519 AAAA";
    event.interface = "wg0";
    event.endpoint = "192.0.2.1:51820";
    event.max_peers = max_peers;
    return event;
  }
  static PeerProvision provision(const std::string& peer, const std::string& subscriber = {}) {
    PeerProvision event;
    event.place = place(peer, subscriber);
    event.public_key = "key of " + peer;
    event.settings.client_routes = {"0.0.0.0/0", "::/0"};
    return event;
  }
  static Placement place(const std::string& peer, const std::string& subscriber = {}) {
    Placement wanted;
    wanted.tenant = "acme";
    wanted.peer = peer;
    wanted.subscriber = subscriber;
    wanted.server = "srv";
    return wanted;
  }
  static ReservationCreate reserve(const std::string& peer, std::int64_t ttl_seconds = 86'400) {
    ReservationCreate event;
    event.place = place(peer);
    event.ttl_seconds = ttl_seconds;
    return event;
  }
  // A peer.provision that names neither server nor region: it activates a reservation.
  static PeerProvision activate(const std::string& peer) {
    PeerProvision event = provision(peer);
    event.place.server.clear();
    return event;
  }
  static PeerHold hold(const std::string& peer, bool held) { return {"acme", peer, held, "because", {}}; }
  static PeerRevoke revoke(const std::string& peer) { return {"acme", peer, "because"}; }
  static SubscriberHold hold_all(const std::string& subscriber, bool held) {
    return {"acme", subscriber, "", held, "because", {}};
  }

  [[nodiscard]] const Peer& peer(const std::string& name) const { return *state.peer("acme", name); }
  [[nodiscard]] const Tenant& tenant(const std::string& name = "acme") const { return *state.tenant(name); }
  [[nodiscard]] const Network& network_named(const std::string& name = "net") const { return *state.network(name); }
  [[nodiscard]] const std::vector<std::string>& peer_names() const { return peer_names_; }
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
  std::map<std::pair<TimerKind, std::pair<Id, std::string>>, Timer> timers;

 private:
  void make_identities(const Refs& refs) {
    if (!refs.tenant.empty()) {
      if (state.tenant(refs.tenant) == nullptr) state.load(named<Tenant>(refs.tenant));
      make_in_tenant(refs, state.tenant(refs.tenant)->id);
    }
    if (refs.makes_network && state.network(refs.network) == nullptr) {
      state.load(named<Network>(refs.network));
    }
    if (refs.makes_server && state.server(refs.server) == nullptr) {
      state.load(named<Server>(refs.server));
    }
  }

  void make_in_tenant(const Refs& refs, Id tenant_id) {
    if (!refs.customer.empty() && state.customer(refs.tenant, refs.customer) == nullptr) {
      auto made = named<Customer>(refs.customer);
      made.tenant_id = tenant_id;
      state.load(made);
    }
    if (!refs.subscriber.empty() && state.subscriber(refs.tenant, refs.subscriber) == nullptr) {
      auto made = named<Subscriber>(refs.subscriber);
      made.tenant_id = tenant_id;
      state.load(made);
    }
    if (!refs.peer.empty() && state.peer(refs.tenant, refs.peer) == nullptr) {
      auto made = named<Peer>(refs.peer);
      made.tenant_id = tenant_id;
      made.tenant = refs.tenant;
      state.load(made);
      if (tenant_id == 1) peer_names_.push_back(refs.peer);
    }
  }

  template <typename Thing>
  Thing named(const std::string& name) {
    Thing made;
    made.id = ++last_id_;
    made.name = name;
    return made;
  }

  Id last_id_ = 100;
  std::int64_t last_word_ = 0;
  std::vector<std::string> peer_names_;
};

}  // namespace peerwright::domain
