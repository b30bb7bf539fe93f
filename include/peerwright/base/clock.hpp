#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace peerwright {

// Points in time are UTC microseconds since 1970: what Postgres stores and what is compared with its clock.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

inline Time time_from_micros(std::int64_t micros) { return Time(std::chrono::microseconds(micros)); }
inline std::int64_t micros_of(Time time) { return time.time_since_epoch().count(); }

// The machine's clock. Only for logs, traces and the command line's own sequence: decisions use the database's clock.
inline Time machine_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

// RFC 3339 in UTC with microseconds: 2026-01-31T10:00:00.000000Z.
std::string rfc3339(Time time);

}  // namespace peerwright
