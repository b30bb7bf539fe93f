#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace peerwright::cli {

inline constexpr std::size_t kMaxEventFileBytes = std::size_t{64} * 1024 * 1024;

// One event of a file, as text; not decoded.
struct EventText {
  std::string name;       // for messages: the file, with the event's line where there are several
  std::string_view text;  // into the file's
  std::size_t line = 1;   // where it begins
};

// Takes the text of a file apart that holds one JSON object, several one behind the other (JSON lines too), or an array
// of them. What cannot be told apart stays together, for whoever decodes it to say what is wrong.
std::vector<EventText> split_events(const std::string& file, std::string_view text);

}  // namespace peerwright::cli
