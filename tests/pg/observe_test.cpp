#include "peerwright/store/observe.hpp"

#include <algorithm>

#include "delivery_host.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/key.hpp"

// What is seen on hosts: counted once whatever happens to counters and clocks, and compared with what is proven only
// where nobody is changing it.
namespace peerwright::test {
namespace {

using nlohmann::json;

class Observe : public FullDeliveryTest {
 protected:
  Observe() : observe(db.database(), &sealer) {
    establish("srv");
    execute({provision("p"), provision("q")});
    settle();
    db.execute("DELETE FROM outbox");
  }
  FullHost& host() { return hosts["srv"]; }
  // What a look at the host shows now.
  wireguard::HostObservation seen() {
    wireguard::HostObservation seen;
    seen.interface_key = host().key;
    seen.up = seen.listening = seen.forwarding4 = seen.forwarding6 = true;
    seen.now_epoch_seconds = host_now;
    seen.uptime_seconds = uptime_seconds;
    seen.file_mode = "600";
    seen.file_hash = sha256_hex("file of push " + std::to_string(host().push_number));
    seen.firewall_loaded = seen.firewall_file = wireguard::firewall_hash(host().firewall);
    if (!host().firewall.empty()) seen.firewall_state = sha256_hex("as nft shows " + host().firewall);
    seen.push_number = host().push_number;
    for (const auto& [key, shown] : host().peers) {
      wireguard::ObservedPeer peer = clients[key];
      peer.public_key = key;
      seen.peers.push_back(peer);
    }
    return seen;
  }
  store::PlannedLook planned() {
    db.execute("UPDATE server_runtime SET observe_at = clock_now()");
    const auto servers = observe.claim(me, {}, 10, kDeadAfter).value();
    EXPECT_EQ(1U, servers.size());
    return observe.plan(me, servers.at(0)).value().value();
  }
  store::Looked look(const store::LookTimes& times = {}) { return look(seen(), times); }
  store::Looked look(const wireguard::HostObservation& what, const store::LookTimes& times = {}) {
    const auto plan = planned();
    const auto looked = observe.finish(me, plan, what, times);
    if (!looked) throw std::runtime_error(looked.error().code + ": " + looked.error().message);
    return *looked;
  }
  wireguard::ObservedPeer& client(const std::string& peer) { return clients[key_of(peer)]; }
  void pass(std::int64_t seconds) {
    host_now += seconds;
    uptime_seconds += static_cast<double>(seconds);
    db.execute("UPDATE installation SET clock_offset = clock_offset + interval '" + std::to_string(seconds) + " s'");
  }
  void connect(const std::string& peer, std::int64_t rx = 100, std::int64_t tx = 1000) {
    client(peer).handshake_epoch_seconds = host_now - 1;
    client(peer).rx_bytes += rx;
    client(peer).tx_bytes += tx;
    client(peer).endpoint = "198.51.100.7:5000";
  }
  std::string runtime(const std::string& column, const std::string& peer = "p") {
    return db.value("SELECT t." + column + " FROM peer_runtime t JOIN peers p ON p.id = t.peer_id WHERE p.name = '" +
                    peer + "'");
  }
  // What was said since the last call.
  std::vector<json> said(const std::string& type) {
    std::vector<json> all;
    for (const auto& row :
         db.rows("DELETE FROM outbox WHERE ce_type = 'peerwright." + type + ".v1' RETURNING body, id")) {
      all.push_back(json::parse(row[0]));
    }
    return all;
  }
  std::vector<std::string> logged() {
    std::vector<std::string> all;
    for (const auto& row : db.rows("SELECT event_type || ' ' || rx_bytes || ' ' || tx_bytes FROM wg_connection_log "
                                   "ORDER BY id")) {
      all.push_back(row[0]);
    }
    return all;
  }
  json drift() { return json::parse(db.value("SELECT drift FROM server_runtime")); }
  std::int64_t timers(const std::string& what) { return db.number("SELECT count(*) FROM timers WHERE " + what); }

  store::ObserveStore observe;
  std::map<std::string, wireguard::ObservedPeer> clients;  // by key
  std::int64_t host_now = 1'767'225'600;                   // the host's clock is wrong, and that does no harm
  double uptime_seconds = 5000;
};

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

TEST_F(Observe, WhatTheHostLostIsPutInDoubtAndComesBack) {
  look();
  host().peers.erase(key_of("p"));
  const auto looked = look();
  EXPECT_TRUE(looked.due);
  EXPECT_EQ(1, looked.drift.at("missing"));
  EXPECT_EQ(json({{"missing", 1}}), drift());
  EXPECT_EQ("t", of_delivery("in_doubt"));
  EXPECT_NE("", db.value("SELECT proven FROM peers WHERE name = 'p'")) << "a look proves nothing";
  const auto servers = said("server.status");
  ASSERT_EQ(1U, servers.size());
  EXPECT_EQ(1, servers[0]["drift"]["missing"]);
  EXPECT_FALSE(look().due) << "not while the delivery is in doubt";
  EXPECT_EQ(json({{"missing", 1}}), drift());
  settle();
  EXPECT_TRUE(host().peers.contains(key_of("p")));
  look();
  EXPECT_EQ(json::object(), drift());
  EXPECT_EQ(1U, said("server.status").size());
}

TEST_F(Observe, NothingIsComparedThatChangedMeanwhile) {
  const auto lost = [this] {
    auto shown = seen();
    shown.peers.clear();
    return shown;
  };
  auto plan = planned();
  change("q", "");
  EXPECT_FALSE(observe.finish(me, plan, lost(), {})->due);
  settle();
  plan = planned();
  change("q", "");
  settle();  // at rest again, with another push
  EXPECT_FALSE(observe.finish(me, plan, lost(), {})->due);
  plan = planned();
  db.execute("UPDATE servers SET generation = generation + 1");
  EXPECT_FALSE(observe.finish(me, plan, lost(), {})->due);
  EXPECT_TRUE(look(lost()).due);
}

TEST_F(Observe, AForeignKeyIsReportedAndLeftAlone) {
  const std::string foreign = wireguard::generate_key_pair().public_key;
  host().peers[foreign].peer.public_key = foreign;
  EXPECT_FALSE(look().due);
  EXPECT_EQ(json({{"foreign", 1}}), drift());
  EXPECT_EQ(1U, said("server.status").size());
  look();
  EXPECT_EQ(0U, said("server.status").size());
  EXPECT_EQ(0, settle());
  EXPECT_TRUE(host().peers.contains(foreign));
}

TEST_F(Observe, AKeyThatHasToBeOffGoesAgain) {
  execute({peer_event("suspend", "acme", "p"), peer_event("revoke", "acme", "q")});
  const auto before = host().peers;
  settle();
  ASSERT_TRUE(host().peers.empty());
  const std::string rotated = wireguard::generate_key_pair().public_key;
  db.execute("INSERT INTO used_keys (public_key, peer_id) SELECT '" + rotated + "', id FROM peers WHERE name = 'q'");
  host().peers = before;  // an old snapshot
  host().peers[rotated].peer.public_key = rotated;
  const auto looked = look();
  EXPECT_TRUE(looked.due);
  EXPECT_EQ(3, looked.drift.at("unwanted"));
  EXPECT_NE("", of_delivery("urgent_since"));
  settle();
  EXPECT_TRUE(host().peers.empty());
  look();
  EXPECT_EQ(json::object(), drift());
}

TEST_F(Observe, AKeyThatHasToBeOffGoesWhateverThePolicySays) {
  db.execute("UPDATE servers SET drift_policy = 'report'");
  execute({peer_event("suspend", "acme", "p")});
  const auto before = host().peers;
  settle();
  host().peers = before;
  EXPECT_TRUE(look().due);
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("p")));
}

TEST_F(Observe, ThePolicyMayBeOnlyToReport) {
  db.execute("UPDATE servers SET drift_policy = 'report'");
  host().peers.erase(key_of("p"));
  EXPECT_FALSE(look().due);
  EXPECT_EQ(json({{"missing", 1}}), drift());
  EXPECT_EQ(0, settle());
}

TEST_F(Observe, FileInterfaceAndPushNumberAreCompared) {
  auto other = seen();
  other.file_hash = sha256_hex("edited");
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"file", 1}}), drift());
  settle();
  other = seen();
  other.interface_key = wireguard::generate_key_pair().public_key;
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"interface_key", 1}}), drift());
  settle();
  other = seen();
  other.push_number -= 1;
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"push_number", 1}}), drift());
}

TEST_F(Observe, AFirewallThatWasChangedByHandIsPushedAnew) {
  wall("p");
  settle();
  const int pushed = host().firewalls;
  auto other = seen();
  other.firewall_state = sha256_hex("as nft shows a rule more");
  EXPECT_TRUE(look(other).due);
  EXPECT_EQ(json({{"firewall", 1}}), drift());
  settle();
  EXPECT_EQ(pushed + 1, host().firewalls);
  look();
  EXPECT_EQ(json::object(), drift());
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
