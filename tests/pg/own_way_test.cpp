// The key that carries the worker itself to the host is not removed, whoever's it is, and holds up nobody else.
#include <algorithm>

#include "observe_support.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

std::string new_key() { return wireguard::generate_key_pair().public_key; }

class OwnWay : public ObserveTest {
 protected:
  // As the worker does it, on a host that refuses to cut its way off.
  int deliver() {
    for (int refused = 0;;) {
      const auto servers = claimed(full, me, 1);
      if (servers.empty() || refused > 5) return refused;
      const auto push = full.plan(me, servers.front(), kLimits).value();
      if (!push) continue;
      const auto& gone = push->plan.removals;
      if (std::find(gone.begin(), gone.end(), own) == gone.end()) {
        done(*push);
        continue;
      }
      ++refused;
      const Error cut{"own_way_cut", "the worker comes through the peer with the key " + own, "", Retry::never};
      EXPECT_TRUE(full.fail(me, *push, cut, std::chrono::milliseconds(0), {own, false}));
    }
  }
  // The worker's way stays, and all else is done.
  void expect_flow() {
    execute({peer_event("suspend", "acme", "q"), provision("n")});
    EXPECT_EQ(1, deliver());
    EXPECT_TRUE(host().peers.contains(own));
    EXPECT_FALSE(host().peers.contains(key_of("q")));
    EXPECT_TRUE(host().peers.contains(key_of("n")));
    EXPECT_TRUE(applied("q") && applied("n"));
    EXPECT_EQ("f", of_delivery("due"));
    EXPECT_EQ("own_way_cut", of_delivery("error_code"));
  }
  // The worker comes another way: all that was set aside goes.
  void expect_gone(const std::string& by) {
    own.clear();
    EXPECT_EQ(0, deliver());
    EXPECT_FALSE(host().peers.contains(by));
    EXPECT_EQ("f", of_delivery("due"));
    EXPECT_EQ("", of_delivery("error_code"));
    EXPECT_EQ(0, db.number("SELECT count(*) FROM due_removals"));
  }
  void minutes_pass() {
    db.execute("UPDATE deliveries SET own_way_at = own_way_at - interval '1 hour'");
    EXPECT_EQ(1, full.retry_set_aside().value());
  }
  static TestEvent reconcile() { return event("server.reconcile", {{"server", "srv"}}, "server/srv"); }
  std::string own;
};

TEST_F(OwnWay, ThroughAPeerThatIsToGo) {
  own = key_of("p");
  execute({peer_event("suspend", "acme", "p")});
  expect_flow();
  EXPECT_EQ("failed", said_of("p")["delivery"]);
  minutes_pass();
  expect_gone(key_of("p"));
  EXPECT_EQ("applied", said_of("p")["delivery"]);
}

TEST_F(OwnWay, ThroughThePeerWhoseOtherKeyGoesWithIt) {
  own = key_of("p");
  const std::string staged = new_key();
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + staged + "', id FROM peers WHERE name = 'p'");
  change("p", "staged_key = '" + staged + "'");
  settle();
  execute({peer_event("suspend", "acme", "p")});
  expect_flow();
  EXPECT_TRUE(host().peers.contains(staged)) << "the keys of a peer go together";
  execute({reconcile()});
  expect_gone(key_of("p"));
  EXPECT_FALSE(host().peers.contains(staged));
}

TEST_F(OwnWay, ThroughAKeyThatNobodyKnows) {
  own = new_key();
  const std::string by = own;
  host().peers[own].peer.public_key = own;
  look();
  expect_flow();
  EXPECT_EQ("removing", db.value("SELECT state FROM foreign_peers"));
  minutes_pass();
  expect_gone(by);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM foreign_peers"));
}

TEST_F(OwnWay, ThroughAKeyThatItsPeerHasLeft) {
  own = key_of("p");
  const std::string by = own, next_key = new_key();
  host().peers[own].peer.allowed_ips = {"10.99.0.0/16"};  // its peer's addresses are its next key's
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + next_key + "', id FROM peers WHERE name = 'p'");
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + own + "', id FROM peers WHERE name = 'p'");
  db.execute("INSERT INTO removals (server_id, public_key, peer_id) SELECT server_id, '" + own +
             "', id FROM peers WHERE name = 'p'");
  change("p", "public_key = '" + next_key + "', staged_key = NULL", true);
  expect_flow();
  EXPECT_TRUE(host().peers.contains(next_key));
  execute({reconcile()});
  expect_gone(by);
}

TEST_F(OwnWay, ThroughAPeerThatHasMoved) {
  register_server("two");
  settle();
  own = key_of("p");
  execute({event("peer.move", {{"tenant", "acme"}, {"peer", "p"}, {"server", "two"}}, "acme/p")});
  execute({peer_event("suspend", "acme", "q"), provision("n")});
  EXPECT_EQ(1, deliver());
  EXPECT_TRUE(host().peers.contains(own));
  EXPECT_TRUE(hosts["two"].peers.contains(own));
  EXPECT_FALSE(host().peers.contains(key_of("q")));
  EXPECT_TRUE(host().peers.contains(key_of("n")));
  own.clear();
  minutes_pass();
  EXPECT_EQ(0, deliver());
  EXPECT_FALSE(host().peers.contains(key_of("p")));
  EXPECT_TRUE(hosts["two"].peers.contains(key_of("p")));
}

TEST_F(OwnWay, ThroughANode) {
  own = new_key();
  const std::string by = own;
  link("srv", "east", own, "10.20.0.0/16");
  settle();
  make_due("srv");
  db.execute("UPDATE node_links SET wanted = false, generation = (SELECT generation FROM servers)");
  expect_flow();
  minutes_pass();
  expect_gone(by);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM node_links"));
}

TEST_F(OwnWay, OfTwoWorkersThatComeByDifferentKeysIsKeptForBoth) {
  execute({peer_event("suspend", "acme", "p"), peer_event("suspend", "acme", "q"), provision("n")});
  for (const char* by : {"p", "q"}) {
    const auto push = next();
    const Error cut{"own_way_cut", "the worker comes through the peer with the key " + key_of(by), "", Retry::never};
    ASSERT_TRUE(full.fail(me, push, cut, std::chrono::milliseconds(0), {key_of(by), false}));
    if (std::string(by) == "p") done(next());  // the reading that lifts the doubt
  }
  settle();
  EXPECT_TRUE(host().peers.contains(key_of("p")) && host().peers.contains(key_of("q")));
  EXPECT_TRUE(applied("n"));
}

// A host may say anything.
TEST_F(OwnWay, IsNoKeyThatWasNotToGo) {
  execute({peer_event("suspend", "acme", "p")});
  const auto push = next();
  const Error cut{"own_way_cut", "the worker comes through the peer with the key " + key_of("q"), "", Retry::never};
  ASSERT_TRUE(full.fail(me, push, cut, std::chrono::milliseconds(0), {key_of("q"), false}));
  EXPECT_EQ("{}", of_delivery("own_way_keys"));
  execute({peer_event("suspend", "acme", "q")});
  settle();
  EXPECT_TRUE(host().peers.empty());
}

}  // namespace
}  // namespace peerwright::test
