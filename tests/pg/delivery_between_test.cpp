#include "delivery_support.hpp"

namespace peerwright::test {
namespace {

// Between a subscriber's hold and the chunk that carries it to the peers, plans follow the holds already.
class Between : public DeliveryTest {
 protected:
  void payment_comes() {
    execute({subscriber_event("resume", "acme", "s")});
    fan_out();
    deliver(delivery, me, host);
    EXPECT_EQ("active", entitlement("p"));
    EXPECT_EQ(std::set<std::string>{key_of("p")}, host.keys());
    EXPECT_TRUE(removal_keys().empty());
    EXPECT_TRUE(applied("p"));
    EXPECT_FALSE(due());
  }
};

TEST_F(Between, aPeerThatWasSeenWhileHeldIsNotRemovedOnceItIsWantedAgain) {
  execute({provision("p", "s")});
  const auto push = planned(delivery, me);
  execute({subscriber_event("suspend", "acme", "s")});
  answered(push, host);  // it stands there, and must not
  payment_comes();
}

TEST_F(Between, aPeerThatWasPassedOverWhileHeldIsDeliveredOnceItIsWantedAgain) {
  execute({provision("p", "s")});
  execute({subscriber_event("suspend", "acme", "s")});
  deliver(delivery, me, host);  // nothing is wanted there
  EXPECT_TRUE(host.keys().empty());
  payment_comes();
}

TEST_F(Between, aPeerThatTheHostLostWhileHeldComesBack) {
  execute({provision("p", "s")});
  deliver(delivery, me, host);
  execute({provision("q"), peer_event("revoke", "acme", "q")});
  failed(planned(delivery, me));
  execute({subscriber_event("suspend", "acme", "s")});
  host.peers.clear();
  deliver(delivery, me, host);
  payment_comes();
}

TEST_F(Between, aHoldIsCarriedToTheHostEvenWhereAReadingCameFirst) {
  execute({provision("p", "s")});
  deliver(delivery, me, host);
  execute({provision("q")});
  failed(planned(delivery, me));
  execute({subscriber_event("suspend", "acme", "s")});
  deliver(delivery, me, host);
  fan_out();
  deliver(delivery, me, host);
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_EQ(std::set<std::string>{key_of("q")}, host.keys());
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(removal_keys().empty());
}

}  // namespace
}  // namespace peerwright::test
