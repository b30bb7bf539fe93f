// Meshes and links: servers that are each other's peers, and nodes that nobody can log in to.
#include "flow.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Mesh : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    installation.establish(
        {network_set("net",
                     {{"reserved", {"10.200.0.1", "10.200.255.1", "10.200.255.2", "10.200.255.3", "10.200.255.9"}}}),
         server_register("muc1", "net", second), server_register("ber1", "net", third)});
    settle();
  }
  static json member(const std::string& server, int number) {
    return {
        {"server", server},
        {"allowed_ips", {"10.200.255." + std::to_string(number) + "/32", "172.20." + std::to_string(number) + ".0/24"}},
        {"keepalive_seconds", 25}};
  }
  TestEvent mesh(const json& members) { return event("mesh.set", {{"mesh", "m1"}, {"members", members}}, "mesh/m1"); }
  std::int64_t generation(const std::string& server) {
    return installation.db().number("SELECT generation FROM servers WHERE name = '" + server + "'");
  }
  LabHost second{2};
  LabHost third{3};
};

TEST_F(Mesh, AJoinTouchesEachOtherNodeOnceAndDisturbsNobody) {
  expect(mesh({member("fra1", 1), member("muc1", 2)}));
  settle();
  EXPECT_EQ(host.kernel_peers()[second.interface_key()], "10.200.255.2/32,172.20.2.0/24");
  const std::string untouched = host.sh("wg show wg0 dump | grep -v $(wg show wg0 public-key)");
  const auto first_before = generation("fra1");
  const auto second_before = generation("muc1");
  expect(mesh({member("fra1", 1), member("muc1", 2), member("ber1", 3)}));
  settle();
  EXPECT_EQ(generation("fra1"), first_before + 1);
  EXPECT_EQ(generation("muc1"), second_before + 1);
  EXPECT_EQ(host.kernel_peers().size(), 2U);
  EXPECT_EQ(third.kernel_peers().size(), 2U);
  EXPECT_EQ(third.kernel_peers()[host.interface_key()], "10.200.255.1/32,172.20.1.0/24");
  EXPECT_NE(host.sh("wg show wg0 endpoints").find(third.address()), std::string::npos);
  EXPECT_NE(host.sh("wg show wg0 persistent-keepalive").find("25"), std::string::npos);
}

TEST_F(Mesh, WhoLeavesIsForgottenByAll) {
  expect(mesh({member("fra1", 1), member("muc1", 2), member("ber1", 3)}));
  settle();
  expect(mesh({member("fra1", 1), member("muc1", 2)}));
  settle();
  EXPECT_EQ(host.kernel_peers().size(), 1U);
  EXPECT_EQ(second.kernel_peers().size(), 1U);
  EXPECT_TRUE(third.kernel_peers().empty());
}

TEST_F(Mesh, AnUnmanagedNodeGetsAConfigurationAndTheOthersItsEntry) {
  const auto node = make_client_keys();
  expect(mesh({member("fra1", 1),
               member("muc1", 2),
               {{"name", "branch"}, {"public_key", node.public_key}, {"allowed_ips", {"10.200.255.9/32"}}}}));
  settle();
  EXPECT_EQ(host.kernel_peers()[node.public_key], "10.200.255.9/32");
  EXPECT_EQ(second.kernel_peers()[node.public_key], "10.200.255.9/32");
  const json said = wait_said(installation, "mesh.status", [&](const json& body) {
    const std::string text = body.dump();
    return text.find(host.interface_key()) != std::string::npos &&
           text.find(second.interface_key()) != std::string::npos;
  });
  EXPECT_NE(said.dump().find("172.20.2.0/24"), std::string::npos);
}

TEST_F(Mesh, PacketsCrossTheMesh) {
  host.sh("ip addr replace 10.200.255.1/32 dev wg0");
  second.sh("ip addr replace 10.200.255.2/32 dev wg0");
  expect(mesh({member("fra1", 1), member("muc1", 2)}));
  settle();
  EXPECT_NO_THROW(host.sh("ping -c 1 -W 5 -I 10.200.255.1 10.200.255.2"));
  EXPECT_NO_THROW(second.sh("ping -c 1 -W 5 -I 10.200.255.2 10.200.255.1"));
}

TEST_F(Mesh, PeersAndNodesLiveSideBySide) {
  provision("P1");
  expect(mesh({member("fra1", 1), member("muc1", 2)}));
  settle();
  expect(of_peer("suspend", "P1"));
  settle();
  EXPECT_FALSE(on_host("P1"));
  EXPECT_TRUE(host.kernel_peers().contains(second.interface_key()));
  expect(of_server("reconcile"));
  settle();
  EXPECT_TRUE(host.kernel_peers().contains(second.interface_key())) << "a reading takes no node for a stranger";
}

}  // namespace
}  // namespace peerwright::test
