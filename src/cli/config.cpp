#include <array>
#include <iostream>
#include <memory>

#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"KEY", "key"}, Column{"VALUE", "value"}, Column{"SOURCE", "source"},
                              Column{"RELOADS", "reloads", true}};

constexpr View kView{"settings", [](const Json& row) { return row.at("key").get<std::string>(); }, kColumns};

}  // namespace

Action setup_config_check(CLI::App& app) {
  const auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "The file to check (else the one that `run` would read)")->type_name("FILE");
  return [file](const Globals& globals) {
    ConfigInput input = config_input(globals);
    if (!file->empty()) input.file = *file;
    const LoadedConfig loaded = load_config(input);
    for (const ConfigProblem& problem : loaded.problems) std::cerr << render(problem);
    if (!loaded.problems.empty()) return Exit::failed;
    std::cout << (input.file.empty() ? "configuration" : input.file.string()) << ": ok\n";
    return Exit::ok;
  };
}

Action setup_config_show(CLI::App&) {
  return [](const Globals& globals) {
    std::vector<Json> rows;
    for (const SettingView& setting : show(config_input(globals))) {
      rows.push_back(
          {{"key", setting.key}, {"value", setting.value}, {"source", setting.source}, {"reloads", setting.reloads}});
    }
    print_list(globals.format, kView, rows);
    return Exit::ok;
  };
}

}  // namespace peerwright::cli
