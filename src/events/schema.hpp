#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "parse.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::events {

// One embedded JSON Schema (draft-07), read once. Safe from several threads.
class Schema {
 public:
  // `name` is the file's. A schema that does not exist or is none is a fault of this program: std::logic_error.
  explicit Schema(std::string_view name);
  ~Schema();
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) = delete;
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

  // Error: `schema_violation` with the JSON pointer of what offends, what is wrong there (never the value), and what
  // the schema says of that place. `data` was read by parse_json: its limits are what makes validation safe.
  [[nodiscard]] Result<void> check(const Json& data) const;

 private:
  struct Parts;
  [[nodiscard]] Error explain(const Json& data) const;
  std::unique_ptr<Parts> parts_;
};

}  // namespace peerwright::events
