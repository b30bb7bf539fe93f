#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/store/publish.hpp"

// A database that is older than its audit topic: how that is noticed, and how it catches up.
namespace peerwright::store {

// An entry as the publisher puts it on the audit topic. Error `audit_entry_unreadable` (never).
struct PublishedAudit {
  AuditRow row;
  bool has_body = true;  // false: it was too large for the topic, and went out without its body
};
Result<PublishedAudit> published_audit(std::string_view payload);

// Whether all loops stand still, for every worker of the installation. Looks past a fence.
class HaltStore {
 public:
  explicit HaltStore(const Database& database);
  ~HaltStore();

  // Compares what stands last in each partition of the audit topic with the chain. nullopt: the database knows it. Else
  // why it cannot be the one that wrote it, or that nobody knows: `database_is_older`, `audit_forked`,
  // `audit_topic_empty`.
  Result<std::optional<Error>> judge(const std::vector<AuditRow>& tail);
  // Lets the database that judge() looked at last pass, and no other.
  void pass(Fence& fence) const;
  // Whether entries were published once: a topic that is not there then is no empty one.
  Result<bool> has_published();
  // Stops all loops until recover() lifts it. Keeps the reason that stands already.
  Result<void> halt(const Error& why);
  // Puts into the audit, once, which installation this is: a rebuilt database has to be the same for its hosts.
  Result<void> record_installation();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Folds entries of the audit topic into a database. Nobody else may work on it: begin() stops the workers.
class RecoverStore {
 public:
  explicit RecoverStore(const Database& database);
  ~RecoverStore();

  struct Head {
    std::int64_t chain_no = 0;
    std::string chain_hash;  // 32 bytes
    std::string time;        // of the last entry, RFC 3339; empty: there is none
  };
  Result<Head> head();
  // Stops the workers, for the reason of that code (`recovering`, `rebuilding`). Waits for those who write: once it has
  // begun, nobody else decides, links or pushes. Error `database_in_use` (later).
  Result<void> begin(const std::string& code);
  // Whether nothing was ever said to it, or a rebuild of it was begun: error `database_not_empty` (never).
  Result<void> check_empty();

  // Puts the effects of entries into the tables, and the entries themselves into the chain, in one transaction. They
  // follow the head without a gap. Errors (never): `audit_chain_broken`, `audit_entry_unreadable`,
  // `audit_entry_incomplete`, `database_diverged` (what the database decided itself cannot stand beside them); beside
  // those of Db::transact.
  Result<void> fold(std::span<const PublishedAudit> entries);

  // Has the whole chain published once more: the topic has nothing of it any more.
  Result<void> publish_anew();

  struct Resumed {
    std::int64_t servers = 0;   // that are read anew
    std::int64_t removals = 0;  // keys whose absence has to be proven
  };
  // Forgets all proofs, so that every host is read and every key that must not be there is proven gone; lets the
  // workers go on. Nothing is delivered before intake has caught up with `topics`. With `rebuilt`, the audit has to
  // have said which installation this is: error `audit_without_installation` (never).
  Result<Resumed> resume(const std::vector<std::string>& topics, const std::string& source, bool rebuilt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What the state of a database comes to: per table the number of its rows and a sum over the hashes of their columns,
// whatever their order. Left out is what is observed, leased, queued or counted for the database itself
// (recover_digest.cpp names each table and column, and why).
struct TableDigest {
  std::string table;
  std::int64_t rows = 0;
  std::string sum;
  bool operator==(const TableDigest&) const = default;
};
Result<std::vector<TableDigest>> state_digest(const Database& database);
// One hash over all of them.
std::string digest_of(const std::vector<TableDigest>& tables);

}  // namespace peerwright::store
