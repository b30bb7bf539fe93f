#include "peerwright/store/recover.hpp"

#include <nlohmann/json.hpp>

#include "columns.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/store/fence.hpp"
#include "records.hpp"
#include "recover_fold.hpp"

namespace peerwright::store {
namespace {

// By which versions are raised, for more may have been said than the audit tells: what is said from now on is newer.
constexpr std::int64_t kVersionGap = 1'000'000;

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

tl::unexpected<Error> incomplete(std::int64_t chain_no) {
  return permanent("audit_entry_incomplete",
                   "entry " + std::to_string(chain_no) + " was too large for the audit topic: it has no body there",
                   "restore a backup that was made after it");
}

// May take long, and may write though all others are stopped.
void prepare_to_recover(Tx& tx) {
  tx.raw("SET LOCAL statement_timeout = 0");
  tx.raw("SET LOCAL peerwright.recovers = 'on'");
}

// The entries follow the head, and each other, as their hashes say.
Result<void> check_chain(const pqxx::row& head, std::span<const PublishedAudit> entries) {
  std::int64_t number = int_at(head, 0);
  std::string hash = unhex(text_at(head, 1));
  for (const PublishedAudit& entry : entries) {
    if (!entry.has_body) return incomplete(entry.row.chain_no);
    hash = chain_hash(hash, entry.row);
    if (entry.row.chain_no != ++number || hash != entry.row.chain_hash) {
      return permanent("audit_chain_broken",
                       "entry " + std::to_string(entry.row.chain_no) + " of the audit topic does not follow entry " +
                           std::to_string(number - 1),
                       "find out what became of the topic; a database cannot be told what was never said");
    }
  }
  return {};
}

RowWriter rows_of(std::span<const PublishedAudit> entries, const ChainNumbers& left_out) {
  RowWriter rows;
  for (const PublishedAudit& entry : entries) {
    const AuditRow& row = entry.row;
    if (left_out.contains(row.chain_no)) continue;
    rows.add(row.time).add(row.source).add(row.event_id).add(row.event_type).add(row.key).add(row.outcome);
    rows.add(row.code).add(row.body).add(row.chain_no).add(hex_of(row.chain_hash)).end_row();
  }
  return rows;
}

// What the database holds already, but for its place in the chain: it took part in all that was decided since. Answers
// the numbers.
ChainNumbers link_known(Tx& tx, std::span<const PublishedAudit> entries) {
  ChainNumbers known;
  for (const auto& row : rows_of(entries, {}).run(tx, "fold_known")) known.insert(int_at(row, 0));
  return known;
}

}  // namespace

Result<PublishedAudit> published_audit(std::string_view payload) try {
  const auto json = nlohmann::json::parse(payload);
  PublishedAudit entry;
  entry.row.chain_no = json.at("chain_no").get<std::int64_t>();
  entry.row.chain_hash = unhex(json.at("chain_hash").get<std::string>());
  entry.row.time = json.at("at").get<std::string>();
  entry.row.source = json.at("source").get<std::string>();
  entry.row.event_id = json.at("event_id").get<std::string>();
  entry.row.event_type = json.at("event_type").get<std::string>();
  entry.row.key = json.at("key").get<std::string>();
  entry.row.outcome = json.at("outcome").get<std::string>();
  entry.row.code = json.at("code").get<std::string>();
  entry.has_body = json.contains("body");
  if (entry.has_body) entry.row.body = json.at("body").get<std::string>();
  return entry;
} catch (const nlohmann::json::exception&) {
  return permanent("audit_entry_unreadable", "a message of the audit topic is no audit entry",
                   "check kafka.audit_topic: nobody else may write there");
}

struct HaltStore::Impl {
  explicit Impl(const Database& d) : database(without_fence(d)), db(database, "halt") {}
  const Database database;
  Db db;
  std::string running;  // what was judged
};

HaltStore::HaltStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
HaltStore::~HaltStore() = default;

Result<std::optional<Error>> HaltStore::judge(const std::vector<AuditRow>& tail) {
  using Answer = std::optional<Error>;
  return impl_->db.transact([&](Tx& tx) -> Result<Answer> {
    impl_->running = text_at(tx.run("database_running")[0], 0);
    Column numbers;
    std::map<std::int64_t, std::string> said;
    for (const AuditRow& row : tail) {
      numbers.add(row.chain_no);
      said[row.chain_no] = hex_of(row.chain_hash);
    }
    if (said.empty()) {
      const std::int64_t published = int_at(tx.run("halt_published")[0], 0);
      if (published == 0) return Answer();
      return Answer({"audit_topic_empty",
                     "the audit topic is empty, and " + std::to_string(published) + " entries were published",
                     "check kafka.audit_topic, and whether the database is a backup; then run: peerwright recover",
                     Retry::never});
    }
    for (const auto& row : tx.run("halt_tail", numbers.text())) {
      const std::int64_t number = int_at(row, 0);
      const std::int64_t head = int_at(row, 1);
      if (number > head) {
        return Answer({"database_is_older",
                       "the audit topic goes up to entry " + std::to_string(said.rbegin()->first) +
                           ", the database up to " + std::to_string(head) + ": it was restored from a backup",
                       "see that no other worker runs on a newer copy, then run: peerwright recover", Retry::never});
      }
      const std::string known = number == head ? text_at(row, 2) : text_at(row, 3);
      if (!known.empty() && known != said.at(number)) {
        return Answer({"audit_forked", "entry " + std::to_string(number) + " of the audit topic is not the database's",
                       "two databases have used one topic: keep the right one, give it a topic of its own "
                       "(kafka.audit_topic), and run: peerwright recover",
                       Retry::never});
      }
    }
    return Answer();
  });
}

void HaltStore::pass(Fence& fence) const { fence.pass(impl_->running); }

Result<bool> HaltStore::has_published() {
  return impl_->db.transact([&](Tx& tx) -> Result<bool> { return int_at(tx.run("halt_published")[0], 0) > 0; });
}

Result<void> HaltStore::halt(const Error& why) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.run("halt_set", why.code, why.message);
    return {};
  });
}

Result<void> HaltStore::record_installation() {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    const auto rows = tx.run("halt_record_installation");
    if (rows.empty()) return {};
    RowReader read(rows[0]);
    const std::string id = read.text();
    const nlohmann::ordered_json installation{{"id", id}, {"created_us", read.number()}};
    const Time now = read.time();
    Messages messages;
    record_own(messages, kInstallationType, "installation/" + id, "installation", now,
               {{"installations", nlohmann::ordered_json::array({installation})}});
    messages.store(tx);
    return {};
  });
}

struct RecoverStore::Impl {
  explicit Impl(const Database& database) : db(database, "recover") {}
  Db db;
};

RecoverStore::RecoverStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
RecoverStore::~RecoverStore() = default;

Result<RecoverStore::Head> RecoverStore::head() {
  return impl_->db.transact([&](Tx& tx) -> Result<Head> {
    const auto row = tx.run("recover_head")[0];
    return Head{int_at(row, 0), unhex(text_at(row, 1)), text_at(row, 2)};
  });
}

Result<void> RecoverStore::begin(const std::string& code) {
  auto begun = impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.raw("SET LOCAL lock_timeout = '10s'");
    tx.run("halt_wait");
    tx.run("halt_replace", code, std::string("the database catches up with its audit topic"));
    return {};
  });
  if (begun || begun.error().code != "db_conflict") return begun;
  return transient("database_in_use", "somebody keeps a transaction open, such as a backup that is being made",
                   "wait for its end, or end it (pg_stat_activity), and try again");
}

Result<void> RecoverStore::check_empty() {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    if (bool_at(tx.run("recover_is_empty")[0], 0)) return {};
    return permanent(
        "database_not_empty", "something was said to this database before",
        "make a new one and run `peerwright migrate up` on it; a restored backup takes `peerwright recover`");
  });
}

Result<void> RecoverStore::fold(std::span<const PublishedAudit> entries) {
  if (entries.empty()) return {};
  auto done = impl_->db.transact([&](Tx& tx) -> Result<void> {
    prepare_to_recover(tx);
    if (auto fits = check_chain(tx.run("fold_lock")[0], entries); !fits) return fits;
    const ChainNumbers known = link_known(tx, entries);
    if (auto folded = fold_entries(tx, entries, known); !folded) return folded;
    if (known.size() < entries.size()) rows_of(entries, known).run(tx, "fold_audit");
    tx.run("fold_head", entries.back().row.chain_no, hex_of(entries.back().row.chain_hash));
    return {};
  });
  if (done || done.error().code != "db_unique") return done;
  return diverged("one of the entries " + std::to_string(entries.front().row.chain_no) + " to " +
                  std::to_string(entries.back().row.chain_no) +
                  " of the audit topic gives away a name, a key or an address that the database has given to another");
}

Result<void> RecoverStore::publish_anew() {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.run("recover_publish_anew");
    return {};
  });
}

Result<RecoverStore::Resumed> RecoverStore::resume(const std::vector<std::string>& topics, const std::string& source,
                                                   bool rebuilt) {
  return impl_->db.transact([&](Tx& tx) -> Result<Resumed> {
    prepare_to_recover(tx);
    if (rebuilt && !bool_at(tx.run("recover_installation")[0], 0)) {
      return permanent("audit_without_installation", "the audit does not say which installation it is of",
                       "restore a backup; the hosts would refuse another installation");
    }
    const Time now = time_from_micros(int_at(tx.run("delivery_clock")[0], 0));
    const std::string id = std::string(rebuilt ? "rebuild/" : "recover/") + std::to_string(micros_of(now));
    tx.run("recover_sequences");
    Resumed resumed;
    resumed.removals = int_at(tx.run("recover_removals")[0], 0);
    tx.run("recover_peers", kVersionGap);
    tx.run("recover_versions", kVersionGap);
    tx.run("recover_links");
    resumed.servers = static_cast<std::int64_t>(tx.run("recover_deliveries").affected_rows());
    tx.run("recover_say_again", id);
    Column names;
    for (const std::string& topic : topics) names.add(std::string_view(topic));
    tx.run("recover_topics", names.text());
    tx.run("recover_leases");
    tx.run("recover_lift");
    Messages messages;
    record_own(messages, kRecoveredType, id, "installation", now, {{"recovered", {{{"by", source}}}}});
    messages.store(tx);
    return resumed;
  });
}

}  // namespace peerwright::store
