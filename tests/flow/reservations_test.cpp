// Addresses before keys: reserved, activated, expired, quarantined, and who had which when.
#include <csignal>

#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using std::chrono::hours;

class Reservations : public FlowTest {
 protected:
  json reserved(const std::string& peer, const json& more = json::object()) {
    expect(reservation(peer, more));
    return wait_said(installation, "reservation.status", json{{"peer", peer}, {"state", "reserved"}});
  }
  TestEvent activation(const std::string& peer, const json& more = json::object()) {
    json data = {{"public_key", keys(peer).public_key}};
    data.update(more);
    return of_peer("provision", peer, data);
  }
  std::string last_entitlement(const std::string& peer) { return of(peer, "entitlement"); }
};

TEST_F(Reservations, AnswersWithEverythingAClientNeedsToSetItselfUp) {
  settle();  // the interface's key is known
  const json said = reserved("R1");
  const json& client = said.at("client");
  EXPECT_EQ(client.value("server_public_key", ""), host.interface_key());
  EXPECT_EQ(client.value("endpoint", ""), host.endpoint());
  EXPECT_FALSE(client.at("addresses").empty());
  EXPECT_TRUE(said.contains("reserved_until"));
  EXPECT_TRUE(host.kernel_peers().empty()) << "nothing is pushed without a key";
}

TEST_F(Reservations, AKeyActivatesAndAnotherKeyIsRefusedNamingTheWay) {
  const json said = reserved("R1");
  expect(activation("R1"));
  settle();
  EXPECT_TRUE(on_host("R1"));
  wait_said(installation, "reservation.status", json{{"peer", "R1"}, {"state", "activated"}});
  const auto other = of_peer("provision", "R1", {{"public_key", make_client_keys().public_key}});
  expect(other, "rejected", "peer_has_key");
  const json refusal = wait_said(installation, "rejected", json{{"id", other.id()}});
  EXPECT_NE(refusal.value("remedy", "").find("rotate_key"), std::string::npos);
  EXPECT_EQ(wait_said(installation, "peer.status", json{{"peer", "R1"}, {"delivery", "applied"}})["addresses"],
            said["addresses"]);
}

TEST_F(Reservations, ExpireByThemselvesAndTheirAddressComesBackAfterItsQuarantine) {
  expect(network_set("net", {{"quarantine_seconds", 3600}}));
  const json said = reserved("R1", {{"ttl_seconds", 600}});
  const std::string offset = of("R1", "address_offset");
  move_clock(installation, std::chrono::seconds(595));
  EXPECT_EQ(last_entitlement("R1"), "reserved");
  move_clock(installation, std::chrono::seconds(6));
  wait_said(installation, "reservation.status", json{{"peer", "R1"}, {"state", "expired"}});
  EXPECT_EQ(of("R1", "address_offset"), "");
  EXPECT_EQ(installation.db().number(
                "SELECT count(*) FROM network_free WHERE available_at > clock_now() AND address_offset = " + offset),
            1);
  expect(activation("R1"), "rejected", "reservation_expired");
}

TEST_F(Reservations, AKeySentInTimeWinsThoughItIsReadLate) {
  reserved("R1");
  // The shortest term is a minute, too long to wait for.
  installation.db().execute("UPDATE peers SET reserved_until = clock_now() + interval '8 seconds' WHERE name = 'R1'");
  installation.db().execute(
      "UPDATE timers SET due_at = p.reserved_until FROM peers p WHERE p.id = subject_id AND kind = 'reservation'");
  installation.worker("w1").signal(SIGTERM);
  ASSERT_EQ(installation.worker("w1").wait(std::chrono::seconds(30)), 0);
  const auto key = activation("R1");
  installation.publish(key);
  ASSERT_EQ(of("R1", "reserved_until > clock_now()"), "t") << "the machine was too slow to send it in time";
  ASSERT_TRUE(eventually([&] { return of("R1", "reserved_until < clock_now()") == "t"; }));
  installation.start_worker("w2");  // whose sweep has to wait until the log is read
  EXPECT_EQ(installation.decision(key.id()).first, "accepted");
  settle();
  EXPECT_TRUE(on_host("R1"));
}

TEST_F(Reservations, FiveAnHourUnlessSet) {
  for (int i = 1; i <= 5; ++i) expect(reservation("R" + std::to_string(i)));
  expect(reservation("R6"), "rejected", "reservations_exceeded");
  expect(tenant_set({{"reservations_per_hour", 6}}));
  expect(reservation("R7"));
  expect(reservation("R8"), "rejected", "reservations_exceeded");
  move_clock(installation, std::chrono::seconds(3601));
  expect(reservation("R9"));
}

TEST_F(Reservations, ARequestedAddressIsHonouredOrRefusedNeverMoved) {
  const json said = reserved("R1", {{"address", "10.200.0.77"}});
  EXPECT_NE(said["addresses"].dump().find("10.200.0.77"), std::string::npos);
  expect(reservation("R2", {{"address", "10.200.0.77"}}), "rejected", "address_taken");
  expect(reservation("R3", {{"address", "10.200.0.1"}}), "rejected", "address_reserved");
  expect(reservation("R4", {{"address", "10.99.0.1"}}), "rejected", "address_outside_network");
}

TEST_F(Reservations, WhoHadAnAddressIsOnRecord) {
  reserved("R1", {{"ttl_seconds", 600}, {"address", "10.200.0.50"}});
  const std::string then =
      installation.db().value("SELECT to_char(clock_now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  move_clock(installation, hours(1));
  wait_said(installation, "reservation.status", json{{"peer", "R1"}, {"state", "expired"}});
  expect(reservation("R2", {{"address", "10.200.0.50"}}));
  const auto now = installation.cli({"address", "who", "10.200.0.50", "-o", "json"});
  EXPECT_EQ(now.exit_status, 0);
  EXPECT_NE(now.out.find("R2"), std::string::npos) << now.out;
  const auto before = installation.cli({"address", "who", "10.200.0.50", "--at", then, "-o", "json"});
  EXPECT_EQ(before.exit_status, 0);
  EXPECT_NE(before.out.find("R1"), std::string::npos) << before.out;
  EXPECT_EQ(installation.cli({"address", "who", "10.200.0.51"}).exit_status, 3);
}

}  // namespace
}  // namespace peerwright::test
