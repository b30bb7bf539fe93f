#include "support/postgres.hpp"

#include <unistd.h>

#include <atomic>
#include <regex>
#include <stdexcept>

#include "peerwright/store/migrator.hpp"
#include "support/process.hpp"

namespace peerwright::test {
namespace {

std::string new_name() {
  static std::atomic<int> number{0};
  return "peerwright_test_" + std::to_string(getpid()) + '_' + std::to_string(++number);
}

// CREATE and DROP DATABASE stand outside of any transaction.
void in_cluster(const std::string& sql) {
  pqxx::connection connection(required_environment("PG_DSN"));
  pqxx::nontransaction work(connection);
  work.exec(sql);
}

}  // namespace

TestDatabase::TestDatabase() : name_(new_name()) {
  in_cluster("CREATE DATABASE " + name_);
  database_.dsn = std::regex_replace(required_environment("PG_DSN"), std::regex("dbname=[^ ]*"), "dbname=" + name_);
  const auto migrated = store::migrate_up(database_);
  if (!migrated) throw std::runtime_error("the test database cannot be migrated: " + migrated.error().message);
  connection_ = std::make_unique<pqxx::connection>(database_.dsn);
}

TestDatabase::~TestDatabase() {
  connection_.reset();
  try {
    in_cluster("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception&) {
    // The cluster goes with its tools/test; what a broken test leaves in it is gone then.
  }
}

void TestDatabase::reconnect() { connection_ = std::make_unique<pqxx::connection>(database_.dsn); }

TestDatabase::Rows TestDatabase::rows(const std::string& sql) {
  pqxx::work work(*connection_);
  const pqxx::result result = work.exec(sql);
  Rows all;
  for (const auto& row : result) {
    std::vector<std::string> fields;
    for (const auto& field : row) fields.emplace_back(field.c_str());
    all.push_back(std::move(fields));
  }
  work.commit();
  return all;
}

std::string TestDatabase::value(const std::string& sql) {
  const Rows all = rows(sql);
  if (all.size() != 1 || all[0].size() != 1) throw std::runtime_error("one value was expected: " + sql);
  return all[0][0];
}

}  // namespace peerwright::test
