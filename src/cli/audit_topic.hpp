#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "peerwright/broker/scan.hpp"
#include "peerwright/store/recover.hpp"
#include "setup.hpp"

namespace peerwright::cli {

// The entries of the audit topic in the chain's order, each once, out of partitions of which each is in order for
// itself and may repeat what it said. Holds one entry of each partition. One thread uses it.
class AuditTopic {
 public:
  // For entries behind chain number `after`, up to the ends that the topic has now. The errors of TopicScan::open.
  static Result<AuditTopic> open(const broker::Connection& connection, const std::string& topic, std::int64_t after);

  // The next entry behind chain number `after`; nullopt: there is none. Errors: those of TopicScan::next;
  // `audit_entry_unreadable`; `audit_chain_broken` where one is missing.
  Result<std::optional<store::PublishedAudit>> next(std::int64_t after);
  // The last entry of each partition.
  [[nodiscard]] const std::vector<store::AuditRow>& tail() const { return tail_; }

 private:
  Result<void> fill(std::size_t partition, std::int64_t after);

  std::unique_ptr<broker::TopicScan> scan_;
  std::vector<std::optional<store::PublishedAudit>> heads_;
  std::vector<bool> ended_;
  std::vector<store::AuditRow> tail_;
};

// Where to begin in a partition, so that all its entries behind chain number `after` come, and not many others.
Result<std::int64_t> first_behind(broker::TopicScan& scan, std::int32_t partition, std::int64_t after);

// Folds all that the topic has behind the database's head into it, and tells how far it is on stderr. How many entries.
Result<std::int64_t> fold_all(AuditTopic& topic, store::RecoverStore& store);

// What both commands say in the end.
void print_resumed(const Globals& globals, std::int64_t folded, const store::RecoverStore::Head& head,
                   const store::RecoverStore::Resumed& resumed, const std::string& digest);

}  // namespace peerwright::cli
