#include <thread>

#include "store_support.hpp"

// What falls due, and when it may be decided: never while a payment could still wait in the log.
namespace peerwright::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class Timers : public StoreTest {
 protected:
  Timers() { register_server(); }

  // Reserved so that it ended `ago` before now.
  void reserve(const std::string& peer, seconds ago = seconds(5)) {
    const TestEvent reserved = reservation(peer);
    const Message& message = log.append(reserved, 1, *intake.clock() - kTtl - ago);
    ASSERT_TRUE(StoreTest::execute(intake, {&message}).has_value());
    ASSERT_EQ("accepted", decision(reserved).first) << decision(reserved).second;
    EXPECT_EQ("reserved", stage(peer));
  }
  static TestEvent reservation(const std::string& peer) {
    return event("reservation.create",
                 {{"tenant", "acme"}, {"peer", peer}, {"server", "srv"}, {"ttl_seconds", kTtl.count()}},
                 "acme/" + peer);
  }
  std::string stage(const std::string& peer) { return db.value("SELECT stage FROM peers WHERE name = '" + peer + "'"); }
  static constexpr seconds kTtl{600};
};

TEST_F(Timers, aReservationEndsOnceEveryPartitionHasCaughtUp) {
  reserve("p");
  EXPECT_EQ(0U, run_timers());
  caught_up(kPartitions - 1);
  EXPECT_EQ(0U, run_timers());
  EXPECT_EQ("reserved", stage("p"));
  caught_up();
  EXPECT_EQ(1U, run_timers());
  EXPECT_EQ("unknown", stage("p"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM network_free"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM address_periods WHERE until_at IS NULL"));
  EXPECT_EQ(0, db.number("SELECT peer_count FROM tenants WHERE name = 'acme'"));
  EXPECT_EQ(0, db.number("SELECT peer_count FROM servers WHERE name = 'srv'"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM timers"));
  EXPECT_EQ(2, db.number("SELECT count(*) FROM outbox WHERE ce_type = 'peerwright.reservation.status.v1'"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM audit WHERE event_type = 'peerwright.timer.reservation.v1'"));
  EXPECT_EQ(0U, run_timers());
}

TEST_F(Timers, aMarkFromBeforeTheDueTimeOpensNothing) {
  caught_up();
  reserve("p", seconds(0));
  db.execute("UPDATE intake SET caught_up_at = now() - interval '1 minute'");
  EXPECT_EQ(0U, run_timers());
}

TEST_F(Timers, theMarginIsKept) {
  reserve("p");
  caught_up();
  EXPECT_EQ(0U, run_timers(minutes(5)));
  EXPECT_EQ(1U, run_timers(seconds(1)));
}

TEST_F(Timers, aPartitionThatNobodyHasBegunYetKeepsTheGateClosed) {
  reserve("p");
  caught_up();
  ASSERT_TRUE(intake.note_caught_up({}, {{kTopic, kPartitions + 1}}).has_value());
  EXPECT_EQ(0U, run_timers());
  ASSERT_TRUE(intake.begin_partition(kTopic, kPartitions, 0).has_value());
  EXPECT_EQ(0U, run_timers());
}

TEST_F(Timers, aMarkIsOnlyWrittenWhereNobodyMovedOn) {
  const auto now = intake.clock();
  const std::vector<store::CaughtUp> marks = {{kTopic, 0, 99, *now}, {kTopic, 3, 0, *now}};
  ASSERT_TRUE(intake.note_caught_up(marks, {}).has_value());
  EXPECT_EQ("3", db.value("SELECT string_agg(partition::text, ',') FROM intake WHERE caught_up_at IS NOT NULL"));
}

// A message that could not be executed may have been the payment.
TEST_F(Timers, aDeadLetterBlocksWhomItConcerns) {
  reserve("p");
  reserve("q");
  const Message& of_peer = log.append_text(R"({"tenant":"acme","peer":"p"})", 2);
  ASSERT_TRUE(StoreTest::execute(intake, {&of_peer}).has_value());
  caught_up();
  EXPECT_EQ(1U, run_timers());
  EXPECT_EQ("reserved", stage("p"));
  EXPECT_EQ("unknown", stage("q"));
  db.execute("UPDATE dead_letters SET state = 'discarded'");
  EXPECT_EQ(1U, run_timers());
  EXPECT_EQ("unknown", stage("p"));
}

TEST_F(Timers, aDeadLetterThatCannotBeReadBlocksTheTenantOfItsKeyOrEverybody) {
  reserve("p");
  const Message& of_tenant = log.append_text("not JSON", 2, "acme/other");
  const Message& of_another = log.append_text("not JSON", 2, "globex/other");
  ASSERT_TRUE(StoreTest::execute(intake, {&of_tenant, &of_another}).has_value());
  caught_up();
  EXPECT_EQ(0U, run_timers());
  db.execute("UPDATE dead_letters SET state = 'replayed' WHERE tenant = 'acme'");
  const Message& of_nobody = log.append_text("not JSON", 2);
  ASSERT_TRUE(StoreTest::execute(intake, {&of_nobody}).has_value());
  caught_up();
  EXPECT_EQ(0U, run_timers());
  db.execute("UPDATE dead_letters SET state = 'discarded' WHERE tenant = ''");
  EXPECT_EQ(1U, run_timers());
}

// A peer's name alone says nothing: the tenant stands in the key, or it may be anybody's.
TEST_F(Timers, aDeadLetterWithoutATenantBlocksThatOfItsKeyOrEverybody) {
  reserve("p");
  const Message& of_another = log.append_text(R"({"peer":"p"})", 2, "globex/p");
  const Message& of_server = log.append_text(R"({"server":"srv"})", 2);
  ASSERT_TRUE(StoreTest::execute(intake, {&of_another, &of_server}).has_value());
  EXPECT_EQ("globex", db.value("SELECT tenant FROM dead_letters WHERE subjects = '{peer/p}'"));
  const Message& of_mine = log.append_text(R"({"peer":"p"})", 2, "acme/p");
  ASSERT_TRUE(StoreTest::execute(intake, {&of_mine}).has_value());
  caught_up();
  EXPECT_EQ(0U, run_timers());
  db.execute("UPDATE dead_letters SET state = 'discarded' WHERE tenant = 'acme'");
  const Message& of_anybody = log.append_text(R"({"peer":"other"})", 2);
  ASSERT_TRUE(StoreTest::execute(intake, {&of_anybody}).has_value());
  caught_up();
  EXPECT_EQ(0U, run_timers());
  db.execute("UPDATE dead_letters SET blocks = false WHERE tenant = '' AND subjects = '{}'");
  EXPECT_EQ(1U, run_timers());
}

TEST_F(Timers, aDeadLetterThatMayNotBlockIsWaitedForByNobody) {
  reserve("p");
  const Message& forged = log.append_text(R"({"tenant":"acme","peer":"p"})", 2);
  auto batch = Log::batch({&forged});
  batch[0].blocks = false;
  ASSERT_TRUE(intake.execute(batch, Log::cursors({&forged})).has_value());
  caught_up();
  EXPECT_EQ(1U, run_timers());
}

// The row decides: whoever has its lock first.
TEST_F(Timers, aKeyThatArrivesAtTheMomentOfExpiryGetsItsPlaceOrARefusal) {
  reserve("p", seconds(1));
  caught_up();
  TestEvent key = event("peer.provision", {{"tenant", "acme"}, {"peer", "p"}, {"public_key", key_pair()}}, "acme/p");
  const Message& message = log.append(key, 2, *intake.clock() - minutes(5));  // sent in time
  store::IntakeStore rival(db.database(), sealer);
  Other other(db);
  other.execute("SELECT * FROM peers WHERE name = 'p' FOR UPDATE");
  std::thread arriving([&] { EXPECT_TRUE(StoreTest::execute(rival, {&message}).has_value()); });
  std::thread expiring([&] { run_timers(); });
  EXPECT_TRUE(waiting_for_locks(2));
  other.commit();
  arriving.join();
  expiring.join();
  EXPECT_EQ(0, db.number("SELECT count(*) FROM timers"));
  if (decision(key).first == "accepted") {
    EXPECT_EQ("provisioned", stage("p"));
    EXPECT_EQ(1, db.number("SELECT count(*) FROM address_periods WHERE until_at IS NULL"));
    EXPECT_EQ(0, db.number("SELECT count(*) FROM network_free"));
  } else {
    EXPECT_EQ("reservation_expired", decision(key).second);
    EXPECT_EQ("unknown", stage("p"));
    EXPECT_EQ(1, db.number("SELECT count(*) FROM network_free"));
  }
}

// Between the look and the lock somebody prolongs it, to a time that has passed too by now but that nobody has judged.
TEST_F(Timers, oneThatWasSetAnewMeanwhileIsJudgedAnew) {
  reserve("p");
  caught_up();
  Other other(db);
  other.execute("SELECT * FROM peers WHERE name = 'p' FOR UPDATE");
  std::thread expiring([&] { run_timers(); });
  EXPECT_TRUE(waiting_for_locks(1));
  other.execute("UPDATE peers SET reserved_until = reserved_until + interval '2 seconds' WHERE name = 'p'");
  other.execute("UPDATE timers SET due_at = due_at + interval '2 seconds'");
  other.commit();
  expiring.join();
  EXPECT_EQ("reserved", stage("p"));
  EXPECT_EQ(1U, run_timers());
  EXPECT_EQ("unknown", stage("p"));
}

TEST_F(Timers, oneThatCannotBeCarriedOutIsNotInTheWayOfOthers) {
  reserve("bad");
  reserve("p");
  caught_up();
  db.execute("ALTER TABLE peers ADD CONSTRAINT no_bad CHECK (name <> 'bad' OR stage = 'reserved')");
  EXPECT_EQ(2U, run_timers());
  EXPECT_EQ("reserved", stage("bad"));
  EXPECT_EQ("unknown", stage("p"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM timers WHERE due_at > clock_now()"));
}

TEST_F(Timers, dunningReleasesAllPeersOfASubscriberInTheEnd) {
  execute({provision("p", "s"), provision("q", "s"), provision("other")});
  TestEvent suspend = subscriber_event("suspend", "acme", "s");
  suspend.cloud_event["data"].update({{"grace_seconds", 60}, {"release_after_seconds", 3600}});
  const Message& message = log.append(suspend, 3, *intake.clock());
  ASSERT_TRUE(StoreTest::execute(intake, {&message}).has_value());
  sweep_all();
  EXPECT_EQ("active", entitlement("p"));
  set_clock_ahead("2 minutes");
  caught_up();
  EXPECT_EQ(1U, run_timers());
  sweep_all();
  EXPECT_EQ("suspended", entitlement("p"));
  set_clock_ahead("3 hours");
  caught_up();
  EXPECT_EQ(1U, run_timers());
  sweep_all();
  EXPECT_EQ("revoked", entitlement("p"));
  EXPECT_EQ("revoked", entitlement("q"));
  EXPECT_EQ("active", entitlement("other"));
  EXPECT_EQ(1, db.number("SELECT peer_count FROM tenants WHERE name = 'acme'"));
  EXPECT_EQ(1, db.number("SELECT peer_count FROM servers WHERE name = 'srv'"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM timers"));
}

TEST_F(Timers, aCustomersHoldReachesThePeersOfItsSubscribers) {
  TestEvent mine = provision("p", "s");
  mine.cloud_event["data"]["customer"] = "c";
  execute({mine, provision("other", "t")});
  const TestEvent hold = event("subscriber.suspend", {{"tenant", "acme"}, {"customer", "c"}}, "acme/c");
  execute({hold});
  EXPECT_EQ("accepted", decision(hold).first) << decision(hold).second;
  EXPECT_EQ(1, db.number("SELECT count(*) FROM wanted_peers"));
  sweep_all();
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_EQ("active", entitlement("other"));
}

TEST_F(Timers, aRotationSwitchesWithoutWaitingForIntake) {
  execute({provision("p")});
  const std::string old_key = key_of("p");
  const std::string new_key = key_pair();
  execute({event("peer.rotate_key", {{"tenant", "acme"}, {"peer", "p"}, {"public_key", new_key}, {"stage_seconds", 60}},
                 "acme/p")});
  EXPECT_EQ(new_key, db.value("SELECT staged_key FROM peers WHERE name = 'p'"));
  set_clock_ahead("1 year");
  EXPECT_EQ(1U, run_timers());
  EXPECT_EQ(new_key, db.value("SELECT public_key FROM peers WHERE name = 'p'"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM removals WHERE public_key = '" + old_key + "'"));
  const TestEvent again = peer_provision("acme", "q", "srv", old_key);
  execute({again});
  EXPECT_EQ("key_unavailable", decision(again).second);
}

}  // namespace
}  // namespace peerwright::test
