#include "setup.hpp"

#include <algorithm>
#include <iostream>

#include "peerwright/base/secret.hpp"

namespace peerwright::cli {
namespace {

bool is_or_in(std::string_view key, std::string_view setting) {
  return key.starts_with(setting) && (key.size() == setting.size() || key[setting.size()] == '.');
}

// Whether a problem is one of a setting outside `uses`. A message about a setting begins with its key; what begins
// otherwise (a broken file, an unknown key) concerns everybody.
bool is_of_others(const ConfigProblem& problem, const std::vector<SettingView>& settings,
                  std::initializer_list<std::string_view> uses) {
  const std::string_view message = problem.message;
  std::string_view key = message.substr(0, message.find_first_of(" :"));
  const bool known = std::ranges::any_of(settings, [&](const SettingView& s) { return is_or_in(key, s.key); });
  return known && std::ranges::none_of(uses, [&](std::string_view used) { return is_or_in(key, used); });
}

}  // namespace

ConfigInput config_input(const Globals& globals) {
  return {globals.config_file, process_environment(), globals.settings};
}

Or<Config> configuration(const Globals& globals, std::initializer_list<std::string_view> uses) {
  const ConfigInput input = config_input(globals);
  LoadedConfig loaded = load_config(input);
  if (loaded.problems.empty()) return std::move(loaded.config);
  const auto settings = show(input);
  std::erase_if(loaded.problems, [&](const ConfigProblem& p) { return is_of_others(p, settings, uses); });
  for (const ConfigProblem& problem : loaded.problems) std::cerr << render(problem);
  if (!loaded.problems.empty()) return exit_with(Exit::usage);
  return std::move(loaded.config);
}

Or<store::Database> database_of(const Config& config) {
  if (!config.postgres.password_file.empty()) {
    if (auto password = read_secret_file(config.postgres.password_file); !password) {
      return exit_with(fail(password.error()));
    }
  }
  return store::Database{config.postgres.dsn, config.postgres.password_file};
}

Or<broker::Connection> kafka_of(const Config& config) {
  broker::Connection connection;
  connection.brokers = config.kafka.brokers;
  for (const auto& [name, value] : config.kafka.properties) connection.properties.emplace_back(name, value);
  for (const auto& [name, file] : config.kafka.secret_property_files) {
    auto secret = read_secret_file(file);
    if (!secret) return exit_with(fail(secret.error()));
    connection.secret_properties.emplace_back(name, *std::move(secret));
  }
  return connection;
}

Result<Sealer> sealer_of(const Config& config) {
  if (config.encryption.key_file.empty()) {
    return permanent("encryption_key_missing", "encryption.key_file is not set", "name the worker's key file");
  }
  const auto key = read_secret_file(config.encryption.key_file);
  if (!key) return tl::unexpected(key.error());
  return Sealer::create(*key);
}

Or<store::Database> open_database(const Globals& globals) {
  const auto config = configuration(globals, {"postgres"});
  if (!config) return exit_with(config.error());
  return database_of(*config);
}

}  // namespace peerwright::cli
