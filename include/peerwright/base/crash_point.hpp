#pragma once

#include <string_view>

namespace peerwright {

// A named place at which a test lets the process die, as if its machine had lost power: with
//   PEERWRIGHT_CRASH_AT=deliver.exec.after:3
// the third pass of any thread through that place ends in SIGKILL. Only in programs that are built with their tests
// (PEERWRIGHT_TESTS); elsewhere it is nothing at all.
//
// Places: <loop>.commit.before and <loop>.commit.after around every commit (loop: intake, deliver, sweep, publish), and
// deliver.exec.before and deliver.exec.after around what a host is told.
#ifdef PEERWRIGHT_CRASH_POINTS
void crash_point(std::string_view place, std::string_view moment);
#else
inline void crash_point(std::string_view, std::string_view) {}
#endif

}  // namespace peerwright
