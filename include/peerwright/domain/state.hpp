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
  std::string customer;
  std::string region;                      // the least used servers there are loaded, for a placement
  bool takes_address = false;              // an offset of the network of `server`, or of any of `region`
  std::string address;                     // that is asked for; its use is loaded
  std::vector<std::string> site_networks;  // whose overlaps on any server are loaded
  bool counts_tenant = false;              // the tenant's limits are judged or changed: its row is locked
  bool stages_key = false;                 // `public_key` is to be a second key of the peer
  std::vector<std::string> other_peers;    // of the same tenant, known or not; not made
  std::string rule;                        // with the peers of both its versions, and their servers
  // "mesh/NAME", "link/NAME": made if it does not exist. Loaded with its links and their servers, and with the prefixes
  // on the servers of `other_servers` that overlap `site_networks`.
  std::string mesh;
  std::vector<std::string> other_servers;  // not made; their networks are loaded
  std::string owner_tenant;                // whose identity is made and loaded; the event belongs to no tenant
  std::vector<std::string> keys;           // as `public_key`: whether anybody has them, a node's links included
  // `server` may come to another interface: the other servers at `ssh_host` (empty: at its own), and those whose
  // interface has `server_key`, are loaded, and no other is placed meanwhile.
  bool places_server = false;
  std::string ssh_host;
  std::string server_key;
  // Where the event was said to belong by its data, for those that concern several subjects: the Kafka key.
  std::string key;
};

// Secrets that were made or opened for one event, outside of the transaction: sealed for the database already.
struct Prepared {
  std::string preshared_key_sealed;
  std::string preshared_key_hash;
  std::string client_public_key;  // of a key pair that was made for the client
  std::string client_key_sealed;
  std::string server_public_key;  // of a key pair that was made for a server
  std::string server_key_sealed;
  std::string refusal;  // the code of why there is none; empty: nothing was asked for, or all is well
};

// What is known of one address of a network.
enum class AddressUse { free, taken, quarantined };

// A prefix behind a peer or a node, on one server.
struct SitePrefix {
  Id server_id = 0;
  wireguard::Prefix prefix;
  std::optional<Id> peer_id;    // nullopt: a node's
  std::optional<Id> mesh_id{};  // of a node's, with the name of its link's other end
  std::string other{};
};

// The part of the database that a batch touches: loaded under lock, changed by decisions in memory, stored at the end.
// Not safe for several threads.
class State {
 public:
  Time now;           // the database's clock, read once for the transaction
  Prepared prepared;  // of the event that is being decided

  // Lookups; nullptr where there is none. Pointers live until the next put of the same thing.
  [[nodiscard]] const Tenant* tenant(std::string_view name) const;
  [[nodiscard]] const Tenant* tenant(Id id) const;
  [[nodiscard]] const Subscriber* subscriber(std::string_view tenant, std::string_view name) const;
  [[nodiscard]] const Peer* peer(std::string_view tenant, std::string_view name) const;
  [[nodiscard]] const Peer* peer(Id id) const;
  [[nodiscard]] bool key_taken(std::string_view public_key) const;  // by whomever, also by a revoked peer
  // The tenant's adopted peer with that key.
  [[nodiscard]] const Peer* adopted_peer(Id tenant_id, std::string_view public_key) const;
  [[nodiscard]] const Server* server(std::string_view name) const;
  [[nodiscard]] const Server* server(Id id) const;
  [[nodiscard]] const Network* network(std::string_view name) const;
  [[nodiscard]] const Network* network(Id id) const;
  [[nodiscard]] const Subscriber* subscriber(Id id) const;
  [[nodiscard]] const Hold* hold(Scope scope, std::string_view owner) const;
  // Whether anybody but `owner` holds the scope; with an empty owner, whether anybody does.
  [[nodiscard]] bool held_by_others(Scope scope, std::string_view owner) const;
  // The strictest level at which anybody but `owner` holds the scope: cut, walled_garden or none.
  [[nodiscard]] HoldLevel level_by_others(Scope scope, std::string_view owner) const;
  // All registers of a scope, lifted ones too.
  [[nodiscard]] std::vector<const Hold*> holds_of(Scope scope) const;
  [[nodiscard]] const Customer* customer(std::string_view tenant, std::string_view name) const;
  [[nodiscard]] const Customer* customer(Id id) const;
  [[nodiscard]] const AccessRule* rule(std::string_view tenant, std::string_view name) const;
  [[nodiscard]] const AccessRule* rule(Id id) const;
  [[nodiscard]] const Mesh* mesh(std::string_view name) const;
  [[nodiscard]] const Mesh* mesh(Id id) const;
  [[nodiscard]] std::vector<const NodeLink*> links_of_mesh(Id mesh_id) const;
  // The servers that Refs::places_server asks for, and all others that are loaded; by id.
  [[nodiscard]] std::vector<const Server*> servers_beside(Id server_id) const;
  // The loaded servers of a region, by id.
  [[nodiscard]] std::vector<const Server*> servers_in(std::string_view region) const;
  [[nodiscard]] AddressUse use_of(Id network_id, std::int64_t address_offset) const;
  // Loaded prefixes on the server that overlap `prefix` and do not belong to the peer.
  [[nodiscard]] bool site_taken(Id server_id, const wireguard::Prefix& prefix, Id peer_id) const;

  // The same for a mesh: that do not belong to itself.
  [[nodiscard]] bool site_taken_beside(Id mesh_id, Id server_id, const wireguard::Prefix& prefix) const;

  // Puts a thing in as loaded.
  void load(Tenant tenant);
  void load(Subscriber subscriber);
  void load(Peer peer);
  void load(Server server);
  void load_beside(Server server);  // one that is not locked
  void load(Network network);
  void load(Hold hold);
  void load(Customer customer);
  void load(AccessRule rule);
  void load(Mesh mesh);
  void load(NodeLink link);  // replaces the one of the same mesh, server and other end
  void load(SitePrefix site);
  void load_use(Id network_id, std::int64_t address_offset, AddressUse use);
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
  std::unordered_map<std::string, Id> adopted_ids_;  // by key
  std::unordered_map<Id, Server> servers_;
  std::unordered_map<std::string, Id> server_ids_;
  std::map<Id, Server> beside_;
  std::unordered_map<Id, Network> networks_;
  std::unordered_map<std::string, Id> network_ids_;
  std::map<Scope, std::map<std::string, Hold, std::less<>>> holds_;
  std::unordered_map<Id, Customer> customers_;
  std::unordered_map<NamePair, Id, PairHash> customer_ids_;
  std::unordered_map<Id, AccessRule> rules_;
  std::unordered_map<NamePair, Id, PairHash> rule_ids_;
  std::unordered_map<Id, Mesh> meshes_;
  std::unordered_map<std::string, Id> mesh_ids_;
  std::map<Id, std::map<std::pair<Id, std::string>, NodeLink>> links_;  // by mesh; server and other end
  std::map<Id, std::vector<SitePrefix>> sites_;                         // by server
  std::map<std::pair<Id, std::int64_t>, AddressUse> uses_;
};

}  // namespace peerwright::domain
