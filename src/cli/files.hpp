#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"

namespace peerwright::cli {

// The bytes of a file, or of stdin for "-", at most `max_bytes`. Errors: `file_unreadable`, `file_too_large`.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

// Writes a file that only its owner may read. It is made anew, and never through a link that stands in its place;
// `replace` allows that there is a file already, which is then swapped for the whole new one. Errors: `file_exists`,
// `file_unwritable`; nothing is left behind then.
Result<void> write_private_file(const std::string& path, std::string_view bytes, bool replace);

}  // namespace peerwright::cli
