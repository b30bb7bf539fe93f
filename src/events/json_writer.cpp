#include "json_writer.hpp"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace peerwright::events {
namespace {

void append_number(std::string& text, std::int64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

}  // namespace

// What the text ends with says whether something was said before in the same object or array.
void JsonWriter::separate(std::string_view name) {
  if (!text_.empty() && text_.back() != '{' && text_.back() != '[') text_ += ',';
  if (name.empty()) return;
  quoted(name);
  text_ += ':';
}

void JsonWriter::begin(std::string_view name, char bracket) {
  separate(name);
  text_ += bracket;
}

void JsonWriter::end(char bracket) { text_ += bracket; }

void JsonWriter::text(std::string_view name, std::string_view value) {
  separate(name);
  quoted(value);
}

void JsonWriter::text_unless_empty(std::string_view name, std::string_view value) {
  if (!value.empty()) text(name, value);
}

void JsonWriter::number(std::string_view name, std::int64_t value) {
  separate(name);
  append_number(text_, value);
}

void JsonWriter::flag(std::string_view name, bool value) {
  separate(name);
  text_ += value ? "true" : "false";
}

void JsonWriter::number_unless_zero(std::string_view name, std::int64_t value) {
  if (value != 0) number(name, value);
}

void JsonWriter::flag_if_set(std::string_view name, bool value) {
  if (value) flag(name, value);
}

void JsonWriter::time(std::string_view name, const std::optional<Time>& value) {
  if (value) text(name, rfc3339(*value));
}

void JsonWriter::texts_unless_empty(std::string_view name, const std::vector<std::string>& values) {
  if (!values.empty()) texts(name, values);
}

void JsonWriter::object_text(std::string_view name, std::string_view json) {
  if (json.empty() || json == "{}" || json.front() != '{') return;
  if (json.find("\\u0000") != std::string_view::npos || !nlohmann::json::accept(json)) return;
  separate(name);
  text_ += json;
}

void JsonWriter::texts(std::string_view name, const std::vector<std::string>& values) {
  begin_array(name);
  for (const std::string& value : values) text({}, value);
  end_array();
}

void JsonWriter::numbers(std::string_view name, const std::vector<std::int64_t>& values) {
  begin_array(name);
  for (const std::int64_t value : values) number({}, value);
  end_array();
}

void JsonWriter::quoted(std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const bool dirty = find_invalid_utf8(value) != std::string_view::npos || value.find('\0') != std::string_view::npos;
  const std::string clean = dirty ? cleaned(value) : std::string();
  text_ += '"';
  for (const char c : dirty ? std::string_view(clean) : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (byte < 0x20) {
      text_ += "\\u00";
      text_ += kHex[byte >> 4U];
      text_ += kHex[byte & 0xFU];
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

}  // namespace peerwright::events
