// The whole path on real parts: an event goes in, a WireGuard host obeys, a proven status comes out.
#include <gtest/gtest.h>

#include "support/installation.hpp"
#include "support/said.hpp"

namespace peerwright::test {
namespace {

class Path : public testing::Test {
 protected:
  void SetUp() override {
    installation.start_worker("w1");
    installation.establish({network_set("net"), server_register("fra1", "net", host)});
    ASSERT_TRUE(installation.wait_settled());  // the interface's key is known: configurations are said once
  }
  void expect_host_as_wanted() {
    ASSERT_TRUE(installation.wait_settled());
    const auto wanted = wanted_peers(installation.db(), "fra1");
    EXPECT_EQ(host.kernel_peers(), wanted);
    EXPECT_EQ(host.file_peers(), wanted);
  }
  // The statuses of one peer, without repetitions.
  std::vector<nlohmann::json> statuses_of(const std::string& peer) {
    std::vector<nlohmann::json> statuses;
    std::set<std::string> seen;
    for (const auto& said : installation.read_topic("status")) {
      if (said.type == "peerwright.peer.status.v1" && said.body["peer"] == peer && seen.insert(said.id).second) {
        statuses.push_back(said.body);
      }
    }
    return statuses;
  }
  std::string entitlement(const std::string& peer) {
    return installation.db().value("SELECT entitlement FROM peers WHERE name = '" + peer + "'");
  }

  LabHost host{1};
  Installation installation;
};

TEST_F(Path, AProvisionedPeerStandsOnTheHostAndIsSaidToBeApplied) {
  const ClientKeys keys = make_client_keys();
  installation.publish(peer_provision("acme", "P1", "fra1", keys.public_key));
  expect_host_as_wanted();
  EXPECT_EQ(host.kernel_peers(), (LabHost::Peers{{keys.public_key, "10.200.0.2/32,fd00:200::2/128"}}));

  const auto statuses = statuses_of("P1");
  ASSERT_EQ(statuses.size(), 2U);
  EXPECT_EQ(statuses[0]["delivery"], "pending");
  EXPECT_EQ(statuses[1]["delivery"], "applied");
  EXPECT_EQ(statuses[1]["version"], 2);
  EXPECT_GE(statuses[1]["latency_ms"].get<std::int64_t>(), 0);
  EXPECT_EQ(statuses[1]["client"]["server_public_key"], host.interface_key());
}

TEST_F(Path, ASuspendedPeerLeavesTheHostAndAResumedOneComesBackWithItsAddress) {
  const ClientKeys keys = make_client_keys();
  installation.publish(peer_provision("acme", "P1", "fra1", keys.public_key));
  expect_host_as_wanted();
  const auto before = host.kernel_peers();
  installation.publish(peer_event("suspend", "acme", "P1"));
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().empty());
  EXPECT_TRUE(host.file_peers().empty());
  installation.publish(peer_event("resume", "acme", "P1"));
  expect_host_as_wanted();
  EXPECT_EQ(host.kernel_peers(), before);
}

TEST_F(Path, ASubscribersSuspensionReachesAllItsPeersAndThoseThatComeLater) {
  const ClientKeys one = make_client_keys(), two = make_client_keys(), later = make_client_keys();
  installation.publish({peer_provision("acme", "P1", "fra1", one.public_key, "S1"),
                        peer_provision("acme", "P2", "fra1", two.public_key, "S1")});
  expect_host_as_wanted();
  ASSERT_EQ(host.kernel_peers().size(), 2U);
  installation.publish(
      {subscriber_event("suspend", "acme", "S1"), peer_provision("acme", "P3", "fra1", later.public_key, "S1")});
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().empty());
  EXPECT_EQ(entitlement("P3"), "suspended");
  installation.publish(subscriber_event("resume", "acme", "S1"));
  expect_host_as_wanted();
  EXPECT_EQ(host.kernel_peers().size(), 3U);
}

TEST_F(Path, AHoldIsLiftedByItsOwnSourceAlone) {
  installation.publish(peer_provision("acme", "P1", "fra1", make_client_keys().public_key));
  installation.publish({peer_event("suspend", "acme", "P1"), peer_event("suspend", "acme", "P1").from("security")});
  installation.publish(peer_event("resume", "acme", "P1"));
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().empty()) << "a payment lifted an abuse block";
  installation.publish(peer_event("resume", "acme", "P1").from("security"));
  expect_host_as_wanted();
  EXPECT_EQ(host.kernel_peers().size(), 1U);
}

TEST_F(Path, SuspendAndRevokeMayComeBeforeTheProvision) {
  installation.publish({peer_event("suspend", "acme", "P1"), peer_event("revoke", "acme", "P2")});
  auto provision = peer_provision("acme", "P2", "fra1", make_client_keys().public_key);
  installation.publish({peer_provision("acme", "P1", "fra1", make_client_keys().public_key), provision});
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().empty());
  EXPECT_EQ(entitlement("P1"), "suspended");
  EXPECT_EQ(installation.decision(provision.id()), std::pair(std::string("rejected"), std::string("peer_revoked")));
}

TEST_F(Path, AResumeThatIsReadBeforeItsSuspendWins) {
  installation.publish(peer_provision("acme", "P1", "fra1", make_client_keys().public_key));
  auto suspend = peer_event("suspend", "acme", "P1");
  const auto resume = peer_event("resume", "acme", "P1");
  installation.publish({resume, suspend});
  expect_host_as_wanted();
  EXPECT_EQ(installation.decision(suspend.id()), std::pair(std::string("rejected"), std::string("stale")));
  EXPECT_EQ(host.kernel_peers().size(), 1U) << "a customer who paid is held";
}

TEST_F(Path, ARevocationIsFinalAndItsAddressReturnsOnceTheHostProvedIt) {
  const ClientKeys keys = make_client_keys();
  installation.publish(peer_provision("acme", "P1", "fra1", keys.public_key));
  expect_host_as_wanted();
  installation.publish(peer_event("revoke", "acme", "P1"));
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().empty());
  EXPECT_EQ(installation.db().value("SELECT address_offset FROM network_free"), "2");
  const auto resume = peer_event("resume", "acme", "P1");
  const auto key_again = peer_provision("other", "P9", "fra1", keys.public_key);
  installation.publish({resume, key_again});
  EXPECT_EQ(installation.decision(resume.id()).second, "peer_revoked");
  EXPECT_EQ(installation.decision(key_again.id()).second, "key_unavailable");
}

TEST_F(Path, AnAddressOfADeadHostsPeerIsNotGivenToAnother) {
  const ClientKeys keys = make_client_keys();
  installation.publish(peer_provision("acme", "P1", "fra1", keys.public_key));
  expect_host_as_wanted();
  host.lab("freeze");
  installation.publish(peer_event("revoke", "acme", "P1"));
  EXPECT_TRUE(eventually([&] { return entitlement("P1") == "revoked"; }));
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM network_free"), 0) << "released without a proof";
  EXPECT_EQ(installation.db().value("SELECT address_offset FROM peers WHERE name = 'P1'"), "2");
  host.lab("thaw");
  expect_host_as_wanted();
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM network_free"), 1);
}

TEST_F(Path, ADuplicateHasOneEffectAndAnIdIsNotUsedTwice) {
  const auto provision = peer_provision("acme", "P1", "fra1", make_client_keys().public_key);
  installation.publish({provision, provision, provision});
  installation.publish(provision);
  auto other = peer_provision("acme", "P2", "fra1", make_client_keys().public_key).with_id(provision.id());
  installation.publish(other);
  expect_host_as_wanted();
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM audit WHERE event_id = '" + provision.id() + "'"), 1);
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM peers WHERE stage = 'provisioned'"), 1);
  EXPECT_EQ(installation.db().value("SELECT code FROM dead_letters"), "id_reused");
}

TEST_F(Path, ChangesDuringAnOutageCollapseIntoNoPushAtAll) {
  installation.publish(peer_provision("acme", "P1", "fra1", make_client_keys().public_key));
  expect_host_as_wanted();
  const auto pushes = installation.db().number("SELECT push_no FROM deliveries");
  // Both in one batch of one partition: there is nothing left to do when the delivery is planned.
  installation.publish({peer_event("suspend", "acme", "P1"), peer_event("resume", "acme", "P1")});
  expect_host_as_wanted();
  EXPECT_EQ(installation.db().value("SELECT generation = applied_generation FROM peers"), "t");
  EXPECT_LE(installation.db().number("SELECT push_no FROM deliveries"), pushes + 2);
  EXPECT_EQ(statuses_of("P1").back()["delivery"], "applied");
  EXPECT_EQ(statuses_of("P1").back()["entitlement"], "active");
}

TEST_F(Path, AHostOfAnotherInstallationIsLeftAlone) {
  installation.publish(peer_provision("acme", "P1", "fra1", make_client_keys().public_key));
  expect_host_as_wanted();
  const auto before = host.kernel_peers();
  Installation second;
  second.start_worker("x1");
  second.establish({network_set("net"), server_register("fra1", "net", host)});
  second.publish(peer_provision("acme", "P1", "fra1", make_client_keys().public_key));
  EXPECT_TRUE(eventually([&] {
    return second.db().value("SELECT error_code FROM deliveries") == "host_of_other_installation";
  })) << second.log_of("x1");
  EXPECT_EQ(host.kernel_peers(), before);
}

TEST_F(Path, AnotherHostKeyStopsEverythingBeforeAByteIsSent) {
  LabHost other(2);
  auto wrong = server_register("muc1", "net", other);
  wrong.cloud_event["data"]["ssh"]["host_key"] = host.host_key();
  installation.establish({wrong});
  installation.publish(peer_provision("acme", "P1", "muc1", make_client_keys().public_key));
  EXPECT_TRUE(eventually([&] {
    return installation.db().number("SELECT count(*) FROM deliveries WHERE error_code = 'ssh_host_key_changed'") == 1;
  })) << installation.log_of("w1");
  EXPECT_TRUE(other.kernel_peers().empty());
  // It is said once, by whichever loop met it first, also after both have met it again.
  const std::string looks =
      "SELECT count(*) FROM deliveries WHERE error_code = 'ssh_host_key_changed' AND attempts > 2";
  wait_said(installation, "server.status", nlohmann::json{{"server", "muc1"}, {"alert", "ssh_host_key_changed"}});
  EXPECT_TRUE(eventually([&] { return installation.db().number(looks) == 1; }));
  installation.publish(event("server.observe", {{"server", "muc1"}}, "server/muc1"));
  EXPECT_TRUE(eventually([&] {
    return installation.db().number(
               "SELECT count(*) FROM server_runtime WHERE error_code = 'ssh_host_key_changed' AND "
               "observe_at > clock_now()") == 1;
  }));
  int said = 0;
  for (const auto& status : installation.statuses()) {
    said += status.type == "peerwright.server.status.v1" && status.body.value("alert", "") != "" ? 1 : 0;
  }
  EXPECT_EQ(said, 1);
  EXPECT_EQ(other.sh("ls /etc/wireguard/wg0.conf.push 2>/dev/null || echo none"), "none\n");
}

}  // namespace
}  // namespace peerwright::test
