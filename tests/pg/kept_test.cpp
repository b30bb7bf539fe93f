#include "../src/worker/bindings.hpp"
#include "store_support.hpp"

// Events that this version does not know: kept in their place, and executed with it once a version does.
namespace peerwright::test {
namespace {

class Kept : public StoreTest {
 protected:
  Kept() { register_server(); }

  TestEvent unknown(const std::string& peer) {
    TestEvent made = provision(peer);
    made.cloud_event["type"] = kUnknown;
    return made;
  }
  std::vector<store::KeptMessage> replayable() { return intake.replayable({kUnknown}, {}, 10).value(); }
  // As a newer version would read it.
  static store::Arrival arrival_of_newer(const store::KeptMessage& message, std::string& text) {
    text = message.payload;
    const auto at = text.find(kUnknown);
    if (at != std::string::npos) text.replace(at, std::string(kUnknown).size(), "peerwright.peer.provision.v1");
    store::Arrival arrival;
    arrival.topic = message.topic;
    arrival.partition = message.partition;
    arrival.offset = message.offset;
    arrival.broker_time = message.broker_time;
    arrival.key = message.key;
    arrival.raw = {text, nullptr};
    auto event = events::decode(arrival.raw);
    EXPECT_TRUE(event.has_value());
    if (event) arrival.event = *std::move(event);
    return arrival;
  }
  void replay(const store::KeptMessage& message) {
    std::string text;
    const auto arrival = arrival_of_newer(message, text);
    const auto report = intake.replay(message.id, arrival);
    EXPECT_TRUE(report.has_value()) << report.error().message;
  }
  std::string states() {
    return db.value("SELECT string_agg(code || ':' || state, ' ' ORDER BY broker_time) FROM dead_letters");
  }
  static constexpr const char* kUnknown = "peerwright.peer.provision.v9";
};

TEST_F(Kept, anUnknownTypeIsNoDeadLetter) {
  const auto report = execute({unknown("p"), provision("q")});
  EXPECT_EQ(1U, report.kept);
  EXPECT_EQ(0U, report.dead_letters);
  EXPECT_EQ("active", entitlement("q"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM outbox WHERE channel = 'dead_letter'"));
  const auto row =
      db.rows("SELECT code, tenant, subjects[1], kept, encode(sealed, 'escape') LIKE '%acme%' FROM dead_letters")[0];
  EXPECT_EQ((std::vector<std::string>{"unknown_type", "acme", "peer/p", "t", "f"}), row);
}

TEST_F(Kept, configurationOfItsSubjectWaitsInOrderAndHoldsDoNot) {
  const TestEvent first = unknown("p");
  execute({first});
  const TestEvent update = event("peer.update", {{"tenant", "acme"}, {"peer", "p"}, {"name", "P"}}, "acme/p");
  execute({update, peer_event("suspend", "acme", "p"), provision("q")}, 1);
  EXPECT_EQ("none", decision(update).first);
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_EQ("active", entitlement("q"));
  EXPECT_EQ("unknown_type:open waits_for_kept:open", states());

  const auto messages = replayable();
  ASSERT_EQ(2U, messages.size());
  replay(messages[1]);  // its turn has not come
  EXPECT_EQ("unknown_type:open waits_for_kept:open", states());
  replay(messages[0]);
  replay(messages[1]);
  EXPECT_EQ("unknown_type:replayed waits_for_kept:replayed", states());
  EXPECT_EQ((std::pair<std::string, std::string>{"accepted", ""}), decision(update));
  EXPECT_EQ("suspended", entitlement("p"));  // the hold came first, the provision was born under it
  EXPECT_EQ("P", db.value("SELECT display_name FROM peers WHERE name = 'p'"));
  EXPECT_TRUE(replayable().empty());
}

TEST_F(Kept, aReplayHasItsFirstPlace) {
  const TestEvent late = unknown("p").with_sequence(std::nullopt);
  execute({late});
  replay(replayable().at(0));
  const auto word = nlohmann::json::parse(db.value("SELECT word FROM peers WHERE name = 'p'"));
  const auto row = db.rows("SELECT (extract(epoch FROM broker_time) * 1000000)::bigint FROM dead_letters")[0];
  EXPECT_NE(std::string::npos, word.dump().find(row[0]));
}

TEST_F(Kept, oneThatCannotBeExecutedStillStays) {
  execute({unknown("bad")});
  db.execute("ALTER TABLE peers ADD CONSTRAINT no_bad CHECK (name <> 'bad' OR stage <> 'provisioned')");
  const auto message = replayable().at(0);
  std::string text;
  const auto arrival = arrival_of_newer(message, text);
  EXPECT_FALSE(intake.replay(message.id, arrival).has_value());
  EXPECT_EQ("cannot_be_executed:open", states());
  db.execute("ALTER TABLE peers DROP CONSTRAINT no_bad");
  db.execute("UPDATE dead_letters SET state = 'replay'");  // an operator wants it again
  EXPECT_EQ(1U, replayable().size());
  replay(message);
  EXPECT_EQ("cannot_be_executed:replayed", states());
  EXPECT_EQ("active", entitlement("bad"));
}

TEST_F(Kept, aReplayThatIsRepeatedChangesNothing) {
  execute({unknown("p")});
  const auto message = replayable().at(0);
  replay(message);
  replay(message);
  EXPECT_EQ(1, of_peer("p", "version"));
}

// Whose source may not speak of a tenant keeps nobody of it waiting, but stays for whoever looks.
TEST_F(Kept, whatComesFromASourceThatIsNotBoundKeepsNobodyWaiting) {
  const Message& forged = log.append(unknown("p"));
  auto batch = Log::batch({&forged});
  batch[0].blocks = false;
  ASSERT_TRUE(intake.execute(batch, Log::cursors({&forged})).has_value());
  EXPECT_EQ("t f", db.value("SELECT left(kept::text, 1) || ' ' || left(blocks::text, 1) FROM dead_letters"));
  execute({unknown("q")});  // the same from one that may
  execute({provision("p"), provision("q")});
  EXPECT_EQ("active", entitlement("p"));
  EXPECT_EQ("unknown_type:open unknown_type:open waits_for_kept:open", states());
}

TEST_F(Kept, onlyABindingMakesOthersWait) {
  const std::vector<SourceBinding> bindings = {{"billing", {}, {"*"}, {"*"}},
                                               {"reseller", {"events"}, {"globex", "globex-*"}, {"peer.*"}}};
  const auto may = [&](const char* source, const char* tenant, const char* topic = "events") {
    return worker::may_block(bindings, topic, source, tenant);
  };
  EXPECT_TRUE(may("billing", "acme"));
  EXPECT_TRUE(may("billing", ""));
  EXPECT_TRUE(may("reseller", "globex"));
  EXPECT_TRUE(may("reseller", "globex-2"));
  EXPECT_FALSE(may("reseller", "globex", "other"));
  EXPECT_FALSE(may("reseller", "acme"));
  EXPECT_FALSE(may("reseller", ""));  // it may be anybody's
  EXPECT_FALSE(may("stranger", "acme"));
  EXPECT_TRUE(may("", "acme"));  // nobody can say whose it is
}

// A line of one that nobody asks for cannot even be read: its time is no number.
TEST_F(Kept, aBatchAsksForItsOwnSubjectsAlone) {
  execute({unknown("p"), unknown("other")});
  db.execute("UPDATE dead_letters SET broker_time = 'infinity' WHERE subjects[1] = 'peer/other'");
  execute({provision("q"), provision("p")}, 1);
  EXPECT_EQ("active", entitlement("q"));
  EXPECT_EQ(1, db.number("SELECT count(*) FROM dead_letters WHERE code = 'waits_for_kept'"));
}

}  // namespace
}  // namespace peerwright::test
