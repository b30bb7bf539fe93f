#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

struct Migration {
  std::int64_t version = 0;
  std::string name;      // 0001_first_path
  std::string checksum;  // SHA-256 of its text
  bool applied = false;
  std::string applied_at;  // empty where it is not
};

// The version of the newest migration in this program.
std::int64_t newest_migration();

// What this program knows and what of it the database has. Errors: as of any transaction, and
// `migration_changed` (never): an applied one has another text here.
Result<std::vector<Migration>> migration_status(const Database& database);

// Applies what is missing, each migration in a transaction of its own, under a lock that lets one caller at a time in.
// Answers those that it applied. Error, beside those above: `migration_gave_way` (later): a table was not to be had
// within seconds; those before are applied.
Result<std::vector<Migration>> migrate_up(const Database& database);

}  // namespace peerwright::store
