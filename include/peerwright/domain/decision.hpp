#pragma once

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

// What the pure core answers to one event: the outcome, and after-images of all that it changes.
struct Decision {
  Outcome outcome = Outcome::accepted;
  std::string code;     // of a rejection, stable (docs/reference/codes.md)
  std::string message;  // what is wrong, in a sentence
  std::string remedy;   // what the sender can do

  std::vector<Network> networks;
  std::vector<Server> servers;
  std::vector<Subscriber> subscribers;
  std::vector<Peer> peers;
  std::vector<Hold> holds;
  std::vector<Removal> removals;
  std::map<Id, std::string> fan_outs;  // subscriber -> cause: its peers have to be considered anew
  std::set<Id> doubtful_servers;       // what was proven there counts no more
  std::set<Id> due_servers;            // something is to be delivered there
  std::set<Id> urgent_servers;         // and it is a removal that somebody asked for
};

Decision rejected(std::string code, std::string message, std::string remedy);

// Puts decisions into a State and keeps what the store has to write: the last after-image of each thing.
class Changes {
 public:
  void apply(State& state, const Decision& decision);

  std::set<Id> networks;
  std::set<Id> servers;
  std::set<Id> subscribers;
  std::set<Id> peers;
  std::map<Id, std::vector<std::int64_t>> taken_offsets;  // by network: to be deleted from its free list
  std::map<std::pair<Scope, std::string>, Hold> holds;
  std::map<std::pair<Id, std::string>, Removal> removals;
  std::map<Id, std::string> fan_outs;
  std::set<Id> doubtful_servers;
  std::set<Id> due_servers;
  std::set<Id> urgent_servers;
};

}  // namespace peerwright::domain
