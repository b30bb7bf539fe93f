#include <algorithm>

#include "config_table.hpp"

namespace peerwright {
namespace config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Made from the table in src/base/settings.cpp; a test compares the two. -->

A setting comes from, strongest first: a flag (`--kafka.brokers`), the environment (`PEERWRIGHT_KAFKA_BROKERS`),
the file (YAML), its default. Nothing is expanded: a `${...}` stays as it is written. In the environment and in flags a
list is written with commas. Paths are read as they are given, relative ones from the working directory.

Secrets stand in files of their own, named by settings that end in `_file`; one trailing newline is stripped from them.
A secret in the configuration itself is refused.

`peerwright config check` tells all that is wrong at once, offline, just as `peerwright run` does; `peerwright config
show` prints each value, where it comes from, and whether it reloads.

)";

constexpr std::string_view kReadOnce =
    "The configuration is read once, when the process starts; a change needs a restart.\n";
constexpr std::string_view kReloaded =
    "A setting that says *live* is taken over on SIGHUP and when the file changes, all or nothing; the others need a "
    "restart.\n";

constexpr std::string_view kOutro = R"(
## Sources

Only in the file: a list of maps.

| Field | Means |
|---|---|
| `name` | the CloudEvents `source`; a `*` at the end stands for anything |
| `topics` | the topics that it may come from; all that are read unless given |
| `tenants` | the tenants it may speak for; `"*"` for all, and for events without a tenant (networks, servers) |
| `types` | the event types that it may send: `peer.provision`, `peer.*` or `"*"` |

Who may write to a topic is the broker's business: give each source its own topic or its own ACL.

## What `config check` says

| Code | Means |
|---|---|
| `config_unreadable`, `config_too_large` | the file does not open, or is larger than 1 MiB |
| `yaml_invalid` | the syntax is wrong, or there are aliases or a second document |
| `key_unknown` | there is no such setting; the nearest one is named |
| `key_duplicate` | a key is given twice in one map |
| `type_wrong` | a number, text, list or map is expected |
| `out_of_range` | the number is outside the range |
| `value_empty`, `setting_required` | what is needed is empty, or not there |
| `value_unknown`, `value_invalid`, `value_duplicate` | not one of the choices; not of the right form; twice in a list |
| `address_invalid` | not `address:port` |
| `secret_inline` | a secret in the open; the remedy names the `..._file` setting |
| `file_only` | the setting cannot come from the environment or a flag |
| `settings_conflict` | two settings do not go together |
)";

std::string section_of(const Setting& setting) {
  const std::size_t dot = setting.key.find('.');
  return dot == std::string_view::npos ? "Top level" : std::string(setting.key.substr(0, dot));
}

std::string fallback_of(const Setting& setting) {
  if (setting.fallback.empty()) return "";
  return '`' + std::string(setting.fallback) + '`';
}

std::string values_of(const Setting& setting) {
  struct Describe {
    const Setting& s;
    std::string operator()(TextField) const {
      switch (s.shape) {
        case Shape::file:
          return "path";
        case Shape::dsn:
          return "connection string";
        case Shape::listen:
          return "address:port";
        case Shape::topic:
          return "topic";
        default:
          return "text";
      }
    }
    std::string operator()(ListField) const { return s.shape == Shape::role ? "list: " + choices(kRoles) : "list"; }
    std::string operator()(NumberField) const {
      return std::to_string(s.min) + " to " + std::to_string(s.max) + ' ' + std::string(s.unit);
    }
    std::string operator()(MapField) const { return "map, only in the file"; }
    std::string operator()(SourcesField) const { return "see below, only in the file"; }
    std::string operator()(LevelField) const { return choices(kLevels); }
    std::string operator()(FormatField) const { return choices(kFormats); }
  };
  return std::visit(Describe{setting}, setting.field);
}

std::string_view needed_text(Needed needed) {
  switch (needed) {
    case Needed::no:
      return "";
    case Needed::always:
      return " **Required.**";
    case Needed::by_deliver:
      return " **Required** by the roles deliver and observe.";
    case Needed::by_secrets:
      return " **Required** by the roles intake, deliver and sweep.";
  }
  return "";
}

}  // namespace
}  // namespace config

std::string config_reference_markdown() {
  const bool reload = std::ranges::any_of(config::settings(), &config::Setting::reloads);
  std::string out(config::kIntroduction);
  out += reload ? config::kReloaded : config::kReadOnce;
  std::string section;
  for (const config::Setting& setting : config::settings()) {
    if (const std::string next = config::section_of(setting); next != section) {
      section = next;
      out += "\n## " + section + "\n\n| Setting | Default | Values | Change | What it does |\n|---|---|---|---|---|\n";
    }
    out += "| `" + std::string(setting.key) + "` | " + config::fallback_of(setting) + " | " +
           config::values_of(setting) + " | " + (setting.reloads ? "live" : "restart") + " | " +
           std::string(setting.help) + std::string(config::needed_text(setting.needed)) + " |\n";
  }
  return out + std::string(config::kOutro);
}

}  // namespace peerwright
