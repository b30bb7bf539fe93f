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

}  // namespace
}  // namespace peerwright::test
