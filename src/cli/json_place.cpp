#include "json_place.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

namespace peerwright::cli {
namespace {

// Walks over text that is JSON, or almost; at what is none it stops and says so.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  // The offset of the value that the steps lead to from the value at the beginning.
  std::optional<std::size_t> find(const std::vector<std::string>& steps) {
    skip_space();
    std::size_t found = at_;
    for (const std::string& step : steps) {
      at_ = found;
      const auto next = at('{') ? member(step) : at('[') ? item(step) : std::nullopt;
      if (!next) return std::nullopt;
      found = *next;
    }
    return found < text_.size() ? std::optional(found) : std::nullopt;
  }

 private:
  [[nodiscard]] bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void skip_space() {
    while (at(' ') || at('\t') || at('\n') || at('\r')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (!at(c)) return false;
    ++at_;
    return true;
  }

  // The string that begins here, with its quotes; empty where none does.
  std::string_view string() {
    skip_space();
    const std::size_t begin = at_;
    if (!at('"')) return {};
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    if (at_ >= text_.size()) return {};
    ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Without recursion, for the text may be nested as deep as it is long.
  bool skip_value() {
    std::size_t depth = 0;
    do {
      skip_space();
      if (at_ >= text_.size()) return false;
      if (at('"')) {
        if (string().empty()) return false;
      } else if (at('{') || at('[')) {
        ++depth;
        ++at_;
        continue;
      } else if (at('}') || at(']')) {
        if (depth == 0) return false;
        --depth;
        ++at_;
      } else if (at(',') || at(':')) {
        if (depth == 0) return false;
        ++at_;
        continue;
      } else {
        at_ = std::min(text_.find_first_of(",:]}\" \t\r\n", at_), text_.size());
      }
    } while (depth > 0);
    return true;
  }

  std::optional<std::size_t> member(const std::string& name) {
    std::optional<std::size_t> found;
    take('{');
    do {
      const std::string_view quoted = string();
      if (quoted.empty() || !take(':')) break;
      skip_space();
      const auto spelled = nlohmann::json::parse(quoted, nullptr, false);
      if (spelled.is_string() && spelled.get_ref<const std::string&>() == name) found = at_;
    } while (skip_value() && take(','));
    return found;
  }

  std::optional<std::size_t> item(const std::string& number) {
    std::size_t index = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), index);
    if (read.ec != std::errc() || read.ptr != number.data() + number.size()) return std::nullopt;
    take('[');
    for (; index > 0; --index) {
      if (!skip_value() || !take(',')) return std::nullopt;
    }
    skip_space();
    return at(']') ? std::nullopt : std::optional(at_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::vector<std::string> steps_of(std::string_view pointer) {
  std::vector<std::string> steps;
  for (std::size_t begin = 0; begin < pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', begin + 1), pointer.size());
    std::string step;
    for (std::size_t i = begin + 1; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end;
      step += !escape ? pointer[i] : pointer[i + 1] == '1' ? '/' : '~';
      if (escape) ++i;
    }
    steps.push_back(std::move(step));
    begin = end;
  }
  return steps;
}

// "... at line 3, column 7"
std::optional<TextPlace> spelled_out(std::string_view message) {
  constexpr std::string_view kLine = "line ";
  constexpr std::string_view kColumn = ", column ";
  const std::size_t line = message.rfind(kLine);
  const std::size_t column = message.find(kColumn, line);
  if (line == std::string_view::npos || column == std::string_view::npos) return std::nullopt;
  TextPlace place;
  const char* const end = message.data() + message.size();
  std::from_chars(message.data() + line + kLine.size(), end, place.line);
  std::from_chars(message.data() + column + kColumn.size(), end, place.column);
  return place.line > 0 && place.column > 0 ? std::optional(place) : std::nullopt;
}

std::string_view word_behind(std::string_view message, std::string_view phrase) {
  const std::size_t begin = message.find(phrase);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = message.substr(begin + phrase.size());
  return rest.substr(0, rest.find_first_of(" ,"));
}

}  // namespace

std::optional<TextPlace> place_of(std::string_view text, std::string_view pointer) {
  const auto offset = Walker(text).find(steps_of(pointer));
  if (!offset) return std::nullopt;
  const std::string_view before = text.substr(0, *offset);
  const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
  const std::size_t line_end = before.rfind('\n');
  return TextPlace{lines + 1, *offset - (line_end == std::string_view::npos ? 0 : line_end + 1) + 1};
}

std::optional<TextPlace> place_of_error(const Error& error, std::string_view text) {
  const std::string_view message = error.message;
  if (error.code == "unknown_type") return place_of(text, "/type");
  if (message.starts_with('/')) return place_of(text, "/data" + std::string(message.substr(0, message.find(": "))));
  if (message.starts_with("the data: ")) return place_of(text, "/data");
  if (const auto place = spelled_out(message)) return place;
  for (const std::string_view phrase : {" at ", "the member "}) {
    const std::string_view pointer = word_behind(message, phrase);
    if (pointer.starts_with('/')) return place_of(text, pointer);
  }
  const std::string_view attribute = word_behind(message, "the attribute ");
  if (attribute.empty()) return std::nullopt;
  const auto place = place_of(text, "/" + std::string(attribute));
  return place ? place : place_of(text, "");  // what is missing is missing in the whole
}

}  // namespace peerwright::cli
