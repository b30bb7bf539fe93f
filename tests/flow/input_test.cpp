// Bad input gets a clear answer, nothing is lost, and the partition goes on.
#include <gtest/gtest.h>

#include "support/installation.hpp"

namespace peerwright::test {
namespace {

struct BadInput {
  const char* name;
  std::string payload;
  std::string code;
};

std::string with_data(const std::string& type, const nlohmann::json& data) { return event(type, data, "k").text(); }

std::vector<BadInput> bad_inputs() {
  const nlohmann::json provision = {{"tenant", "acme"}, {"peer", "P1"}, {"server", "fra1"}};
  auto with_key = [&](const nlohmann::json& key) {
    auto data = provision;
    data["public_key"] = key;
    return with_data("peer.provision", data);
  };
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += '[';
  return {
      {"not JSON", "this is no JSON", "not_json"},
      {"nothing", "", "not_json"},
      {"a field is missing", with_data("peer.provision", provision), "schema_violation"},
      {"a field of the wrong type", with_key(17), "schema_violation"},
      {"too large", std::string(10U * 1024 * 1024, 'x'), "message_too_large"},
      {"too deep", deep, "too_deep"},
      {"invalid UTF-8", "{\"specversion\":\"1.0\",\"id\":\"\xff\xfe\"}", "not_utf8"},
      {"a key that is too short", with_key("c2hvcnQ="), "schema_violation"},
      {"a key that is not canonical", with_key(std::string(42, 'A') + "B="), "key_invalid"},
      {"an unknown type", with_data("peer.dance", provision), "unknown_type"},
  };
}

TEST(Input, WhatCannotBeReadBecomesADeadLetterWithItsOriginalAndThePartitionGoesOn) {
  LabHost host(1);
  Installation installation({.partitions = 1, .settings = {}});
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  const auto inputs = bad_inputs();
  for (const BadInput& bad : inputs) {
    installation.publish_raw({installation.topic("events"), "acme/P1", {}, bad.payload});
  }
  const auto good = peer_provision("acme", "P2", "fra1", make_client_keys().public_key);
  installation.publish(good);
  ASSERT_TRUE(installation.wait_settled()) << installation.log_of("w1");
  EXPECT_EQ(installation.decision(good.id()).first, "accepted");
  // What sets the configuration of the subject of an unknown event waits behind it.
  const auto behind = peer_provision("acme", "P1", "fra1", make_client_keys().public_key);
  installation.publish(behind);
  EXPECT_TRUE(eventually([&] {
    return installation.db().number("SELECT count(*) FROM dead_letters WHERE code = 'waits_for_kept' AND kept") == 1;
  }));

  const auto letters = installation.db().rows(
      "SELECT id, code, message FROM dead_letters WHERE code <> 'waits_for_kept' ORDER BY message_offset");
  ASSERT_EQ(letters.size(), inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(letters[i][1], inputs[i].code) << inputs[i].name;
    EXPECT_FALSE(letters[i][2].empty()) << inputs[i].name;
    const Finished original = installation.cli({"dlq", "show", letters[i][0], "--raw"});
    EXPECT_EQ(original.exit_status, 0) << inputs[i].name;
    EXPECT_TRUE(original.out == inputs[i].payload) << inputs[i].name << ": the original is another";
  }
  const auto published = installation.read_topic("dead-letters");
  EXPECT_EQ(published.size(), inputs.size() - 1) << "what a newer version may know is kept, and no dead letter";
  for (const auto& letter : published) EXPECT_FALSE(letter.body["remedy"].get<std::string>().empty());
}

TEST(Input, WhatMayNotBeIsRejectedWithACodeAndARemedy) {
  LabHost host(1);
  Installation installation;
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  const std::string key = make_client_keys().public_key;
  const std::vector<std::pair<TestEvent, std::string>> cases = {
      {peer_provision("acme", "A1", "nowhere", make_client_keys().public_key), "unknown_server"},
      {peer_provision("other", "A2", "fra1", make_client_keys().public_key).from("reseller"), "source_not_bound"},
      {network_set("theirs").from("reseller"), "source_not_bound"},
      {peer_event("suspend", "acme", "A3").from("stranger"), "source_not_bound"},
      {server_register("muc1", "no-network", host), "unknown_network"},
  };
  for (const auto& [event, code] : cases) installation.publish(event);
  for (const auto& [event, code] : cases) {
    const auto decided = installation.decision(event.id(), event.cloud_event["source"]);
    EXPECT_EQ(decided, std::pair(std::string("rejected"), code));
  }
  ASSERT_TRUE(installation.wait_settled());
  std::size_t said = 0;
  for (const auto& status : installation.read_topic("status")) {
    if (status.type != "peerwright.rejected.v1") continue;
    ++said;
    EXPECT_FALSE(status.body["code"].get<std::string>().empty());
    EXPECT_FALSE(status.body["remedy"].get<std::string>().empty());
  }
  EXPECT_EQ(said, cases.size());
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM tenants WHERE name = 'other'"), 0)
      << "an unbound source made a tenant";
}

TEST(Input, AForeignProducersBinaryEventIsExecuted) {
  LabHost host(1);
  Installation installation;
  installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  const std::string key = make_client_keys().public_key;
  const Finished sent = run_command({"kcat", "-P",
                                     "-b",   required_environment("KAFKA_BROKERS"),
                                     "-t",   installation.topic("events"),
                                     "-k",   "acme/P1",
                                     "-H",   "ce_specversion=1.0",
                                     "-H",   "ce_id=by-hand",
                                     "-H",   "ce_source=billing",
                                     "-H",   "ce_type=peerwright.peer.provision.v1",
                                     "-H",   "ce_sequence=1",
                                     "-H",   "content-type=application/json"},
                                    R"({"tenant":"acme","peer":"P1","server":"fra1","public_key":")" + key + "\"}");
  ASSERT_EQ(sent.exit_status, 0);
  EXPECT_EQ(installation.decision("by-hand").first, "accepted");
  EXPECT_TRUE(eventually([&] { return host.kernel_peers().contains(key); }));
  ASSERT_TRUE(installation.wait_settled());
  bool applied = false;
  for (const auto& said : installation.read_topic("status")) {
    applied |= said.type == "peerwright.peer.status.v1" && said.body["delivery"] == "applied";
  }
  EXPECT_TRUE(applied) << "the status did not come out";
}

}  // namespace
}  // namespace peerwright::test
