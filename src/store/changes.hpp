#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db.hpp"
#include "peerwright/domain/decision.hpp"
#include "peerwright/events/outbound.hpp"

// What intake and sweep have in common: subjects in, after-images and messages out.
namespace peerwright::store {

// Lock and load, one level each, in the order in which every transaction takes them: subscribers, networks, servers,
// peers. `tenant` names must be loaded before subscribers and peers.
using Ids = std::vector<domain::Id>;  // sorted, without repetitions
void normalise(Ids& ids);
std::string array_of(const Ids& ids);
void load_tenants(Tx& tx, const Ids& ids, domain::State& state);
void lock_subscribers(Tx& tx, const Ids& ids, domain::State& state);
void load_subscribers(Tx& tx, const Ids& ids, domain::State& state);
void lock_networks(Tx& tx, const Ids& ids, domain::State& state);
void load_networks(Tx& tx, const Ids& ids, domain::State& state);
void lock_servers(Tx& tx, const Ids& ids, domain::State& state);
std::vector<domain::Peer> lock_peers(Tx& tx, const Ids& ids, domain::State& state);
// With the names of their tenants and subscribers; the locks of their servers are held.
std::vector<domain::Peer> load_whole_peers(Tx& tx, const Ids& ids, domain::State& state);
void load_holds(Tx& tx, const Ids& subscribers, const Ids& peers, domain::State& state);

// The columns of lock_peers, also behind other SELECTs that begin with them.
domain::Peer peer_from(const pqxx::row& row, const domain::State& state);

// Messages of one transaction, in the order of the decisions.
class Messages {
 public:
  void say(std::string_view channel, const events::Outbound& out);
  void record(const domain::Word& word, std::string_view type, std::string_view key, const domain::Decision& decision,
              const std::string& body);
  void store(Tx& tx) const;

 private:
  Column channel_, ce_id_, ce_type_, key_, body_;
  Column source_, event_id_, event_type_, audit_key_, outcome_, code_, audit_body_;
};

// The statuses of all that a decision changed, as the state stands once it is applied.
void say_statuses(const domain::Decision& decision, const domain::State& state, const std::string& cause,
                  Messages& messages);

// Writes the last after-image of everything that changed.
void store_changes(Tx& tx, const domain::Changes& changes, const domain::State& state);

}  // namespace peerwright::store
