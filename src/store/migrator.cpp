#include "peerwright/store/migrator.hpp"

#include <map>

#include "db.hpp"
#include "embedded/peerwright_migrations.hpp"
#include "peerwright/base/seal.hpp"

namespace peerwright::store {
namespace {

constexpr std::string_view kUpEnding = ".up.sql";
// Any number that nothing else in the database uses for an advisory lock.
constexpr const char* kLock = "SELECT pg_advisory_xact_lock(7033201640)";
// Whoever comes after a migration that waits for a table waits with it: the workers would stand still behind a backup
// that runs for hours. Long enough for Postgres to send an autovacuum out of the way (deadlock_timeout).
constexpr const char* kGiveWay = "SET LOCAL lock_timeout = '3s'";
constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint PRIMARY KEY, name text NOT NULL, "
    "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";

struct Known {
  Migration migration;
  std::string_view text;
};

std::vector<Known> known_migrations() {
  std::vector<Known> all;
  for (const EmbeddedFile& file : peerwright_migrations()) {
    if (!file.name.ends_with(kUpEnding)) continue;
    Known known;
    known.migration.name = std::string(file.name.substr(0, file.name.size() - kUpEnding.size()));
    known.migration.version = std::stoll(known.migration.name);
    known.migration.checksum = sha256_hex(file.text);
    known.text = file.text;
    all.push_back(std::move(known));
  }
  return all;
}

Result<void> mark_applied(Tx& tx, std::vector<Known>& all) {
  std::map<std::int64_t, std::pair<std::string, std::string>> applied;
  for (const auto& row : tx.raw("SELECT version, checksum, applied_at FROM schema_migrations")) {
    applied[int_at(row, 0)] = {text_at(row, 1), text_at(row, 2)};
  }
  for (Known& known : all) {
    const auto found = applied.find(known.migration.version);
    if (found == applied.end()) continue;
    if (found->second.first != known.migration.checksum) {
      return permanent("migration_changed",
                       "migration " + known.migration.name + " was applied with another text than this program has",
                       "run the program that fits the database; a migration is never changed once it was shipped");
    }
    known.migration.applied = true;
    known.migration.applied_at = found->second.second;
  }
  return {};
}

Result<Migration> apply_next(Db& db) {
  return db.transact([&](Tx& tx) -> Result<Migration> {
    tx.raw(kLock);
    tx.raw(kGiveWay);
    tx.raw(kTable);
    auto all = known_migrations();
    if (auto marked = mark_applied(tx, all); !marked) return tl::unexpected(marked.error());
    for (const Known& known : all) {
      if (known.migration.applied) continue;
      tx.raw(std::string(known.text));
      tx.run("migration_record", known.migration.version, known.migration.name, known.migration.checksum);
      return known.migration;
    }
    return Migration{};
  });
}

}  // namespace

std::int64_t newest_migration() {
  std::int64_t newest = 0;
  for (const Known& known : known_migrations()) newest = std::max(newest, known.migration.version);
  return newest;
}

Result<std::vector<Migration>> migration_status(const Database& database) {
  Db db(database, "migrate");
  return db.transact([&](Tx& tx) -> Result<std::vector<Migration>> {
    auto all = known_migrations();
    if (bool_at(tx.raw("SELECT to_regclass('schema_migrations') IS NOT NULL")[0], 0)) {
      if (auto marked = mark_applied(tx, all); !marked) return tl::unexpected(marked.error());
    }
    std::vector<Migration> answer;
    answer.reserve(all.size());
    for (Known& known : all) answer.push_back(std::move(known.migration));
    return answer;
  });
}

Result<std::vector<Migration>> migrate_up(const Database& database) {
  Db db(database, "migrate");
  std::vector<Migration> applied;
  for (;;) {
    auto next = apply_next(db);
    if (!next && next.error().code == "db_conflict") {
      return transient("migration_gave_way",
                       "a migration would keep the workers waiting, for somebody holds a table that it changes",
                       "run it again once nothing reads the tables for long: a backup, say, or a report");
    }
    if (!next) return tl::unexpected(next.error());
    if (next->version == 0) return applied;
    applied.push_back(*std::move(next));
  }
}

}  // namespace peerwright::store
