#include "live_config.hpp"

#include <fstream>
#include <iterator>

#include "peerwright/base/log.hpp"
#include "peerwright/base/seal.hpp"

namespace peerwright::worker {

LiveConfig::LiveConfig(ConfigInput input, Config initial)
    : input_(std::move(input)),
      fingerprint_(fingerprint()),
      config_(std::make_shared<const Config>(std::move(initial))) {}

std::shared_ptr<const Config> LiveConfig::get() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

std::string LiveConfig::fingerprint() const {
  if (input_.file.empty()) return {};
  std::ifstream file(input_.file, std::ios::binary);
  if (!file) return {};
  return sha256_hex(std::string(std::istreambuf_iterator<char>(file), {}));
}

bool LiveConfig::file_changed() const {
  const std::string now = fingerprint();
  return !now.empty() && now != fingerprint_;
}

void LiveConfig::reload(admin::Metrics& metrics) {
  fingerprint_ = fingerprint();
  LoadedConfig loaded = load_config(input_);
  metrics.gauge("config_last_reload_successful").set(loaded.problems.empty() ? 1 : 0);
  if (!loaded.problems.empty()) {
    for (const ConfigProblem& problem : loaded.problems) {
      log::error("the changed configuration is refused, the old one stays in force",
                 {problem.code, problem.message, problem.remedy, Retry::never}, {{"place", problem.place}});
    }
    return;
  }
  const auto running = get();
  for (const std::string& key : restart_needed(*running, loaded.config)) {
    log::warn("a changed setting needs a restart", {{"setting", key}});
  }
  log::set_level(loaded.config.log.level);
  {
    const std::lock_guard lock(mutex_);
    config_ = std::make_shared<const Config>(with_live_settings(*running, loaded.config));
  }
  log::info("the configuration was taken over");
}

}  // namespace peerwright::worker
