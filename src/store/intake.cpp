#include "peerwright/store/intake.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "batch.hpp"
#include "db.hpp"

namespace peerwright::store {

namespace {

constexpr std::size_t kMostKnownTenants = 10'000;
constexpr int kMostReloads = 5;  // of a message that lost races for a key or an address

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

}  // namespace

struct IntakeStore::Impl {
  Impl(const Database& database, const Sealer& s) : db(database, "intake"), sealer(s) {}

  void remember(const std::set<std::string>& tenants) {
    if (known.size() > kMostKnownTenants) known.clear();
    known.insert(tenants.begin(), tenants.end());
  }
  Result<void> refuse(std::int64_t id, const Error& why);

  Db db;
  const Sealer& sealer;
  KnownTenants known;
};

IntakeStore::IntakeStore(const Database& database, const Sealer& sealer)
    : impl_(std::make_unique<Impl>(database, sealer)) {}
IntakeStore::~IntakeStore() = default;

Result<BatchReport> IntakeStore::execute(std::span<const Arrival> batch, std::span<const Cursor> cursors) {
  std::set<std::string> tenants;
  auto report = impl_->db.transact([&](Tx& tx) -> Result<BatchReport> {
    Batch work(tx, impl_->sealer, impl_->known, batch, cursors);
    if (!work.lock_partitions()) return transient("offset_moved", "another worker has moved a partition on");
    work.sort_out();
    work.make_identities();
    work.lock_and_load();
    work.decide();
    auto stored = work.store();
    tenants = work.tenants();
    return stored;
  });
  if (report) impl_->remember(tenants);
  return report;
}

Result<BatchReport> IntakeStore::bury(const Arrival& message, const Cursor& cursor, const Error& why) {
  return impl_->db.transact([&](Tx& tx) -> Result<BatchReport> {
    Batch work(tx, impl_->sealer, impl_->known, {&message, 1}, {&cursor, 1});
    if (!work.lock_partitions()) return transient("offset_moved", "another worker has moved a partition on");
    work.bury(message, why);
    return work.store();
  });
}

Result<std::vector<KeptMessage>> IntakeStore::replayable(const std::vector<std::string>& known_types,
                                                         const domain::Place& after, int most) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::vector<KeptMessage>> {
    Column types;
    for (const std::string& type : known_types) types.add(std::string_view(type));
    std::vector<KeptMessage> messages;
    for (const auto& row :
         tx.run("kept_replayable", types.text(), micros_of(after.broker_time), after.partition, after.offset, most)) {
      RowReader read(row);
      KeptMessage message;
      message.id = read.number();
      message.topic = read.text();
      message.partition = static_cast<std::int32_t>(read.number());
      message.offset = read.number();
      message.broker_time = read.time();
      const std::string place = "dead_letters/" + message.topic + '/' + std::to_string(message.partition) + '/' +
                                std::to_string(message.offset);
      const auto opened = impl_->sealer.open(unhex(read.text()), place);
      if (!opened) return tl::unexpected(opened.error());
      auto original = unpack_original(opened->reveal());
      if (!original) return permanent("sealed_value_damaged", "a kept message cannot be read", "restore a backup");
      message.key = std::move(original->key);
      message.headers = std::move(original->headers);
      message.payload = std::move(original->payload);
      messages.push_back(std::move(message));
    }
    return messages;
  });
}

Result<void> IntakeStore::Impl::refuse(std::int64_t id, const Error& why) {
  return db.transact([&](Tx& tx) -> Result<void> {
    tx.run("kept_refused", id, why.code, why.message, why.code == "unknown_type");
    return {};
  });
}

Result<BatchReport> IntakeStore::replay(std::int64_t id, const Arrival& message) {
  const auto attempt = [&](Tx& tx) -> Result<BatchReport> {
    tx.run("kept_guard");
    if (tx.run("kept_lock", id).empty()) return BatchReport{};
    Batch work(tx, impl_->sealer, impl_->known, {&message, 1}, {});
    work.sort_out();
    if (work.refused()) {
      const Error& why = *work.refused();
      tx.run("kept_refused", id, why.code, why.message, work.waits());
      return BatchReport{};
    }
    if (work.waits()) return BatchReport{};
    work.make_identities();
    work.lock_and_load();
    work.decide();
    tx.run("kept_replayed", id);
    return work.store();
  };
  auto report = impl_->db.transact(attempt);
  for (int again = 0; !report && report.error().code == "db_unique" && again < kMostReloads; ++again) {
    report = impl_->db.transact(attempt);
  }
  if (!report && report.error().retry == Retry::never) {
    const Error why{"cannot_be_executed", report.error().message, report.error().remedy, Retry::never};
    if (auto refused = impl_->refuse(id, why); !refused) return tl::unexpected(refused.error());
  }
  return report;
}

Result<Time> IntakeStore::clock() {
  return impl_->db.transact(
      [&](Tx& tx) -> Result<Time> { return time_from_micros(int_at(tx.run("intake_clock")[0], 0)); });
}

Result<void> IntakeStore::note_caught_up(std::span<const CaughtUp> marks,
                                         const std::map<std::string, int>& partition_counts) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.run("delivery_relaxed");  // a mark that is lost in a crash is made again
    RowWriter rows, counts;
    for (const CaughtUp& mark : marks) {
      rows.add(mark.topic).add(mark.partition).add(mark.next_offset).add(mark.asked).end_row();
    }
    for (const auto& [topic, count] : partition_counts) counts.add(topic).add(count).end_row();
    if (!counts.empty()) counts.run(tx, "intake_partitions_seen");
    if (!rows.empty()) rows.run(tx, "intake_marks");
    return {};
  });
}

Result<std::optional<std::pair<std::int64_t, std::string>>> IntakeStore::last_message(const std::string& topic,
                                                                                      std::int32_t partition) {
  using Answer = std::optional<std::pair<std::int64_t, std::string>>;
  return impl_->db.transact([&](Tx& tx) -> Result<Answer> {
    const auto rows = tx.run("intake_last_message", topic, partition);
    if (rows.empty()) return Answer{};
    return Answer({int_at(rows[0], 0), unhex(text_at(rows[0], 1))});
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

std::string message_hash(std::string_view key, const events::RawMessage& raw) {
  return sha256_raw(pack_original(key, raw));
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
