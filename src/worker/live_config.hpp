#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "peerwright/admin/metrics.hpp"
#include "peerwright/base/config.hpp"

namespace peerwright::worker {

// The configuration as it stands. Taken over anew as a whole or not at all: a file with a problem leaves the old one in
// force. get() is safe from every thread; reload() is for one.
class LiveConfig {
 public:
  LiveConfig(ConfigInput input, Config initial);

  // What a caller holds stays as it is, whatever is reloaded meanwhile.
  [[nodiscard]] std::shared_ptr<const Config> get() const;

  // Whether the file says something else than when it was read last. A file that cannot be read counts as unchanged:
  // mounted ones are away for a moment while they are replaced.
  [[nodiscard]] bool file_changed() const;
  // Reads file, environment and flags again. Settings that need a restart keep their values, with a line in the log.
  void reload(admin::Metrics& metrics);

 private:
  [[nodiscard]] std::string fingerprint() const;  // of the file; empty where it cannot be read
  const ConfigInput input_;
  std::string fingerprint_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Config> config_;
};

}  // namespace peerwright::worker
