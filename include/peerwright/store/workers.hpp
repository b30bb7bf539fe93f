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
  // Says that the worker lives, by the database's clock; forgets workers that were silent for a day.
  Result<void> heartbeat(const std::string& worker_id, const std::string& name);
  // Gives the worker's leases back at once, at a clean end.
  Result<void> leave(const std::string& worker_id);
  // Whether the database has the tables that this program needs; `schema_behind`, `db_schema_missing` (later).
  Result<void> check_schema();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
