// Every inbound event once, on real parts: a real broker carries it, a real Postgres stores it, a real host obeys.
#include "peerwright/events/catalogue.hpp"

#include <gtest/gtest.h>

#include <set>

#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

// tenant.set -> TenantSet, server.rotate_key -> ServerRotateKey
std::string test_name_of(std::string_view event) {
  std::string name;
  bool upper = true;
  for (const char c : event) {
    if (c == '.' || c == '_') {
      upper = true;
      continue;
    }
    name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return name;
}

class Catalogue : public FlowTest {};

TEST_F(Catalogue, EveryInboundEventHasItsTest) {
  std::set<std::string> tests;
  const auto* suite = testing::UnitTest::GetInstance()->current_test_suite();
  for (int i = 0; i < suite->total_test_count(); ++i) tests.insert(suite->GetTestInfo(i)->name());
  for (const auto& row : events::catalogue()) EXPECT_TRUE(tests.contains(test_name_of(row.name))) << row.name;
}

TEST_F(Catalogue, TenantSet) {
  expect(event("tenant.set", {{"tenant", "acme"}, {"max_peers", 1}}, "acme"));
  EXPECT_EQ(wait_said(installation, "tenant.status", {{"tenant", "acme"}}).value("max_peers", 0), 1);
  provision("P1");
  expect(peer_provision("acme", "P2", "fra1", keys("P2").public_key), "rejected", "tenant_full");
}

TEST_F(Catalogue, TenantApprove) {
  expect(
      event("tenant.set",
            {{"tenant", "acme"}, {"mass_suspension", {{"limit", 1}, {"window_seconds", 3600}, {"action", "approve"}}}},
            "acme"));
  provision("P1", {{"subscriber", "S1"}});
  expect(of_subscriber("suspend", Json::object(), "S0"));
  expect(of_subscriber("suspend"));
  settle();
  EXPECT_TRUE(on_host("P1")) << "a suspension that awaits approval took effect";
  expect(event("tenant.approve", {{"tenant", "acme"}, {"subscriber", "S1"}, {"approved", true}}, "acme/S1"));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); }));
}

TEST_F(Catalogue, NetworkSet) {
  expect(event("network.set", {{"network", "dmz"}, {"ipv4", "10.99.0.0/24"}, {"forbidden", {"192.168.0.0/16"}}},
               "network/dmz"));
  EXPECT_EQ(installation.db().value("SELECT array_to_string(forbidden, ',') FROM networks WHERE name = 'dmz'"),
            "192.168.0.0/16");
  expect(event("network.set", {{"network", "open"}, {"ipv4", "8.8.8.0/24"}}, "network/open"), "rejected",
         "prefix_public");
}

TEST_F(Catalogue, ServerRegister) {
  settle();
  const auto said =
      wait_said(installation, "server.status", {{"server", "fra1"}, {"public_key", host.interface_key()}});
  EXPECT_EQ(said.value("state", ""), "active");
}

TEST_F(Catalogue, ServerUpdate) {
  provision("P1");
  expect(of_server("update", {{"endpoint", "vpn.example.net:51820"}}));
  wait_said(installation, "peer.status", [](const json& body) {
    return body["peer"] == "P1" && body.contains("client") && body["client"]["endpoint"] == "vpn.example.net:51820";
  });
}

TEST_F(Catalogue, ServerDrain) {
  expect(of_server("drain", {{"on", true}}));
  expect(peer_provision("acme", "P1", "fra1", keys("P1").public_key), "rejected", "server_draining");
  expect(of_server("drain", {{"on", false}}));
  provision("P2");
  EXPECT_TRUE(on_host("P2"));
}

TEST_F(Catalogue, ServerMaintenance) {
  settle();
  expect(of_server("maintenance", {{"on", true}}));
  const auto provisioned = peer_provision("acme", "P1", "fra1", keys("P1").public_key);
  expect(provisioned);
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"delivery", "pending"}});
  EXPECT_FALSE(on_host("P1"));
  expect(of_server("maintenance", {{"on", false}}));
  EXPECT_TRUE(eventually([&] { return on_host("P1"); }));
}

TEST_F(Catalogue, ServerRetire) {
  provision("P1");
  expect(of_server("retire"), "rejected", "server_has_peers");
  expect(of_peer("revoke", "P1"));
  settle();
  expect(of_server("retire"));
  EXPECT_TRUE(eventually([&] { return host.sh("ip link show wg0 >/dev/null 2>&1 || echo gone") == "gone\n"; }));
  expect(peer_provision("acme", "P2", "fra1", keys("P2").public_key), "rejected", "server_retired");
}

TEST_F(Catalogue, ServerRotateKey) {
  provision("P1");
  const std::string before = LabHost::unwiped(1).interface_key();
  expect(of_server("rotate_key"));
  const auto said = wait_said(installation, "peer.status", [&](const json& body) {
    return body["peer"] == "P1" && body.contains("client") &&
           body["client"].value("server_public_key", before) != before;
  });
  settle();
  EXPECT_EQ(LabHost::unwiped(1).sh("wg show wg0 public-key"),
            said["client"]["server_public_key"].get<std::string>() + "\n");
  EXPECT_TRUE(on_host("P1"));
}

TEST_F(Catalogue, ServerReconcile) {
  provision("P1");
  host.sh("wg set wg0 peer " + keys("P1").public_key + " remove");
  ASSERT_FALSE(on_host("P1"));
  expect(of_server("reconcile"));
  EXPECT_TRUE(eventually([&] { return on_host("P1"); }));
}

TEST_F(Catalogue, ServerApprove) {
  provision("P1");
  const std::string stranger = make_client_keys().public_key;
  // More than half of the keys there: an operator has to say so.
  host.sh("for key in " + stranger + " " + make_client_keys().public_key + "; do wg set wg0 peer $key; done");
  expect(of_server("reconcile"));
  EXPECT_TRUE(eventually([&] { return installation.db().value("SELECT guard_held FROM servers") == "2"; }));
  EXPECT_TRUE(host.kernel_peers().contains(stranger));
  expect(of_server("approve", {{"keys", 2}}));
  EXPECT_TRUE(eventually([&] { return !host.kernel_peers().contains(stranger); }));
  EXPECT_TRUE(on_host("P1"));
}

TEST_F(Catalogue, ServerImport) {
  expect(of_server("import"), "rejected", "tenant_required");
  host.sh("wg set wg0 peer " + keys("P1").public_key + " allowed-ips 10.200.0.9/32,fd00:200::9/128");
  expect(of_server("import", {{"tenant", "acme"}}));
  const auto said = wait_said(installation, "peer.status", nlohmann::json{{"public_key", keys("P1").public_key}});
  EXPECT_EQ(said["adopted"], true);
  settle();
}

TEST_F(Catalogue, ServerObserve) {
  provision("P1");
  const auto before = installation.db().value("SELECT coalesce(max(observed_at), '-infinity') FROM server_runtime");
  expect(of_server("observe"));
  EXPECT_TRUE(eventually([&] {
    return installation.db().value("SELECT coalesce(max(observed_at), '-infinity') > '" + before +
                                   "' FROM server_runtime") == "t";
  }));
}

TEST_F(Catalogue, ReservationCreate) {
  expect(event("reservation.create", {{"tenant", "acme"}, {"peer", "R1"}, {"server", "fra1"}, {"ttl_seconds", 3600}},
               "acme/R1"));
  const auto said = wait_said(installation, "reservation.status", {{"peer", "R1"}, {"state", "reserved"}});
  EXPECT_FALSE(said["addresses"].empty());
  EXPECT_EQ(said["client"]["endpoint"], host.endpoint());
  expect(
      event("peer.provision", {{"tenant", "acme"}, {"peer", "R1"}, {"public_key", keys("R1").public_key}}, "acme/R1"));
  settle();
  const auto applied = wait_said(installation, "peer.status", {{"peer", "R1"}, {"delivery", "applied"}});
  EXPECT_EQ(applied["addresses"], said["addresses"]);
  EXPECT_TRUE(on_host("R1"));
}

TEST_F(Catalogue, ReservationCleanup) {
  expect(event("reservation.create", {{"tenant", "acme"}, {"peer", "R1"}, {"server", "fra1"}, {"ttl_seconds", 3600}},
               "acme/R1"));
  move_clock(installation, std::chrono::hours(2));
  expect(event("reservation.cleanup", {{"tenant", "acme"}}, "acme"));
  wait_said(installation, "reservation.status", json{{"peer", "R1"}, {"state", "expired"}});
  EXPECT_EQ(of("R1", "address_offset"), "");
}

TEST_F(Catalogue, PeerProvision) {
  provision(
      "P1",
      {{"name", "laptop"}, {"type", "service"}, {"site_networks", {"192.168.7.0/24"}}, {"metadata", {{"floor", 3}}}});
  const auto said = wait_said(installation, "peer.status", {{"peer", "P1"}, {"delivery", "applied"}});
  EXPECT_EQ(said.value("type", ""), "service");
  EXPECT_EQ(said.value("metadata", json()), json({{"floor", 3}}));
  EXPECT_NE(host.kernel_peers()[keys("P1").public_key].find("192.168.7.0/24"), std::string::npos);
}

TEST_F(Catalogue, PeerUpdate) {
  provision("P1");
  expect(of_peer("update", "P1", {{"site_networks", {"192.168.9.0/24"}}, {"name", "desk"}}));
  settle();
  EXPECT_NE(host.kernel_peers()[keys("P1").public_key].find("192.168.9.0/24"), std::string::npos);
  EXPECT_EQ(of("P1", "display_name"), "desk");
}

TEST_F(Catalogue, PeerMove) {
  LabHost other(2);
  installation.establish({server_register("muc1", "net", other)});
  provision("P1");
  const std::string address = of("P1", "address_offset");
  expect(of_peer("move", "P1", {{"server", "muc1"}}));
  settle();
  EXPECT_FALSE(on_host("P1"));
  EXPECT_TRUE(other.kernel_peers().contains(keys("P1").public_key));
  EXPECT_EQ(of("P1", "address_offset"), address) << "one network: the address stays";
}

TEST_F(Catalogue, PeerRotateKey) {
  provision("P1");
  const auto next = make_client_keys();
  expect(of_peer("rotate_key", "P1", {{"public_key", next.public_key}, {"stage_seconds", 3600}}));
  settle();
  EXPECT_EQ(host.kernel_peers()[next.public_key], "") << "the new key waits without addresses";
  EXPECT_NE(host.kernel_peers()[keys("P1").public_key], "");
  move_clock(installation, std::chrono::hours(2));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); })) << "the old key stays after the deadline";
  settle();
  EXPECT_NE(host.kernel_peers()[next.public_key], "");
  expect(peer_provision("acme", "P2", "fra1", keys("P1").public_key), "rejected", "key_unavailable");
}

TEST_F(Catalogue, PeerSuspend) {
  provision("P1");
  expect(of_peer("suspend", "P1", {{"reason", "abuse"}}));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); }));
  wait_said(installation, "peer.status", json{{"peer", "P1"}, {"entitlement", "suspended"}, {"delivery", "applied"}});
}

TEST_F(Catalogue, PeerResume) {
  provision("P1");
  expect(of_peer("suspend", "P1"));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); }));
  expect(of_peer("resume", "P1"));
  EXPECT_TRUE(eventually([&] { return on_host("P1"); }));
}

TEST_F(Catalogue, PeerRevoke) {
  provision("P1");
  expect(of_peer("revoke", "P1"));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); }));
  expect(of_peer("resume", "P1"), "rejected", "peer_revoked");
}

TEST_F(Catalogue, SubscriberSuspend) {
  provision("P1", {{"subscriber", "S1"}, {"customer", "C1"}});
  provision("P2", {{"subscriber", "S2"}, {"customer", "C1"}});
  expect(event("subscriber.suspend", {{"tenant", "acme"}, {"customer", "C1"}, {"reason", "unpaid"}}, "acme/C1"));
  EXPECT_TRUE(eventually([&] { return !on_host("P1") && !on_host("P2"); }))
      << "a customer's hold takes all its subscribers";
  wait_said(installation, "subscriber.status", json{{"customer", "C1"}, {"level", "cut"}});
}

TEST_F(Catalogue, SubscriberResume) {
  provision("P1", {{"subscriber", "S1"}});
  expect(of_subscriber("suspend"));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); }));
  expect(of_subscriber("resume"));
  EXPECT_TRUE(eventually([&] { return on_host("P1"); }));
}

TEST_F(Catalogue, SubscriberRevoke) {
  provision("P1", {{"subscriber", "S1"}});
  expect(of_subscriber("revoke"));
  EXPECT_TRUE(eventually([&] { return !on_host("P1"); }));
  settle();
  EXPECT_EQ(of("P1", "stage"), "revoked");
  expect(peer_provision("acme", "P9", "fra1", keys("P9").public_key, "S1"), "rejected", "subscriber_revoked");
}

TEST_F(Catalogue, RuleSet) {
  provision("P1");
  provision("P2");
  expect(event("rule.set",
               {{"tenant", "acme"},
                {"rule", "r1"},
                {"source_peer", "P1"},
                {"dest_peer", "P2"},
                {"dest_port", 443},
                {"dest_protocol", "tcp"},
                {"action", "allow"},
                {"priority", 10}},
               "acme"));
  settle();
  EXPECT_NE(host.sh("nft list ruleset").find("443"), std::string::npos);
}

TEST_F(Catalogue, RuleRemove) {
  provision("P1");
  expect(event("rule.set",
               {{"tenant", "acme"},
                {"rule", "r1"},
                {"dest_peer", "P1"},
                {"dest_port", 4433},
                {"dest_protocol", "udp"},
                {"action", "deny"}},
               "acme"));
  settle();
  EXPECT_NE(host.sh("nft list ruleset").find("4433"), std::string::npos);
  expect(event("rule.remove", {{"tenant", "acme"}, {"rule", "r1"}}, "acme"));
  settle();
  EXPECT_EQ(host.sh("nft list ruleset").find("4433"), std::string::npos);
}

TEST_F(Catalogue, MeshSet) {
  LabHost other(2);
  installation.establish({server_register("muc1", "net", other)});
  settle();
  expect(event("mesh.set",
               {{"mesh", "m1"},
                {"members",
                 {{{"server", "fra1"}, {"allowed_ips", {"172.20.255.1/32", "172.20.0.0/24"}}},
                  {{"server", "muc1"}, {"allowed_ips", {"172.21.255.1/32", "172.21.0.0/24"}}}}}},
               "mesh/m1"));
  settle();
  EXPECT_EQ(host.kernel_peers()[other.interface_key()], "172.21.0.0/24,172.21.255.1/32");
  EXPECT_EQ(other.kernel_peers()[host.interface_key()], "172.20.0.0/24,172.20.255.1/32");
}

TEST_F(Catalogue, LinkSet) {
  const auto node = make_client_keys();
  expect(event("link.set",
               {{"link", "l1"},
                {"ends",
                 {{{"server", "fra1"}, {"allowed_ips", {"172.20.0.0/24"}}},
                  {{"name", "branch"}, {"public_key", node.public_key}, {"allowed_ips", {"172.30.0.0/24"}}}}}},
               "link/l1"));
  settle();
  EXPECT_EQ(host.kernel_peers()[node.public_key], "172.30.0.0/24");
  const auto said = wait_said(installation, "mesh.status",
                              [](const json& body) { return body.dump().find("branch") != std::string::npos; });
  EXPECT_NE(said.dump().find("172.20.0.0/24"), std::string::npos) << "the unmanaged end gets its configuration";
}

TEST_F(Catalogue, LinkRemove) {
  const auto node = make_client_keys();
  const auto link =
      event("link.set",
            {{"link", "l1"},
             {"ends",
              {{{"server", "fra1"}, {"allowed_ips", {"172.20.0.0/24"}}},
               {{"name", "branch"}, {"public_key", node.public_key}, {"allowed_ips", {"172.30.0.0/24"}}}}}},
            "link/l1");
  expect(link);
  EXPECT_TRUE(eventually([&] { return host.kernel_peers().contains(node.public_key); }));
  expect(event("link.remove", {{"link", "l1"}}, "link/l1"));
  EXPECT_TRUE(eventually([&] { return !host.kernel_peers().contains(node.public_key); }));
}

}  // namespace
}  // namespace peerwright::test
