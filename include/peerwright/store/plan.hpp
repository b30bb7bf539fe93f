#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "peerwright/base/seal.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::store {

inline constexpr std::size_t kMaxPlanEvents = 5'000;
inline constexpr std::size_t kMaxPlanPeers = 50'000;  // that the events may concern
inline constexpr std::size_t kMaxPlanServers = 500;

// What would become of one event.
struct PlannedEvent {
  enum class Fate { accepted, unchanged, rejected, duplicate, kept, dead_letter };
  Fate fate = Fate::accepted;
  std::string code, message, remedy;  // where it would not be executed
  std::string alert;                  // of an accepted one that a person should hear of
};
const char* name_of(PlannedEvent::Fate fate);

enum class PlanAction { add, change, remove };
const char* name_of(PlanAction action);

// What would happen to a peer, to the entry of another node, or to a key that is nobody's, on one interface.
struct PlannedPeer {
  PlanAction action = PlanAction::add;
  bool foreign = false;    // a key that is nobody's: it has no name
  std::string tenant;      // empty: a node, or nobody's
  std::string name;        // of the peer; of a node "mesh/MESH NODE" or "link/LINK NODE"
  std::string public_key;  // empty: a pair that is made only when the event is executed
  std::vector<std::string> allowed_ips;
  std::vector<std::string> changes;  // of a change: public_key, staged_key, allowed_ips, keepalive, preshared_key,
                                     // endpoint, walled_garden (into it or out of it)
  std::string why;                   // "provisioned", "active", "moved from NAME", "moved to NAME", an entitlement, or
                                     // "approved" of a foreign key
  std::string cause;                 // "SOURCE/ID" of the event; empty where several may have been
};

struct PlannedServer {
  std::string name;
  bool registered = false;         // it has no host before these events
  bool read_first = false;         // what stands there is unknown: it is read before anything is changed
  bool held = false;               // in maintenance: nothing is pushed until that ends
  bool abandoned = false;          // retired on an operator's word: nothing is pushed any more
  bool firewall = false;           // its table changes
  bool interface_key = false;      // it gets a new one
  std::vector<PlannedPeer> peers;  // removals first, then changes, then additions; by name
};

struct Plan {
  Time at;                             // the database's clock when it was read
  std::vector<PlannedEvent> events;    // one for each arrival, in their order
  std::vector<PlannedServer> servers;  // on which something would change; by name
};

// Says what events would do. One thread uses it.
class PlanStore {
 public:
  // Both outlive it.
  PlanStore(const Database& database, const Sealer& sealer);
  ~PlanStore();

  // Executes the arrivals as intake does, in batches of `batch`, reads what servers are to have then, undoes it, and
  // compares with what they are to have without. Holds that reach their peers in chunks count as if they had reached
  // them all; what falls due later (grace, expiry) is not waited for. Nothing is committed. The locks of the subjects
  // are held for kMostLockedMs at most. Errors, beside those of Db::transact: `plan_gave_way` (later: the workers need
  // the same subjects, or it would take too long), `plan_too_large` (never: it concerns more than the limits above).
  Result<Plan> plan(std::span<const Arrival> arrivals, std::size_t batch);
  static constexpr int kMostLockedMs = 2'000;

  // Where intake stands in each partition of the topic.
  Result<std::map<std::int32_t, std::int64_t>> positions(const std::string& topic);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
