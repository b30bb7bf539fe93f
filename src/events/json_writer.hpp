#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/clock.hpp"

namespace peerwright::events {

// Writes JSON text straight into one string: a value is written where it is said, in the order in which it is said, so
// equal calls give equal bytes. Text that is not UTF-8, and NUL, is replaced, never refused. Bodies are written for
// every event, and building values first would cost ten times as much.
class JsonWriter {
 public:
  JsonWriter() { text_.reserve(kUsualBytes); }

  // Without a name: the outermost value, or an item of an array.
  void begin_object(std::string_view name = {}) { begin(name, '{'); }
  void end_object() { end('}'); }
  void begin_array(std::string_view name = {}) { begin(name, '['); }
  void end_array() { end(']'); }

  void text(std::string_view name, std::string_view value);
  void text_unless_empty(std::string_view name, std::string_view value);
  void number(std::string_view name, std::int64_t value);
  void number_unless_zero(std::string_view name, std::int64_t value);
  void flag(std::string_view name, bool value);
  void flag_if_set(std::string_view name, bool value);
  void time(std::string_view name, const std::optional<Time>& value);  // left out without one
  void texts(std::string_view name, const std::vector<std::string>& values);
  void texts_unless_empty(std::string_view name, const std::vector<std::string>& values);
  void numbers(std::string_view name, const std::vector<std::int64_t>& values);

  // An object that is JSON text already, as the database holds it; an empty one, and what is no object, is left out.
  void object_text(std::string_view name, std::string_view json);

  // The text; the writer is of no more use.
  std::string take() { return std::move(text_); }

 private:
  static constexpr std::size_t kUsualBytes = 1024;
  void separate(std::string_view name);
  void begin(std::string_view name, char bracket);
  void end(char bracket);
  void quoted(std::string_view value);
  std::string text_;
};

}  // namespace peerwright::events
