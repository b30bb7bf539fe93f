#include <future>
#include <new>

#include "../src/store/db.hpp"
#include "store_support.hpp"

// Intake's safeguards (docs/model), one test each, on two stores where two workers are needed.
namespace peerwright::test {
namespace {

using Decision = std::pair<std::string, std::string>;
const Decision kAccepted{"accepted", ""};

class Intake : public StoreTest {
 protected:
  Intake() : rival(db.database(), sealer) { register_server(); }
  std::future<Result<store::BatchReport>> in_background(const std::vector<const Message*>& messages) {
    return std::async(std::launch::async, [this, messages] { return execute(rival, messages); });
  }
  std::int64_t position(int partition) {
    return db.number("SELECT next_offset FROM intake WHERE partition = " + std::to_string(partition));
  }
  static nlohmann::json of(const char* server, const char* range) {
    return {{"server", server}, {"allowed_ips", {range}}};
  }
  static TestEvent mesh(const nlohmann::json& members) {
    return event("mesh.set", {{"mesh", "m"}, {"members", members}}, "mesh/m");
  }
  store::IntakeStore rival;
};

TEST_F(Intake, casMakesTheLaterOfTwoWorkersReread) {
  const std::vector<const Message*> messages = {&log.append(provision("p"), 1), &log.append_text("no event", 1)};
  ASSERT_TRUE(execute(intake, messages).has_value());
  const auto again = execute(rival, messages);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ("offset_moved", again.error().code);
  EXPECT_EQ(Retry::later, again.error().retry);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM dead_letters"));
  EXPECT_EQ(2, position(1));
  const auto positions = rival.positions({{kTopic, 1}, {"unheard", 0}});
  ASSERT_TRUE(positions.has_value());
  EXPECT_EQ(1U, positions->size());
  EXPECT_EQ(2, positions->at({kTopic, 1}));
}

TEST_F(Intake, casHoldsAgainstATransactionThatIsStillOpen) {
  const std::vector<const Message*> messages = {&log.append_text("no event", 1)};
  Other other(db);
  other.execute("UPDATE intake SET next_offset = 1 WHERE partition = 1");
  auto waiting = in_background(messages);
  ASSERT_TRUE(waiting_for_locks());
  other.commit();
  const auto report = waiting.get();
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ("offset_moved", report.error().code);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM dead_letters"));
}

TEST_F(Intake, casRefusesAPartitionThatNobodyBegan) {
  Message message = log.append(provision("p"));
  message.partition = 99;
  const auto report = execute(intake, {&message});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ("offset_moved", report.error().code);
}

TEST_F(Intake, inboxLetsEveryEventActOnce) {
  const TestEvent event = provision("p").with_sequence(std::nullopt);
  execute({event, event});
  EXPECT_EQ(kAccepted, decision(event));
  const auto again = execute({event}, 1);  // a copy on another partition
  EXPECT_EQ(0U, again.executed);
  EXPECT_EQ(1U, again.duplicates);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM audit WHERE event_id = '" + event.id() + "'"));
  EXPECT_EQ(1, of_peer("p", "version"));
  EXPECT_EQ(1, position(1));  // absorbed, not left to be read again
}

TEST_F(Intake, inboxWaitsForATransactionWithTheSameEvent) {
  const TestEvent event = provision("p");
  const Message& message = log.append(event, 1);
  const auto hash = hex_of(arrival_of(message).event->payload_hash);
  Other other(db);
  other.execute("INSERT INTO inbox (source, id, payload_hash) VALUES ('billing', '" + event.id() + "', decode('" +
                hash + "', 'hex'))");
  auto waiting = in_background({&message});
  ASSERT_TRUE(waiting_for_locks());
  other.commit();
  const auto report = waiting.get();
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(1U, report->duplicates);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM peers"));
}

TEST_F(Intake, inboxTellsAnotherPayloadUnderTheSameIdAndAlerts) {
  const TestEvent first = provision("p");
  const TestEvent forged = provision("q").with_id(first.id());
  execute({first});
  const auto report = execute({forged});
  EXPECT_EQ(1U, report.reused_ids);
  EXPECT_EQ(1U, report.dead_letter_codes.at("id_reused"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM peers WHERE name = 'q'"));
  EXPECT_EQ("id_reused", db.value("SELECT code FROM dead_letters"));
  const TestEvent other_source = provision("r").from("orchestrator").with_id(first.id());
  execute({other_source});
  EXPECT_EQ("active", entitlement("r"));  // an id is its source's alone
}

// A source that may not speak here must not be able to use up an id of the one that it names.
TEST_F(Intake, inboxKeepsNoIdOfAnEventThatWasRefusedUnseen) {
  const TestEvent event = provision("p");
  const Message& forged = log.append(event, 1);
  auto batch = Log::batch({&forged});
  batch[0].verdict = domain::rejected("source_not_bound", "not here", "bind it");
  const auto refused = intake.execute(batch, Log::cursors({&forged}));
  ASSERT_TRUE(refused.has_value()) << refused.error().message;
  EXPECT_EQ(1U, refused->rejections.at("source_not_bound"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM peers"));
  const auto report = execute({event});  // the same event from where it may come
  EXPECT_EQ(1U, report.executed);
  EXPECT_EQ(kAccepted, decision(event));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM peers"));
}

TEST_F(Intake, identFirstWaitsForAnIdentityThatIsBeingMade) {
  execute({provision("neighbour")});  // makes the tenant
  const TestEvent event = provision("p");
  Other other(db);
  other.execute("INSERT INTO peers (tenant_id, name) SELECT id, 'p' FROM tenants WHERE name = 'acme'");
  auto waiting = in_background({&log.append(event, 1)});
  ASSERT_TRUE(waiting_for_locks());
  other.commit();
  const auto report = waiting.get();
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(kAccepted, decision(event));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM peers WHERE name = 'p' AND stage = 'provisioned'"));
}

TEST_F(Intake, identFirstMakesRowsThatCarryTheFirstWord) {
  const TestEvent hold = peer_event("suspend", "acme", "p");
  execute({hold, subscriber_event("suspend", "acme", "s"), peer_event("revoke", "acme", "q")});
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_EQ("revoked", entitlement("q"));
  execute({provision("p"), provision("r", "s")});
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_EQ("suspended", entitlement("r"));
}

TEST_F(Intake, reloadTurnsAKeyThatWasJustTakenIntoARejection) {
  execute({provision("holder"), peer_event("suspend", "acme", "rival")});
  const TestEvent event = provision("p");
  const Message& message = log.append(event, 1);
  Other other(db);
  other.execute("UPDATE peers SET public_key = '" + key_of("p") + "' WHERE name = 'rival'");
  auto waiting = in_background({&message});
  ASSERT_TRUE(waiting_for_locks());
  other.commit();
  const auto first = waiting.get();
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ("db_unique", first.error().code);
  EXPECT_EQ(Retry::never, first.error().retry);
  EXPECT_EQ(0, position(1));
  const auto anew = execute(rival, {&message});
  ASSERT_TRUE(anew.has_value()) << anew.error().message;
  EXPECT_EQ((Decision{"rejected", "key_unavailable"}), decision(event));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM dead_letters"));
}

// The look finds whom a rule names; another may be named by the time that it is locked.
TEST_F(Intake, reloadWhereARuleNamesAnotherPeerOnceItIsLocked) {
  const auto rule = [](const char* peer) {
    return event("rule.set", {{"tenant", "acme"}, {"rule", "r"}, {"source_peer", peer}, {"action", "deny"}}, "acme");
  };
  execute({provision("p"), provision("q"), rule("p")});
  const TestEvent removed = event("rule.remove", {{"tenant", "acme"}, {"rule", "r"}}, "acme");
  const Message& message = log.append(removed, 1);
  Other other(db);
  other.execute("UPDATE access_rules SET source_peer_id = (SELECT id FROM peers WHERE name = 'q')");
  auto waiting = in_background({&message});
  ASSERT_TRUE(waiting_for_locks());
  other.commit();
  const auto first = waiting.get();
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ("db_conflict", first.error().code);
  ASSERT_TRUE(execute(rival, {&message}).has_value());
  EXPECT_EQ(kAccepted, decision(removed));
}

TEST_F(Intake, reloadWhereAMeshHasAnotherMemberOnceItIsLocked) {
  for (const char* name : {"two", "three"}) {
    const std::string net = name == std::string("two") ? "10.201.0" : "10.202.0";
    register_server(name, {{"ipv4", net + ".0/24"}, {"ipv6", nullptr}, {"reserved", {net + ".1"}}});
  }
  const TestEvent first_word = mesh({of("srv", "172.20.0.0/24"), of("two", "172.21.0.0/24")});
  execute({first_word});
  ASSERT_EQ(kAccepted, decision(first_word));
  const TestEvent again = mesh({of("srv", "172.20.0.0/24"), of("two", "172.21.0.0/24")});
  const Message& message = log.append(again, 1);
  Other other(db);
  other.execute(R"(UPDATE meshes SET members = (members::jsonb || '[{"name": "three", "managed": true}]')::text)");
  auto waiting = in_background({&message});
  ASSERT_TRUE(waiting_for_locks());
  other.commit();
  const auto refused = waiting.get();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ("db_conflict", refused.error().code);
  ASSERT_TRUE(execute(rival, {&message}).has_value());  // finds the member, which has no entry yet
  EXPECT_EQ(kAccepted, decision(again));
}

// A node's key stands in no table of peers: whoever gives a key to a peer meanwhile has to be waited for.
TEST_F(Intake, keysOfNodesWaitForWhoeverGivesAKey) {
  const TestEvent named =
      mesh({of("srv", "172.20.0.0/24"),
            {{"name", "office"}, {"public_key", key_pair()}, {"allowed_ips", {"192.168.77.0/24"}}}});
  const Message& message = log.append(named, 1);
  Other other(db);
  other.execute("LOCK TABLE used_keys IN ROW SHARE MODE");
  auto waiting = in_background({&message});
  EXPECT_TRUE(waiting_for_locks());
  other.commit();
  const auto report = waiting.get();
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(kAccepted, decision(named));
}

TEST_F(Intake, exhaustedMemoryIsNoMessagesFault) {
  store::Db own(db.database(), "test");
  const auto failed = own.transact([](store::Tx&) -> Result<void> { throw std::bad_alloc(); });
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ("db_overloaded", failed.error().code);
  EXPECT_EQ(Retry::later, failed.error().retry);
}

TEST_F(Intake, perOwnerAPaymentLiftsNoAbuseBlock) {
  execute({provision("p")});
  execute({peer_event("suspend", "acme", "p")}, 1);
  const Message& block = log.append(peer_event("suspend", "acme", "p").from("security"), 2);
  ASSERT_TRUE(execute(rival, {&block}).has_value());
  execute({peer_event("resume", "acme", "p")}, 1);
  EXPECT_EQ("suspended", entitlement("p"));
  execute({peer_event("suspend", "acme", "p").from("peerwright-cli/alice"),
           peer_event("resume", "acme", "p").from("peerwright-cli/bob"),
           peer_event("resume", "acme", "p").from("security")});
  EXPECT_EQ("active", entitlement("p"));
  EXPECT_EQ(3, db.number("SELECT count(*) FROM holds WHERE NOT held"));  // billing, security, operator
}

TEST_F(Intake, resumeStoredOutlivesItsTransaction) {
  execute({provision("p")});
  const TestEvent resume = peer_event("resume", "acme", "p").with_sequence(2'000'000);
  const TestEvent suspend = peer_event("suspend", "acme", "p").with_sequence(1'000'000);
  execute({resume}, 1);
  const Message& late = log.append(suspend, 2);
  ASSERT_TRUE(execute(rival, {&late}).has_value());
  EXPECT_EQ((Decision{"rejected", "stale"}), decision(suspend));
  EXPECT_EQ("active", entitlement("p"));
}

TEST_F(Intake, revokeAnyTimeIsTheLastWord) {
  execute({provision("p").with_sequence(2'000'000)});
  const TestEvent revoke = peer_event("revoke", "acme", "p").with_sequence(1);
  execute({revoke}, 1);
  EXPECT_EQ(kAccepted, decision(revoke));
  EXPECT_EQ("revoked", entitlement("p"));
  const TestEvent again = provision("p").with_sequence(3'000'000);
  execute({again});
  EXPECT_EQ((Decision{"rejected", "peer_revoked"}), decision(again));
}

TEST_F(Intake, monoTsCountsNoMessageEarlierThanItsPredecessor) {
  execute({provision("p")});
  const Time noon = time_from_micros(1'770'000'000'000'000);
  const auto word = [](const char* verb) { return peer_event(verb, "acme", "p").with_sequence(std::nullopt); };
  const Message& suspend = log.append(word("suspend"), 1, noon);
  const Message& resume = log.append(word("resume"), 1, noon - std::chrono::seconds(10));  // after a leader change
  ASSERT_TRUE(execute(intake, {&suspend, &resume}).has_value());
  EXPECT_EQ("active", entitlement("p"));
  const Message& block = log.append(word("suspend"), 1, noon - std::chrono::seconds(20));  // in a batch of its own
  ASSERT_TRUE(execute(rival, {&block}).has_value());
  EXPECT_EQ("suspended", entitlement("p"));
}

TEST_F(Intake, withoutSequencesThePartitionsClocksDecide) {
  execute({provision("p")});
  const Time noon = time_from_micros(1'770'000'000'000'000);
  const auto word = [](const char* verb) { return peer_event(verb, "acme", "p").with_sequence(std::nullopt); };
  const Message& later = log.append(word("resume"), 1, noon);
  const TestEvent suspend = word("suspend");
  const Message& earlier = log.append(suspend, 2, noon - std::chrono::seconds(10));
  ASSERT_TRUE(execute(intake, {&later}).has_value());
  ASSERT_TRUE(execute(rival, {&earlier}).has_value());
  EXPECT_EQ((Decision{"rejected", "stale"}), decision(suspend));
  EXPECT_EQ("active", entitlement("p"));
}

TEST_F(Intake, whatCannotBeReadBecomesADeadLetterWithItsBytesSealed) {
  const Message& message = log.append_text("{\"secret\": \"hunter2\"");
  const auto report = execute(intake, {&message});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(1U, report->dead_letters);
  const std::string offset = std::to_string(message.offset);
  const auto row = db.rows("SELECT code, encode(sealed, 'escape') LIKE '%hunter2%' FROM dead_letters")[0];
  EXPECT_NE("", row[0]);
  EXPECT_EQ("f", row[1]);
  EXPECT_EQ("dead_letter/events/0/" + offset, db.value("SELECT ce_id FROM outbox WHERE channel = 'dead_letter'"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM outbox WHERE body LIKE '%hunter2%'"));
}

// The worker halves a batch that Postgres refuses until one message is left alone, and buries that one.
TEST_F(Intake, buryMovesOnPastTheOneMessageThatCannotBeExecuted) {
  db.execute("ALTER TABLE peers ADD CONSTRAINT no_bad CHECK (name <> 'bad' OR stage <> 'provisioned')");
  const TestEvent bad = provision("bad");
  const std::vector<const Message*> all = {&log.append(provision("a"), 1), &log.append(bad, 1),
                                           &log.append(provision("b"), 1)};
  const auto whole = execute(intake, all);
  ASSERT_FALSE(whole.has_value());
  EXPECT_EQ("db_refused", whole.error().code);
  EXPECT_EQ(Retry::never, whole.error().retry);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM peers"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM inbox WHERE id = '" + bad.id() + "'"));
  ASSERT_TRUE(execute(intake, {all[0]}).has_value());
  ASSERT_FALSE(execute(intake, {all[1]}).has_value());
  const Error why{"cannot_be_executed", whole.error().message, "report it", Retry::never};
  const auto arrival = arrival_of(*all[1]);
  const auto cursor = Log::cursors({all[1]})[0];
  ASSERT_TRUE(intake.bury(arrival, cursor, why).has_value());
  const auto zombie = rival.bury(arrival, cursor, why);
  ASSERT_FALSE(zombie.has_value());
  EXPECT_EQ("offset_moved", zombie.error().code);
  ASSERT_TRUE(execute(intake, {all[2]}).has_value());
  EXPECT_EQ("active", entitlement("a"));
  EXPECT_EQ("active", entitlement("b"));
  EXPECT_EQ(3, position(1));
  EXPECT_EQ("cannot_be_executed", db.value("SELECT code FROM dead_letters"));
  EXPECT_EQ(bad.id(), db.value("SELECT event_id FROM dead_letters"));
}

TEST_F(Intake, aRejectionBurnsNoAddress) {
  register_server("small", {{"ipv4", "10.7.0.0/29"}, {"ipv6", "fd07::/64"}, {"reserved", {"10.7.0.1"}}},
                  {{"max_peers", 2}});
  execute({provision("a", {}, "small"), provision("b", {}, "small")});
  const std::string counter = "SELECT next_offset FROM networks WHERE name = 'net-small'";
  const std::int64_t before = db.number(counter);
  const TestEvent full = provision("c", {}, "small");
  execute({full});
  EXPECT_EQ((Decision{"rejected", "server_full"}), decision(full));
  EXPECT_EQ(before, db.number(counter));
  EXPECT_EQ(2, of_peer("a", "address_offset"));
  EXPECT_EQ(3, of_peer("b", "address_offset"));
}

TEST_F(Intake, aRejectionIsSaidWithItsCodeAndRemedy) {
  const TestEvent event = provision("p", {}, "nowhere");
  execute({event});
  EXPECT_EQ((Decision{"rejected", "unknown_server"}), decision(event));
  const auto body =
      nlohmann::json::parse(db.value("SELECT body FROM outbox WHERE ce_id = 'rejected/billing/" + event.id() + "'"));
  EXPECT_EQ("unknown_server", body["code"]);
  EXPECT_FALSE(body["remedy"].get<std::string>().empty());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM dead_letters"));
}

TEST_F(Intake, theClusterIsRememberedAndCompared) {
  EXPECT_TRUE(intake.check_cluster("one").has_value());
  EXPECT_TRUE(rival.check_cluster("one").has_value());
  const auto other = rival.check_cluster("two");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ("kafka_cluster_changed", other.error().code);
  EXPECT_EQ(Retry::never, other.error().retry);
}

TEST_F(Intake, aPartitionBeginsWhereTheLogBeganIfItWasThereFromTheFirst) {
  EXPECT_EQ(5, intake.begin_partition("new", 0, 5, 2).value_or(-1));
  EXPECT_EQ(7, rival.begin_partition("new", 1, 7, 2).value_or(-1));
  EXPECT_EQ(0, rival.begin_partition("new", 2, 9, 3).value_or(-1));   // added later: nothing before it was ever read
  EXPECT_EQ(5, rival.begin_partition("new", 0, 99, 3).value_or(-1));  // what is there is kept
  EXPECT_EQ(4, intake.begin_partition("other", 2, 4, 3).value_or(-1));
}

TEST_F(Intake, aDatabaseThatIsAwayIsAFaultThatPasses) {
  store::Database away;
  away.dsn = "host=127.0.0.1 port=1 user=postgres dbname=postgres";
  store::IntakeStore cut_off(away, sealer);
  const auto report = execute(cut_off, {&log.append(provision("p"))});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ("db_unavailable", report.error().code);
  EXPECT_EQ(Retry::later, report.error().retry);
}

TEST_F(Intake, aConnectionThatBreaksIsMadeAnew) {
  execute({provision("p")});
  db.execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
      "application_name = 'peerwright intake'");
  const TestEvent event = peer_event("suspend", "acme", "p");
  const Message& message = log.append(event);
  const auto broken = execute(intake, {&message});
  if (!broken) {
    EXPECT_EQ(Retry::later, broken.error().retry) << broken.error().code;
    ASSERT_TRUE(execute(intake, {&message}).has_value());
  }
  EXPECT_EQ(kAccepted, decision(event));
}

}  // namespace
}  // namespace peerwright::test
