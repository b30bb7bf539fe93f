#pragma once

#include <string>

#include "peerwright/base/secret.hpp"

namespace peerwright::store {

class Fence;

// Where the database is. Shared by all stores; outlives them. Immutable, so safe from every thread.
struct Database {
  std::string dsn;              // libpq's keyword=value form or a URI, without a password
  std::string password_file{};  // read for each connection, so that a rotated password needs no restart; may be empty
  Fence* fence = nullptr;       // of a worker: its stores use no database that it lets not pass; errors as Db says
};

// For those who look at what a fence does not let pass yet.
inline Database without_fence(Database database) {
  database.fence = nullptr;
  return database;
}

}  // namespace peerwright::store
