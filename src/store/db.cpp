#include "db.hpp"

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <map>

#include "embedded/peerwright_sql.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/store/fence.hpp"

namespace peerwright::store {
namespace {

constexpr std::string_view kNameMark = "-- name: ";
constexpr int kConnectTimeoutSeconds = 5;
constexpr int kStatementTimeoutMs = 60'000;
constexpr int kTcpUserTimeoutMs = 10'000;

constexpr std::string_view kHalted = "PW001";  // raised by refuse_while_halted() of the database

using Statements = std::map<std::string, std::string, std::less<>>;

void add_statements(std::string_view text, Statements& statements) {
  std::string* current = nullptr;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with(kNameMark)) {
      current = &statements[std::string(line.substr(kNameMark.size()))];
    } else if (current != nullptr && !line.starts_with("--")) {
      current->append(line).append("\n");
    }
  }
}

// Puts fragments in where they are named. A fragment names none itself.
void fill_in(Statements& statements) {
  for (auto& [name, text] : statements) {
    for (auto begin = text.find('@'); begin != std::string::npos; begin = text.find('@', begin + 1)) {
      const auto end = text.find('@', begin + 1);
      const auto fragment =
          end == std::string::npos ? statements.end() : statements.find(text.substr(begin + 1, end - begin - 1));
      if (fragment == statements.end()) continue;
      text.replace(begin, end + 1 - begin, fragment->second);
    }
  }
}

std::string quoted(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + '\'';
}

std::string percent_encoded(std::string_view value) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      text += c;
    } else {
      text.append({'%', kHex[byte >> 4U], kHex[byte & 15U]});
    }
  }
  return text;
}

// Settings belong into the connection string: a connection that is made anew must have them too.
std::string connection_string(const Database& database, const std::string& purpose, const Secret& password) {
  const bool uri = database.dsn.starts_with("postgres://") || database.dsn.starts_with("postgresql://");
  std::string text = database.dsn;
  const auto add = [&](std::string_view key, std::string_view value) {
    if (uri) {
      text += (text.find('?') == std::string::npos ? '?' : '&') + std::string(key) + '=' + percent_encoded(value);
    } else {
      text += ' ' + std::string(key) + '=' + quoted(value);
    }
  };
  add("application_name", "peerwright " + purpose);
  add("connect_timeout", std::to_string(kConnectTimeoutSeconds));
  add("keepalives_idle", "5");
  add("keepalives_interval", "2");
  add("keepalives_count", "3");
  add("tcp_user_timeout", std::to_string(kTcpUserTimeoutMs));
  add("options", "-c statement_timeout=" + std::to_string(kStatementTimeoutMs) + " -c timezone=UTC");
  if (!password.empty()) add("password", password.reveal());
  return text;
}

Error make(const char* code, const std::string& message, const char* remedy, Retry retry) {
  return Error{code, message, remedy, retry};
}

// The first line alone, and only where it cannot hold what an event said: the rest may quote whole rows.
std::string first_line(const std::string& message) { return message.substr(0, message.find('\n')); }

// Permanent is only what the data itself is to blame for: all else may pass (a fail-over leaves a server read-only for
// a while, a right is granted, a migration runs), and no message may be given up for it.
Error from_sqlstate(const std::string& state, const std::string& message) {
  if (state == "23505" || state == "23P01") {
    return make("db_unique", "a unique constraint was violated", "load again and decide anew", Retry::never);
  }
  if (state.starts_with("22") || state.starts_with("23") || state.starts_with("54")) {
    return make("db_refused", "Postgres refused a value (SQLSTATE " + state + ")",
                "this is a defect: report it with the SQLSTATE", Retry::never);
  }
  if (state == kHalted) {
    return make("database_halted", first_line(message),
                "run: peerwright recover (where it runs already, wait for its end)", Retry::later);
  }
  const std::string text = first_line(message) + " (SQLSTATE " + (state.empty() ? "none" : state) + ")";
  if (state.starts_with("40") || state == "55P03") {
    return make("db_conflict", text, "nothing to do: it is tried again", Retry::later);
  }
  if (state.starts_with("53") || state.starts_with("57") || state.starts_with("58")) {
    return make("db_overloaded", text, "check Postgres' disk space, memory and connections", Retry::later);
  }
  if (state == "42P01" || state == "42703" || state == "3F000") {
    return make("db_schema_missing", text, "run: peerwright migrate up", Retry::later);
  }
  return make("db_unavailable", text, "check that Postgres runs, can be reached and accepts writes", Retry::later);
}

}  // namespace

const std::string& statement(std::string_view name) {
  static const auto statements = [] {
    Statements all;
    for (const EmbeddedFile& file : peerwright_sql()) add_statements(file.text, all);
    fill_in(all);
    return all;
  }();
  const auto found = statements.find(name);
  if (found == statements.end()) {
    log::error("a named statement is missing from the program", {{"statement", std::string(name)}});
    std::abort();
  }
  return found->second;
}

void Column::separate() {
  if (!body_.empty()) body_ += ',';
}

Column& Column::add(std::string_view text) {
  separate();
  body_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') body_ += '\\';
    body_ += c;
  }
  body_ += '"';
  return *this;
}

Column& Column::add(std::int64_t number) {
  separate();
  body_ += std::to_string(number);
  return *this;
}

Column& Column::add(bool value) {
  separate();
  body_ += value ? 't' : 'f';
  return *this;
}

Column& Column::add_null() {
  separate();
  body_ += "NULL";
  return *this;
}

Tx::Tx(Db& db) : db_(db), work_(db.connection()) {}

pqxx::result Tx::run_list(const char* name, const std::vector<std::string>& parameters) {
  db_.prepare(name);
#if PQXX_VERSION_MAJOR >= 7
  pqxx::params all;
  all.reserve(parameters.size());
  for (const std::string& parameter : parameters) all.append(parameter);
  return work_.exec(pqxx::prepped{name}, all);
#else
  return work_.exec_prepared(name, pqxx::prepare::make_dynamic_params(parameters));
#endif
}

void Db::connect() {
  Secret password;
  if (!database_.password_file.empty()) {
    auto read = read_secret_file(database_.password_file);
    // As transient as an unreachable server: mounted secrets are away for a moment while they are replaced.
    if (!read) throw pqxx::broken_connection(read.error().message);
    password = *std::move(read);
  }
  std::string settings = connection_string(database_, purpose_, password);
  connection_ = std::make_unique<pqxx::connection>(settings);
  wipe(settings);
}

void Db::drop() {
  connection_.reset();
  prepared_.clear();
}

pqxx::connection& Db::connection() {
  Fence* fence = database_.fence;
  if (connection_ && fence != nullptr && !fence->passes(running_)) drop();  // another one has passed meanwhile
  if (connection_) return *connection_;
  connect();
  if (fence == nullptr) return *connection_;
  running_ = text_at(pqxx::nontransaction(*connection_).exec(statement("database_running"))[0], 0);
  if (fence->passes(running_)) return *connection_;
  fence->ask();
  throw Unchecked();
}

void Db::prepare(const char* name) {
  if (prepared_.contains(name)) return;
  connection_->prepare(name, statement(name));
  prepared_.emplace(name);
}

Error Db::classify() {
  try {
    throw;
  } catch (const Unchecked&) {
    drop();
    return make("database_unchecked", "this database was not compared with the audit topic yet",
                "nothing to do: it is tried again; where it stays so, see that the audit topic can be read",
                Retry::later);
  } catch (const pqxx::in_doubt_error& error) {
    drop();
    return make("db_in_doubt", first_line(error.what()), "nothing to do: it is tried again, and known if it had worked",
                Retry::later);
  } catch (const pqxx::broken_connection& error) {
    drop();
    return make("db_unavailable", first_line(error.what()), "check that Postgres runs and can be reached",
                Retry::later);
  } catch (const pqxx::transaction_rollback& error) {
    return make("db_conflict", first_line(error.what()), "nothing to do: it is tried again", Retry::later);
  } catch (const pqxx::sql_error& error) {
    Error answer = from_sqlstate(error.sqlstate(), error.what());
    if (answer.retry == Retry::later && answer.code != "db_conflict") drop();
    return answer;
  } catch (const std::bad_alloc&) {
    drop();  // no message is to blame for it
    return make("db_overloaded", "the memory is exhausted", "give the worker more memory, or smaller batches",
                Retry::later);
  } catch (const std::exception& error) {
    drop();
    return make("db_refused", first_line(error.what()), "this is a defect: report it", Retry::never);
  }
}

std::int64_t int_at(const pqxx::row& row, int column) {
  const char* text = row[column].c_str();
  std::int64_t value = 0;
  const auto end = text + row[column].size();
  const auto parsed = std::from_chars(text, end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) throw std::runtime_error("a number was expected in a column");
  return value;
}

std::optional<std::int64_t> maybe_int_at(const pqxx::row& row, int column) {
  if (row[column].is_null()) return std::nullopt;
  return int_at(row, column);
}

std::string text_at(const pqxx::row& row, int column) { return {row[column].c_str(), row[column].size()}; }

bool bool_at(const pqxx::row& row, int column) { return row[column].c_str()[0] == 't'; }

}  // namespace peerwright::store
