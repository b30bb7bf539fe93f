#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "peerwright/base/result.hpp"

namespace peerwright::cli {

// What the process says to its caller; each command's --help ends with them. They never change their meaning.
enum class Exit : int {
  ok = 0,
  failed = 1,
  usage = 2,        // the command line, the configuration or an event is wrong
  not_found = 3,    // what was named does not exist
  conflict = 4,     // refused as things stand: rejected, exists already, does not fit
  unreachable = 5,  // Postgres, Kafka or a host: the same call may succeed later
  differences = 6,  // a comparison found some, or a dry run what it would change
};

// A value, or the exit code of a failure that was told on stderr already.
template <typename T>
using Or = tl::expected<T, Exit>;
inline tl::unexpected<Exit> exit_with(Exit exit) { return tl::unexpected<Exit>(exit); }

Exit exit_of(const Error& error);

// Tells the error on stderr, with its code and remedy, and answers its exit code.
Exit fail(const Error& error);

// Tells on stderr what is wrong with the command line.
Exit usage(std::string_view message);

}  // namespace peerwright::cli
