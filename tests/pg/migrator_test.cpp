#include "peerwright/store/migrator.hpp"

#include <atomic>
#include <fstream>
#include <iterator>
#include <pqxx/pqxx>
#include <thread>

#include "peerwright/store/workers.hpp"
#include "store_support.hpp"

namespace peerwright::test {
namespace {

// Everything in the database that is nobody's but ours; extensions stay, for others may use them.
constexpr const char* kLeftovers =
    "SELECT count(*) FROM (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE "
    "'schema_migrations%' UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION ALL "
    "SELECT oid FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%schema_migrations') x "
    "WHERE oid NOT IN (SELECT objid FROM pg_depend WHERE deptype = 'e') "
    "AND oid NOT IN (SELECT t.oid FROM pg_type t JOIN pg_depend d ON d.objid = t.typelem AND d.deptype = 'e')";

class Migrations : public ::testing::Test {
 protected:
  // Runs every down script, newest first.
  void all_down() {
    auto known = store::migration_status(db.database()).value();
    for (auto it = known.rbegin(); it != known.rend(); ++it) {
      std::ifstream in(std::string(PEERWRIGHT_SOURCE_DIR) + "/migrations/" + it->name + ".down.sql");
      const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      ASSERT_FALSE(text.empty()) << it->name << " has no way down";
      db.execute(text);
    }
  }
  TestDatabase db;  // migrated up
};

TEST_F(Migrations, areAppliedOnceAndAgainDoNothing) {
  const auto status = store::migration_status(db.database());
  ASSERT_TRUE(status.has_value());
  ASSERT_FALSE(status->empty());
  for (const auto& migration : *status) {
    EXPECT_TRUE(migration.applied) << migration.name;
    EXPECT_FALSE(migration.applied_at.empty());
    EXPECT_EQ(64U, migration.checksum.size());
  }
  EXPECT_EQ(store::newest_migration(), status->back().version);
  const auto again = store::migrate_up(db.database());
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->empty());
  EXPECT_TRUE(store::WorkerStore(db.database()).check_schema().has_value());
}

TEST_F(Migrations, downLeavesNothingBehindAndUpComesBack) {
  EXPECT_GT(db.number(kLeftovers), 0);
  all_down();
  EXPECT_EQ(0, db.number(kLeftovers));
  db.execute("DROP TABLE schema_migrations");
  const auto missing = store::WorkerStore(db.database()).check_schema();
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ("db_schema_missing", missing.error().code);
  EXPECT_EQ(Retry::later, missing.error().retry);
  const auto status = store::migration_status(db.database());
  ASSERT_TRUE(status.has_value());
  for (const auto& migration : *status) EXPECT_FALSE(migration.applied);
  const auto applied = store::migrate_up(db.database());
  ASSERT_TRUE(applied.has_value()) << applied.error().message;
  EXPECT_EQ(status->size(), applied->size());
  EXPECT_TRUE(store::WorkerStore(db.database()).check_schema().has_value());
}

TEST_F(Migrations, ofSeveralCallersAreAppliedByOne) {
  all_down();
  db.execute("DROP TABLE schema_migrations");
  std::atomic<std::size_t> applied{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      const auto answer = store::migrate_up(db.database());
      EXPECT_TRUE(answer.has_value()) << answer.error().message;
      if (answer) applied += answer->size();
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(store::migration_status(db.database())->size(), applied.load());
}

TEST_F(Migrations, thatWereChangedAfterwardsAreRefused) {
  db.execute("UPDATE schema_migrations SET checksum = repeat('0', 64) WHERE version = 1");
  for (const auto& code :
       {store::migrate_up(db.database()).error().code, store::migration_status(db.database()).error().code}) {
    EXPECT_EQ("migration_changed", code);
  }
}

TEST_F(Migrations, giveWayToWhoeverHoldsATableForLong) {
  pqxx::connection other(db.dsn());
  pqxx::work holds(other);
  holds.exec("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE");
  const auto answer = store::migrate_up(db.database());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ("migration_gave_way", answer.error().code);
  EXPECT_EQ(Retry::later, answer.error().retry);
  holds.abort();
  EXPECT_TRUE(store::migrate_up(db.database()).has_value());
}

TEST_F(Migrations, thatAreMissingAreSaid) {
  db.execute("DELETE FROM schema_migrations");
  const auto behind = store::WorkerStore(db.database()).check_schema();
  ASSERT_FALSE(behind.has_value());
  EXPECT_EQ("schema_behind", behind.error().code);
  EXPECT_EQ(Retry::later, behind.error().retry);
  EXPECT_NE(std::string::npos, behind.error().remedy.find("migrate up"));
}

}  // namespace
}  // namespace peerwright::test
