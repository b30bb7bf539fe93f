#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace peerwright {

// `text` cut at `most` bytes, with '?' for everything but printable ASCII: fit for a column and a log, wherever it came
// from.
std::string printable(std::string_view text, std::size_t most);

}  // namespace peerwright
