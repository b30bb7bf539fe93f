// What is seen on hosts is counted once, whatever happens to counters and clocks.
#include <algorithm>

#include "observe_support.hpp"
#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Observe : public ObserveTest {};

TEST_F(Observe, AClientThatConnectsIsSaidOnceWithAllThatIsKnownOfIt) {
  auto looked = look();
  EXPECT_FALSE(looked.said);
  EXPECT_EQ(2, looked.peers["never"]);
  EXPECT_EQ("never", runtime("connectivity"));

  connect("p");
  looked = look();
  EXPECT_TRUE(looked.said);
  EXPECT_EQ(1, looked.peers["connected"]);
  EXPECT_EQ(100, looked.rx_bytes);
  EXPECT_EQ(1000, looked.tx_bytes);
  const auto statuses = said("peer.status");
  ASSERT_EQ(1U, statuses.size());
  EXPECT_EQ("p", statuses[0]["peer"]);
  EXPECT_EQ("connected", statuses[0]["connectivity"]);
  EXPECT_EQ("connected", statuses[0]["classic"]["state"]);
  EXPECT_EQ(of_peer("p", "version"), statuses[0]["version"]);
  EXPECT_EQ("198.51.100.7:5000", runtime("endpoint"));
  EXPECT_EQ("t", runtime("first_connected_at IS NOT NULL"));
  // One second ago, by the database's clock.
  EXPECT_EQ("t", runtime("last_handshake_at BETWEEN clock_now() - interval '20 s' AND clock_now()"));
  const auto usage = said("peer.usage");
  ASSERT_EQ(1U, usage.size());
  EXPECT_EQ(100, usage[0]["rx_bytes"]);
  EXPECT_EQ(1000, usage[0]["tx_bytes_total"]);
  EXPECT_EQ(true, usage[0]["online"]);
  EXPECT_EQ("srv", usage[0]["server"]);
  EXPECT_LE(usage[0]["from"], usage[0]["until"]);
  EXPECT_EQ((std::vector<std::string>{"handshake 0 0", "data_transfer 100 1000"}), logged());
}

TEST_F(Observe, OneReadingCountsOnce) {
  connect("p");
  const auto plan = planned();
  ASSERT_TRUE(observe.finish(me, plan, seen(), {}).has_value());
  const auto again = observe.finish(me, plan, seen(), {});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ("look_overtaken", again.error().code);
  EXPECT_EQ("100", runtime("rx_bytes"));
  EXPECT_EQ(2U, logged().size());
  said("peer.status");
  said("peer.usage");
  // Another look that shows the same adds nothing to any figure.
  store::LookTimes later;
  later.count_after = std::chrono::hours(1);
  const std::string before = runtime("xmin");
  const auto looked = look(later);
  EXPECT_FALSE(looked.said);
  EXPECT_EQ(0, looked.rx_bytes);
  EXPECT_EQ(2U, logged().size());
  EXPECT_EQ(before, runtime("xmin"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM outbox"));
}

TEST_F(Observe, CountersThatBeginAnewLoseNothing) {
  connect("p", 100, 0);
  look();
  connect("p", 150, 0);
  look();
  EXPECT_EQ("250", runtime("rx_bytes"));
  client("p").rx_bytes = 40;  // the interface was made anew
  look();
  EXPECT_EQ("290", runtime("rx_bytes"));
  uptime_seconds = 3;  // rebooted, and already beyond what was counted before
  client("p").rx_bytes = 1000;
  look();
  EXPECT_EQ("1290", runtime("rx_bytes"));
  host().peers.erase(key_of("p"));  // gone, and back with a greater counter
  look();
  EXPECT_EQ("disconnected", runtime("connectivity"));
  settle();
  client("p").rx_bytes = 5000;
  look();
  EXPECT_EQ("6290", runtime("rx_bytes"));
  // Another key's counters are others.
  db.execute("UPDATE peers SET public_key = '" + wireguard::generate_key_pair().public_key + "' WHERE name = 'p'");
  const std::string key = db.value("SELECT public_key FROM peers WHERE name = 'p'");
  host().peers[key] = host().peers[key_of("p")];
  clients[key].rx_bytes = 6000;
  look();
  EXPECT_EQ("12290", runtime("rx_bytes"));
}

TEST_F(Observe, BetweenTwoCountsOnlyHandshakesAreLookedFor) {
  look();
  store::LookTimes often;
  often.count_after = std::chrono::seconds(45);
  connect("p");
  look(often);  // on: counted, for it is new
  EXPECT_EQ(1U, said("peer.usage").size());
  client("p").rx_bytes += 7;
  connect("q");
  pass(5);
  EXPECT_EQ(2, look(often).peers["connected"]);
  EXPECT_EQ("100", runtime("rx_bytes"));
  EXPECT_EQ("100", runtime("rx_bytes", "q"));
  EXPECT_EQ(1U, said("peer.usage").size());
  pass(60);
  client("q").rx_bytes += 1;
  client("p").rx_bytes += 1;
  look(often);
  const auto usage = said("peer.usage");
  ASSERT_EQ(2U, usage.size());
  EXPECT_EQ(8, usage[0]["rx_bytes"]);
  EXPECT_EQ(1, usage[1]["rx_bytes"]);
}

TEST_F(Observe, IdleAndGone) {
  connect("p");
  look();
  pass(60);
  look();
  EXPECT_EQ("idle", runtime("connectivity"));
  const auto idle = said("peer.status");
  ASSERT_EQ(2U, idle.size());
  EXPECT_EQ("idle", idle[1]["connectivity"]);
  pass(2);
  connect("p");
  look();
  EXPECT_EQ("connected", runtime("connectivity"));
  pass(179);
  client("p").rx_bytes += 1;
  look();
  EXPECT_EQ("disconnected", runtime("connectivity")) << "the handshake was a second older than the look";
  EXPECT_EQ("disconnect 0 0", logged().back());
  EXPECT_EQ(false, said("peer.usage").back()["online"]);
  const auto looked = look();
  EXPECT_FALSE(looked.said);
  EXPECT_EQ(1, looked.peers.at("disconnected"));
}

TEST_F(Observe, AHandshakeIsKnownAgainWhateverTheClocksDo) {
  connect("p");
  look();
  // The database's clock goes ahead, the host's stands still: it is the same handshake, and old now.
  db.execute("UPDATE installation SET clock_offset = interval '10 minutes'");
  look();
  EXPECT_EQ("disconnected", runtime("connectivity"));
  EXPECT_EQ(1, std::ranges::count(logged(), "handshake 0 0"));
  // The host's clock was put right by years: another handshake was after the last look.
  host_now += 5;
  connect("p");
  host_now += 100'000'000;
  look();
  EXPECT_EQ("connected", runtime("connectivity"));
}

TEST_F(Observe, NobodyIsConnectedBeforeItIsApplied) {
  execute({provision("r")});
  host().peers[key_of("r")].peer.public_key = key_of("r");
  connect("r");
  look();
  EXPECT_EQ("never", runtime("connectivity", "r"));
  settle();
  look();
  EXPECT_EQ("connected", runtime("connectivity", "r"));
}

TEST_F(Observe, AQuotaThatIsUsedUpIsDecidedAndSoIsOneThatIsRaised) {
  change("p", "quota_bytes = 1000");
  settle();
  connect("p", 100, 800);
  look();
  EXPECT_EQ(0, timers("kind = 'quota'"));
  connect("p", 50, 50);
  EXPECT_TRUE(look().timers);
  EXPECT_EQ(1, timers("kind = 'quota' AND owner = 'over' AND due_at <= clock_now()"));
  ASSERT_TRUE(sweep.timers({}, 10).has_value());
  EXPECT_EQ("suspended", entitlement("p"));
  EXPECT_EQ(0, timers("kind = 'quota'"));
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("p")));
  EXPECT_FALSE(look().timers);
  db.execute("UPDATE peers SET quota_bytes = 5000 WHERE name = 'p'");
  EXPECT_TRUE(look().timers);
  ASSERT_TRUE(sweep.timers({}, 10).has_value());
  EXPECT_EQ("active", entitlement("p"));
}

TEST_F(Observe, TheFirstHandshakeOfAStagedKeyIsTheTimeToSwitch) {
  const std::string staged = wireguard::generate_key_pair().public_key;
  execute({event("peer.rotate_key",
                 {{"tenant", "acme"}, {"peer", "p"}, {"public_key", staged}, {"stage_seconds", 3600}}, "acme/p")});
  settle();
  ASSERT_TRUE(host().peers.contains(staged));
  EXPECT_FALSE(look().timers);
  EXPECT_EQ(1, timers("kind = 'rotation' AND due_at > clock_now()"));
  EXPECT_EQ("t", db.value("SELECT observe_at < clock_now() + interval '10 s' FROM server_runtime"));
  clients[staged].handshake_epoch_seconds = host_now - 1;
  EXPECT_TRUE(look().timers);
  EXPECT_EQ(1, timers("kind = 'rotation' AND due_at <= clock_now()"));
  ASSERT_TRUE(sweep.timers({}, 10).has_value());
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("p")));
  look();
  EXPECT_EQ("connected", runtime("connectivity"));
  EXPECT_EQ(json::object(), drift());
}

TEST_F(Observe, AHostThatCannotBeSeenSaysNothingOfItsPeers) {
  connect("p");
  look();
  db.execute("DELETE FROM outbox");
  const Error why{"ssh_unreachable", "it does not answer", "", Retry::later};
  auto plan = planned();
  ASSERT_TRUE(observe.fail(me, plan, why, {}).has_value());
  EXPECT_EQ("connected", runtime("connectivity"));
  EXPECT_EQ(0, db.number("SELECT count(*) FROM outbox WHERE ce_type <> 'peerwright.server.status.v1'"));
  EXPECT_EQ("t", db.value("SELECT observe_at < clock_now() + interval '10 s' FROM server_runtime"));
  auto servers = said("server.status");
  ASSERT_EQ(1U, servers.size());
  EXPECT_EQ(false, servers[0]["reachable"]);
  EXPECT_EQ("ssh_unreachable", servers[0]["error_code"]);
  // It is claimed with those that failed; the same failure is not said again, and waited after for longer.
  db.execute("UPDATE server_runtime SET observe_at = clock_now()");
  EXPECT_TRUE(observe.claim(me, {}, 10, kDeadAfter).value().empty());
  ASSERT_EQ(1U, observe.claim(me, {}, 10, kDeadAfter, true).value().size());
  ASSERT_FALSE(observe.fail(me, plan, why, {})->other_outcome);
  EXPECT_TRUE(said("server.status").empty());
  EXPECT_EQ("t", db.value("SELECT observe_at > clock_now() + interval '30 s' FROM server_runtime"));
  db.execute("UPDATE server_runtime SET observe_at = clock_now()");
  ASSERT_EQ(1U, observe.claim(me, {}, 10, kDeadAfter, true).value().size());
  ASSERT_TRUE(observe.finish(me, plan, seen(), {}).has_value());
  servers = said("server.status");
  ASSERT_EQ(1U, servers.size());
  EXPECT_EQ(true, servers[0]["reachable"]);
}

TEST_F(Observe, AHostKeyThatHasChangedIsSaidOnceByWhicheverLoopMeetsItFirst) {
  const Error changed{"ssh_host_key_changed", "it shows another key", "", Retry::never};
  const auto push_meets = [&](const Error& why) {
    db.execute("UPDATE deliveries SET due = true, next_attempt_at = now()");
    ASSERT_EQ(1U, delivery.claim(me, {}, 1, kDeadAfter, db.number("SELECT attempts FROM deliveries") > 0)->size());
    ASSERT_TRUE(delivery.fail(me, domain::Id{db.number("SELECT server_id FROM deliveries")}, why, {}).has_value());
  };
  const auto look_meets = [&] {
    db.execute("UPDATE server_runtime SET observe_at = clock_now()");
    const bool failing = db.value("SELECT error_code <> '' FROM server_runtime") == "t";
    ASSERT_EQ(1U, observe.claim(me, {}, 10, kDeadAfter, failing)->size());
    const auto plan = observe.plan(me, domain::Id{db.number("SELECT server_id FROM server_runtime")});
    ASSERT_TRUE(observe.fail(me, **plan, changed, {}).has_value());
  };
  const auto expect_said_once = [&] {
    const auto statuses = said("server.status");
    ASSERT_EQ(1U, statuses.size());
    EXPECT_EQ("ssh_host_key_changed", statuses[0]["error_code"]);
    EXPECT_EQ("ssh_host_key_changed", statuses[0]["alert"]);
    EXPECT_EQ(false, statuses[0]["reachable"]);
    EXPECT_EQ(db.number("SELECT version FROM servers"), statuses[0]["version"]);
  };
  push_meets({"ssh_unreachable", "no answer", "", Retry::later});
  EXPECT_TRUE(said("server.status").empty()) << "looks tell of that";
  push_meets(changed);  // also before anybody has looked at the host
  push_meets(changed);
  look_meets();
  expect_said_once();
  db.execute("UPDATE server_runtime SET observe_at = clock_now()");
  const auto servers = observe.claim(me, {}, 10, kDeadAfter, true).value();
  ASSERT_EQ(1U, servers.size());
  ASSERT_TRUE(observe.finish(me, **observe.plan(me, servers[0]), seen(), {}).has_value());
  EXPECT_EQ(true, said("server.status").at(0)["reachable"]);
  look_meets();
  push_meets(changed);
  expect_said_once();
}

TEST_F(Observe, AHostThatDeliveryReachesIsNoDeadOne) {
  const Error unreachable{"ssh_unreachable", "no answer", "", Retry::later};
  ASSERT_TRUE(observe.fail(me, planned(), unreachable, {}).has_value());
  EXPECT_EQ(false, said("server.status").at(0)["reachable"]);
  execute({provision("n")});
  EXPECT_TRUE(full.claim(me, {}, 10, kDeadAfter, false)->empty()) << "it may not answer";
  settle();
  ASSERT_TRUE(applied("n"));
  const auto statuses = said("server.status");
  ASSERT_EQ(1U, statuses.size());
  EXPECT_EQ(true, statuses[0]["reachable"]);
  EXPECT_EQ("", statuses[0].value("error_code", ""));
  EXPECT_EQ("t", db.value("SELECT observe_at <= clock_now() FROM server_runtime")) << "the next look is at it";
  execute({peer_event("suspend", "acme", "q")});
  EXPECT_EQ(1U, full.claim(me, {}, 10, kDeadAfter, false)->size()) << "it answered a moment ago";
  // Another kind of failure is the looks' own.
  settle();
  const Error nft{"nft_refused", "no", "", Retry::never};
  ASSERT_TRUE(observe.fail(me, planned(), nft, {}).has_value());
  execute({peer_event("resume", "acme", "q")});
  settle();
  EXPECT_EQ("nft_refused", db.value("SELECT error_code FROM server_runtime"));
}

TEST_F(Observe, WhatAHostSaysOfItsTrafficOverflowsNothing) {
  connect("p");
  connect("q");
  for (const char* peer : {"p", "q"}) client(peer).rx_bytes = client(peer).tx_bytes = wireguard::kMaxCounterBytes;
  for (int i = 0; i < 3; ++i) {
    for (const char* peer : {"p", "q"}) client(peer).rx_bytes -= 1;  // they begin anew
    pass(60);
    look();
  }
  const std::string most = std::to_string(wireguard::kMaxCounterBytes);
  EXPECT_EQ(most, runtime("rx_bytes"));
  EXPECT_EQ(most, db.value("SELECT rx_bytes FROM server_runtime"));
}

TEST_F(Observe, WhatAPersonShouldKnowOfAServerIsSaid) {
  look();
  EXPECT_TRUE(said("server.status").empty()) << "all is well";
  const auto alert_of = [this](const wireguard::HostObservation& what) {
    look(what);
    const auto servers = said("server.status");
    return servers.size() == 1 ? servers[0].value("alert", "") : "said " + std::to_string(servers.size()) + " times";
  };
  auto shown = seen();
  shown.up = false;
  EXPECT_EQ("interface_down", alert_of(shown));
  shown = seen();
  shown.listening = false;
  EXPECT_EQ("port_not_listening", alert_of(shown));
  shown = seen();
  shown.forwarding6 = false;
  EXPECT_EQ("forwarding_off", alert_of(shown));
  shown = seen();
  shown.file_mode = "644";
  EXPECT_EQ("config_file_exposed", alert_of(shown));
  EXPECT_EQ("", alert_of(seen()));
}

TEST_F(Observe, OneWorkerLooksAtAServerAtATime) {
  const std::string other = workers.enlist("other").value();
  ASSERT_EQ(1U, observe.claim(me, {}, 10, kDeadAfter).value().size());
  EXPECT_TRUE(observe.claim(other, {}, 10, kDeadAfter).value().empty());
  silence(me);
  const auto servers = observe.claim(other, {}, 10, kDeadAfter).value();
  ASSERT_EQ(1U, servers.size());
  const auto plan = observe.plan(other, servers[0]).value().value();
  EXPECT_EQ("look_overtaken", observe.finish(me, plan, seen(), {}).error().code);
  EXPECT_TRUE(observe.finish(other, plan, seen(), {}).has_value());
}

TEST_F(Observe, AServerInMaintenanceIsLookedAtAndARetiredOneIsNot) {
  db.execute("UPDATE servers SET maintenance = true");
  look();
  db.execute("UPDATE servers SET maintenance = false, state = 'retired'");
  db.execute("UPDATE server_runtime SET observe_at = clock_now()");
  EXPECT_TRUE(observe.claim(me, {}, 10, kDeadAfter).value().empty());
}

TEST_F(Observe, OldRowsOfTheLogGo) {
  connect("p");
  look();
  pass(100 * 86400);
  connect("p");
  look();
  EXPECT_EQ(1, observe.prune_log(90, 1).value());
  EXPECT_EQ(1, observe.prune_log(90, 10).value());
  EXPECT_EQ(0, observe.prune_log(90, 10).value());
  EXPECT_EQ(2U, logged().size());
}

}  // namespace
}  // namespace peerwright::test
