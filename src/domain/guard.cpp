#include "peerwright/domain/guard.hpp"

namespace peerwright::domain {

const char* guard_stop(const UncausedRemovals& removals, const GuardLimits& limits) {
  if (removals.keys == 0) return nullptr;
  if (removals.first) return "guard_first_reading";
  if (removals.believed > 0 && removals.recognised == 0) return "guard_impossible_reading";
  if (removals.keys > static_cast<std::size_t>(limits.keys)) return "guard_too_many";
  if (removals.keys * 100 > removals.standing * static_cast<std::size_t>(limits.percent)) {
    return "guard_too_large_a_part";
  }
  return nullptr;
}

}  // namespace peerwright::domain
