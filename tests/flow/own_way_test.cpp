// A worker that comes to a host through the host's own tunnel: by way of a jump host that is one of its peers.
#include "flow.hpp"
#include "peerwright/ssh/host_files.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class OwnWay : public FlowTest {
 protected:
  void SetUp() override {
    FlowTest::SetUp();
    jump.make_bare();
    for (const char* peer : {"carrier", "other"})
      provision(peer, {{"subscriber", peer}, {"client_routes", {"10.200.0.0/16"}}});
    const json said = wait_said(installation, "peer.status", json{{"peer", "carrier"}, {"delivery", "applied"}});
    jump.sh("umask 077; cat >/etc/wireguard/wg0.conf <<'CONF'\n" + client_config(said, keys("carrier").private_key) +
            "CONF\nwg-quick up wg0 >/dev/null 2>&1");
    log_in_by({{"host", "10.200.0.1"},
               {"jump", {{"host", jump.address()}, {"user", "root"}, {"host_key", jump.host_key()}}}});
    expect(of_server("reconcile"));
    settle();
    ASSERT_NE(host.sh("ss -Htn state established sport = :22 src 10.200.0.1"), "") << "by way of the tunnel";
  }
  void log_in_by(const json& ssh) {
    expect(of_server("update", {{"ssh", ssh}}));
    settle();
  }
  bool is_refused() {
    return eventually([&] { return of("carrier", "delivery_error") == "own_way_cut"; });
  }
  // The worker still comes to its host.
  void expect_reached_with(const std::string& peer) {
    provision(peer);
    EXPECT_TRUE(on_host(peer));
    expect(of_peer("revoke", peer));
    EXPECT_TRUE(goes_off(peer));
  }

  LabHost jump{2};
};

TEST_F(OwnWay, WhoCarriesItIsNotWalledIn) {
  expect(tenant_set({{"walled_garden", {{{"to", "192.0.2.1/32"}, {"protocol", "any"}}}}}));
  for (const char* who : {"carrier", "other"}) expect(of_subscriber("suspend", {{"mode", "walled_garden"}}, who));
  EXPECT_TRUE(is_refused()) << installation.log_of("w1");
  wait_said(installation, "peer.status", json{{"peer", "other"}, {"walled_garden", true}, {"delivery", "applied"}});
  EXPECT_EQ(host.sh("nft list table inet peerwright_wg0 | grep -c 'elements = { 10'"), "1\n") << "the other is in it";
  wait_said(installation, "peer.status", json{{"peer", "carrier"}, {"delivery", "failed"}});
  expect_reached_with("later");
  EXPECT_EQ(of("carrier", "delivery_error"), "own_way_cut");

  // A garden from which the host is reached walls it in as well.
  expect(tenant_set({{"walled_garden", {{{"to", "10.200.0.1/32"}, {"protocol", "tcp"}, {"port", 22}}}}}));
  expect(of_server("reconcile"));
  wait_said(installation, "peer.status", json{{"peer", "carrier"}, {"walled_garden", true}, {"delivery", "applied"}});
  expect_reached_with("latest");
}

TEST_F(OwnWay, WhoCarriesItIsNotRemovedBehindSudo) {
  const std::string directory(ssh::kHostDirectory);
  host.sh("rm -rf " + directory + " && mkdir -p -m 755 " + directory);
  for (const auto& file : ssh::host_files()) {
    host.sh("cat >" + file.path + " <<'PEERWRIGHT_FILE'\n" + file.content + "PEERWRIGHT_FILE\nchmod " +
            (file.mode == 0755 ? "755 " : "644 ") + file.path);
  }
  host.sh(
      "id wgadmin >/dev/null 2>&1 || useradd -m -d /var/lib/wgadmin -s /bin/sh -p '*' wgadmin; "
      "mkdir -p /var/lib/wgadmin/.ssh && cp /root/.ssh/authorized_keys /var/lib/wgadmin/.ssh/ && "
      "chmod -R a+rX /var/lib/wgadmin && "
      "echo 'wgadmin ALL=(root) NOPASSWD: /usr/local/lib/peerwright/hand' >/etc/sudoers.d/peerwright");
  log_in_by({{"user", "wgadmin"}, {"way", "sudo"}});
  for (const char* who : {"carrier", "other"}) expect(of_subscriber("suspend", {{"mode", "cut"}}, who));
  EXPECT_TRUE(is_refused()) << installation.log_of("w1");
  EXPECT_TRUE(goes_off("other"));
  EXPECT_TRUE(on_host("carrier"));
  expect_reached_with("later");
  host.sh("rm /etc/sudoers.d/peerwright");
}

}  // namespace
}  // namespace peerwright::test
