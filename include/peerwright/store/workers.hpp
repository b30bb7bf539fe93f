#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

// A worker's one heartbeat row, on which all its leases hang. One thread uses it.
class WorkerStore {
 public:
  explicit WorkerStore(const Database& database);
  ~WorkerStore();

  // Makes the row of a new worker; answers its id (a UUID made by the database).
  Result<std::string> enlist(const std::string& name);
  struct Beat {
    bool is_another = false;  // the database does not know this worker's last beat: it may have been restored
    std::string halted_code;  // why all loops are to stop; empty: they are not
    std::string halted_message;
  };
  // Says that the worker lives, by the database's clock.
  Result<Beat> heartbeat(const std::string& worker_id, const std::string& name);
  // Gives the worker's leases back at once, at a clean end.
  Result<void> leave(const std::string& worker_id);
  // Whether the database has the tables that this program needs; `schema_behind`, `db_schema_missing` (later).
  Result<void> check_schema();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
