#include "flow.hpp"

namespace peerwright::test {

void FlowTest::SetUp() {
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
}

void FlowTest::expect(const TestEvent& event, const std::string& outcome, const std::string& code) {
  installation.publish(event);
  EXPECT_EQ(installation.decision(event.id(), event.cloud_event["source"]), std::pair(outcome, code)) << event.text();
}

void FlowTest::settle() {
  ASSERT_TRUE(installation.wait_settled()) << installation.unsettled() << '\n' << installation.log_of("w1");
}

const ClientKeys& FlowTest::keys(const std::string& peer) {
  auto found = keys_.find(peer);
  if (found == keys_.end()) found = keys_.emplace(peer, make_client_keys()).first;
  return found->second;
}

void FlowTest::provision(const std::string& peer, const nlohmann::json& more, const std::string& server) {
  Json data = {{"server", server}, {"public_key", keys(peer).public_key}};
  data.update(more);
  expect(of_peer("provision", peer, data));
  settle();
}

TestEvent FlowTest::of_peer(const std::string& verb, const std::string& peer, const Json& more) {
  Json data = {{"tenant", "acme"}, {"peer", peer}};
  data.update(more);
  return event("peer." + verb, data, "acme/" + peer);
}

TestEvent FlowTest::of_server(const std::string& verb, const Json& more, const std::string& server) {
  Json data = {{"server", server}};
  data.update(more);
  return event("server." + verb, data, "server/" + server);
}

TestEvent FlowTest::of_subscriber(const std::string& verb, const Json& more, const std::string& subscriber) {
  Json data = {{"tenant", "acme"}};
  data[more.contains("customer") ? "customer" : "subscriber"] = subscriber;
  data.update(more);
  return event("subscriber." + verb, data, "acme/" + subscriber);
}

TestEvent FlowTest::reservation(const std::string& peer, const Json& more) {
  Json data = {{"tenant", "acme"}, {"peer", peer}, {"server", "fra1"}};
  data.update(more);
  return event("reservation.create", data, "acme/" + peer);
}

TestEvent FlowTest::tenant_set(const Json& more, const std::string& tenant) {
  Json data = {{"tenant", tenant}};
  data.update(more);
  return event("tenant.set", data, tenant);
}

std::string FlowTest::of(const std::string& peer, const std::string& column) {
  return installation.db().value("SELECT " + column + " FROM peers WHERE name = '" + peer + "'");
}

}  // namespace peerwright::test
