// The dunning saga on real parts, on a clock that the test sets: grace, walled garden, cut, release; and what undoes
// it.
#include <csignal>

#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using std::chrono::hours;

class Dunning : public FlowTest {
 protected:
  void expect_level(const std::string& level) {
    wait_said(installation, "subscriber.status", json{{"subscriber", "S1"}, {"level", level}});
  }
  json saga() {
    return {{"mode", "walled_garden"},
            {"grace_seconds", 24 * 3600},
            {"walled_garden_seconds", 48 * 3600},
            {"release_after_seconds", 72 * 3600},
            {"reason", "invoice 4711"}};
  }
  bool walled() { return of("P1", "entitlement") == "walled_garden"; }
};

TEST_F(Dunning, GraceThenGardenThenCutThenRelease) {
  provision("P1", {{"subscriber", "S1"}});
  expect(of_subscriber("suspend", saga()));
  expect_level("grace");
  settle();
  EXPECT_TRUE(on_host("P1")) << "during the grace nothing is felt";
  EXPECT_EQ(of("P1", "entitlement"), "active");

  move_clock(installation, hours(25));
  expect_level("walled_garden");
  EXPECT_TRUE(eventually([&] { return walled(); }));
  settle();
  EXPECT_TRUE(on_host("P1")) << "in the walled garden the key stays";
  EXPECT_NE(host.sh("nft list ruleset").find("10.200."), std::string::npos) << "the firewall keeps it in";

  move_clock(installation, hours(48));
  EXPECT_TRUE(goes_off("P1")) << "after the garden comes the cut";
  settle();
  EXPECT_EQ(of("P1", "entitlement"), "suspended");

  move_clock(installation, hours(72));
  EXPECT_TRUE(eventually([&] { return of("P1", "stage") == "revoked"; })) << "after the term the peer is released";
  settle();
  EXPECT_EQ(of("P1", "address_offset"), "") << "its address goes back";
  // A payment after the release does not bring it back.
  expect(of_subscriber("resume"));
  settle();
  EXPECT_EQ(of("P1", "stage"), "revoked");
}

TEST_F(Dunning, APaymentUndoesAnyStepBeforeTheRelease) {
  provision("P1", {{"subscriber", "S1"}});
  for (const hours step : {hours(0), hours(25), hours(73)}) {
    expect(of_subscriber("suspend", saga()));
    move_clock(installation, step);
    if (step == hours(25)) {
      EXPECT_TRUE(eventually([&] { return walled(); }));
    }
    if (step == hours(73)) {
      EXPECT_TRUE(goes_off("P1"));
    }
    expect(of_subscriber("resume"));
    EXPECT_TRUE(eventually([&] { return of("P1", "entitlement") == "active"; })) << "after " << step.count() << " h";
    settle();
    EXPECT_TRUE(on_host("P1"));
    EXPECT_EQ(installation.db().number("SELECT count(*) FROM timers"), 0) << "a payment ends what was to come";
    EXPECT_EQ(host.sh("nft list ruleset").find("10.200.0.2"), std::string::npos) << "out of the garden";
  }
}

TEST_F(Dunning, APaymentNeverLiftsAnotherSourcesHold) {
  provision("P1", {{"subscriber", "S1"}});
  expect(of_subscriber("suspend"));
  expect(of_subscriber("suspend").from("security"));
  EXPECT_TRUE(goes_off("P1"));
  expect(of_subscriber("resume"));
  settle();
  EXPECT_FALSE(on_host("P1"));
  expect(of_subscriber("resume").from("security"));
  EXPECT_TRUE(comes_on("P1"));
}

TEST_F(Dunning, WhoIsProvisionedWhileSuspendedIsBornSuspended) {
  expect(of_subscriber("suspend"));
  provision("P1", {{"subscriber", "S1"}});
  EXPECT_EQ(of("P1", "entitlement"), "suspended");
  EXPECT_FALSE(on_host("P1"));
  expect(of_subscriber("resume"));
  EXPECT_TRUE(comes_on("P1"));
}

TEST_F(Dunning, ASuspensionInTheFutureComesInTime) {
  provision("P1", {{"subscriber", "S1"}});
  const std::string at = installation.db().value(
      "SELECT to_char(clock_now() AT TIME ZONE 'UTC' + interval '10 hours', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
  expect(of_subscriber("suspend", {{"effective_at", at}}));
  settle();
  EXPECT_TRUE(on_host("P1"));
  move_clock(installation, hours(11));
  EXPECT_TRUE(goes_off("P1"));
}

TEST_F(Dunning, ACustomersHoldTakesAllSubscribersPresentAndFuture) {
  provision("P1", {{"subscriber", "S1"}, {"customer", "C1"}});
  expect(of_subscriber("suspend", {{"customer", "C1"}}, "C1"));
  EXPECT_TRUE(goes_off("P1"));
  provision("P2", {{"subscriber", "S2"}, {"customer", "C1"}});
  EXPECT_FALSE(on_host("P2"));
  provision("P3", {{"subscriber", "S3"}, {"customer", "C2"}});
  EXPECT_TRUE(on_host("P3"));
  expect(of_subscriber("resume", {{"customer", "C1"}}, "C1"));
  EXPECT_TRUE(comes_on("P1"));
  EXPECT_TRUE(comes_on("P2"));
}

TEST_F(Dunning, TheWalledGardenLetsNamedDestinationsThroughAndNothingElse) {
  // Two addresses on the host's side of the tunnel stand for the world.
  host.sh("ip addr replace 192.0.2.1/32 dev lo; ip addr replace 192.0.2.2/32 dev lo");
  expect(tenant_set({{"walled_garden", {{{"to", "192.0.2.1/32"}, {"protocol", "any"}}}}}));
  provision("P1", {{"subscriber", "S1"}, {"client_routes", {"192.0.2.0/24", "10.200.0.0/16"}}});
  const auto applied = wait_said(installation, "peer.status", json{{"peer", "P1"}, {"delivery", "applied"}});
  const LabClient client("garden", client_config(applied, keys("P1").private_key));
  ASSERT_TRUE(client.pings("192.0.2.1"));
  ASSERT_TRUE(client.pings("192.0.2.2"));
  expect(of_subscriber("suspend", {{"mode", "walled_garden"}}));
  settle();
  EXPECT_TRUE(client.pings("192.0.2.1")) << "a named destination stays reachable";
  EXPECT_FALSE(client.pings("192.0.2.2", 2));
  expect(of_subscriber("resume"));
  EXPECT_TRUE(client.pings("192.0.2.2"));
}

TEST_F(Dunning, ExpiryTakesAPeerOffAndAnUpdateBringsItBack) {
  const auto in_hours = [&](int count) {
    return installation.db().value("SELECT to_char(clock_now() AT TIME ZONE 'UTC' + interval '" +
                                   std::to_string(count) + " hours', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
  };
  provision("P1", {{"expires_at", in_hours(5)}});
  EXPECT_TRUE(on_host("P1"));
  move_clock(installation, hours(6));
  EXPECT_TRUE(goes_off("P1"));
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"entitlement", "expired"}, {"delivery", "applied"}});
  expect(of_peer("resume", "P1"), "unchanged");
  EXPECT_FALSE(on_host("P1")) << "an expired peer is not enabled by a resume";
  expect(of_peer("update", "P1", {{"expires_at", in_hours(5)}}));
  EXPECT_TRUE(comes_on("P1"));
}

TEST_F(Dunning, NoTimerOvertakesAPaymentThatIsStillToBeRead) {
  provision("P1", {{"subscriber", "S1"}});
  expect(of_subscriber("suspend", {{"grace_seconds", 3600}}));
  // Nobody reads for a while; meanwhile the term passes and the payment lies in the log.
  installation.worker("w1").signal(SIGTERM);
  ASSERT_EQ(installation.worker("w1").wait(std::chrono::seconds(30)), 0);
  installation.publish(of_subscriber("resume"));
  move_clock(installation, hours(2));
  installation.start_worker("w2");
  EXPECT_TRUE(eventually([&] { return installation.db().number("SELECT count(*) FROM timers") == 0; }));
  ASSERT_TRUE(installation.wait_settled());
  EXPECT_EQ(
      installation.db().number("SELECT count(*) FROM audit WHERE event_type LIKE '%timer%' AND outcome = 'accepted'"),
      0);
  EXPECT_EQ(of("P1", "entitlement"), "active");
  EXPECT_TRUE(on_host("P1"));
}

}  // namespace
}  // namespace peerwright::test
