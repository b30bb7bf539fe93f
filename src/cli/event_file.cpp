#include "event_file.hpp"

#include <algorithm>

namespace peerwright::cli {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// How many bytes of the text its first object has; 0: it does not end.
std::size_t size_of_object(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return 0;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kSpace, at), text.size());
}

// The places and sizes of the objects; of what is none, one piece with all the rest.
std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  std::size_t at = skip_space(text, 0);
  if (at == text.size()) return {text};
  const bool is_array = text[at] == '[';
  if (is_array) at = skip_space(text, at + 1);
  const bool is_empty = is_array && at < text.size() && text[at] == ']';
  while (!is_empty && at < text.size()) {
    const std::size_t size = text[at] == '{' ? size_of_object(text.substr(at)) : 0;
    pieces.push_back(text.substr(at, size == 0 ? std::string_view::npos : size));
    if (size == 0) return pieces;
    at = skip_space(text, at + size);
    if (!is_array) continue;
    if (at < text.size() && text[at] == ']') break;
    if (at >= text.size() || text[at] != ',') return {text};
    at = skip_space(text, at + 1);
  }
  const bool rest = is_array && skip_space(text, at + 1) != text.size();
  return rest ? std::vector{text} : pieces;
}

}  // namespace

std::vector<EventText> split_events(const std::string& file, std::string_view text) {
  const auto pieces = pieces_of(text);
  std::vector<EventText> all;
  all.reserve(pieces.size());
  const char* counted = text.data();
  std::size_t line = 1;
  for (const std::string_view piece : pieces) {
    line += static_cast<std::size_t>(std::count(counted, piece.data(), '\n'));
    counted = piece.data();
    const bool several = pieces.size() > 1;
    all.push_back({several ? file + " (event at line " + std::to_string(line) + ")" : file, piece, line});
  }
  return all;
}

}  // namespace peerwright::cli
