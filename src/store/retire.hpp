#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "delivery_plan.hpp"

// The end of a server: once none of our keys is left on its host, one more push takes the interface away, and nothing
// of ours stays but the fence against older pushes. In all of it the server's row is locked.
namespace peerwright::store {

// How far a server is whose end is to come.
struct End {
  bool has_keys = false;       // of ours, as far as is known
  std::int64_t strangers = 0;  // peers that stand there and are nobody's
  std::int64_t held = 0;       // of these, how many wait for server.approve
  std::string guard_code;      // why
  bool comes_at_once = false;  // whatever is in doubt: the host itself refuses where a peer is left
  [[nodiscard]] bool is_held() const { return strangers > 0; }
  [[nodiscard]] bool may_come() const { return !has_keys && strangers == 0; }
};
// nullopt: its end is not to come. Also of one whose end was proven and that has keys to be removed all the same, as
// after `recover`, where its host was found without an interface or file: their absence is proven in the same way.
std::optional<End> end_of(Tx& tx, const domain::Server& server, const DeliveryRow& delivery);

// Makes `push` the one that takes everything down.
void pick_retirement(Tx& tx, const DeliveryLimits& limits, PlannedPush& push);

// Peers that are nobody's have the interface: it stays, which is said, and is looked at again `again_in` later.
void hold_back(Tx& tx, const std::string& worker_id, domain::State& state, domain::Id server_id, const End& end,
               std::chrono::milliseconds again_in);

// Says the end, once it is proven; `cause` is what showed it.
void say_retired(Tx& tx, domain::State& state, domain::Id server_id, const std::string& cause);

}  // namespace peerwright::store
