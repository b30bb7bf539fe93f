#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "command.hpp"
#include "peerwright/base/config.hpp"
#include "rows.hpp"

namespace peerwright::cli {
namespace {

constexpr const char* kGroup = "Global options";
constexpr const char* kHidden = "";
constexpr const char* kFileVariable = "PEERWRIGHT_CONFIG";
constexpr const char* kUsualFile = "/etc/peerwright/peerwright.yaml";

std::string usual_config_file() {
  if (const char* named = std::getenv(kFileVariable); named != nullptr) return named;
  struct stat found {};
  return stat(kUsualFile, &found) == 0 ? kUsualFile : "";
}

void add_setting(Globals& globals, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) throw CLI::ValidationError("--set", "expects KEY=VALUE");
  globals.settings[text.substr(0, equals)] = text.substr(equals + 1);
}

}  // namespace

void add_globals(CLI::App& app, Globals& globals) {
  static const std::map<std::string, Format> kFormats{{"table", Format::table},
                                                      {"wide", Format::wide},
                                                      {"json", Format::json},
                                                      {"jsonl", Format::jsonl},
                                                      {"name", Format::name}};
  static const std::vector<SettingView> kSettings = show(ConfigInput{});
  if (globals.config_file.empty()) globals.config_file = usual_config_file();
  app.add_option_function<std::string>(
         "--config", [&globals](const std::string& file) { globals.config_file = file; },
         std::string("The configuration (else $") + kFileVariable + ", else " + kUsualFile + " where it exists)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&globals](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) add_setting(globals, text);
         },
         "One setting, over environment and file; every KEY is an option --KEY too (see `config show`)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kGroup);
  app.add_option_function<std::string>(
         "-o,--output", [&globals](const std::string& name) { globals.format = kFormats.at(name); },
         "table, wide, json, jsonl or name")
      ->check(CLI::IsMember(kFormats))
      ->type_name("FORMAT")
      ->group(kGroup);
  for (const SettingView& setting : kSettings) {
    const std::string key = setting.key;
    app.add_option_function<std::string>("--" + key,
                                         [&globals, key](const std::string& value) { globals.settings[key] = value; })
        ->group(kHidden);
  }
}

void add_limit(CLI::App& app, int& limit) {
  limit = kDefaultLimit;
  app.add_option("--limit", limit, "At most so many rows (1 to " + std::to_string(kMaxLimit) + ")")
      ->check(CLI::Range(1, kMaxLimit))
      ->type_name("N")
      ->capture_default_str();
}

void end_page(std::vector<Json>& rows, int limit, const View& view) {
  if (rows.size() <= static_cast<std::size_t>(limit)) return;
  rows.resize(static_cast<std::size_t>(limit));
  std::cerr << "there are more: --after " << view.name(rows.back()) << '\n';
}

void add_after(CLI::App& app, const char* what, std::string& tenant, std::string& name) {
  app.add_option_function<std::string>(
         "--after",
         [&tenant, &name](const std::string& text) {
           const auto parts = peer_name_from(text);
           if (!parts) throw CLI::ValidationError("--after", "expects a row's name, TENANT/NAME");
           tenant = parts->first;
           name = parts->second;
         },
         "Behind this one: the next page")
      ->type_name(what);
}

bool confirmed(bool yes, const std::string& question) {
  if (yes) return true;
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    std::cerr << "peerwright: " << printable(question) << " There is no terminal to ask at: say --yes\n";
    return false;
  }
  std::cerr << printable(question) << " Type yes: " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "yes") return true;
  std::cerr << "nothing was done\n";
  return false;
}

}  // namespace peerwright::cli
