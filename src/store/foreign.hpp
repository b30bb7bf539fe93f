#pragma once

#include <map>
#include <string>
#include <vector>

#include "changes.hpp"
#include "columns.hpp"
#include "peerwright/domain/guard.hpp"
#include "peerwright/domain/model.hpp"
#include "peerwright/wireguard/host.hpp"

// Keys that stand on a host and that the database does not know. A reading under the lease lists them; what the guard
// lets through, and what an operator has approved of, goes with the next push. The server's row is locked in all of it.
namespace peerwright::store {

struct ForeignKey {
  std::string public_key;
  std::string allowed_ips;  // joined by commas
  bool in_file = false;     // so it comes back with a reboot
};
// Of all that a reading has shown, in kernel or file, the keys that are nobody's.
std::vector<ForeignKey> foreign_keys(Tx& tx, domain::Id server_id, const wireguard::HostAnswer& answer);

// Of all that a reading has shown, in kernel or file, what is somebody's and does not belong on this server gets a
// removal row: to be asked before the reading is stored, so that it is no proof that such a key is gone.
void remove_strays(Tx& tx, domain::Id server_id, const wireguard::HostAnswer& answer);

// What was believed before the reading, to be asked before it is stored.
domain::UncausedRemovals uncaused_by(Tx& tx, domain::Id server_id, const wireguard::HostAnswer& answer);

// Stores what a reading has shown and judges it by the server's policy and the guard; answers the guard's code, ""
// where it stops nothing. On a retired server all that its policy leaves alone waits for a word. `known`: as
// uncaused_by() has answered it.
std::string store_foreign(Tx& tx, const domain::Server& server, const std::vector<ForeignKey>& keys,
                          domain::UncausedRemovals known, const domain::GuardLimits& limits);

// Puts into the audit which keys an operator's words are about (server -> whether they go), before these are stored: a
// rebuild knows no host.
void record_judged(Tx& tx, const std::map<domain::Id, bool>& approved, Messages& messages, const domain::State& state);

// Forgets keys that nobody knows and that are not among `shown`, but for what an operator said of them. `complete`: a
// reading has shown kernel and file. Whether there were any.
bool forget_foreign(Tx& tx, domain::Id server_id, const Column& shown, bool complete);

// A key that had no business there is gone: peers that were set aside for a prefix of its are pushed again.
void give_way(Tx& tx, domain::Id server_id);

// The keys that the next push is to take away, `most` of them.
std::vector<std::string> foreign_removals(Tx& tx, domain::Id server_id, int most);

// Forgets those that are proven gone; how many.
std::size_t drop_foreign(Tx& tx, domain::Id server_id, const wireguard::Proof& proof);

}  // namespace peerwright::store
