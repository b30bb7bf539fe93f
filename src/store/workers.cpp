#include "peerwright/store/workers.hpp"

#include "db.hpp"
#include "peerwright/store/migrator.hpp"

namespace peerwright::store {

struct WorkerStore::Impl {
  // It beats in whatever database there is, so that it is told of a stop.
  explicit Impl(const Database& d) : database(without_fence(d)), db(database, "heartbeat") {}
  const Database database;
  Db db;
  std::string last_beat;  // as the database wrote it
};

WorkerStore::WorkerStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
WorkerStore::~WorkerStore() = default;

Result<std::string> WorkerStore::enlist(const std::string& name) {
  return impl_->db.transact([&](Tx& tx) -> Result<std::string> {
    tx.run("worker_forget");
    return text_at(tx.run("worker_enlist", name)[0], 0);
  });
}

Result<WorkerStore::Beat> WorkerStore::heartbeat(const std::string& worker_id, const std::string& name) {
  return impl_->db.transact([&](Tx& tx) -> Result<Beat> {
    tx.run("delivery_relaxed");
    const auto row = tx.run("worker_heartbeat", worker_id, name, impl_->last_beat)[0];
    impl_->last_beat = text_at(row, 1);
    return Beat{bool_at(row, 0), text_at(row, 2), text_at(row, 3)};
  });
}

Result<void> WorkerStore::leave(const std::string& worker_id) {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    tx.run("worker_leave_leases", worker_id);
    tx.run("worker_leave_deliveries", worker_id);
    tx.run("worker_leave", worker_id);
    return {};
  });
}

Result<void> WorkerStore::check_schema() {
  return impl_->db.transact([&](Tx& tx) -> Result<void> {
    const std::int64_t version = int_at(tx.run("schema_version")[0], 0);
    if (version >= newest_migration()) return {};
    return transient("schema_behind",
                     "the database stands at migration " + std::to_string(version) + ", this program needs " +
                         std::to_string(newest_migration()),
                     "run: peerwright migrate up");
  });
}

}  // namespace peerwright::store
