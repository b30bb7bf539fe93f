#include <algorithm>

#include "store_support.hpp"

// Who may deliver where, and publish: leases that hang on a worker's heartbeat.
namespace peerwright::test {
namespace {

class Lease : public StoreTest {
 protected:
  Lease() : rival(db.database()), other(workers.enlist("other").value()) {}
  std::vector<domain::Id> claim(store::DeliveryStore& store, const std::string& worker, int most = 10,
                                const std::vector<domain::Id>& active = {}) {
    db.execute("UPDATE deliveries SET proven_at = now() WHERE proven_at IS NULL AND attempts = 0");  // as if they had
                                                                                                     // answered before
    const auto servers = store.claim(worker, active, most, kDeadAfter);
    EXPECT_TRUE(servers.has_value());
    auto sorted = servers.value_or(std::vector<domain::Id>{});
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }
  using Ids = std::vector<domain::Id>;
  store::DeliveryStore rival;
  std::string other;
};

TEST_F(Lease, whatOneHasAnotherDoesNotGetWhileItLives) {
  register_server("one");
  register_server("two");
  const Ids first = claim(delivery, me, 1);
  ASSERT_EQ(1U, first.size());
  const Ids second = claim(rival, other);
  ASSERT_EQ(1U, second.size());
  EXPECT_NE(first, second);
  EXPECT_EQ(Ids{}, claim(rival, other, 10, second));
}

TEST_F(Lease, whatASilentWorkerHeldIsFree) {
  register_server();
  ASSERT_EQ(1U, claim(delivery, me).size());
  EXPECT_EQ(Ids{}, claim(rival, other));
  silence(me);
  EXPECT_EQ(Ids{server_id()}, claim(rival, other));
  ASSERT_TRUE(workers.heartbeat(me, "me").has_value());  // it was only slow
  EXPECT_EQ(Ids{}, claim(delivery, me));
  EXPECT_FALSE(delivery.plan(me, server_id(), kLimits)->has_value());  // the lease is gone
}

TEST_F(Lease, whatAWorkerHoldsWithoutKnowingItGetsAgainButNotWhatItIsAtWorkOn) {
  register_server("one");
  register_server("two");
  const Ids both = claim(delivery, me);
  ASSERT_EQ(2U, both.size());
  EXPECT_EQ(both, claim(delivery, me));  // the answer to the first claim was lost
  EXPECT_EQ(Ids{both[1]}, claim(delivery, me, 10, {both[0]}));
  EXPECT_EQ(Ids{}, claim(delivery, me, 10, both));
}

TEST_F(Lease, whatAWorkerLeavesIsFreeAtOnce) {
  register_server();
  store::PublishStore publish(db.database());
  EXPECT_TRUE(publish.hold_lease(me, kDeadAfter).value());
  EXPECT_FALSE(publish.hold_lease(other, kDeadAfter).value());
  ASSERT_EQ(1U, claim(delivery, me).size());
  ASSERT_TRUE(workers.leave(me).has_value());
  EXPECT_EQ(1U, claim(rival, other).size());
  EXPECT_TRUE(publish.hold_lease(other, kDeadAfter).value());
}

TEST_F(Lease, whatIsNotDueIsNotClaimed) {
  register_server();
  deliver(delivery, me, host);
  EXPECT_EQ(Ids{}, claim(delivery, me));
}

TEST_F(Lease, urgentServersComeFirstThenThoseThatWaitedLongest) {
  FakeHost hosts[3];
  const std::vector<std::string> names = {"one", "two", "three"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    register_server(names[i]);
    execute({provision("p" + names[i], {}, names[i])});
    deliver(delivery, me, hosts[i]);
  }
  execute({provision("q", {}, "two")});
  execute({provision("r", {}, "one")});
  execute({peer_event("suspend", "acme", "pthree")});
  for (const char* name : {"three", "two", "one"}) {
    EXPECT_EQ(Ids{server_id(name)}, claim(delivery, me, 1)) << name;
    db.execute("UPDATE deliveries SET due = false WHERE server_id = " + std::to_string(server_id(name)));
  }
}

TEST_F(Lease, serversThatFailedAreAskedForApart) {
  register_server("one");
  register_server("two");
  ASSERT_EQ(2U, claim(delivery, me).size());
  const Error why{"ssh_unreachable", "no answer", "", Retry::later};
  ASSERT_TRUE(delivery.fail(me, server_id("one"), why, std::chrono::milliseconds(0)).has_value());
  EXPECT_EQ(Ids{server_id("two")}, claim(delivery, me));
  EXPECT_EQ(Ids{server_id("one")}, delivery.claim(me, {}, 10, kDeadAfter, true));
}

TEST_F(Lease, serversThatWereNeverReadOrAreNotReachedAreAskedForApartToo) {
  register_server("new");
  EXPECT_TRUE(delivery.claim(me, {}, 10, kDeadAfter)->empty());
  EXPECT_EQ(Ids{server_id("new")}, delivery.claim(me, {}, 10, kDeadAfter, true).value());
  deliver(delivery, me, host);
  execute({provision("p", {}, "new")});
  db.execute("INSERT INTO server_runtime (server_id, error_code) SELECT id, 'ssh_unreachable' FROM servers");
  EXPECT_TRUE(delivery.claim(me, {}, 10, kDeadAfter)->empty());
  db.execute("UPDATE server_runtime SET error_code = 'wg_refused'");
  EXPECT_EQ(Ids{server_id("new")}, delivery.claim(me, {}, 10, kDeadAfter).value());
}

TEST_F(Lease, aClaimNeverWaitsForAServersRow) {
  register_server("one");
  register_server("two");
  Other busy(db);
  busy.execute("SELECT * FROM servers WHERE name = 'one' FOR UPDATE");
  EXPECT_EQ(2U, claim(delivery, me).size());
  Other taking(db);
  taking.execute("SELECT * FROM deliveries WHERE server_id = " + std::to_string(server_id("one")) + " FOR UPDATE");
  EXPECT_EQ(Ids{server_id("two")}, claim(delivery, me));  // passed over, not waited for
}

TEST_F(Lease, aWorkerThatWasForgottenIsMadeAnewByItsHeartbeat) {
  db.execute("UPDATE workers SET heartbeat_at = now() - interval '2 days' WHERE id = '" + me + "'");
  ASSERT_TRUE(workers.enlist("third").has_value());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM workers WHERE id = '" + me + "'"));
  ASSERT_TRUE(workers.heartbeat(me, "me").has_value());
  EXPECT_EQ(1, db.number("SELECT count(*) FROM workers WHERE id = '" + me + "'"));
}

}  // namespace
}  // namespace peerwright::test
