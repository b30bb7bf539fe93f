#include "delivery_host.hpp"
#include "peerwright/wireguard/key.hpp"

// What is set aside and when it is tried again; whom a failure concerns; what other keys of a peer have to say.
namespace peerwright::test {
namespace {

using std::chrono::milliseconds;

const Error kRefused{"prefix_taken_on_host", "a stranger has it", "", Retry::never};

class Aside : public FullDeliveryTest {
 protected:
  Aside() { establish("srv"); }
  std::string error_of(const std::string& peer) {
    return db.value("SELECT delivery_error FROM peers WHERE name = '" + peer + "'");
  }
};

TEST_F(Aside, WhatChangedSinceThePlanIsNotSetAside) {
  execute({provision("p")});
  const std::string node = wireguard::generate_key_pair().public_key;
  link("srv", "east", node, "10.20.0.0/16");
  const auto push = next();
  change("p", "hub_keepalive_seconds = 20");
  db.execute("UPDATE node_links SET generation = (SELECT generation FROM servers)");
  ASSERT_TRUE(full.fail(me, push, kRefused, milliseconds(0), {key_of("p"), false}).has_value());
  EXPECT_EQ("", error_of("p"));
  done(next());
  const auto again = next();
  ASSERT_TRUE(full.fail(me, again, kRefused, milliseconds(0), {key_of("p"), false}).has_value());
  EXPECT_EQ("prefix_taken_on_host", error_of("p"));
  done(next());
  const auto of_node = next();
  EXPECT_EQ(node, of_node.lone_key());
  make_due("srv");
  db.execute("UPDATE node_links SET generation = (SELECT generation FROM servers)");
  ASSERT_TRUE(full.fail(me, of_node, kRefused, milliseconds(0), {node, false}).has_value());
  settle();
  EXPECT_TRUE(hosts["srv"].peers.contains(node));
}

TEST_F(Aside, WhoLostTheServerSetsNobodyAside) {
  execute({provision("p")});
  const auto push = next();
  const std::string rival = workers.enlist("rival").value();
  db.execute("UPDATE deliveries SET worker_id = '" + rival + "'");
  ASSERT_TRUE(full.fail(me, push, kRefused, milliseconds(0), {key_of("p"), false}).has_value());
  EXPECT_EQ("", error_of("p"));
  EXPECT_EQ("0", of_delivery("attempts"));
}

TEST_F(Aside, AnEndpointThatNamedNothingIsLookedUpAgain) {
  execute({provision("p"), provision("q")});
  change("p", "endpoint = 'nowhere.invalid:51820'");
  const auto fails = [&] {
    auto push = next();
    push.drop_unresolved(key_of("p"));
    done(push);
  };
  fails();
  EXPECT_EQ("endpoint_unresolvable", error_of("p"));
  EXPECT_EQ("f", of_delivery("due"));
  const std::int64_t version = of_peer("p", "version");
  EXPECT_EQ(1, full.retry_set_aside().value());
  fails();
  EXPECT_EQ(version, of_peer("p", "version"));  // nothing new is to be said
  EXPECT_EQ("f", of_delivery("due"));
  EXPECT_EQ(1, full.retry_set_aside().value());
  settle();
  EXPECT_EQ("nowhere.invalid:51820", hosts["srv"].peers[key_of("p")].endpoint);
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ(0, full.retry_set_aside().value());
}

TEST_F(Aside, APeerThatTheHostNeverShowsHoldsUpNobody) {
  execute({provision("bad"), provision("n1"), provision("n2")});
  hosts["srv"].hides = {key_of("bad")};
  settle();
  EXPECT_TRUE(applied("n1") && applied("n2"));
  EXPECT_EQ("not_shown_by_host", error_of("bad"));
  EXPECT_EQ("failed", said_of("bad")["delivery"]);
  EXPECT_EQ("f", of_delivery("due"));
  EXPECT_EQ("0", of_delivery("attempts"));
  // It is tried with the others and by itself, and never waited for.
  execute({provision("m")});
  EXPECT_EQ(1, settle());
  EXPECT_TRUE(applied("m"));
  EXPECT_EQ(1, full.retry_set_aside().value());
  EXPECT_EQ(1, settle());
  EXPECT_EQ("0", of_delivery("attempts"));
  hosts["srv"].hides.clear();
  EXPECT_EQ(1, full.retry_set_aside().value());
  settle();
  EXPECT_TRUE(applied("bad"));
  EXPECT_EQ("applied", said_of("bad")["delivery"]);
  EXPECT_EQ(0, full.retry_set_aside().value());
}

TEST_F(Aside, ANodeThatTheHostNeverShowsHoldsUpNobody) {
  const std::string bad = wireguard::generate_key_pair().public_key;
  const std::string good = wireguard::generate_key_pair().public_key;
  hosts["srv"].hides = {bad};
  link("srv", "west", bad, "10.20.0.0/16");
  settle();
  EXPECT_EQ("f", of_delivery("due"));
  link("srv", "east", good, "10.21.0.0/16");
  settle();
  EXPECT_TRUE(hosts["srv"].peers.contains(good));
}

TEST_F(Aside, OnePushThatIsNotShownIsTriedAgain) {
  execute({provision("p")});
  hosts["srv"].hides = {key_of("p")};
  done(next());
  hosts["srv"].hides.clear();
  EXPECT_EQ("", error_of("p"));
  settle();
  EXPECT_TRUE(applied("p"));
}

TEST_F(Aside, AmongTheFailingTheNextAttemptCounts) {
  establish("dead");
  db.execute("UPDATE deliveries SET due = true, due_since = now(), attempts = 1");
  db.execute("UPDATE deliveries SET urgent_since = now() - interval '1 day' WHERE server_id = " +
             std::to_string(server_id("dead")));
  db.execute("UPDATE deliveries SET next_attempt_at = now() - interval '1 minute' WHERE server_id = " +
             std::to_string(server_id("srv")));
  EXPECT_EQ(std::vector<domain::Id>{server_id("srv")}, full.claim(me, {}, 1, kDeadAfter, true).value());
}

TEST_F(Aside, ANewKeyGetsTheEndpointThatWasProvenWithTheOldOne) {
  execute({provision("p")});
  change("p", "endpoint = '192.0.2.7:51820'");
  const std::string node = wireguard::generate_key_pair().public_key;
  link("srv", "east", node, "10.20.0.0/16", "192.0.2.33:51820");
  settle();
  const std::string newer = wireguard::generate_key_pair().public_key;
  const std::string newer_node = wireguard::generate_key_pair().public_key;
  db.execute("INSERT INTO removals (server_id, public_key, peer_id) SELECT server_id, public_key, id FROM peers");
  change("p", "public_key = '" + newer + "'");
  db.execute("UPDATE node_links SET public_key = '" + newer_node + "', generation = (SELECT generation FROM servers)");
  settle();
  EXPECT_EQ("192.0.2.7:51820", hosts["srv"].peers[newer].endpoint);
  EXPECT_EQ("192.0.2.33:51820", hosts["srv"].peers[newer_node].endpoint);
}

TEST_F(Aside, TheFirstReadingsKeyIsToldToPeersThatWereThereBefore) {
  register_server("new");
  settle();
  EXPECT_EQ(0, db.number("SELECT count(*) FROM wider_fan_outs"));  // nobody is there
  register_server("late");
  execute({provision("p", {}, "late")});
  settle();
  EXPECT_EQ(1, db.number("SELECT count(*) FROM wider_fan_outs WHERE kind = 'server' AND subject_id = " +
                         std::to_string(server_id("late"))));
}

// A peer that moved from a to b and is suspended there; a has not heard of it.
class Strays : public FullDeliveryTest {
 protected:
  Strays() {
    establish("a", {{"quarantine_seconds", 3600}});
    establish("b", {{"ipv4", "10.77.0.0/24"}, {"ipv6", nullptr}, {"reserved", nlohmann::json::array()}});
    execute({provision("p", {}, "a")});
    settle();
    execute({event("peer.move", {{"tenant", "acme"}, {"peer", "p"}, {"server", "b"}}, "acme/p")});
    hold_back("1 hour");
    settle();
  }
  void hold_back(const std::string& interval) {
    db.execute("UPDATE deliveries SET next_attempt_at = now() + interval '" + interval +
               "' WHERE server_id = " + std::to_string(server_id("a")));
  }
};

TEST_F(Strays, APeerIsOffOnceItsLastKeyIsGoneEverywhere) {
  execute({peer_event("suspend", "acme", "p")});
  settle();
  EXPECT_TRUE(hosts["b"].peers.empty());
  EXPECT_TRUE(hosts["a"].peers.contains(key_of("p")));
  EXPECT_FALSE(applied("p"));
  hold_back("0");
  settle();
  EXPECT_TRUE(hosts["a"].peers.empty());
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ("applied", said_of("p")["delivery"]);
  EXPECT_EQ("suspended", said_of("p")["entitlement"]);
  EXPECT_TRUE(removal_keys().empty());
  EXPECT_EQ(0, settle());
}

TEST_F(Strays, AnAddressWaitsForTheLastKeyThatHadIt) {
  // A key that was rotated out on a before the move, of which a has not heard either.
  const std::string older = wireguard::generate_key_pair().public_key;
  hosts["a"].peers[older].peer.public_key = older;
  db.execute("INSERT INTO removals (server_id, public_key, peer_id, created_at) SELECT " +
             std::to_string(server_id("a")) + ", '" + older + "', id, now() + interval '1 minute' FROM peers");
  hold_back("0");
  ASSERT_EQ(1U, claimed(full, me, 1).size());
  const auto push = full.plan(me, server_id("a"), {1, 100, 50});
  ASSERT_TRUE(push && *push);
  ASSERT_EQ(std::vector<std::string>{key_of("p")}, (*push)->plan.removals);
  done(**push);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM network_free"));
  EXPECT_EQ(
      1, db.number("SELECT count(*) FROM removals WHERE address_offset IS NOT NULL AND public_key = '" + older + "'"));
  settle();
  EXPECT_EQ(1, db.number("SELECT count(*) FROM network_free"));
  EXPECT_TRUE(removal_keys().empty());
}

// A key that is gone and comes back: somebody restores an old file, or an old snapshot of the host.
class Back : public Strays {
 protected:
  Back() {
    shown = hosts["a"].peers.at(key_of("p"));
    hold_back("0");
    settle();
    EXPECT_TRUE(hosts["a"].peers.empty());
    EXPECT_TRUE(removal_keys().empty());
  }
  static TestEvent reconcile() { return event("server.reconcile", {{"server", "a"}}, "server/a"); }
  std::string of_a(const std::string& column) {
    return db.value("SELECT " + column + " FROM servers JOIN deliveries ON server_id = id WHERE name = 'a'");
  }
  FullHost::Shown shown;
};

TEST_F(Back, AReadingSendsAKeyThatStandsInTheFileAloneAway) {
  execute({reconcile()});
  const auto reading = next();
  ASSERT_EQ(wireguard::PushMode::reading, reading.mode);
  auto answer = hosts["a"].run(reading).value();
  answer.file.push_back(shown.peer);
  ASSERT_TRUE(full.finish(me, reading, answer, wireguard::prove_reading(reading.wanted, answer)));
  EXPECT_EQ(std::set<std::string>{key_of("p")}, removal_keys());
  EXPECT_EQ("t", of_a("urgent_since IS NOT NULL"));
  EXPECT_EQ(std::vector<std::string>{key_of("p")}, next().plan.removals);
  EXPECT_TRUE(hosts["b"].peers.contains(key_of("p")));
}

TEST_F(Back, AReadingSendsAKeyThatItsPeerHasLeftAway) {
  const std::string older = wireguard::generate_key_pair().public_key;
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + older + "', id FROM peers");
  hosts["a"].peers[key_of("p")] = shown;
  hosts["b"].peers[older].peer.public_key = older;
  execute({reconcile(), event("server.reconcile", {{"server", "b"}}, "server/b")});
  settle();
  EXPECT_TRUE(hosts["a"].peers.empty());
  EXPECT_EQ(1U, hosts["b"].peers.size());
  EXPECT_TRUE(hosts["b"].peers.contains(key_of("p")));
  EXPECT_TRUE(removal_keys().empty());
}

TEST_F(Back, ARetirementIsProvenOnceItIsGoneAgain) {
  hosts["a"].peers[key_of("p")] = shown;
  execute({peer_event("suspend", "acme", "p"), event("server.retire", {{"server", "a"}}, "server/a")});
  done(next());
  EXPECT_EQ("f", of_a("retired_proven_at IS NOT NULL"));
  settle();
  EXPECT_TRUE(hosts["a"].peers.empty());
  EXPECT_EQ("t", of_a("retired_proven_at IS NOT NULL"));
}

}  // namespace
}  // namespace peerwright::test
