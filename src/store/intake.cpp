#include "peerwright/store/intake.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "batch.hpp"
#include "db.hpp"

namespace peerwright::store {

struct IntakeStore::Impl {
  Impl(const Database& database, const Sealer& s) : db(database, "intake"), sealer(s) {}
  Db db;
  const Sealer& sealer;
};

IntakeStore::IntakeStore(const Database& database, const Sealer& sealer)
    : impl_(std::make_unique<Impl>(database, sealer)) {}
IntakeStore::~IntakeStore() = default;

Result<BatchReport> IntakeStore::execute(std::span<const Arrival> batch, std::span<const Cursor> cursors) {
  return impl_->db.transact([&](Tx& tx) -> Result<BatchReport> {
    Batch work(tx, impl_->sealer, batch, cursors);
    if (!work.lock_partitions()) return transient("offset_moved", "another worker has moved a partition on");
    work.sort_out();
    work.make_identities();
    work.lock_and_load();
    work.decide();
    return work.store();
  });
}

Result<BatchReport> IntakeStore::bury(const Arrival& message, const Cursor& cursor, const Error& why) {
  return impl_->db.transact([&](Tx& tx) -> Result<BatchReport> {
    Batch work(tx, impl_->sealer, {&message, 1}, {&cursor, 1});
    if (!work.lock_partitions()) return transient("offset_moved", "another worker has moved a partition on");
    work.bury(message, why);
    return work.store();
  });
}

Result<std::map<std::pair<std::string, std::int32_t>, std::int64_t>> IntakeStore::positions(
    const Partitions& partitions) {
  using Answer = std::map<std::pair<std::string, std::int32_t>, std::int64_t>;
  return impl_->db.transact([&](Tx& tx) -> Result<Answer> {
    Column topic, number;
    for (const auto& [name, partition] : partitions) {
      topic.add(name);
      number.add(std::int64_t{partition});
    }
    Answer answer;
    for (const auto& row : tx.run("intake_positions", topic.text(), number.text())) {
      answer[{text_at(row, 0), static_cast<std::int32_t>(int_at(row, 1))}] = int_at(row, 2);
    }
    return answer;
  });
}

Result<std::int64_t> IntakeStore::begin_partition(const std::string& topic, std::int32_t partition, std::int64_t low,
                                                  int partition_count) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::int64_t> {
    tx.run("intake_first_sight", topic, partition_count);
    tx.run("intake_begin", topic, partition, low);
    return int_at(tx.run("intake_begun", topic, partition)[0], 0);
  });
}

Result<void> IntakeStore::check_cluster(const std::string& cluster_id) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    const std::string known = text_at(tx.run("intake_cluster", cluster_id)[0], 0);
    if (known == cluster_id) return {};
    return permanent("kafka_cluster_changed",
                     "the brokers are cluster " + cluster_id + ", the database has read from cluster " + known,
                     "check kafka.brokers and postgres.dsn; positions of one cluster mean nothing in another");
  });
}

std::string pack_original(std::string_view key, const events::RawMessage& raw) {
  nlohmann::ordered_json head;
  head["key_hex"] = hex_of(key);
  head["headers"] = nlohmann::json::array();
  if (raw.headers != nullptr) {
    for (const auto& [name, value] : *raw.headers) head["headers"].push_back({hex_of(name), hex_of(value)});
  }
  return head.dump() + '\n' + std::string(raw.payload);
}

}  // namespace peerwright::store
