#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"
#include "peerwright/events/catalogue.hpp"

namespace peerwright::fuzz {

// A database in memory: it makes identities, keeps removal rows, timers, fan-outs and resting addresses as the store
// does, and after each decision checks what has to hold whatever was said. Ends the process where it does not.
class World {
 public:
  World();

  // Decides an event as a batch would; `prepared` are the secrets that were made for it.
  void say(const events::Event& event, const domain::Word& word, const domain::Prepared& prepared);
  // A new transaction: what was released and has rested can be had again.
  void begin_batch();
  void pass(std::int64_t seconds) { state_.now += std::chrono::seconds(seconds); }
  void run_timers(bool over_quota);
  void run_fan_outs();
  // A push and its proof: what is to go from the server's host is gone, what is wanted is there.
  void prove(std::size_t which_server);
  [[nodiscard]] Time now() const { return state_.now; }

 private:
  using Address = std::pair<domain::Id, std::int64_t>;
  using Row = std::pair<domain::Id, std::string>;  // server and key

  template <typename Thing>
  Thing named(const std::string& name, std::vector<domain::Id>& ids);
  void make_identities(const domain::Refs& refs);
  void make_in_tenant(const domain::Refs& refs, domain::Id tenant_id);
  void take(const domain::Decision& decision);
  void take_rows(const domain::Decision& decision);
  void release(const Address& address);
  void abandon(domain::Id server_id);
  void drop_proven(domain::Id server_id, bool all);

  void check() const;
  void check_addresses() const;
  void check_counts() const;
  void check_peer(const domain::Peer& peer) const;
  void check_keys() const;
  void check_steps();
  [[nodiscard]] bool fan_out_pending(const domain::Peer& peer) const;
  [[nodiscard]] const domain::Peer& peer(domain::Id id) const { return *state_.peer(id); }

  domain::State state_;
  domain::Changes changes_;
  std::vector<domain::Id> tenants_, customers_, subscribers_, networks_, servers_, peers_, rules_, meshes_;
  std::map<Row, domain::Removal> rows_;
  std::map<std::pair<domain::TimerKind, std::pair<domain::Id, std::string>>, domain::Timer> timers_;
  std::map<domain::Id, std::string> fan_outs_;
  std::map<std::pair<domain::FanOut, domain::Id>, std::string> wider_fan_outs_;
  std::map<Address, Time> resting_;  // until then
  std::map<domain::Id, domain::Peer> peers_before_;
  std::map<domain::Id, domain::Server> servers_before_;
  domain::Id last_id_ = 0;
};

}  // namespace peerwright::fuzz
