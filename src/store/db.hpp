#pragma once

#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "peerwright/base/crash_point.hpp"
#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

// The one thin wrapper around libpqxx: what compiles on 6.4 and on 7.10 alike.
namespace peerwright::store {

// The text of a named statement (src/store/sql/*.sql), in which @name@ stands for the text of another one: a list of
// columns that several have. Aborts when there is none: a name is part of the program.
const std::string& statement(std::string_view name);

// A column of a batch, as the text of a Postgres array.
class Column {
 public:
  Column& add(std::string_view text);
  Column& add(std::int64_t number);
  Column& add(bool value);
  Column& add_null();
  template <typename T>
  Column& add(const std::optional<T>& value) {
    return value ? add(*value) : add_null();
  }
  // Null where the text is empty: for columns in which "none" is null.
  Column& add_or_null(std::string_view text) { return text.empty() ? add_null() : add(text); }
  [[nodiscard]] std::string text() const { return '{' + body_ + '}'; }
  [[nodiscard]] bool empty() const { return body_.empty(); }

 private:
  void separate();
  std::string body_;
};

class Db;

// One transaction; rolls back unless committed.
class Tx {
 public:
  explicit Tx(Db& db);
  template <typename... Args>
  pqxx::result run(const char* name, const Args&... args);
  // The same for any number of parameters.
  pqxx::result run_list(const char* name, const std::vector<std::string>& parameters);
  pqxx::result raw(const std::string& sql) { return work_.exec(sql); }
  void commit() { work_.commit(); }

 private:
  Db& db_;
  pqxx::work work_;
};

// A connection that is made when it is needed, and made anew after it broke. One thread uses it.
class Db {
 public:
  Db(const Database& database, std::string purpose) : database_(database), purpose_(std::move(purpose)) {}

  // Runs `body(Tx&)` and commits, unless the body committed or answered an error. Faults of the database become errors:
  //   db_unavailable, db_in_doubt, db_conflict, db_overloaded (later); db_unique (never: what the decision rested on
  //   has changed, load again and decide anew); db_refused (never); database_halted (later): all writing stops until
  //   `recover`; database_unchecked (later): the fence has not let this database pass yet.
  template <typename Body>
  auto transact(Body&& body) -> std::invoke_result_t<Body, Tx&>;

  // The same, and never commits: whatever the body did is undone.
  template <typename Body>
  auto rehearse(Body&& body) -> std::invoke_result_t<Body, Tx&>;

  // The connection of a transaction. Throws as libpqxx does, and Unchecked.
  pqxx::connection& connection();
  void prepare(const char* name);

 private:
  struct Unchecked {};
  void connect();
  void drop();
  // Turns the exception that is being handled into an error, and drops the connection where it may be broken.
  Error classify();

  const Database& database_;
  std::string purpose_;
  std::unique_ptr<pqxx::connection> connection_;
  std::string running_;  // with a fence: what the connection leads to
  std::set<std::string, std::less<>> prepared_;
};

template <typename... Args>
pqxx::result Tx::run(const char* name, const Args&... args) {
  db_.prepare(name);
#if PQXX_VERSION_MAJOR >= 7
  return work_.exec(pqxx::prepped{name}, pqxx::params{args...});
#else
  return work_.exec_prepared(name, args...);
#endif
}

template <typename Body>
auto Db::transact(Body&& body) -> std::invoke_result_t<Body, Tx&> {
  try {
    Tx tx(*this);
    auto answer = body(tx);
    if (answer) {
      crash_point(purpose_, "commit.before");
      tx.commit();
      crash_point(purpose_, "commit.after");
    }
    return answer;
  } catch (...) {
    return tl::unexpected<Error>(classify());
  }
}

template <typename Body>
auto Db::rehearse(Body&& body) -> std::invoke_result_t<Body, Tx&> {
  try {
    Tx tx(*this);
    return body(tx);
  } catch (...) {
    return tl::unexpected<Error>(classify());
  }
}

// Fields of a row. libpqxx's own conversions differ between its versions.
std::int64_t int_at(const pqxx::row& row, int column);
std::optional<std::int64_t> maybe_int_at(const pqxx::row& row, int column);
std::string text_at(const pqxx::row& row, int column);  // "" for null
bool bool_at(const pqxx::row& row, int column);

}  // namespace peerwright::store
