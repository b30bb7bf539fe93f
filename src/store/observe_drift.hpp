#pragma once

#include <map>
#include <string>
#include <vector>

#include "observe_peers.hpp"

// What stands otherwise on a host than it was proven to.
namespace peerwright::store {

// What the delivery has proven.
struct ProvenState {
  std::int64_t push_number = 0;
  std::string file_hash;       // empty: never read
  std::string firewall_hash;   // of the text
  std::string firewall_state;  // of what nft showed
  bool firewall_known = false;
};

class Drift {
 public:
  Drift(const domain::Server& server, const wireguard::HostObservation& seen, const ProvenState& proven);

  void add(const char* kind) { ++counts_[kind]; }
  // A peer of the server.
  void compare(const RuntimeRow& row);
  // The keys that are no peer's of the server, and the entries of other nodes.
  void compare_others(Tx& tx);
  // Where the policy says so, or a key stands there that must be off, the delivery is put in doubt, and what is to go
  // is listed; answers whether.
  bool repair(Tx& tx) const;

  // Kinds that were found, and how often.
  [[nodiscard]] const std::map<std::string, std::int64_t>& counts() const { return counts_; }

 private:
  [[nodiscard]] bool shows(const std::string& key) const { return shown_.contains(key); }
  void compare_state(const RuntimeRow& row);
  [[nodiscard]] bool has(const char* kind) const { return counts_.contains(kind); }

  const domain::Server& server_;
  const wireguard::HostObservation& seen_;
  const ProvenState& proven_;
  std::map<std::string, std::string> shown_;  // all keys on the host, and how they stand there
  std::set<std::string> others_;              // those of them that no compared peer has
  Column removal_keys_, removal_peers_;
  bool unjudged_ = false;  // there is a foreign key of which no reading has made anything yet
  std::map<std::string, std::int64_t> counts_;
};

}  // namespace peerwright::store
