#include "recover_support.hpp"

// What is easily lost between a database and the one that is made anew out of its audit.
namespace peerwright::test {
namespace {

class Rebuild : public RecoverTest {
 protected:
  Rebuild() {
    record_installation();
    register_server("srv");
  }
};

TEST_F(Rebuild, AServerThatWasProvenGoneStaysSo) {
  execute({provision("A")});
  deliver_a_little(3);
  execute({peer_event("revoke", "acme", "A")});
  deliver_a_little(3);
  execute({event("server.retire", {{"server", "srv"}}, "server/srv")});
  deliver_a_little(4);
  ASSERT_NE("", db.value("SELECT retired_proven_at FROM servers WHERE name = 'srv'"));
  const auto number = db.number("SELECT push_no FROM deliveries");

  const auto resumed = store::RecoverStore(db.database()).resume({kTopic}, "me", false);
  ASSERT_TRUE(resumed.has_value());
  caught_up();
  EXPECT_EQ(0, resumed->servers);
  EXPECT_EQ(0, db.number("SELECT count(*) FROM removals"));
  EXPECT_TRUE(claimed(delivery, me, 10).empty());
  // Its host may know numbers that this database does not, and be registered once more.
  EXPECT_EQ("t", db.value("SELECT takes_push_no FROM deliveries"));
  EXPECT_LT(number, db.number("SELECT push_no FROM deliveries"));
}

TEST_F(Rebuild, TheProvenEndOfAServerComesBack) {
  execute({event("server.retire", {{"server", "srv"}}, "server/srv")});
  deliver_a_little(4);
  ASSERT_NE("", db.value("SELECT retired_proven_at FROM servers"));
  TestDatabase made;
  fold(made, entries());
  expect_equal(db, made);
  EXPECT_EQ(db.value("SELECT retired_proven_at FROM servers"), made.value("SELECT retired_proven_at FROM servers"));
}

TEST_F(Rebuild, AnImportThatWaitsComesBackUntilItIsDone) {
  execute({event("tenant.set", {{"tenant", "acme"}}, "acme")});
  execute({event("server.import", {{"server", "srv"}, {"tenant", "acme"}}, "server/srv")});
  const auto before = entries();
  const std::string waits = "SELECT import_tenant_id || ' ' || import_cause || ' ' || in_doubt FROM deliveries";
  ASSERT_NE("", db.value(waits));
  TestDatabase made;
  fold(made, before);
  expect_equal(db, made);
  EXPECT_EQ(db.value(waits), made.value(waits));

  deliver_a_little(2);
  ASSERT_EQ("", db.value("SELECT import_tenant_id FROM deliveries"));
  fold(made, entries(before.back().row.chain_no));
  expect_equal(db, made);
  EXPECT_EQ("", made.value("SELECT import_tenant_id FROM deliveries"));
}

// Which keys an operator has left on a host for good is nowhere but in the audit.
TEST_F(Rebuild, KeysThatAnOperatorKeepsStayKept) {
  register_server("alt", {{"ipv4", "10.201.0.0/16"}, {"ipv6", "fd00:201::/64"}, {"reserved", nullptr}});
  const auto held = [](TestDatabase& in, const std::string& server, const std::string& key) {
    in.execute("INSERT INTO foreign_peers SELECT id, '" + key + "', '{}', 'held' FROM servers WHERE name = '" + server +
               "'");
    in.execute("UPDATE servers SET guard_held = guard_held + 1 WHERE name = '" + server + "'");
  };
  const std::string state =
      "SELECT string_agg(public_key || ' ' || state, ', ' ORDER BY public_key) FROM foreign_peers";
  held(db, "srv", "k1");
  held(db, "srv", "k2");
  held(db, "alt", "a1");
  TestDatabase backup;
  fold(backup, entries());
  held(backup, "alt", "a1");
  held(backup, "alt", "a2");  // later gone from the list that the operator saw
  const auto known = entries().back().row.chain_no;
  execute({event("server.approve", {{"server", "srv"}, {"approved", false}}, "server/srv"),
           event("server.approve", {{"server", "alt"}, {"approved", true}}, "server/alt")});
  ASSERT_EQ("a1 removing, k1 kept, k2 kept", db.value(state));

  fold(backup, entries(known));
  EXPECT_EQ("a1 removing, a2 held, k1 kept, k2 kept", backup.value(state));
  TestDatabase made;
  fold(made, entries());
  EXPECT_EQ("k1 kept, k2 kept", made.value(state)) << "what was to go is asked for anew";
  expect_equal(db, made);
}

// A message that was put away is not read again: what an operator has discarded would be executed.
TEST_F(Rebuild, WhatWasPutAwayIsNotReadAgain) {
  execute({provision("A")});
  ASSERT_TRUE(execute(intake, {&log.append_text("{}")}).has_value());
  ASSERT_TRUE(execute(intake, {&log.append_text("{}"), &log.append_text("[]")}).has_value());
  TestDatabase made;
  fold(made, entries());
  const std::string position = "SELECT next_offset, last_offset, last_hash, last_time FROM intake WHERE partition = 0";
  EXPECT_EQ(db.rows(position), made.rows(position));
  expect_equal(db, made);
}

}  // namespace
}  // namespace peerwright::test
