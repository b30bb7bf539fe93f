#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "db.hpp"
#include "peerwright/domain/state.hpp"

// How a server stands as a person should know it, and its word in server.status; for whichever loop sees a change
// first.
namespace peerwright::store {

using DriftCounts = std::map<std::string, std::int64_t>;

// All is well until something else was seen.
struct Health {
  std::string error_code;  // of the look; empty: it went well
  bool up = true;
  bool listening = true;
  bool forwarding = true;
  bool file_safe = true;
  DriftCounts drift;
  std::string guard_code;    // why removals wait for an operator's word; empty: none does
  std::string guard_digest;  // whose
  bool operator==(const Health&) const = default;

  [[nodiscard]] bool reachable() const { return error_code.rfind("ssh_", 0) != 0; }
  // The first thing that is wrong and that somebody has to look at.
  [[nodiscard]] std::string alert() const;
};

// As they are stored.
std::string text_of(const DriftCounts& drift);
DriftCounts counts_from(const std::string& text);
// Nobody but its owner may read or write a file that holds keys. An empty mode: nobody knows.
bool is_safe_mode(const std::string& mode);
// Forwarding matters for the families that the network has.
bool forwards(const domain::Network* network, bool forwarding4, bool forwarding6);

// Says how the server stands, with a new version of its status. Its row is locked, it and its network are loaded.
void say_health(Tx& tx, domain::State& state, domain::Id server_id, const Health& health,
                std::optional<Time> observed_at);

// What a delivery met on its way to a host and what nobody may miss is said at once, once, whether a look or a delivery
// meets it first. Its row is locked, it and its network are loaded. Whether it was said here.
bool say_met(Tx& tx, domain::State& state, domain::Id server_id, const Error& why);

// A delivery has reached a host that looks did not: it is no dead one any more, and is looked at next. The same holds.
void say_reached(Tx& tx, domain::State& state, domain::Id server_id);

}  // namespace peerwright::store
