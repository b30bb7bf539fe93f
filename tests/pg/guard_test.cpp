// Removals that no event caused: a reading lists what is nobody's, the guard judges it, an operator has the last word.
#include "observe_support.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Guard : public ObserveTest {
 protected:
  std::string stranger() {
    const std::string key = wireguard::generate_key_pair().public_key;
    host().peers[key].peer.public_key = key;
    strangers.push_back(key);
    return key;
  }
  void strangers_come(int count) {
    for (int i = 0; i < count; ++i) stranger();
  }
  void they_leave() {
    for (const auto& key : strangers) host().peers.erase(key);
    strangers.clear();
  }
  void read_again() {
    execute({reconcile()});
    settle();
  }
  [[nodiscard]] std::size_t standing() {
    std::size_t count = 0;
    for (const auto& key : strangers) count += host().peers.count(key);
    return count;
  }
  std::string held() { return of_server("guard_held"); }
  std::string of_server(const std::string& column) {
    return db.value("SELECT " + column + " FROM servers WHERE name = 'srv'");
  }
  static TestEvent approve(const json& more = json::object()) {
    json data{{"server", "srv"}};
    data.update(more);
    return event("server.approve", data, "server/srv");
  }
  static TestEvent reconcile() { return event("server.reconcile", {{"server", "srv"}}, "server/srv"); }
  std::vector<std::string> strangers;
};

TEST_F(Guard, AFewStrangersGo) {
  for (const char* peer : {"r", "s", "t"}) execute({provision(peer)});
  settle();
  strangers_come(2);
  EXPECT_TRUE(look().due);
  EXPECT_EQ(json({{"foreign", 2}}), drift());
  settle();
  EXPECT_EQ(0U, standing());
  EXPECT_EQ(5U, host().peers.size());
  EXPECT_EQ(0, db.number("SELECT count(*) FROM foreign_peers"));
  EXPECT_FALSE(look().due);
  EXPECT_EQ(json::object(), drift());
}

TEST_F(Guard, ManyWaitForAnOperatorAndNobodyElseDoes) {
  for (const char* peer : {"r", "s", "t", "u"}) execute({provision(peer)});
  settle();
  said("server.status");
  strangers_come(3);
  look();
  settle();
  EXPECT_EQ(3U, standing());
  EXPECT_EQ("3", held());
  EXPECT_EQ("guard_too_many", of_server("guard_code"));
  said("server.status");
  EXPECT_EQ(3, look().guard_held);
  const auto statuses = said("server.status");
  ASSERT_EQ(1U, statuses.size());
  EXPECT_EQ("guard_too_many", statuses[0]["alert"]);
  EXPECT_FALSE(look().due) << "it is asked about once";
  EXPECT_EQ(0U, said("server.status").size());

  execute({peer_event("suspend", "acme", "p"), provision("v")});
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("p")));
  EXPECT_TRUE(host().peers.contains(key_of("v")));
  EXPECT_EQ(3U, standing());

  execute({approve({{"keys", 3}})});
  EXPECT_EQ("0", held());
  settle();
  EXPECT_EQ(0U, standing());
  look();
  EXPECT_EQ("", said("server.status").back().value("alert", ""));
}

TEST_F(Guard, AnApprovalSpeaksOfNoMoreThanWasSeen) {
  strangers_come(3);
  look();
  settle();
  stranger();
  look();
  settle();
  ASSERT_EQ("4", held());
  execute({approve({{"keys", 3}})});
  EXPECT_EQ("guard_changed", db.value("SELECT code FROM audit ORDER BY id DESC LIMIT 1"));
  EXPECT_EQ("4", held());
  settle();
  EXPECT_EQ(4U, standing());
}

TEST_F(Guard, AnApprovalSpeaksOfNoOthersThanWereSeen) {
  strangers_come(3);
  look();
  settle();
  const std::string digest = of_server("guard_digest");
  said("server.status");
  look();
  EXPECT_EQ(digest, said("server.status").back()["guard_digest"]);
  they_leave();
  strangers_come(3);
  look();
  settle();
  EXPECT_EQ("3", held());
  look();
  const auto statuses = said("server.status");
  ASSERT_FALSE(statuses.empty());
  EXPECT_NE(digest, statuses.back()["guard_digest"]) << "others wait now";
  execute({approve({{"keys", 3}, {"digest", digest}})});
  EXPECT_EQ("guard_changed", db.value("SELECT code FROM audit ORDER BY id DESC LIMIT 1"));
  settle();
  EXPECT_EQ(3U, standing());
  execute({approve({{"digest", of_server("guard_digest")}})});
  settle();
  EXPECT_EQ(0U, standing());
}

TEST_F(Guard, WhatIsToStayIsNotAskedAboutAgain) {
  strangers_come(3);
  look();
  settle();
  execute({approve({{"approved", false}})});
  EXPECT_EQ("0", held());
  settle();
  EXPECT_FALSE(look().due);
  EXPECT_EQ(json::object(), drift());
  make_due("srv");
  db.execute("UPDATE deliveries SET in_doubt = true");
  settle();
  EXPECT_EQ(3U, standing());
  EXPECT_EQ("0", held());
  execute({approve()});
  EXPECT_EQ("nothing_awaits_approval", db.value("SELECT code FROM audit ORDER BY id DESC LIMIT 1"));
}

TEST_F(Guard, WhatIsToStayStaysAfterItWasAwayForAWhile) {
  for (const char* peer : {"r", "s", "t", "u", "v"}) execute({provision(peer)});
  settle();
  strangers_come(3);
  look();
  settle();
  execute({approve({{"approved", false}})});
  const auto before = host().peers;
  const auto kept = strangers;
  they_leave();
  look();
  read_again();
  host().peers = before;
  strangers = kept;
  look();
  settle();
  EXPECT_EQ(3U, standing());
  read_again();
  EXPECT_EQ(3U, standing());
  // A word on one place is none on another.
  register_server("srv", json::object(), {{"interface", "wg7"}});
  settle();
  EXPECT_EQ("3", held());
}

TEST_F(Guard, WhoWasThereBeforeUsIsAskedAboutAlsoUnderALaterPolicy) {
  const std::string key = wireguard::generate_key_pair().public_key;
  hosts["fresh"].peers[key].peer.public_key = key;
  register_server("fresh", json::object(), {{"drift_policy", "report"}});
  for (const char* peer : {"f1", "f2", "f3"}) execute({provision(peer, {}, "fresh")});
  settle();
  execute({event("server.update", {{"server", "fresh"}, {"drift_policy", "repair"}}, "server/fresh"),
           event("server.reconcile", {{"server", "fresh"}}, "server/fresh")});
  settle();
  EXPECT_TRUE(hosts["fresh"].peers.contains(key));
  EXPECT_EQ("guard_first_reading", db.value("SELECT guard_code FROM servers WHERE name = 'fresh'"));
}

TEST_F(Guard, WhoWasThereBeforeUsIsLeftAlone) {
  const std::string key = wireguard::generate_key_pair().public_key;
  hosts["fresh"].peers[key].peer.public_key = key;
  register_server("fresh");
  settle();
  EXPECT_TRUE(hosts["fresh"].peers.contains(key));
  EXPECT_EQ("guard_first_reading", db.value("SELECT guard_code FROM servers WHERE name = 'fresh'"));
}

TEST_F(Guard, WhoStandsWhereAServerIsRegisteredAnewWasThereBeforeUs) {
  stranger();
  register_server("srv", json::object(), {{"interface", "wg7"}});
  settle();
  EXPECT_EQ(1U, standing());
  EXPECT_EQ("guard_first_reading", of_server("guard_code"));
  execute({approve()});
  settle();
  EXPECT_EQ(0U, standing());
}

TEST_F(Guard, AReadingThatKnowsNobodyIsNotActedUpon) {
  host().peers.clear();
  stranger();
  look();
  const auto reading = next();
  ASSERT_EQ(wireguard::PushMode::reading, reading.mode);
  done(reading);
  EXPECT_EQ("guard_impossible_reading", of_server("guard_code"));
  settle();
  EXPECT_EQ(1U, standing());
  EXPECT_TRUE(host().peers.contains(key_of("p"))) << "what was lost comes back all the same";
}

TEST_F(Guard, ALargePartOfAServerWaits) {
  execute({peer_event("revoke", "acme", "q")});
  settle();
  strangers_come(2);  // of three keys: more than 60 percent
  look();
  settle();
  EXPECT_EQ(2U, standing());
  EXPECT_EQ("guard_too_large_a_part", of_server("guard_code"));
}

TEST_F(Guard, UnderAnotherPolicyTheyAreOnlyListed) {
  db.execute("UPDATE servers SET drift_policy = 'report'");
  stranger();
  EXPECT_FALSE(look().due);
  db.execute("UPDATE deliveries SET in_doubt = true");
  make_due("srv");
  settle();
  EXPECT_EQ(1U, standing());
  EXPECT_EQ("seen", db.value("SELECT state FROM foreign_peers"));
  db.execute("UPDATE servers SET drift_policy = 'repair'");
  EXPECT_TRUE(look().due);
  settle();
  EXPECT_EQ(0U, standing());
}

TEST_F(Guard, WhoBecomesSomebodyIsNotRemoved) {
  const std::string key = stranger();
  look();
  const auto reading = next();
  done(reading);
  ASSERT_EQ("removing", db.value("SELECT state FROM foreign_peers"));
  execute({peer_provision("acme", "new", "srv", key)});
  settle();
  EXPECT_TRUE(host().peers.contains(key));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM foreign_peers"));
}

TEST_F(Guard, WhatWasTakenAwayByHandIsForgotten) {
  strangers_come(3);
  host().unsaved.insert(strangers.begin(), strangers.end());
  look();
  done(next());  // a push would save them
  ASSERT_EQ("3", held());
  they_leave();
  look();
  EXPECT_EQ("0", held());
  EXPECT_EQ("", of_server("guard_code"));
}

TEST_F(Guard, WhatTheSavedFileHasIsNotForgotten) {
  strangers_come(3);
  look();
  settle();
  const auto before = host().peers;
  for (const auto& key : strangers) host().peers.erase(key);
  look();
  EXPECT_EQ("3", held()) << "the next reboot brings them back";
  host().peers = before;
  look();
  settle();
  EXPECT_EQ(3U, standing());
  // And they are forgotten once a reading shows that the file has them no more.
  they_leave();
  read_again();
  EXPECT_EQ("0", held());
}

TEST_F(Guard, WhoWasSetAsideForAPrefixGoesOnOnceItIsFree) {
  strangers_come(3);
  look();
  settle();
  const auto fails = [&](const char* peer) {
    execute({provision(peer)});
    const auto push = next();
    const Error taken{"prefix_taken_on_host", "a stranger has it", "", Retry::never};
    ASSERT_TRUE(full.fail(me, push, taken, std::chrono::milliseconds(0), {push.lone_key(), false}));
    settle();
    ASSERT_EQ("failed", said_of(peer)["delivery"]);
  };
  fails("n");
  execute({approve()});
  settle();
  EXPECT_EQ(0U, standing());
  EXPECT_TRUE(applied("n"));
  // Or somebody takes them away by hand, those too that were to stay.
  for (const bool kept : {false, true}) {
    strangers_come(3);
    host().unsaved.insert(strangers.begin(), strangers.end());
    look();
    done(next());
    const std::string peer = kept ? "n3" : "n2";
    fails(peer.c_str());
    if (kept) execute({approve({{"approved", false}})});
    they_leave();
    read_again();
    EXPECT_TRUE(applied(peer)) << peer;
  }
}

TEST_F(Guard, KeysThatAnEventPutOffAreNoMatterOfTheGuard) {
  for (const char* peer : {"r", "s", "t", "u"}) execute({provision(peer)});
  settle();
  const auto before = host().peers;
  for (const char* peer : {"p", "q", "r", "s", "t"}) execute({peer_event("suspend", "acme", peer)});
  settle();
  host().peers = before;  // an old snapshot
  look();
  settle();
  EXPECT_EQ(1U, host().peers.size());
  EXPECT_EQ("0", held());
}

TEST_F(Guard, WhoCarriesTheWorkerIsNotRemovedAndHoldsUpNobody) {
  execute({peer_event("suspend", "acme", "p"), peer_event("suspend", "acme", "q")});
  auto push = next();
  ASSERT_EQ(2U, push.plan.removals.size());
  const Error cut{"own_way_cut", "the key " + key_of("p"), "", Retry::never};
  ASSERT_TRUE(full.fail(me, push, cut, std::chrono::milliseconds(0), {key_of("p"), false}));
  settle();
  EXPECT_TRUE(host().peers.contains(key_of("p")));
  EXPECT_FALSE(host().peers.contains(key_of("q")));
  EXPECT_FALSE(applied("p"));
  EXPECT_EQ("failed", said_of("p")["delivery"]);
  EXPECT_EQ("f", of_delivery("due"));
  execute({reconcile()});
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("p")));
}

}  // namespace
}  // namespace peerwright::test
