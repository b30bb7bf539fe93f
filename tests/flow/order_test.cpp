// The last word wins: late, repeated and reordered messages, replays of a whole topic, kept events, partitions that are
// added and keys that move.
#include <unistd.h>

#include <csignal>

#include "flow.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/broker/admin.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Order : public FlowTest {
 protected:
  // Partitions that are added are seen with the next look at the cluster.
  Order() : FlowTest({.settings = {{"kafka.properties", "{topic.metadata.refresh.interval.ms: 1000}"}}}) {}
  void stop_worker(const std::string& name) {
    installation.worker(name).signal(SIGTERM);
    ASSERT_EQ(installation.worker(name).wait(std::chrono::seconds(30)), 0) << installation.log_of(name);
  }
  // A hash over all that was decided, stored and said, but what intake notes for itself and what the clock alone moves.
  std::string hash_of_everything() {
    std::string text;
    for (const auto& row : installation.db().rows("SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
                                                  "c.relnamespace WHERE c.relkind = 'r' AND n.nspname = "
                                                  "'public' AND c.relname NOT IN ('intake', 'intake_topics', "
                                                  "'workers', 'leases', 'server_runtime', 'peer_runtime', "
                                                  "'wg_connection_log') ORDER BY 1")) {
      text += row[0] + ':' +
              installation.db().value(
                  "SELECT count(*) || coalesce(md5(string_agg(t, '|' ORDER BY t)), '') FROM (SELECT (to_jsonb(x) - "
                  "'next_attempt_at')::text AS t FROM " +
                  row[0] + " x) y") +
              '\n';
    }
    return text;
  }
};

TEST_F(Order, LateAndRepeatedMessagesChangeNothing) {
  provision("P1", {{"subscriber", "S1"}});
  const auto suspend = of_subscriber("suspend").with_sequence(100);
  const auto resume = of_subscriber("resume").with_sequence(101);
  expect(suspend);
  expect(resume);
  expect(of_subscriber("suspend").with_sequence(99), "rejected", "stale");
  expect(of_subscriber("suspend").with_sequence(101), "rejected", "sequence_reused");
  installation.publish({suspend, suspend, resume, suspend});
  settle();
  EXPECT_TRUE(comes_on("P1"));
  EXPECT_EQ(of("P1", "entitlement"), "active");
}

TEST_F(Order, WhatComesBeforeTheProvisionCounts) {
  expect(of_peer("suspend", "P1"));
  expect(of_peer("revoke", "P2"));
  expect(of_subscriber("revoke", json::object(), "S3"));
  provision("P1");
  EXPECT_EQ(of("P1", "entitlement"), "suspended");
  expect(of_peer("provision", "P2", {{"server", "fra1"}, {"public_key", keys("P2").public_key}}), "rejected",
         "peer_revoked");
  expect(of_peer("provision", "P3", {{"server", "fra1"}, {"public_key", keys("P3").public_key}, {"subscriber", "S3"}}),
         "rejected", "subscriber_revoked");
  EXPECT_TRUE(host.kernel_peers().empty());
}

TEST_F(Order, AReplayOfTheWholeTopicFromItsStartChangesNothing) {
  expect(tenant_set({{"max_peers", 50}, {"reservations_per_hour", 50}}));
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    provision("P" + n, {{"subscriber", "S" + std::to_string(i / 2)}, {"customer", "C1"}});
    expect(reservation("R" + n));
  }
  accept({of_peer("suspend", "P1"), of_peer("resume", "P1"), of_peer("revoke", "P2"), of_subscriber("suspend"),
          of_peer("update", "P4", {{"name", "x"}}),
          of_peer("rotate_key", "P5", {{"public_key", make_client_keys().public_key}}),
          event("rule.set", {{"tenant", "acme"}, {"rule", "r"}, {"dest_peer", "P4"}, {"action", "allow"}}, "acme"),
          of_server("drain")});
  const auto bad = event("peer.provision", {{"tenant", "acme"}}, "acme/bad");
  installation.publish(bad);
  settle();
  stop_worker("w1");
  const std::string before = hash_of_everything();
  installation.db().execute("UPDATE intake SET next_offset = 0, last_offset = NULL, last_hash = NULL");
  installation.start_worker("w2");
  settle();
  EXPECT_TRUE(eventually([&] {
    return installation.db().number("SELECT count(*) FROM intake WHERE caught_up_at > now() - interval '3 seconds'") >
           0;
  }));
  stop_worker("w2");
  EXPECT_EQ(hash_of_everything(), before);
}

TEST_F(Order, AnEventOfANewerVersionIsKeptAndBlocksTheTimersOfItsSubjectAlone) {
  provision("P1", {{"subscriber", "S1"}});
  provision("P2", {{"subscriber", "S2"}});
  for (const char* subscriber : {"S1", "S2"}) expect(of_subscriber("suspend", {{"grace_seconds", 3600}}, subscriber));
  auto newer = of_subscriber("resume");
  newer.cloud_event["type"] = "peerwright.subscriber.resume.v2";
  installation.publish(newer);
  EXPECT_TRUE(eventually([&] {
    return installation.db().number("SELECT count(*) FROM dead_letters WHERE kept AND state = 'open'") == 1;
  }));
  move_clock(installation, std::chrono::hours(2));
  EXPECT_TRUE(goes_off("P2")) << "another subject's timer goes on";
  settle();
  EXPECT_TRUE(on_host("P1")) << "the payment may stand in what cannot be read yet";
  installation.db().execute("UPDATE dead_letters SET state = 'discarded'");
  EXPECT_TRUE(goes_off("P1"));
}

TEST_F(Order, PartitionsAddedToALiveTopicAreReadFromTheirStart) {
  provision("P1");
  ASSERT_EQ(run_command(
                {required_environment("PEERWRIGHT_TOOLS") + "/kafka", "partitions", installation.topic("events"), "8"})
                .exit_status,
            0);
  // Keys move with the number of partitions; sequences keep the order.
  expect(of_peer("suspend", "P1").with_sequence(5000));
  EXPECT_TRUE(goes_off("P1"));
  expect(of_peer("resume", "P1").with_sequence(4999), "rejected", "stale");
  for (int i = 0; i < 16; ++i) provision("Q" + std::to_string(i));
  EXPECT_GT(installation.db().number("SELECT count(*) FROM intake WHERE partition >= 4 AND next_offset > 0"), 0);
  // Timers wait for the new partitions too, and go on once those are caught up.
  expect(reservation("R1", {{"ttl_seconds", 60}}));
  move_clock(installation, std::chrono::minutes(5));
  wait_said(installation, "reservation.status", json{{"peer", "R1"}, {"state", "expired"}});
}

TEST_F(Order, AKeyThatMovedToAnotherPartitionKeepsTheOrderBySequence) {
  provision("P1", {{"subscriber", "S1"}});
  auto suspend = of_subscriber("suspend").with_sequence(10);
  auto resume = of_subscriber("resume").with_sequence(11);
  suspend.key = "elsewhere-1";
  resume.key = "elsewhere-2";
  installation.publish({resume, suspend});
  installation.decision(resume.id());
  installation.decision(suspend.id());
  settle();
  EXPECT_EQ(of("P1", "entitlement"), "active");
  EXPECT_TRUE(comes_on("P1"));
}

}  // namespace
}  // namespace peerwright::test
