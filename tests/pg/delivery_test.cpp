#include "delivery_support.hpp"
#include "peerwright/wireguard/key.hpp"

// Delivery's safeguards (docs/model), one test each: two workers, one database, a host that does what it is told.
namespace peerwright::test {
namespace {

using Delivery = DeliveryTest;

TEST_F(Delivery, aNewServerIsReadBeforeAnythingIsPushed) {
  register_server("second");
  execute({provision("p", {}, "second")});
  EXPECT_EQ("t", of_delivery("in_doubt", "second"));
  const auto push = planned(delivery, me);
  EXPECT_EQ(wireguard::PushMode::reading, push.mode);
  EXPECT_TRUE(push.plan.peers.empty() && push.plan.removals.empty());
  ASSERT_EQ(1U, push.wanted.size());
  EXPECT_EQ(key_of("p"), push.wanted[0].public_key);
  FakeHost second;
  answered(push, second);
  EXPECT_NE("", db.value("SELECT public_key FROM servers WHERE name = 'second'"));  // learned from the reading
  EXPECT_EQ(1, deliver(delivery, me, second));
  EXPECT_TRUE(applied("p"));
}

TEST_F(Delivery, planTxRaisesTheNumberNotesTheDoubtAndMarksInOneCommit) {
  execute({provision("p"), provision("q")});
  deliver(delivery, me, host);
  execute({peer_event("suspend", "acme", "p")});
  const std::int64_t before = db.number("SELECT push_no FROM deliveries");
  const auto push = planned(delivery, me);
  EXPECT_EQ(before + 1, push.push_number);
  EXPECT_EQ(before + 1, db.number("SELECT push_no FROM deliveries"));
  EXPECT_TRUE(in_doubt());
  EXPECT_TRUE(push.urgent);
  EXPECT_EQ(std::vector<std::string>{key_of("p")}, push.plan.removals);
  EXPECT_EQ(1, of_peer("p", "(proven IS NULL)::int"));
  EXPECT_EQ(0, of_peer("q", "(proven IS NULL)::int"));  // not part of it
  EXPECT_EQ(db.number("SELECT generation FROM servers"), push.planned_generation);
}

// Hole 1 of the model: a plan that is overtaken must not be pushed under a number of its own.
TEST_F(Delivery, planTxKeepsAnOldPlanFromUndoingANewerOne) {
  execute({provision("p")});
  deliver(delivery, me, host);
  execute({peer_event("suspend", "acme", "p")});
  const auto slow = planned(delivery, me);
  silence(me);
  execute({peer_event("resume", "acme", "p")});
  deliver(rival, other, host);
  EXPECT_TRUE(applied("p"));
  EXPECT_FALSE(host.run(slow).has_value());  // its number is not greater
  EXPECT_EQ(std::set<std::string>{key_of("p")}, host.keys());
}

TEST_F(Delivery, finishWhereThePushIsStillTheLastOne) {
  execute({provision("p")});
  const auto first = planned(delivery, me);
  const auto answer = host.run(first);
  ASSERT_TRUE(answer.has_value());
  silence(me);
  const auto second = planned(rival, other);
  EXPECT_GT(second.push_number, first.push_number);
  const auto before = db.rows("SELECT * FROM deliveries, peers, servers");
  const auto outbox = db.number("SELECT count(*) FROM outbox");
  const auto finished = delivery.finish(me, first, *answer, FakeHost::proof(first, *answer));
  ASSERT_FALSE(finished.has_value());
  EXPECT_EQ("push_overtaken", finished.error().code);
  EXPECT_EQ(Retry::later, finished.error().retry);
  EXPECT_EQ(before, db.rows("SELECT * FROM deliveries, peers, servers"));
  EXPECT_EQ(outbox, db.number("SELECT count(*) FROM outbox"));
  EXPECT_FALSE(applied("p"));
}

TEST_F(Delivery, finishWhereTheLeaseWasTakenOverIsRefusedToo) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  const auto answer = host.run(push);
  silence(me);
  ASSERT_EQ(1U, rival.claim(other, {}, 1, kDeadAfter)->size());
  const auto finished = delivery.finish(me, push, *answer, FakeHost::proof(push, *answer));
  ASSERT_FALSE(finished.has_value());
  EXPECT_FALSE(applied("p"));
  EXPECT_TRUE(in_doubt());
  failed(push);  // of the one who has it no more: no effect
  EXPECT_EQ(other, of_delivery("worker_id"));
  EXPECT_EQ("0", of_delivery("attempts"));
}

TEST_F(Delivery, finishWhereTheServerWasRegisteredElsewhereMeanwhileIsRefusedThoughTheLeaseStands) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  const auto answer = host.run(push);  // of the machine that it was
  register_server("srv", nlohmann::json::object(), {{"interface", "wg1"}});
  ASSERT_EQ(me, of_delivery("worker_id"));
  const auto finished = delivery.finish(me, push, *answer, FakeHost::proof(push, *answer));
  ASSERT_FALSE(finished.has_value()) << "what the old machine showed was stored as the new one's";
  EXPECT_EQ("push_overtaken", finished.error().code);
  EXPECT_FALSE(applied("p"));
  EXPECT_TRUE(in_doubt());
}

TEST_F(Delivery, doubtFirstMakesTheNextPlanAReading) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  EXPECT_EQ(wireguard::PushMode::push, push.mode);
  EXPECT_TRUE(in_doubt());
  failed(push, "host_answer_incomplete");
  EXPECT_TRUE(in_doubt());
  EXPECT_EQ(wireguard::PushMode::reading, planned(delivery, me).mode);
}

TEST_F(Delivery, readRaisesThePushNumber) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  failed(push);
  const auto reading = planned(delivery, me);
  EXPECT_EQ(push.push_number + 1, reading.push_number);
  answered(reading, host);
  EXPECT_FALSE(host.run(push).has_value());  // the one that came late
  EXPECT_EQ(0U, host.keys().size());
}

TEST_F(Delivery, dueUpToClearsOnlyWhatWasPlanned) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  execute({provision("q"), peer_event("suspend", "acme", "p")});
  const auto answer = host.run(push);
  const auto finished = delivery.finish(me, push, *answer, FakeHost::proof(push, *answer));
  ASSERT_TRUE(finished.has_value());
  EXPECT_TRUE(finished->still_due);
  EXPECT_TRUE(due());
  EXPECT_FALSE(applied("p"));  // its generation is newer than the plan
  deliver(delivery, me, host);
  EXPECT_EQ(std::set<std::string>{key_of("q")}, host.keys());
  EXPECT_TRUE(applied("p") && applied("q"));
  EXPECT_FALSE(due());
}

TEST_F(Delivery, rowsForUnprovenPeersStayUntilTheKeyIsProvenGone) {
  execute({provision("p")});
  const auto lost = planned(delivery, me);
  host.run(lost);  // it got there, but the answer did not come back
  failed(lost);
  execute({peer_event("revoke", "acme", "p")});
  EXPECT_EQ(std::set<std::string>{key_of("p")}, removal_keys());
  EXPECT_EQ(1, of_peer("p", "(address_offset IS NOT NULL)::int"));
  deliver(delivery, me, host);
  EXPECT_TRUE(host.keys().empty());
  EXPECT_TRUE(removal_keys().empty());
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ(1, of_peer("p", "(address_offset IS NULL)::int"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM network_free"));
}

TEST_F(Delivery, readStoreKeepsWhatTheReadingShowed) {
  execute({provision("p"), provision("q")});
  deliver(delivery, me, host);
  host.peers.erase(key_of("p"));  // the host lost it
  execute({provision("r")});
  failed(planned(delivery, me));
  const auto reading = planned(delivery, me);
  ASSERT_EQ(wireguard::PushMode::reading, reading.mode);
  answered(reading, host);
  EXPECT_FALSE(in_doubt());
  EXPECT_FALSE(applied("p"));  // known in the commit that lifted the doubt
  EXPECT_TRUE(applied("q"));
  EXPECT_TRUE(due());
  deliver(delivery, me, host);
  EXPECT_EQ((std::set<std::string>{key_of("p"), key_of("q"), key_of("r")}), host.keys());
  EXPECT_TRUE(applied("p") && applied("r"));
}

TEST_F(Delivery, fileProofIsPartOfTheProof) {
  execute({provision("p"), provision("q")});
  const auto push = planned(delivery, me);
  const auto answer = host.run(push);
  auto proof = FakeHost::proof(push, *answer);
  proof[key_of("p")] = std::nullopt;  // the file says something else than the kernel
  ASSERT_TRUE(delivery.finish(me, push, *answer, proof).has_value());
  EXPECT_FALSE(applied("p"));
  EXPECT_TRUE(applied("q"));
  EXPECT_TRUE(due());
  deliver(delivery, me, host);
  execute({peer_event("suspend", "acme", "p")});
  const auto removal = planned(delivery, me);
  const auto gone = host.run(removal);
  proof = FakeHost::proof(removal, *gone);
  proof[key_of("p")] = std::nullopt;  // gone from the kernel, still in the file
  ASSERT_TRUE(delivery.finish(me, removal, *gone, proof).has_value());
  EXPECT_EQ(std::set<std::string>{key_of("p")}, removal_keys());
  EXPECT_TRUE(due());
}

TEST_F(Delivery, sayCollapsedChangesAreSaidWithoutAPush) {
  execute({provision("p")});
  deliver(delivery, me, host);
  const int runs = host.runs;
  execute({peer_event("suspend", "acme", "p"), peer_event("resume", "acme", "p")});
  EXPECT_FALSE(applied("p"));
  EXPECT_TRUE(due());
  EXPECT_EQ(0, deliver(delivery, me, host));
  EXPECT_EQ(runs, host.runs);
  EXPECT_TRUE(applied("p"));
  EXPECT_FALSE(due());
  const auto said = nlohmann::json::parse(
      db.value("SELECT body FROM outbox WHERE ce_type = 'peerwright.peer.status.v1' ORDER BY id DESC LIMIT 1"));
  EXPECT_EQ("applied", said["delivery"]);
  EXPECT_EQ("active", said["entitlement"]);
}

TEST_F(Delivery, sayCollapsedChangesAreSaidBesideAPush) {
  execute({provision("p")});
  deliver(delivery, me, host);
  execute({peer_event("suspend", "acme", "p"), peer_event("resume", "acme", "p"), provision("q")});
  const auto push = planned(delivery, me);
  ASSERT_EQ(1U, push.plan.peers.size());
  EXPECT_EQ(key_of("q"), push.plan.peers[0].public_key);
  answered(push, host);
  EXPECT_TRUE(applied("p") && applied("q"));
}

TEST_F(Delivery, seenMarksAKeyThatStandsThereAndMustNot) {
  execute({peer_event("suspend", "acme", "p")});
  execute({provision("p")});
  deliver(delivery, me, host);
  EXPECT_TRUE(removal_keys().empty());                            // it never was there
  host.peers[key_of("p")] = {key_of("p"), {"10.200.0.2/32"}, 0};  // by hand
  execute({provision("q")});
  failed(planned(delivery, me));
  answered(planned(delivery, me), host);
  EXPECT_EQ(std::set<std::string>{key_of("p")}, removal_keys());
  deliver(delivery, me, host);
  EXPECT_EQ(std::set<std::string>{key_of("q")}, host.keys());
}

TEST_F(Delivery, aKeyThatNobodyKnowsIsLeftAlone) {
  const std::string stranger = wireguard::generate_key_pair().public_key;
  host.peers[stranger] = {stranger, {"192.0.2.200/32"}, 0};
  execute({provision("p")});
  failed(planned(delivery, me));
  deliver(delivery, me, host);
  EXPECT_EQ((std::set<std::string>{stranger, key_of("p")}), host.keys());
  EXPECT_TRUE(removal_keys().empty());
}

TEST_F(Delivery, anAddressRestsFromTheProofOn) {
  register_server("tiny", {{"ipv4", "10.8.0.0/30"},
                           {"ipv6", nullptr},
                           {"reserved", nlohmann::json::array()},
                           {"quarantine_seconds", 3600}});
  execute({provision("a", {}, "tiny"), provision("b", {}, "tiny")});
  FakeHost tiny;
  deliver(delivery, me, tiny);
  execute({peer_event("revoke", "acme", "a")});
  EXPECT_EQ(0, db.number("SELECT count(*) FROM network_free"));  // asked for, not proven
  deliver(delivery, me, tiny);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM network_free WHERE available_at > now() + interval '50 minutes'"));
  const TestEvent early = provision("c", {}, "tiny");
  execute({early});
  EXPECT_EQ((std::pair<std::string, std::string>{"rejected", "addresses_exhausted"}), decision(early));
  db.execute("UPDATE network_free SET available_at = now()");
  execute({provision("d", {}, "tiny")});
  EXPECT_EQ(1, of_peer("d", "address_offset"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM network_free"));
}

TEST_F(Delivery, urgentPushesTakeFewAdditionsAndOthersComeInChunks) {
  std::vector<TestEvent> events;
  for (int i = 0; i < 30; ++i) events.push_back(provision("p" + std::to_string(i)));
  execute(events);
  store::DeliveryLimits limits{10, 12, 3};
  ASSERT_EQ(1U, delivery.claim(me, {}, 1, kDeadAfter)->size());
  auto push = delivery.plan(me, server_id(), limits);
  ASSERT_TRUE(push && *push);
  EXPECT_EQ(12U, (*push)->plan.peers.size());
  EXPECT_FALSE((*push)->urgent);
  answered(**push, host);
  EXPECT_TRUE(due());
  execute({peer_event("suspend", "acme", "p0")});
  ASSERT_EQ(1U, delivery.claim(me, {}, 1, kDeadAfter)->size());
  push = delivery.plan(me, server_id(), limits);
  ASSERT_TRUE(push && *push);
  EXPECT_TRUE((*push)->urgent);
  EXPECT_EQ(3U, (*push)->plan.peers.size());
  EXPECT_EQ(std::vector<std::string>{key_of("p0")}, (*push)->plan.removals);
  answered(**push, host);
  deliver(delivery, me, host);
  EXPECT_EQ(29U, host.keys().size());
}

TEST_F(Delivery, aFailureIsNotedAndTriedAgainLater) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  const Error why{"ssh_unreachable", "no answer", "", Retry::later};
  ASSERT_TRUE(delivery.fail(me, push.server.id, why, std::chrono::hours(1)).has_value());
  EXPECT_EQ("ssh_unreachable", of_delivery("error_code"));
  EXPECT_EQ("1", of_delivery("attempts"));
  EXPECT_TRUE(due());
  EXPECT_TRUE(claimed(delivery, me, 10).empty());
  db.execute("UPDATE deliveries SET next_attempt_at = now()");
  EXPECT_EQ(1, planned(delivery, me).attempts);
  failed(push);
  EXPECT_EQ("2", of_delivery("attempts"));
  deliver(delivery, me, host);
  EXPECT_EQ("0", of_delivery("attempts"));
  EXPECT_EQ("", of_delivery("error_code"));
  EXPECT_TRUE(applied("p"));
}

TEST_F(Delivery, aFailureIsForgottenOnceAReadingLeavesNothingToPush) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  host.run(push);  // only its answer was lost
  failed(push);
  EXPECT_EQ("1", of_delivery("attempts"));
  answered(planned(delivery, me), host);
  EXPECT_FALSE(due());
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ("0", of_delivery("attempts"));
  EXPECT_EQ("", of_delivery("error_code"));
}

TEST_F(Delivery, aPeerThatTheHostRefusesIsSetAsideAndItsNeighboursGoOn) {
  execute({provision("gone"), provision("bad"), provision("good")});
  const auto push = planned(delivery, me);
  const Error why{"prefix_taken_on_host", "a stranger has it", "", Retry::never};
  ASSERT_TRUE(delivery.fail(me, push, why, std::chrono::milliseconds(0), {key_of("bad"), false}).has_value());
  execute({peer_event("suspend", "acme", "gone")});
  deliver(delivery, me, host);
  EXPECT_EQ(std::set<std::string>{key_of("good")}, host.keys());
  EXPECT_TRUE(applied("good") && applied("gone"));
  EXPECT_FALSE(applied("bad"));
  EXPECT_FALSE(due());
  const auto said = nlohmann::json::parse(
      db.value("SELECT body FROM outbox WHERE body::jsonb ->> 'peer' = 'bad' ORDER BY id DESC LIMIT 1"));
  EXPECT_EQ("failed", said["delivery"]);
  execute({peer_event("suspend", "acme", "bad"), peer_event("resume", "acme", "bad")});
  deliver(delivery, me, host);  // a change of the peer tries again
  EXPECT_TRUE(applied("bad"));
}

TEST_F(Delivery, afterAFailureRemovalsGoAlone) {
  execute({provision("p")});
  deliver(delivery, me, host);
  execute({peer_event("suspend", "acme", "p"), provision("q")});
  failed(planned(delivery, me));
  answered(planned(delivery, me), host);  // the reading
  const auto push = planned(delivery, me);
  EXPECT_EQ(std::vector<std::string>{key_of("p")}, push.plan.removals);
  EXPECT_TRUE(push.plan.peers.empty());
  answered(push, host);
  deliver(delivery, me, host);
  EXPECT_EQ(std::set<std::string>{key_of("q")}, host.keys());
}

TEST_F(Delivery, aHostThatShowsNothingOfWhatItWasToldIsTriedAgainLater) {
  execute({provision("p")});
  const auto push = planned(delivery, me);
  const auto answer = host.run(push);
  const wireguard::Proof nothing = {{key_of("p"), ""}};
  ASSERT_TRUE(delivery.finish(me, push, *answer, nothing, std::chrono::hours(1)).has_value());
  EXPECT_TRUE(due());
  EXPECT_EQ("proof_differs", of_delivery("error_code"));
  EXPECT_TRUE(claimed(delivery, me, 10).empty());
}

TEST_F(Delivery, anUrgentChangeDoesNotWaitForTheNextAttempt) {
  execute({provision("p")});
  deliver(delivery, me, host);
  execute({provision("q")});
  const auto push = planned(delivery, me);
  const Error why{"ssh_unreachable", "no answer", "", Retry::later};
  ASSERT_TRUE(delivery.fail(me, push.server.id, why, std::chrono::hours(1)).has_value());
  execute({provision("r")});
  EXPECT_TRUE(claimed(delivery, me, 10).empty());  // a bulk change can wait
  execute({peer_event("suspend", "acme", "p")});
  EXPECT_EQ(1U, claimed(delivery, me, 10).size());
}

}  // namespace
}  // namespace peerwright::test
