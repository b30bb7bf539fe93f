#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "peerwright/base/config.hpp"

// Room-private: the table of settings and what can be said of their names.
namespace peerwright::config {

using TextField = std::string& (*)(Config&);
using ListField = std::vector<std::string>& (*)(Config&);
using NumberField = int& (*)(Config&);
using MapField = std::map<std::string, std::string>& (*)(Config&);
using SourcesField = std::vector<SourceBinding>& (*)(Config&);
using LevelField = log::Level& (*)(Config&);
using FormatField = log::Format& (*)(Config&);
using Field = std::variant<TextField, ListField, NumberField, MapField, SourcesField, LevelField, FormatField>;

// What a text, or an item of a list or map, has to look like.
enum class Shape { any, file, dsn, listen, topic, role };
enum class Needed { no, always, by_deliver, by_secrets };

// One row: everything that is known of a setting.
struct Setting {
  std::string_view key;
  std::string_view fallback;  // as in the environment; empty: none
  std::string_view help;
  Field field;
  std::int64_t min = 0;  // of a number; both 0: not a number
  std::int64_t max = 0;
  std::string_view unit = {};
  bool reloads = false;
  Needed needed = Needed::no;
  Shape shape = Shape::any;
};
std::span<const Setting> settings();
const Setting* find_setting(std::string_view key);

inline constexpr std::string_view kRoles[] = {"intake", "deliver", "observe", "sweep", "publish"};
inline constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};  // in the order of log::Level
inline constexpr std::string_view kFormats[] = {"auto", "json", "text"};           // in the order of log::Format

// "a, b, c"
std::string choices(std::span<const std::string_view> all);
bool only_in_file(const Setting& setting);
// kafka.brokers -> PEERWRIGHT_KAFKA_BROKERS
std::string variable_of(std::string_view key);
// kafka, postgres, ...: what stands above settings in the file.
bool is_section(std::string_view key);
// The value as one would write it in the environment; maps as name=value.
std::string value_text(const Setting& setting, Config& config);

// How many letters have to be typed, dropped, changed or swapped.
std::size_t edit_distance(std::string_view a, std::string_view b);
// ", did you mean ...?" for an unknown key, or nothing.
std::string did_you_mean(std::string_view key);
// Whether a setting or a librdkafka property of this name would hold a secret itself rather than name its file.
bool names_secret(std::string_view name);

}  // namespace peerwright::config
