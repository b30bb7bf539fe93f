// Hosts that are far away. What a push costs is counted in round trips, which its trace shows; no time is measured.
#include <gtest/gtest.h>

#include "support/cutting_proxy.hpp"
#include "support/installation.hpp"
#include "support/said.hpp"

namespace peerwright::test {
namespace {

using std::chrono::milliseconds;

class Distance : public testing::Test {
 protected:
  struct Far {
    std::string server;
    LabHost host;
    milliseconds away;
    CuttingProxy proxy{host.address(), 22};
  };

  void begin() {
    std::vector<TestEvent> events = {network_set("net")};
    for (Far* at : {&country_, &continent_}) {
      at->proxy.delay(at->away);
      auto server = server_register(at->server, "net", at->host);
      server.cloud_event["data"]["ssh"]["host"] = "127.0.0.1";
      server.cloud_event["data"]["ssh"]["port"] = at->proxy.port();
      events.push_back(server);
    }
    // Without observe, whose sessions are its own: the trace is of pushes alone.
    installation_.start_worker("w1", {}, {{"roles", "intake, deliver, sweep, publish"}});
    installation_.establish(events);
  }
  std::string provision(const std::string& peer, const Far& at) {
    const std::string key = make_client_keys().public_key;
    installation_.publish(peer_provision("acme", peer, at.server, key));
    return key;
  }
  // Until all is proven, and the hosts are as the database wants them.
  void expect_settled() {
    ASSERT_TRUE(installation_.wait_settled()) << installation_.unsettled() << installation_.log_of("w1");
    for (const Far* at : {&country_, &continent_}) {
      const auto wanted = wanted_peers(installation_.db(), at->server);
      EXPECT_EQ(at->host.kernel_peers(), wanted) << at->server;
      EXPECT_EQ(at->host.file_peers(), wanted) << at->server;
    }
  }

  Far country_{"country", LabHost{1}, milliseconds(20)};
  Far continent_{"continent", LabHost{2}, milliseconds(100)};
  Installation installation_{{.partitions = 1, .settings = {}}};
};

// On a session that stands, with its channel opened ahead: the command is sent, then its input, and the answer comes.
TEST_F(Distance, APushAndASuspensionAreProvenInTwoRoundTripsEach) {
  begin();
  provision("first-country", country_);
  provision("first-continent", continent_);
  expect_settled();
  for (Far* at : {&country_, &continent_}) {
    SCOPED_TRACE(at->server);
    const std::string peer = "second-" + at->server;
    at->proxy.record();
    const std::string key = provision(peer, *at);
    expect_settled();
    EXPECT_EQ(round_trips(at->proxy.recorded()), 2) << text_of(at->proxy.recorded());
    EXPECT_TRUE(at->host.kernel_peers().contains(key));

    at->proxy.record();
    installation_.publish(peer_event("suspend", "acme", peer));
    wait_said(installation_, "peer.status", {{"peer", peer}, {"entitlement", "suspended"}, {"delivery", "applied"}});
    EXPECT_FALSE(at->host.kernel_peers().contains(key));
    expect_settled();
    EXPECT_EQ(round_trips(at->proxy.recorded()), 2) << text_of(at->proxy.recorded());
  }
}

}  // namespace
}  // namespace peerwright::test
