#pragma once

#include <cstddef>

// The guard on removals that no event caused. Pure.
namespace peerwright::domain {

// How much may be taken from a server at once without anybody's word.
struct GuardLimits {
  int keys = 0;
  int percent = 0;  // of all keys that stand on the interface, 1 to 100
};

// What a reading shows of keys that the database does not know.
struct UncausedRemovals {
  std::size_t keys = 0;        // unknown ones that would have to go
  std::size_t standing = 0;    // all keys on the interface, these among them
  std::size_t believed = 0;    // keys that were proven there, or were pushed, before this reading
  std::size_t recognised = 0;  // of these, how many the reading shows
  bool first = false;          // no reading of this place has listed strangers before
};

// Why they have to wait for an operator's word: a stable code; nullptr: they need not.
//   guard_first_reading       they were there before us
//   guard_impossible_reading  nothing stands there of what was believed to: this may be another interface
//   guard_too_many            more than GuardLimits::keys
//   guard_too_large_a_part    more than GuardLimits::percent
const char* guard_stop(const UncausedRemovals& removals, const GuardLimits& limits);

}  // namespace peerwright::domain
