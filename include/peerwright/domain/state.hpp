#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "peerwright/domain/model.hpp"

namespace peerwright::domain {

// What an event names. Everything in it is locked and loaded before the event is decided.
struct Refs {
  std::string tenant;  // empty: the event speaks of what belongs to no tenant
  std::string subscriber;
  std::string peer;
  std::string server;
  std::string network;
  std::string public_key;     // whose owner has to be known
  bool makes_server = false;  // the identity of `server` is made if it does not exist
  bool makes_network = false;
};

// The part of the database that a batch touches: loaded under lock, changed by decisions in memory, stored at the end.
// Not safe for several threads.
class State {
 public:
  Time now;  // the database's clock, read once for the transaction

  // Lookups; nullptr where there is none. Pointers live until the next put of the same thing.
  [[nodiscard]] const Tenant* tenant(std::string_view name) const;
  [[nodiscard]] const Tenant* tenant(Id id) const;
  [[nodiscard]] const Subscriber* subscriber(std::string_view tenant, std::string_view name) const;
  [[nodiscard]] const Peer* peer(std::string_view tenant, std::string_view name) const;
  [[nodiscard]] const Peer* peer(Id id) const;
  [[nodiscard]] bool key_taken(std::string_view public_key) const;  // by whomever, also by a revoked peer
  [[nodiscard]] const Server* server(std::string_view name) const;
  [[nodiscard]] const Server* server(Id id) const;
  [[nodiscard]] const Network* network(std::string_view name) const;
  [[nodiscard]] const Network* network(Id id) const;
  [[nodiscard]] const Subscriber* subscriber(Id id) const;
  [[nodiscard]] const Hold* hold(Scope scope, std::string_view owner) const;
  // Whether anybody but `owner` holds the scope; with an empty owner, whether anybody does.
  [[nodiscard]] bool held_by_others(Scope scope, std::string_view owner) const;

  // Puts a thing in as loaded.
  void load(Tenant tenant);
  void load(Subscriber subscriber);
  void load(Peer peer);
  void load(Server server);
  void load(Network network);
  void load(Hold hold);
  void load_taken_key(std::string public_key);  // of a peer that is not loaded itself

 private:
  using NamePair = std::pair<std::string, std::string>;
  struct PairHash {
    std::size_t operator()(const NamePair& pair) const;
  };
  std::unordered_map<std::string, Tenant> tenants_;
  std::unordered_map<Id, std::string> tenant_names_;
  std::unordered_map<Id, Subscriber> subscribers_;
  std::unordered_map<NamePair, Id, PairHash> subscriber_ids_;
  std::unordered_map<Id, Peer> peers_;
  std::unordered_map<NamePair, Id, PairHash> peer_ids_;
  std::unordered_set<std::string> taken_keys_;
  std::unordered_map<Id, Server> servers_;
  std::unordered_map<std::string, Id> server_ids_;
  std::unordered_map<Id, Network> networks_;
  std::unordered_map<std::string, Id> network_ids_;
  std::map<Scope, std::map<std::string, Hold, std::less<>>> holds_;
};

}  // namespace peerwright::domain
