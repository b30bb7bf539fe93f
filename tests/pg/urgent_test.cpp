#include "peerwright/store/urgent.hpp"

#include "delivery_host.hpp"

// What is urgent and waits too long: said once, whoever looks, and taken back once it is proven.
namespace peerwright::test {
namespace {

using std::chrono::milliseconds;

class Urgent : public FullDeliveryTest {
 protected:
  static constexpr milliseconds kLimit{1000};

  Urgent() : watch(db.database()), rival(db.database()) {
    establish("srv");
    execute({provision("p"), provision("q")});
    settle();
  }
  // As if everything urgent had been asked for so much earlier.
  void age(const std::string& interval) {
    db.execute("UPDATE deliveries SET urgent_since = urgent_since - interval '" + interval + "'");
    db.execute("UPDATE removals SET created_at = created_at - interval '" + interval + "'");
  }
  store::UrgentLook look(store::UrgentStore& store) {
    auto looked = store.look(kLimit);
    EXPECT_TRUE(looked.has_value());
    return looked.value_or(store::UrgentLook{});
  }
  nlohmann::json said() {
    return nlohmann::json::parse(
        db.value("SELECT body FROM outbox WHERE ce_type = 'peerwright.server.status.v1' ORDER BY id DESC LIMIT 1"));
  }
  std::int64_t count_said() {
    return db.number("SELECT count(*) FROM outbox WHERE ce_type = 'peerwright.server.status.v1'");
  }

  store::UrgentStore watch;
  store::UrgentStore rival;  // another worker's
};

TEST_F(Urgent, IsSaidOnceAndTakenBackOnceItIsProven) {
  execute({peer_event("suspend", "acme", "p"), peer_event("suspend", "acme", "q")});
  EXPECT_TRUE(look(watch).late.empty()) << "it is in time still";
  age("5 seconds");
  const std::int64_t before = count_said();
  const std::string since = of_delivery("urgent_since");
  const auto looked = look(watch);
  ASSERT_EQ(1U, looked.late.size());
  EXPECT_EQ("srv", looked.late[0].server);
  EXPECT_EQ(2, looked.late[0].keys);
  EXPECT_GE(looked.late[0].waits, milliseconds(5000));
  EXPECT_EQ("urgent_late", said().value("alert", ""));
  EXPECT_EQ(2, said()["urgent_late"]["keys"]);
  EXPECT_EQ(since, of_delivery("urgent_since")) << "it goes on to wait";
  for (store::UrgentStore* store : {&watch, &rival}) {
    EXPECT_TRUE(look(*store).late.empty()) << "it was said twice";
  }
  EXPECT_EQ(before + 1, count_said());

  settle();
  EXPECT_EQ(std::vector<std::string>{"srv"}, look(rival).proven);
  EXPECT_FALSE(said().contains("alert"));
  EXPECT_EQ(nlohmann::json::object(), said()["urgent_late"]);
  EXPECT_EQ(before + 2, count_said());
  EXPECT_TRUE(look(watch).proven.empty());

  execute({peer_event("resume", "acme", "p")});
  settle();
  execute({peer_event("suspend", "acme", "p")});
  age("5 seconds");
  EXPECT_EQ(1U, look(watch).late.size()) << "the next time it is said again";
}

TEST_F(Urgent, OfTwoThatLookAtOnceOneSaysIt) {
  execute({peer_event("suspend", "acme", "p")});
  age("5 seconds");
  const std::int64_t before = count_said();
  Other first(db);  // has seen it, and has not committed yet
  first.execute("SELECT FROM servers FOR NO KEY UPDATE");
  EXPECT_TRUE(look(watch).late.empty()) << "who claims servers must not wait for one";
  first.execute("UPDATE deliveries SET urgent_late_at = now()");
  first.commit();
  EXPECT_TRUE(look(watch).late.empty());
  EXPECT_EQ(before, count_said());
}

TEST_F(Urgent, TellsWhenMoreWillBeLate) {
  EXPECT_FALSE(look(watch).next.has_value());
  execute({peer_event("suspend", "acme", "p")});
  const auto looked = watch.look(std::chrono::minutes(10));
  ASSERT_TRUE(looked && looked->next);
  EXPECT_GT(*looked->next, std::chrono::minutes(1));
  EXPECT_LE(*looked->next, std::chrono::minutes(10));
  settle();
  EXPECT_FALSE(look(watch).next.has_value());
}

TEST_F(Urgent, IsSaidOfAHostThatIsLeftAloneToo) {
  db.execute("UPDATE servers SET maintenance = true");
  execute({peer_event("suspend", "acme", "p")});
  age("5 seconds");
  EXPECT_EQ(1U, look(watch).late.size());
}

TEST_F(Urgent, IsNotSaidOfARetiredServerFromWhichNothingIsToGo) {
  db.execute("UPDATE servers SET state = 'retired'");
  db.execute("UPDATE deliveries SET urgent_since = now() - interval '1 hour'");
  EXPECT_TRUE(look(watch).late.empty());
}

TEST_F(Urgent, WhatIsLeftIsAsOldAsItself) {
  execute({peer_event("suspend", "acme", "p")});
  age("1 hour");
  execute({peer_event("suspend", "acme", "q")});
  ASSERT_EQ(1U, claimed(full, me, 1).size());
  const auto push = full.plan(me, server_id(), {1, 1, 1});
  ASSERT_TRUE(push && *push);
  ASSERT_EQ(std::vector<std::string>{key_of("p")}, (*push)->plan.removals);
  done(**push);
  EXPECT_EQ(1, db.number("SELECT count(*) FROM deliveries WHERE urgent_since > now() - interval '30 minutes'"))
      << "what waited for an hour is proven";
}

TEST_F(Urgent, AFirewallThatGoesAloneIsUrgentUntilItStands) {
  db.execute(R"(UPDATE tenants SET garden = '[{"prefix":"192.0.2.80/32","protocol":"tcp","port":443}]')");
  execute({provision("r")});
  settle();
  execute({peer_event("suspend", "acme", "q")});
  wall("p");
  ASSERT_TRUE(full.fail(me, next(), {"ssh_unreachable", "no answer", "", Retry::later}, milliseconds(0), {}));
  done(next());  // the reading
  const auto removal = next();
  ASSERT_FALSE(removal.plan.firewall.has_value());
  done(removal);
  EXPECT_NE("", of_delivery("urgent_since"));
  const auto walls = next();
  ASSERT_TRUE(walls.plan.firewall.has_value());
  EXPECT_TRUE(walls.urgent);
  done(walls);
  EXPECT_EQ("", of_delivery("urgent_since"));
}

}  // namespace
}  // namespace peerwright::test
