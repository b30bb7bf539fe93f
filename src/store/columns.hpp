#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db.hpp"
#include "peerwright/base/clock.hpp"
#include "peerwright/domain/model.hpp"

// Rows and columns: between the values of the domain and what Postgres takes and gives.
namespace peerwright::store {

// Lists travel as text joined by commas, for none of their items has one.
std::vector<std::string> list_of(const std::string& joined);
std::string joined(const std::vector<std::string>& items);
std::string joined(const std::vector<std::int64_t>& items);

// The fields of a row from left to right; throws as int_at() does where one is not what was asked for.
class RowReader {
 public:
  explicit RowReader(const pqxx::row& row, int column = 0) : row_(row), column_(column) {}
  explicit RowReader(pqxx::row&& row, int column = 0) = delete;  // it would be gone with the expression: result[0]
  std::int64_t number() { return int_at(row_, column_++); }
  int small() { return static_cast<int>(number()); }
  std::optional<std::int64_t> maybe_number() { return maybe_int_at(row_, column_++); }
  std::string text() { return text_at(row_, column_++); }
  bool flag() { return bool_at(row_, column_++); }
  std::vector<std::string> list() { return list_of(text()); }
  Time time() { return time_from_micros(number()); }
  std::optional<Time> maybe_time();
  std::optional<wireguard::Prefix> maybe_prefix();
  std::optional<domain::Word> word() { return domain::word_from(text()); }
  [[nodiscard]] int column() const { return column_; }

 private:
  const pqxx::row& row_;
  int column_;
};

// The columns of rows that are written together: each row is added field by field, from left to right.
class RowWriter {
 public:
  template <typename T>
  RowWriter& add(const T& value) {
    column().add(value);
    return *this;
  }
  RowWriter& add(const char* text) {
    column().add(std::string_view(text));
    return *this;
  }
  RowWriter& add(int number) {
    column().add(std::int64_t{number});
    return *this;
  }
  RowWriter& add(const std::string& text) {
    column().add(std::string_view(text));
    return *this;
  }
  RowWriter& add(Time time) { return add(micros_of(time)); }
  RowWriter& add(const std::optional<Time>& time) {
    return add(time ? std::optional<std::int64_t>(micros_of(*time)) : std::nullopt);
  }
  RowWriter& add(const std::optional<int>& number) {
    return add(number ? std::optional<std::int64_t>(*number) : std::nullopt);
  }
  RowWriter& add(const std::vector<std::string>& list) { return add(joined(list)); }
  RowWriter& add_or_null(std::string_view text) {
    column().add_or_null(text);
    return *this;
  }
  RowWriter& add(const std::optional<domain::Word>& word) {
    return add_or_null(word ? domain::text_of(*word) : std::string());
  }
  void end_row() { next_ = 0; }
  [[nodiscard]] bool empty() const { return columns_.empty(); }
  // Runs the statement with the columns as its parameters.
  pqxx::result run(Tx& tx, const char* name) const;

 private:
  Column& column();
  std::vector<Column> columns_;
  std::size_t next_ = 0;
};

// Small structures that one column holds as JSON. What cannot be read throws: it was written here.
std::string text_of(const std::vector<wireguard::PortUse>& ports);
std::vector<wireguard::PortUse> ports_from(const std::string& text);
std::string text_of(const std::vector<wireguard::GardenDestination>& garden);
std::vector<wireguard::GardenDestination> garden_from(const std::string& text);
std::string text_of(const std::vector<domain::HoldStep>& steps);
std::vector<domain::HoldStep> steps_from(const std::string& text);
std::string text_of(const std::vector<domain::MeshMember>& members);
std::vector<domain::MeshMember> members_from(const std::string& text);
const char* name_of(wireguard::RuleProtocol protocol);
wireguard::RuleProtocol protocol_from(const std::string& name);
const char* name_of(wireguard::RuleAction action);
std::optional<wireguard::RuleAction> action_from(const std::string& name);  // nullopt for ""

}  // namespace peerwright::store
