#include "peerwright/store/publish.hpp"

#include <cstdlib>

#include "changes.hpp"
#include "db.hpp"
#include "peerwright/base/seal.hpp"

namespace peerwright::store {
namespace {

constexpr int kVerifyRows = 5000;

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

// Columns from `column` on: source .. body, time.
void read_said(const pqxx::row& row, int column, AuditRow& audit) {
  audit.source = text_at(row, column);
  audit.event_id = text_at(row, column + 1);
  audit.event_type = text_at(row, column + 2);
  audit.key = text_at(row, column + 3);
  audit.outcome = text_at(row, column + 4);
  audit.code = text_at(row, column + 5);
  audit.body = text_at(row, column + 6);
  audit.time = text_at(row, column + 7);
}

AuditRow linked_row(const pqxx::row& row) {
  AuditRow audit;
  audit.chain_no = int_at(row, 0);
  audit.chain_hash = unhex(text_at(row, 1));
  read_said(row, 2, audit);
  return audit;
}

}  // namespace

std::string chain_hash(const std::string& before, const AuditRow& row) {
  std::string bytes = before;
  const std::string number = std::to_string(row.chain_no);
  for (const std::string* part : {&number, &row.time, &row.source, &row.event_id, &row.event_type, &row.key,
                                  &row.outcome, &row.code, &row.body}) {
    bytes += std::to_string(part->size()) + ':' + *part;
  }
  return sha256_raw(bytes);
}

struct PublishStore::Impl {
  explicit Impl(const Database& database) : db(database, "publish") {}
  Db db;
};

PublishStore::PublishStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
PublishStore::~PublishStore() = default;

Result<bool> PublishStore::hold_lease(const std::string& worker_id, std::chrono::milliseconds dead_after) {
  return impl_->db.transact([&](Tx& tx) -> Result<bool> {
    tx.run("delivery_relaxed");
    return !tx.run("publish_lease", worker_id, std::int64_t{dead_after.count()}).empty();
  });
}

Result<std::vector<OutboxRow>> PublishStore::outbox(int most) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<OutboxRow>> {
    std::vector<OutboxRow> rows;
    for (const auto& row : tx.run("publish_outbox", most)) {
      rows.push_back({int_at(row, 0), text_at(row, 1), text_at(row, 2), text_at(row, 3), text_at(row, 4),
                      text_at(row, 5), text_at(row, 6)});
    }
    return rows;
  });
}

Result<void> PublishStore::delete_outbox(const std::vector<std::int64_t>& ids) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    // A deletion that is lost in a crash is one more repetition, which consumers know by its id.
    tx.run("delivery_relaxed");
    tx.run("publish_delete", array_of(ids));
    return {};
  });
}

Result<void> PublishStore::park(std::int64_t id, const std::string& code) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.run("publish_park", id, code);
    return {};
  });
}

Result<std::size_t> PublishStore::link_audit(const std::string& worker_id, int most) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::size_t> {
    const auto unlinked = tx.run("audit_unlinked", most);
    if (unlinked.empty()) return 0;
    if (tx.run("publish_lease_is_mine", worker_id).empty()) {
      return transient("lease_lost", "another worker publishes now");
    }
    const auto head = tx.run("audit_head")[0];
    const std::int64_t head_no = int_at(head, 0);
    std::string hash = unhex(text_at(head, 1));
    Column id, number, hashes;
    AuditRow audit;
    audit.chain_no = head_no;
    for (const auto& row : unlinked) {
      ++audit.chain_no;
      read_said(row, 1, audit);
      hash = chain_hash(hash, audit);
      id.add(int_at(row, 0));
      number.add(audit.chain_no);
      hashes.add(hex_of(hash));
    }
    tx.run("audit_link", id.text(), number.text(), hashes.text());
    tx.run("audit_head_move", head_no, audit.chain_no, hex_of(hash));
    return unlinked.size();
  });
}

Result<std::vector<AuditRow>> PublishStore::unpublished_audit(int most) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<AuditRow>> {
    std::vector<AuditRow> rows;
    for (const auto& row : tx.run("audit_unpublished", most)) rows.push_back(linked_row(row));
    return rows;
  });
}

Result<void> PublishStore::audit_published(const std::string& worker_id, std::int64_t up_to_chain_no) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    if (tx.run("publish_lease_is_mine", worker_id).empty()) {
      return transient("lease_lost", "another worker publishes now");
    }
    tx.run("audit_published", up_to_chain_no);
    return {};
  });
}

Result<Backlog> PublishStore::backlog() {
  return impl_->db.transact([&](Tx& tx) -> Result<Backlog> {
    const auto row = tx.run("publish_backlog")[0];
    return Backlog{int_at(row, 0), std::strtod(text_at(row, 1).c_str(), nullptr)};
  });
}

Result<ChainReport> verify_audit(const Database& database) {
  Db db(database, "verify");
  ChainReport report;
  std::string hash(32, '\0');
  for (;;) {
    auto read = db.transact([&](Tx& tx) -> Result<std::vector<AuditRow>> {
      std::vector<AuditRow> rows;
      for (const auto& row : tx.run("audit_after", report.rows, kVerifyRows)) rows.push_back(linked_row(row));
      return rows;
    });
    if (!read) return tl::unexpected(read.error());
    for (const AuditRow& row : *read) {
      hash = chain_hash(hash, row);
      if (row.chain_no != report.rows + 1 || row.chain_hash != hash) {
        report.broken_at = row.chain_no;
        return report;
      }
      ++report.rows;
    }
    if (read->empty()) break;
  }
  // A chain whose end was cut off fits in itself: the head knows how long it was.
  auto length = db.transact([](Tx& tx) -> Result<std::int64_t> { return int_at(tx.run("audit_length")[0], 0); });
  if (!length) return tl::unexpected(length.error());
  if (report.rows < *length) report.broken_at = report.rows + 1;
  return report;
}

}  // namespace peerwright::store
