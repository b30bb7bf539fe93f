#include "peerwright/store/fence.hpp"

#include <future>
#include <pqxx/pqxx>

#include "peerwright/store/orders.hpp"
#include "peerwright/store/recover.hpp"
#include "store_support.hpp"

// Who may write, and to which database.
namespace peerwright::test {
namespace {

template <typename T>
std::string code_of(const Result<T>& result) {
  return result ? "" : result.error().code;
}

class Fence : public StoreTest {
 protected:
  void halt() {
    ASSERT_TRUE(store::HaltStore(db.database()).halt({"database_is_older", "restored", "", Retry::never}).has_value());
  }
};

TEST_F(Fence, NothingIsDecidedLinkedPushedOrGivenWhileHalted) {
  register_server("srv");
  execute({provision("A")});
  const auto due = claimed(delivery, me, 10);
  ASSERT_EQ(1U, due.size());
  const std::vector broken{&log.append_text("{}")};
  ASSERT_TRUE(execute(intake, broken).has_value());
  store::PublishStore publish(db.database());
  ASSERT_TRUE(publish.hold_lease(me, kDeadAfter).value_or(false));
  halt();
  const auto audit = db.value("SELECT count(*) || ' ' || count(chain_no) FROM audit");

  const std::vector batch{&log.append(provision("B"))};
  const auto told = execute(intake, batch);
  ASSERT_FALSE(told.has_value());
  EXPECT_EQ("database_halted", told.error().code);
  EXPECT_EQ(Retry::later, told.error().retry);
  EXPECT_EQ("database_halted", code_of(publish.link_audit(me, 10)));
  EXPECT_EQ("database_halted", code_of(delivery.plan(me, due[0], kLimits)));
  const auto letter = db.number("SELECT id FROM dead_letters");
  EXPECT_EQ("database_halted",
            code_of(store::OrderStore(db.database()).settle({letter}, store::LetterOrder::discard, "ann")));
  db.execute("INSERT INTO peers (tenant_id, name) SELECT id, 'nobody-yet' FROM tenants");
  EXPECT_ANY_THROW(
      db.execute("SELECT wg_allocate_ip((SELECT id FROM peers WHERE name = 'nobody-yet'), net4) FROM networks"));
  EXPECT_ANY_THROW(db.execute("SELECT wg_init_ip_pool('10.77.0.0/24', '10.77.0.1')"));
  EXPECT_EQ(audit, db.value("SELECT count(*) || ' ' || count(chain_no) FROM audit"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM peers WHERE address_offset IS NOT NULL AND name <> 'A'"));

  ASSERT_TRUE(store::RecoverStore(db.database()).resume({kTopic}, "me", false).has_value());
  EXPECT_EQ("", code_of(execute(intake, batch)));
}

TEST_F(Fence, RecoverWaitsForThoseWhoWrite) {
  pqxx::connection connection(db.dsn());
  std::future<Result<void>> begun;
  {
    pqxx::work work(connection);
    work.exec(
        "INSERT INTO audit (source, event_id, event_type, key, outcome, body) VALUES ('s', 'e', 't', 'k', 'o', 'b')");
    begun = std::async(std::launch::async, [&] { return store::RecoverStore(db.database()).begin("recovering"); });
    ASSERT_TRUE(eventually([&] {
      return db.number("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'installation'::regclass") == 1;
    }));
    work.commit();
  }
  const auto answer = begun.get();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ("recovering", db.value("SELECT halted_code FROM installation"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM audit"));
}

// The name leads to a backup from one moment to the other.
TEST_F(Fence, ADatabaseThatNobodyLookedAtIsNotWritten) {
  TestDatabase restored;
  store::Fence fence;
  store::Database fenced = db.database();
  fenced.fence = &fence;
  store::PublishStore publish(fenced);
  const auto lease = [&] { return publish.hold_lease(me, kDeadAfter); };
  const auto look = [&](const store::Database& database) {
    store::HaltStore halt(database);
    ASSERT_TRUE(halt.judge({}).has_value());
    halt.pass(fence);
  };
  EXPECT_EQ("database_unchecked", code_of(lease()));
  EXPECT_TRUE(fence.asks());
  look(fenced);
  EXPECT_FALSE(fence.asks());
  EXPECT_EQ("", code_of(lease()));
  // A connection that breaks is made again, and leads to the same.
  db.execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid()");
  EXPECT_NE("", code_of(lease()));
  EXPECT_EQ("", code_of(lease()));
  // One that still stands is of no use once another database was looked at.
  look(restored.database());
  EXPECT_EQ("database_unchecked", code_of(lease()));
  EXPECT_TRUE(fence.asks());
}

}  // namespace
}  // namespace peerwright::test
