#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "peerwright/domain/state.hpp"

namespace peerwright::domain {

enum class Outcome {
  accepted,   // something changes for somebody, now or when it reaches its peers
  unchanged,  // nothing does: it is so already, or a register took a word that has no effect yet
  rejected,   // refused with a code and a remedy; nothing changed
};
const char* name_of(Outcome outcome);

// To whom a change is carried on in chunks, beside the peers of a subscriber.
enum class FanOut {
  customer,  // its subscribers
  server,    // the peers of a server: their configurations changed
  tenant,    // the servers on which a tenant has peers: its rules or its garden changed
  network,   // the servers of a network: what it forbids changed
};
const char* name_of(FanOut kind);

// An offset that nobody has any more; its quarantine starts now.
struct FreedAddress {
  Id network_id = 0;
  std::int64_t address_offset = 0;
};

// Whose the keys become that the next reading of a server shows and nobody knows.
struct Import {
  Id tenant_id = 0;  // 0: nobody's, for it is done
  std::string cause;
};

// What the pure core answers to one event: the outcome, and after-images of all that it changes.
struct Decision {
  Outcome outcome = Outcome::accepted;
  std::string code;     // of a rejection, stable (docs/reference/codes.md)
  std::string message;  // what is wrong, in a sentence
  std::string remedy;   // what the sender can do

  std::vector<Tenant> tenants;
  std::vector<Customer> customers;
  std::vector<Network> networks;
  std::vector<Server> servers;
  std::vector<Subscriber> subscribers;
  std::vector<Peer> peers;
  std::vector<Hold> holds;
  std::vector<Removal> removals;
  std::vector<AccessRule> rules;
  std::vector<Mesh> meshes;
  std::vector<NodeLink> links;
  std::vector<Timer> timers;
  std::vector<FreedAddress>
      freed;  // of peers that were never on a host, or given up by a network: no proof to wait for
  std::map<std::string, Id> used_keys;  // key -> peer: staged or rotated out, never to be used by another
  std::map<Id, std::string> fan_outs;   // subscriber -> cause: its peers have to be considered anew
  std::map<std::pair<FanOut, Id>, std::string> wider_fan_outs;  // -> cause
  std::set<Id> observe_servers;                                 // to be read now
  std::map<Id, bool> approved_servers;  // what the guard holds there goes (true), or stays for good
  std::map<Id, Import> imports;         // of servers
  std::map<Id, Id> claims;              // adopted peer -> the peer that takes its place, with all that is known of it
  std::set<Id> abandoned_servers;       // retired on an operator's word: what is to go from there counts as gone
  std::set<Id> announced_tenants;       // whose settings changed: a tenant that merely counts has nothing to say
  std::string alert;                    // of an accepted decision that a person should hear of; a stable code
  std::set<Id> doubtful_servers;        // what was proven there counts no more
  std::set<Id> due_servers;             // something is to be delivered there
  std::set<Id> urgent_servers;          // and it is a removal that somebody asked for
};

Decision rejected(std::string code, std::string message, std::string remedy);

// Puts decisions into a State and keeps what the store has to write: the last after-image of each thing.
class Changes {
 public:
  void apply(State& state, const Decision& decision);

  std::set<Id> tenants;
  std::set<Id> customers;
  std::set<Id> networks;
  std::set<Id> servers;
  std::set<Id> subscribers;
  std::set<Id> peers;
  std::set<Id> rules;
  std::set<Id> meshes;
  std::map<std::pair<Id, std::pair<Id, std::string>>, NodeLink> links;  // by mesh, server and other end
  std::map<std::pair<TimerKind, std::pair<Id, std::string>>, Timer> timers;
  std::vector<FreedAddress> freed;
  std::map<std::string, Id> used_keys;
  std::map<std::pair<FanOut, Id>, std::string> wider_fan_outs;
  std::set<Id> observe_servers;
  std::map<Id, bool> approved_servers;
  std::map<Id, Import> imports;
  std::map<Id, Id> claims;
  std::set<Id> abandoned_servers;
  std::set<Id> readdressed_peers;                         // whose address or site networks changed
  std::set<Id> detailed_peers;                            // of whom more changed than a plain provision or hold changes
  std::map<Id, std::vector<std::int64_t>> taken_offsets;  // by network: to be deleted from its free list
  std::map<std::pair<Scope, std::string>, Hold> holds;
  std::map<std::pair<Id, std::string>, Removal> removals;
  std::map<Id, std::string> fan_outs;
  std::set<Id> doubtful_servers;
  std::set<Id> due_servers;
  std::set<Id> urgent_servers;

 private:
  void apply_peers(State& state, const Decision& decision);
  void apply_networks(State& state, const std::vector<Network>& decided);
  void take_offset(Id network_id, std::int64_t offset);
};

}  // namespace peerwright::domain
