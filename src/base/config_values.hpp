#pragma once

#include <string>
#include <vector>

#include "config_problems.hpp"
#include "config_table.hpp"
#include "config_yaml.hpp"

// Room-private: from what was written to the fields of Config.
namespace peerwright::config {

// A value as it was given: a part of the file, or text of a flag, a variable or the default.
struct Given {
  Place place;
  const YamlFile* file = nullptr;  // with `node`
  const YamlNode* node = nullptr;
  std::string text;
};

// Checks and stores one value; false (and a problem) leaves the field as it was. Codes: `type_wrong`, `out_of_range`,
// `value_empty`, `value_invalid`, `value_unknown`, `value_duplicate`, `address_invalid`, `secret_inline`.
bool apply(const Setting& setting, const Given& given, Config& config, Problems& problems);

// Whether libpq would take a password from it.
bool dsn_holds_password(std::string_view dsn);
// "postgres.password_file" for "postgres.password", and so on.
std::string where_a_secret_goes(std::string_view key);

// What has to hold between settings: code `settings_conflict`. `place_of` answers where a setting was given.
class Places {
 public:
  virtual ~Places() = default;
  [[nodiscard]] virtual const Place& place_of(std::string_view key) const = 0;
};
void check_together(const Config& config, const Places& places, Problems& problems);

}  // namespace peerwright::config
