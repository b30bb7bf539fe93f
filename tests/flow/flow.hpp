#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/installation.hpp"
#include "support/said.hpp"

namespace peerwright::test {

// One worker, the network "net" and the server "fra1" on a host of the lab; tenant "acme" unless told.
class FlowTest : public testing::Test {
 protected:
  explicit FlowTest(const InstallationOptions& options = {}) : installation(options) {}
  void SetUp() override;

  // Publishes and expects the decision.
  void expect(const TestEvent& event, const std::string& outcome = "accepted", const std::string& code = "");
  void accept(const std::vector<TestEvent>& events) {
    for (const auto& event : events) expect(event);
  }
  // Until all that was said is done and proven.
  void settle();
  // Provisions and settles; `more` goes over the data of the event.
  void provision(const std::string& peer, const nlohmann::json& more = nlohmann::json::object(),
                 const std::string& server = "fra1");
  const ClientKeys& keys(const std::string& peer);  // of its client; made once

  // Events of one subject; `more` goes over their data.
  using Json = nlohmann::json;
  TestEvent of_peer(const std::string& verb, const std::string& peer, const Json& more = Json::object());
  TestEvent of_server(const std::string& verb, const Json& more = Json::object(), const std::string& server = "fra1");
  TestEvent of_subscriber(const std::string& verb, const Json& more = Json::object(),
                          const std::string& subscriber = "S1");
  TestEvent reservation(const std::string& peer, const Json& more = Json::object());
  TestEvent tenant_set(const Json& more, const std::string& tenant = "acme");

  [[nodiscard]] bool on_host(const std::string& peer) { return host.kernel_peers().contains(keys(peer).public_key); }
  bool comes_on(const std::string& peer) {
    return eventually([&] { return on_host(peer); });
  }
  bool goes_off(const std::string& peer) {
    return eventually([&] { return !on_host(peer); });
  }
  std::string of(const std::string& peer, const std::string& column);  // of the row in `peers`

  LabHost host{1};
  Installation installation;

 private:
  std::map<std::string, ClientKeys> keys_;
};

}  // namespace peerwright::test
