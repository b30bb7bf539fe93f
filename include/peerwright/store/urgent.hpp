#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

// A server on which something urgent waits for its proof longer than it may.
struct UrgentLate {
  std::string server;
  std::chrono::milliseconds waits{0};
  std::int64_t keys = 0;  // still to go from the host, or to be walled in there; 0: only its firewall or nodes are late
};

struct UrgentLook {
  std::vector<UrgentLate> late;                   // since this look: each is told to one caller, once
  std::vector<std::string> proven;                // servers on which nothing is late any more
  std::optional<std::chrono::milliseconds> next;  // until more will be late, unless it is proven before
};

// Watches over what is urgent, whether its host can be reached or not. One thread uses an object; any number of workers
// may watch side by side.
class UrgentStore {
 public:
  explicit UrgentStore(const Database& database);
  ~UrgentStore();

  // Says in a server.status where something urgent has waited longer than `limit`, once for as long as that lasts, and
  // where nothing does any more. At most `kMostSaid` servers at a time; costs one query where there is nothing to say.
  Result<UrgentLook> look(std::chrono::milliseconds limit);

 private:
  static constexpr int kMostSaid = 100;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
