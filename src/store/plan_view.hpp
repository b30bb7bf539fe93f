#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "changes.hpp"
#include "peerwright/store/plan.hpp"

namespace peerwright::store {

// Whom the events of a plan concern.
struct PlanScope {
  std::set<domain::Id> peers;
  std::set<domain::Id> told;  // those of the peers that a decision changed itself
  std::set<domain::Id> servers;
  std::set<std::string> made_keys;  // of pairs that were made for this plan, and are gone with it
};

// What the servers of a scope are to have, as the database stands.
class PlanView {
 public:
  // Adds the servers of the scope's peers to it. Takes no lock.
  static PlanView load(Tx& tx, PlanScope& scope);

  // What the way from `before` to `after` changes, by server.
  static std::vector<PlannedServer> compare(const PlanView& before, const PlanView& after, const PlanScope& scope);

 private:
  struct Peer {
    domain::Peer peer;  // as far as a host shows it, with its tenant's name
    std::string entitlement;
    std::vector<std::string> allowed_ips;
    std::string cause;          // of the last decision about it
    std::string fan_out_cause;  // of what is still to be carried on to it
    // The server on whose interface it stands; 0: none.
    [[nodiscard]] domain::Id place() const;
  };
  struct Node {
    std::string name, public_key, endpoint;
    std::vector<std::string> allowed_ips;
    int keepalive_seconds = 0;
  };
  struct Server {
    domain::Server server;
    bool in_doubt = true;
    bool was_read = false;
    std::string firewall;                                     // its text
    std::map<std::string, Node> nodes;                        // by name
    std::map<std::string, std::vector<std::string>> leaving;  // nobody's keys that are to go, with their allowed IPs
  };
  struct Comparison;

  void load_peers(Tx& tx, PlanScope& scope);
  void load_servers(Tx& tx, const PlanScope& scope);
  void load_nodes(Tx& tx, const PlanScope& scope);
  void load_foreign(Tx& tx, const PlanScope& scope);

  domain::State state_;
  std::map<domain::Id, Peer> peers_;
  std::map<domain::Id, Server> servers_;
};

}  // namespace peerwright::store
