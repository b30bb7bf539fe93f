#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "db.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/domain/decision.hpp"
#include "peerwright/events/outbound.hpp"

// What intake and sweep have in common: subjects in, after-images and messages out.
namespace peerwright::store {

// Lock and load, one level each, in the order in which every transaction takes them: tenants, customers, subscribers,
// networks, meshes, servers, peers, rules. Tenants have to be loaded before what has the name of theirs.
using Ids = std::vector<domain::Id>;  // sorted, without repetitions
void normalise(Ids& ids);
std::string array_of(const Ids& ids);
void lock_tenants(Tx& tx, const Ids& ids, domain::State& state);  // without their plans
void load_tenants(Tx& tx, const Ids& ids, domain::State& state);  // the same
void load_plans(Tx& tx, const Ids& tenants, domain::State& state);
void lock_customers(Tx& tx, const Ids& ids, domain::State& state);
void load_customers(Tx& tx, const Ids& ids, domain::State& state);
void lock_subscribers(Tx& tx, const Ids& ids, domain::State& state);
void load_subscribers(Tx& tx, const Ids& ids, domain::State& state);
void lock_networks(Tx& tx, const Ids& ids, domain::State& state);
void load_networks(Tx& tx, const Ids& ids, domain::State& state);
void lock_meshes(Tx& tx, const Ids& ids, domain::State& state);
void load_links(Tx& tx, const Ids& meshes, const Ids& servers, domain::State& state);
void lock_servers(Tx& tx, const Ids& ids, domain::State& state);
void load_servers(Tx& tx, const Ids& ids, domain::State& state);
std::vector<domain::Peer> lock_peers(Tx& tx, const Ids& ids, domain::State& state);
// With the names of their tenants and subscribers; the locks of their servers are held.
std::vector<domain::Peer> load_whole_peers(Tx& tx, const Ids& ids, domain::State& state);
void lock_rules(Tx& tx, const Ids& ids, domain::State& state);
void load_holds(Tx& tx, const Ids& customers, const Ids& subscribers, const Ids& peers, domain::State& state);

// The use of addresses (rows of network and offset), and the prefixes on the servers that overlap any of these.
class RowWriter;
void load_uses(Tx& tx, const RowWriter& addresses, domain::State& state);
void load_sites(Tx& tx, const Ids& servers, const std::set<std::string>& prefixes, domain::State& state);

// Whatever one transaction decides about, level by level.
struct Levels {
  Ids tenants, customers, subscribers, networks, meshes, servers, peers, rules;
  // Adds whom a row of peers points to: columns subscriber_id, server_id, network_id from `column` on.
  void add_pointers(const pqxx::row& row, int column);
};
// Adds the customers of the subscribers and the networks of the servers.
void find_around(Tx& tx, Levels& levels);
// Locks every level in order (meshes with their links), and loads the holds. Throws a conflict, which is tried again,
// where somebody gave a thing another home between the look and the lock: what hangs on it would not be locked.
void lock_levels(Tx& tx, Levels& levels, domain::State& state);

// Rows that begin with the columns of the fragment of that name (peer_columns, server_columns, ... in subjects.sql).
inline constexpr int kPeerColumns = 46;
inline constexpr int kServerColumns = 48;
domain::Tenant tenant_from(const pqxx::row& row);
domain::Customer customer_from(const pqxx::row& row);
domain::Subscriber subscriber_from(const pqxx::row& row);
domain::Network network_from(const pqxx::row& row);
domain::Server server_from(const pqxx::row& row);
// With the names of its tenant and subscriber where the state has them.
domain::Peer peer_from(const pqxx::row& row, const domain::State& state);
domain::Hold hold_from(const pqxx::row& row);
domain::AccessRule rule_from(const pqxx::row& row);
domain::Mesh mesh_from(const pqxx::row& row);
domain::NodeLink link_from(const pqxx::row& row);

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

// Says statuses: what they need beside the state.
class Speaker {
 public:
  // `sealer` opens the secrets of clients, and outlives this; nullptr: none are said.
  explicit Speaker(const Sealer* sealer) : sealer_(sealer) {}

  // What was observed of these peers, as far as it was.
  void load(Tx& tx, const Ids& peers);
  // Applies the decision to state and changes, and says what changed: the peers (and their reservations), subscribers,
  // customers, servers and meshes, and the tenants that are announced. A thing that is repeated with its old version
  // answers an event that changed nothing.
  void carry_out(const domain::Decision& decision, const std::string& cause, domain::State& state,
                 domain::Changes& changes, Messages& messages) const;
  [[nodiscard]] events::Outbound peer_status(const domain::Peer& peer, const domain::State& state,
                                             std::int64_t latency_ms = -1) const;

 private:
  struct Before;
  [[nodiscard]] events::PeerContext context_of(const domain::Peer& peer, const domain::State& state) const;
  [[nodiscard]] events::ClientSecrets secrets_of(const domain::Peer& peer, const domain::State& state) const;
  void say_peers(const domain::Decision& decision, const Before& before, const domain::State& state,
                 Messages& messages) const;

  const Sealer* sealer_;
  std::map<domain::Id, events::PeerContext> observed_;
};

// Writes the last after-image of everything that changed. Whether others have to follow by and by: the sweep carries
// that on.
bool store_changes(Tx& tx, const domain::Changes& changes, const domain::State& state);

}  // namespace peerwright::store
