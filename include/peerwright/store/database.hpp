#pragma once

#include <string>

#include "peerwright/base/secret.hpp"

namespace peerwright::store {

// Where the database is. Shared by all stores; outlives them. Immutable, so safe from every thread.
struct Database {
  std::string dsn;              // libpq's keyword=value form or a URI, without a password
  std::string password_file{};  // read for each connection, so that a rotated password needs no restart; may be empty
};

}  // namespace peerwright::store
