#include <thread>

#include "store_support.hpp"

// The sweep's safeguards (docs/model): how a hold on many reaches each of them.
namespace peerwright::test {
namespace {

class Sweep : public StoreTest {
 protected:
  Sweep() : rival(db.database()) {
    register_server();
    std::vector<TestEvent> events;
    for (int i = 0; i < kPeers; ++i) events.push_back(provision("p" + std::to_string(i), "s"));
    execute(events);
  }
  std::int64_t suspended() { return db.number("SELECT count(*) FROM peers WHERE entitlement = 'suspended'"); }
  void hold(const char* verb, const char* source = "billing") {
    execute({subscriber_event(verb, "acme", "s").from(source)});
  }
  store::SweepStore::Step step(store::SweepStore& store, int chunk = 2) {
    const auto answer = store.fan_out(chunk);
    EXPECT_TRUE(answer.has_value()) << answer.error().message;
    return answer.value_or(store::SweepStore::Step{});
  }
  static constexpr int kPeers = 6;
  store::SweepStore rival;
};

TEST_F(Sweep, aHoldIsStoredAtOnceAndItsPeersFollowInChunks) {
  hold("suspend");
  EXPECT_EQ(0, suspended());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM wanted_peers"));  // plans follow it from now on
  auto done = step(sweep, 4);
  EXPECT_TRUE(done.found && done.more && done.due);
  EXPECT_EQ(4U, done.peers);
  EXPECT_EQ(4, suspended());
  done = step(sweep, 4);
  EXPECT_TRUE(done.found);
  EXPECT_FALSE(done.more);
  EXPECT_EQ(2U, done.peers);
  EXPECT_EQ(kPeers, suspended());
  EXPECT_EQ(kPeers, db.number("SELECT count(*) FROM removals"));
  EXPECT_EQ("t", db.value("SELECT urgent_since IS NOT NULL FROM deliveries"));
  done = step(sweep, 4);
  EXPECT_FALSE(done.found || done.more);
}

TEST_F(Sweep, everyPeerSaysWhatHappenedToItOnce) {
  hold("suspend");
  fan_out();
  const std::string said =
      "SELECT count(*), count(DISTINCT ce_id) FROM outbox WHERE ce_type = "
      "'peerwright.peer.status.v1' AND body::jsonb ->> 'entitlement' = 'suspended'";
  const auto rows = db.rows(said);
  EXPECT_EQ(std::to_string(kPeers), rows[0][0]);
  EXPECT_EQ(std::to_string(kPeers), rows[0][1]);
  hold("suspend", "security");  // nothing changes for them
  fan_out();
  EXPECT_EQ(rows, db.rows(said));
}

TEST_F(Sweep, cursorRestartMakesANewerWordReachThoseThatWereDone) {
  hold("suspend");
  step(sweep);
  step(sweep);
  EXPECT_EQ(4, suspended());
  hold("resume");
  EXPECT_EQ(0, db.number("SELECT after_peer_id FROM fan_outs"));
  fan_out();
  EXPECT_EQ(0, suspended());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM removals"));
  hold("suspend");
  step(sweep);
  hold("suspend", "security");
  hold("resume");
  fan_out();
  EXPECT_EQ(kPeers, suspended());
}

TEST_F(Sweep, chunkLockPassesOverASubscriberThatIsBeingDecided) {
  hold("suspend");
  Other deciding(db);
  deciding.execute("SELECT * FROM subscribers WHERE name = 's' FOR NO KEY UPDATE");
  EXPECT_FALSE(step(sweep).found);
  EXPECT_EQ(0, suspended());
  deciding.execute("UPDATE holds SET held = false");  // the decision
  deciding.commit();
  fan_out();
  EXPECT_EQ(0, suspended());  // from the holds as they stand
}

TEST_F(Sweep, chunkLockMakesAWordWaitForTheChunk) {
  hold("suspend");
  // A chunk waits for a peer's row while it holds the subscriber's lock.
  Other slow(db);
  slow.execute("SELECT * FROM peers WHERE name = 'p0' FOR UPDATE");
  std::thread chunk([this] { step(rival); });
  EXPECT_TRUE(waiting_for_locks(1));
  std::thread word([this] { hold("resume"); });
  EXPECT_TRUE(waiting_for_locks(2));
  slow.commit();
  chunk.join();
  word.join();
  fan_out();
  EXPECT_EQ(0, suspended());
}

TEST_F(Sweep, twoSweepersShareTheWork) {
  std::vector<TestEvent> more;
  for (int i = 0; i < kPeers; ++i) more.push_back(provision("q" + std::to_string(i), "t"));
  execute(more);
  execute({subscriber_event("suspend", "acme", "s"), subscriber_event("suspend", "acme", "t")});
  const auto run = [this](store::SweepStore& store) {
    while (step(store).found) continue;
  };
  std::thread first([&] { run(sweep); });
  std::thread second([&] { run(rival); });
  first.join();
  second.join();
  fan_out();
  EXPECT_EQ(2 * kPeers, suspended());
  EXPECT_EQ(2 * kPeers, db.number("SELECT sum(version - 1) FROM peers"));  // each was told once
}

TEST_F(Sweep, aPeerIsNoLongerTouchedOnceItIsRevoked) {
  hold("suspend");
  execute({peer_event("revoke", "acme", "p0")});
  fan_out();
  EXPECT_EQ("revoked", entitlement("p0"));
  EXPECT_EQ(kPeers - 1, suspended());
}

}  // namespace
}  // namespace peerwright::test
