#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "peerwright/store/database.hpp"

namespace peerwright::test {

// A migrated database of its own in the cluster that tools/test started (PG_DSN); dropped with the test.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  [[nodiscard]] const store::Database& database() const { return database_; }
  [[nodiscard]] const std::string& dsn() const { return database_.dsn; }

  // Rows of text; null is "".
  using Rows = std::vector<std::vector<std::string>>;
  Rows rows(const std::string& sql);
  // The only field of the only row.
  std::string value(const std::string& sql);
  std::int64_t number(const std::string& sql) { return std::stoll(value(sql)); }
  // After the server was away.
  void reconnect();
  void execute(const std::string& sql) { rows(sql); }

 private:
  std::string name_;
  store::Database database_;
  std::unique_ptr<pqxx::connection> connection_;
};

}  // namespace peerwright::test
