#include "peerwright/base/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "config_values.hpp"

namespace peerwright {
namespace config {
namespace {

constexpr std::string_view kVariablePrefix = "PEERWRIGHT_";
// A variable that differs from a setting's in so few letters was meant to be it; others belong to somebody else, such
// as those that Kubernetes makes for a service of this name.
constexpr std::size_t kSlips = 2;

class Loader : public Places {
 public:
  explicit Loader(const ConfigInput& input) : input_(input) {}

  LoadedConfig load() {
    defaults();
    if (!input_.file.empty()) {
      file_ = read_yaml(input_.file, problems_);
      read_file();
    }
    for (const auto& [name, value] : input_.environment) read_variable(name, value);
    for (const auto& [key, value] : input_.flags) read_flag(key, value);
    check_needed();
    check_together(config_, *this, problems_);
    return {config_, problems_.take()};
  }

  [[nodiscard]] const Place& place_of(std::string_view key) const override {
    static const Place kDefault{};
    const auto found = origins_.find(key);
    return found == origins_.end() ? kDefault : found->second.place;
  }
  [[nodiscard]] bool refused(std::string_view key) const {
    const auto found = origins_.find(key);
    return found != origins_.end() && found->second.refused;
  }

 private:
  struct Found {
    Place place;
    bool refused = false;
  };

  void give(const Setting& setting, const Given& given) {
    const bool right = apply(setting, given, config_, problems_);
    if (given.place.origin != Origin::fallback) origins_[setting.key] = {given.place, !right};
  }

  void defaults() {
    for (const Setting& setting : settings()) {
      if (!setting.fallback.empty()) give(setting, {Place{}, nullptr, nullptr, std::string(setting.fallback)});
    }
  }

  void read_file() {
    if (file_.root.kind == YamlNode::Kind::null) return;
    if (file_.root.kind != YamlNode::Kind::map) {
      problems_.add(file_.place(file_.root), "type_wrong", "the file has to be a map of settings",
                    "begin with a section such as kafka:");
      return;
    }
    read_section(file_.root, "");
  }

  void read_section(const YamlNode& section, const std::string& prefix) {
    for (std::size_t i = 0; i + 1 < section.items.size(); i += 2) {
      const YamlNode& name = section.items[i];
      const YamlNode& value = section.items[i + 1];
      const std::string key = prefix + name.text;
      if (const Setting* setting = find_setting(key); setting != nullptr && spelled_here(name, prefix)) {
        // An empty value has no place of its own; the key's says more.
        const YamlNode& at = value.kind == YamlNode::Kind::null ? name : value;
        give(*setting, {file_.place(at), &file_, &value, ""});
      } else if (prefix.empty() && is_section(key)) {
        sections_[key] = file_.place(name);
        if (value.kind == YamlNode::Kind::map) {
          read_section(value, key + '.');
        } else if (value.kind != YamlNode::Kind::null) {
          problems_.add(file_.place(value), "type_wrong", key + " has to be a map of settings",
                        "put its settings below it, indented");
        }
      } else {
        unknown_in_file(name, key);
      }
    }
  }

  // Not "kafka.brokers" as one word at the top.
  static bool spelled_here(const YamlNode& name, const std::string& prefix) {
    return !prefix.empty() || name.text.find('.') == std::string::npos;
  }

  void unknown_in_file(const YamlNode& name, const std::string& key) {
    const std::size_t key_end = static_cast<std::size_t>(name.column) - 1 + name.text.size() + 1;
    if (name.kind != YamlNode::Kind::scalar) {
      problems_.add(file_.place(name), "type_wrong", "a setting's name has to be a word", "write key: value");
    } else if (find_setting(key) != nullptr) {
      const std::size_t dot = key.find('.');
      problems_.add_hidden(file_.place(name), key_end, "key_unknown", "settings are nested in the file",
                           "write " + key.substr(dot + 1) + ": below " + key.substr(0, dot) + ':');
    } else {
      unknown(file_.place(name), key_end, key);
    }
  }

  void unknown(const Place& place, std::size_t shown, const std::string& key) {
    if (names_secret(key) || find_setting(key + "_file") != nullptr) {
      problems_.add_hidden(place, shown, "secret_inline", safe_word(key) + " would hold a secret in the open",
                           "put it into a file and name that as " + where_a_secret_goes(key));
      return;
    }
    problems_.add_hidden(place, shown, "key_unknown", "there is no setting " + safe_word(key) + did_you_mean(key),
                         "`peerwright config show` lists all settings");
  }

  void read_variable(const std::string& name, const std::string& value) {
    if (!name.starts_with(kVariablePrefix)) return;
    const Place place{Origin::environment, name, 0, 0, ""};
    for (const Setting& setting : settings()) {
      const std::string variable = variable_of(setting.key);
      if (name == variable) {
        read_text(setting, place, value);
        return;
      }
    }
    for (const Setting& setting : settings()) {
      const std::string variable = variable_of(setting.key);
      if (only_in_file(setting) && name.starts_with(variable + '_')) {
        file_only(setting, place);
        return;
      }
      if (name + "_FILE" == variable) {
        problems_.add(place, "secret_inline", name + " would hold a secret in the open",
                      "put it into a file and name that as " + variable);
        return;
      }
    }
    near_miss(place, name);
  }

  void near_miss(const Place& place, const std::string& name) {
    for (const Setting& setting : settings()) {
      const std::string variable = variable_of(setting.key);
      if (edit_distance(name, variable) > kSlips) continue;
      problems_.add(place, "key_unknown", "there is no setting of this name; did you mean " + variable + '?',
                    "correct the name, or remove the variable");
      return;
    }
  }

  void read_flag(const std::string& key, const std::string& value) {
    const Place place{Origin::flag, "--" + key, 0, 0, ""};
    if (const Setting* setting = find_setting(key)) {
      read_text(*setting, place, value);
      return;
    }
    for (const Setting& setting : settings()) {
      if (only_in_file(setting) && key.starts_with(std::string(setting.key) + '.')) return file_only(setting, place);
    }
    unknown(place, 0, key);
  }

  void read_text(const Setting& setting, const Place& place, const std::string& value) {
    if (only_in_file(setting)) return file_only(setting, place);
    give(setting, {place, nullptr, nullptr, value});
  }

  void file_only(const Setting& setting, const Place& place) {
    problems_.add(place, "file_only", std::string(setting.key) + " can be set in the file alone",
                  "move it to the file; secrets go into files of their own");
  }

  [[nodiscard]] bool needed(const Setting& setting) const {
    const auto role = [&](std::string_view name) {
      return std::ranges::find(config_.roles, name) != config_.roles.end();
    };
    switch (setting.needed) {
      case Needed::no:
        return false;
      case Needed::always:
        return true;
      case Needed::by_deliver:
        return role("deliver") || role("observe");
      case Needed::by_secrets:
        return role("intake") || role("deliver") || role("sweep");
    }
    return false;
  }

  void check_needed() {
    for (const Setting& setting : settings()) {
      if (!needed(setting) || !value_text(setting, config_).empty() || refused(setting.key)) continue;
      const std::string key(setting.key);
      if (const auto found = origins_.find(setting.key); found != origins_.end()) {
        problems_.add(found->second.place, "value_empty", key + " is empty",
                      "fill it in: " + std::string(setting.help));
        continue;
      }
      if (!file_.complete) continue;  // one problem at a time: it may stand behind the other
      const auto section = sections_.find(key.substr(0, key.find('.')));
      const Place nowhere = input_.file.empty() ? Place{} : Place{Origin::file, input_.file.string(), 0, 0, ""};
      problems_.add(
          section == sections_.end() ? nowhere : section->second, "setting_required",
          key + " is not set" + (setting.needed == Needed::always ? "" : ", and the roles need it"),
          "set it in the file, as " + variable_of(key) + " or as --" + key + ". " + std::string(setting.help));
    }
  }

  const ConfigInput& input_;
  YamlFile file_;
  Config config_;
  Problems problems_;
  std::map<std::string_view, Found> origins_;
  std::map<std::string, Place> sections_;
};

}  // namespace
}  // namespace config

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const std::size_t equals = line.find('=');
    if (!line.starts_with(config::kVariablePrefix) || equals == std::string_view::npos) continue;
    out.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return out;
}

LoadedConfig load_config(const ConfigInput& input) { return config::Loader(input).load(); }

std::vector<SettingView> show(const ConfigInput& input) {
  config::Loader loader(input);
  LoadedConfig loaded = loader.load();
  std::vector<SettingView> out;
  for (const config::Setting& setting : config::settings()) {
    const std::string value = loader.refused(setting.key) ? "(refused)" : config::value_text(setting, loaded.config);
    out.push_back({std::string(setting.key), value, config::spelled(loader.place_of(setting.key)), setting.reloads});
  }
  return out;
}

std::vector<std::string> restart_needed(const Config& running, const Config& loaded) {
  // The table's accessors hand out fields to write to; the copies are what they may write to.
  Config before = running;
  Config after = loaded;
  std::vector<std::string> keys;
  for (const config::Setting& setting : config::settings()) {
    if (setting.reloads || config::value_text(setting, before) == config::value_text(setting, after)) continue;
    keys.emplace_back(setting.key);
  }
  return keys;
}

Config with_live_settings(const Config& running, const Config& loaded) {
  Config before = running;
  Config after = loaded;
  for (const config::Setting& setting : config::settings()) {
    if (setting.reloads) continue;
    std::visit([&](const auto& field) { field(after) = field(before); }, setting.field);
  }
  return after;
}

}  // namespace peerwright
