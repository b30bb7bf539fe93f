#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

enum class LetterOrder { replay, discard };
const char* name_of(LetterOrder order);

// Orders of operators to the workers about messages. They change no subject: a worker does what is asked. Each is on
// record in the audit. One thread uses it.
class OrderStore {
 public:
  explicit OrderStore(const Database& database);  // `database` outlives it
  ~OrderStore();

  // All of these dead letters, or none: to be executed once more from their stored originals, or never. `source` is who
  // says it. Errors: `dead_letter_not_found`; `dead_letter_settled` for one that is no longer open.
  Result<void> settle(const std::vector<std::int64_t>& ids, LetterOrder order, const std::string& source);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
