#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "peerwright/base/result.hpp"

// Structured log lines on stderr: one JSON object a line, or readable text on a terminal. `msg` is constant; what
// varies goes into fields. `error` means that a person must act. Safe from every thread. No field may hold a secret;
// the type Secret has no conversion to a field.
namespace peerwright::log {

enum class Level { debug, info, warn, error };
enum class Format { automatic, json, text };

struct Field {
  std::string_view key;
  std::variant<std::string, std::int64_t, double, bool> value;
  Field(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, std::int64_t v) : key(k), value(v) {}
  Field(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  Field(std::string_view k, std::size_t v) : key(k), value(static_cast<std::int64_t>(v)) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
};
using Fields = std::initializer_list<Field>;

// Call once before the threads start; before that, lines of level info and above go out as text.
void init(Level level, Format format, std::string worker_name);
void set_level(Level level);

void debug(std::string_view msg, Fields fields = {});
void info(std::string_view msg, Fields fields = {});
void warn(std::string_view msg, Fields fields = {});
void error(std::string_view msg, Fields fields = {});

// The same with the fields of an Error (code, error, remedy).
void warn(std::string_view msg, const Error& why, Fields fields = {});
void error(std::string_view msg, const Error& why, Fields fields = {});

}  // namespace peerwright::log
