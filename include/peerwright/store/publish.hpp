#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

struct OutboxRow {
  std::int64_t id = 0;
  std::string channel;  // status, dead_letter
  std::string ce_id;
  std::string ce_type;
  std::string key;
  std::string body;
  std::string time;  // RFC 3339
};

struct AuditRow {
  std::int64_t chain_no = 0;
  std::string chain_hash;  // 32 bytes
  std::string source, event_id, event_type, key, outcome, code;
  std::string body;
  std::string time;
};

struct Backlog {
  std::int64_t outbox_rows = 0;
  double oldest_age_seconds = 0;
};

// The publish loop's way into the database: one publisher at a time, by lease. One thread uses it.
class PublishStore {
 public:
  explicit PublishStore(const Database& database);
  ~PublishStore();

  // Takes or keeps the lease; false: another worker has it.
  Result<bool> hold_lease(const std::string& worker_id, std::chrono::milliseconds dead_after);

  // The oldest rows that are not parked, in the order of their ids.
  Result<std::vector<OutboxRow>> outbox(int most);
  // After the broker's acknowledgement.
  Result<void> delete_outbox(const std::vector<std::int64_t>& ids);
  // A message that the broker refuses: kept, out of the way.
  Result<void> park(std::int64_t id, const std::string& code);

  // Binds up to `most` new audit rows into the chain, in a commit that is fenced by the lease and made before any of
  // them is produced: a successor never links again. Answers how many.
  Result<std::size_t> link_audit(const std::string& worker_id, int most);
  // Linked rows that were not published yet, in the chain's order.
  Result<std::vector<AuditRow>> unpublished_audit(int most);
  Result<void> audit_published(const std::string& worker_id, std::int64_t up_to_chain_no);

  Result<Backlog> backlog();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// SHA-256 over the hash before, the number and what the row says, each with its length: the chain's next hash (32
// bytes).
std::string chain_hash(const std::string& before, const AuditRow& row);

struct ChainReport {
  std::int64_t rows = 0;
  std::int64_t broken_at = 0;  // chain number of the first row that does not fit or is missing; 0: none
};
// Computes the whole chain anew and compares. Reads in chunks.
Result<ChainReport> verify_audit(const Database& database);

}  // namespace peerwright::store
