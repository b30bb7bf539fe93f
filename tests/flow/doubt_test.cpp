// Connections that break in the middle of a push, hosts on which something fails or stands still, workers that come too
// late: whatever is called applied stands on the host, nobody comes back who was proven off, and in the end the host is
// as the database wants it. Which test shows which safeguard: docs/architecture.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "support/cutting_proxy.hpp"
#include "support/installation.hpp"
#include "support/said.hpp"

namespace peerwright::test {
namespace {

// One worker, and the server "fra1" on a host that it reaches by way of a proxy.
class Doubt : public testing::Test {
 protected:
  using Settings = std::map<std::string, std::string>;
  Process& begin(const Settings& environment = {}, const Settings& settings = {}) {
    auto server = server_register("fra1", "net", host);
    server.cloud_event["data"]["ssh"]["host"] = "127.0.0.1";
    server.cloud_event["data"]["ssh"]["port"] = proxy.port();
    Process& worker = installation.start_worker("w1", environment, settings);
    installation.establish({network_set("net"), server});
    return worker;
  }
  std::string provision(const std::string& peer) {
    const std::string key = make_client_keys().public_key;
    installation.publish(peer_provision("acme", peer, "fra1", key));
    return key;
  }
  void suspend(const std::string& peer) { installation.publish(peer_event("suspend", "acme", peer)); }

  void expect_host_as_wanted() {
    ASSERT_TRUE(installation.wait_settled()) << installation.unsettled() << installation.log_of("w1");
    const auto wanted = wanted_peers(installation.db(), "fra1");
    EXPECT_EQ(host.kernel_peers(), wanted);
    EXPECT_EQ(host.file_peers(), wanted);
  }
  // The status of a proof is stored in the commit of the proof: so the rows say what is said. Who changes meanwhile is
  // passed over.
  void expect_nothing_falsely_applied() {
    const std::string applied =
        "SELECT name, public_key, entitlement, version FROM peers"
        " WHERE applied_generation >= generation AND public_key <> '' ORDER BY id";
    const auto before = installation.db().rows(applied);
    const auto kernel = host.kernel_peers(), file = host.file_peers();
    const auto after = installation.db().rows(applied);
    for (const auto& row : before) {
      if (std::find(after.begin(), after.end(), row) == after.end()) continue;
      const bool on = row[2] == "active";
      EXPECT_EQ(kernel.contains(row[1]), on) << row[0] << " is called applied and " << row[2];
      EXPECT_EQ(file.contains(row[1]), on) << row[0] << " is called applied and " << row[2];
    }
  }
  bool is_applied(const std::string& peer) {
    return installation.db().value("SELECT applied_generation >= generation FROM peers WHERE name = '" + peer + "'") ==
           "t";
  }
  std::string of_delivery(const std::string& column) {
    return installation.db().value("SELECT " + column + " FROM deliveries");
  }
  // Cuts the next push at every portion in turn, or at every `step`-th, until one comes through whole.
  void walk(CuttingProxy::Cut cut, bool anew, const std::string& name, int step = 1);

  LabHost host{1};
  CuttingProxy proxy{host.address(), 22};
  Installation installation{
      {.partitions = 1, .settings = {{"deliver.retry_max_ms", "100"}, {"worker.dead_after_ms", "1000"}}}};
};

TEST_F(Doubt, AConnectionCutAnywhereInAPushLeavesTheHostAsTheDatabaseWantsIt) {
  constexpr int kCuts = 12;
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  std::mt19937 random(seed);
  begin();
  expect_host_as_wanted();
  int cuts = 0;
  for (int round = 0; round < kCuts; ++round) {
    // A whole push is some 12 kB there (the script and the plan) and 2 kB back; a new session comes before it at times.
    const auto direction = round % 2 == 0 ? CuttingProxy::Direction::to_host : CuttingProxy::Direction::from_host;
    const int most = direction == CuttingProxy::Direction::to_host ? 14000 : 3000;
    proxy.cut_after(direction, std::uniform_int_distribution<int>(0, most)(random));
    const std::string name = "P" + std::to_string(round / 2);
    if (round % 2 == 0) {
      provision(name);
    } else {
      installation.publish(peer_event(round % 4 == 1 ? "suspend" : "revoke", "acme", name));
    }
    expect_host_as_wanted();
    cuts += proxy.has_cut() ? 1 : 0;
  }
  EXPECT_GT(cuts, kCuts / 4) << "the proxy hardly ever cut: the test shows nothing";
}

void Doubt::walk(CuttingProxy::Cut cut, bool anew, const std::string& name, int step) {
  constexpr int kFewest = 3, kMost = 100;  // portions of two round trips: less shows that nothing was walked
  for (int round = 0, portion = 0; portion < kMost; ++round, portion = round * step) {
    SCOPED_TRACE(name + ", portion " + std::to_string(portion));
    if (anew) {
      proxy.shut();  // the session that was kept ends
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      proxy.open();
    }
    const std::string attempts = of_delivery("attempts");
    proxy.cut_at_portion(portion, cut);
    const std::string peer = name + std::to_string(round / 2);
    round % 2 == 0 ? (void)provision(peer) : suspend(peer);
    ASSERT_TRUE(eventually([&] { return proxy.has_cut_portion() || installation.settled(); }));
    if (!proxy.has_cut_portion()) {
      EXPECT_GT(portion, kFewest);
      return proxy.cut_at_portion(-1, cut);
    }
    // Nobody gets through now, so what is called applied was proven before the cut.
    ASSERT_TRUE(eventually([&] { return of_delivery("NOT due OR attempts <> " + attempts) == "t"; }));
    expect_nothing_falsely_applied();
    proxy.open();
    expect_host_as_wanted();
    if (HasFailure()) return;
  }
  ADD_FAILURE() << "a push never came through whole";
}

TEST_F(Doubt, AConnectionCutAtEveryPortionOfAPushIsNeverTakenForProof) {
  begin();
  expect_host_as_wanted();
  walk(CuttingProxy::Cut::before, false, "before");
  walk(CuttingProxy::Cut::within, false, "within");
  walk(CuttingProxy::Cut::before, true, "anew");
}

TEST_F(Doubt, AConnectionThatIsCutOnALongWayIsNeverTakenForProof) {
  proxy.delay(std::chrono::milliseconds(20));
  begin();
  expect_host_as_wanted();
  walk(CuttingProxy::Cut::within, false, "country", 2);
  proxy.delay(std::chrono::milliseconds(100));
  walk(CuttingProxy::Cut::before, false, "continent", 3);
}

struct Fault {
  const char* what;
  const char* command;  // on the host
  const char* script;
  const char* code;  // that is noted of the push
};
const char* const kKillSession =
    "p=$PPID; while [ $p -gt 1 ] && [ \"$(cat /proc/$p/comm)\" != sshd ]; do p=$(cut -d ' ' -f 4 /proc/$p/stat); done; "
    "kill -9 $p";
const std::string kKillBefore = std::string("[ \"$1\" != addconf ] || { ") + kKillSession + "; }";
const std::string kKillBehind = std::string("[ \"$1\" != addconf ] || { $real \"$@\"; ") + kKillSession + "; exit; }";
const Fault kFaults[] = {
    {"the session's sshd dies before the addition", "wg", kKillBefore.c_str(), "ssh_in_doubt"},
    {"the session's sshd dies behind the addition", "wg", kKillBehind.c_str(), "ssh_in_doubt"},
    {"wg sets nothing", "wg", "[ \"$1\" != set ] || exit 1", "host_storage_failed"},
    {"wg refuses to add", "wg", "[ \"$1\" != addconf ] || { echo no >&2; exit 1; }", "wg_refused"},
    {"wg adds nothing and says nothing", "wg", "[ \"$1\" != addconf ] || exit 0", "proof_differs"},
    {"wg shows nothing", "wg", "[ \"$1\" != show ] || exit 0", "host_storage_failed"},
    {"the answer is cut short", "awk", "case $* in *part=kernel*) $real \"$@\" | head -c 30; exit ;; esac",
     "host_answer_incomplete"},
    {"no exit status comes back", "rm",
     "case $* in '-rf /run/peerwright.'*) $real \"$@\"; kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat) ;; esac",
     "host_answer_incomplete"},
    {"the number cannot be synced", "sync", "exit 1", "host_storage_failed"},
    {"the file cannot be replaced", "mv", "case $* in *wg0.conf) exit 1 ;; esac", "host_storage_failed"},
};

TEST_F(Doubt, WhatFailsOnTheHostIsNeverTakenForProof) {
  begin();
  provision("old");
  expect_host_as_wanted();
  auto& db = installation.db();
  db.execute(
      "CREATE TABLE noted (code text);"
      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN INSERT INTO noted VALUES (NEW.error_code); RETURN NULL; END $$;"
      "CREATE TRIGGER noted AFTER UPDATE ON deliveries FOR EACH ROW"
      " WHEN (NEW.error_code <> OLD.error_code) EXECUTE FUNCTION note()");
  std::string on = "old";
  for (const Fault& fault : kFaults) {
    SCOPED_TRACE(fault.what);
    const std::string next = "P" + std::to_string(&fault - kFaults);
    db.execute("DELETE FROM noted");
    {
      const HostShim shim(host, fault.command, fault.script);
      installation.publish(
          {peer_provision("acme", next, "fra1", make_client_keys().public_key), peer_event("suspend", "acme", on)});
      // The failure, and what comes of it: what was lost is read, what was refused goes in parts.
      EXPECT_TRUE(eventually([&] {
        expect_nothing_falsely_applied();
        return db.number("SELECT count(*) FROM noted WHERE code = '" + std::string(fault.code) + "'") > 0;
      })) << db.value("SELECT string_agg(code, ' ') FROM noted")
          << installation.log_of("w1");
      expect_nothing_falsely_applied();
    }
    expect_host_as_wanted();
    on = next;
  }
}

// What holds the configurations of a host is full; with the object the old one is back, and what was written stays.
class FullDisk {
 public:
  explicit FullDisk(const LabHost& host) : host_(host) {
    host_.sh(
        "set -e; cp -a /etc/wireguard /run/kept; mount -t tmpfs -o size=64k tmpfs /etc/wireguard; "
        "cp -a /run/kept/. /etc/wireguard/; dd if=/dev/zero of=/etc/wireguard/ballast bs=1k count=99 2>/dev/null || :");
  }
  ~FullDisk() {
    make_room();
    host_.sh(
        "set -e; cp -a /etc/wireguard/. /run/kept/; umount /etc/wireguard; cp -a /run/kept/. /etc/wireguard/; "
        "rm -r /run/kept");
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  void make_room() { host_.sh("rm -f /etc/wireguard/ballast"); }

 private:
  const LabHost& host_;
};

TEST_F(Doubt, AFullDiskStopsWhatCannotBeProvenAndNothingIsCalledDone) {
  begin();
  const std::string leaver = provision("leaver");
  expect_host_as_wanted();
  auto disk = std::make_unique<FullDisk>(host);
  const std::string newcomer = provision("newcomer");
  suspend("leaver");
  EXPECT_TRUE(eventually([&] { return of_delivery("error_code") == "host_storage_failed"; }));
  expect_nothing_falsely_applied();
  EXPECT_FALSE(is_applied("leaver") || is_applied("newcomer"));
  disk->make_room();
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().contains(newcomer));
  EXPECT_FALSE(host.kernel_peers().contains(leaver));
}

// In the middle of the push all of the host stands still; the worker gives up, and comes back to a host that has gone
// on.
TEST_F(Doubt, AHostThatStandsStillInThePushIsReadOnceItRunsOn) {
  begin({}, {{"ssh.exec_timeout_ms", "7000"}, {"ssh.connect_timeout_ms", "1000"}});
  provision("leaver");
  expect_host_as_wanted();
  HostGate gate(host, "wg", "addconf*");
  provision("newcomer");
  suspend("leaver");
  ASSERT_TRUE(eventually([&] { return gate.holds(); })) << installation.log_of("w1");
  host.lab("freeze");
  const bool given_up = eventually([&] { return of_delivery("error_code") == "ssh_in_doubt"; });
  EXPECT_FALSE(is_applied("newcomer"));
  host.lab("thaw");
  EXPECT_TRUE(given_up) << installation.log_of("w1");
  gate.open();
  expect_host_as_wanted();
  expect_nothing_falsely_applied();
  EXPECT_TRUE(is_applied("newcomer") && is_applied("leaver"));
}

// A worker stands still in its push, and so does its script on the host, before it has looked at the number. Another
// worker takes over, and proves what is newer. Then both wake.
TEST_F(Doubt, ASlowScriptThatWakesBehindANewerPushIsRefusedAndBringsNobodyBack) {
  const std::map<std::string, std::string> delivers = {{"roles", "deliver"}};
  installation.start_worker("others", {}, {{"roles", "intake, sweep, publish"}});
  Process& slow = begin({}, delivers);
  expect_host_as_wanted();
  HostGate gate(host, "flock", "*");
  const std::string key = provision("P1");
  ASSERT_TRUE(eventually([&] { return gate.holds(); })) << installation.log_of("w1");
  slow.signal(SIGSTOP);
  suspend("P1");
  installation.start_worker("w2", {}, delivers);
  wait_said(installation, "peer.status", {{"peer", "P1"}, {"entitlement", "suspended"}, {"delivery", "applied"}});
  expect_host_as_wanted();
  const std::string number = of_delivery("push_no");

  gate.open();
  ASSERT_TRUE(eventually([&] { return gate.passed(); }));
  slow.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return installation.log_of("w1").find("push_number_refused") != std::string::npos; }))
      << installation.log_of("w1");
  expect_host_as_wanted();
  EXPECT_FALSE(host.kernel_peers().contains(key) || host.file_peers().contains(key)) << "it was brought back";
  EXPECT_EQ(of_delivery("push_no"), number) << "who came late has moved something";
  for (const auto& said : installation.read_topic("status")) {
    if (said.type == "peerwright.peer.status.v1" && said.body["entitlement"] == "active") {
      EXPECT_EQ(said.body["delivery"], "pending") << "called applied though nobody has seen it";
    }
  }
  installation.publish(peer_event("resume", "acme", "P1"));
  expect_host_as_wanted();
  EXPECT_TRUE(host.kernel_peers().contains(key));
}

TEST_F(Doubt, AForeignPeersPrefixParksTheOneWhoNeedsItAndNobodyElse) {
  begin();
  const std::string leaver = provision("leaver");
  expect_host_as_wanted();
  // Otherwise it would be taken away before long.
  installation.publish(event("server.update", {{"server", "fra1"}, {"drift_policy", "report"}}, "server/fra1"));
  // By hand, on the host: the address that the next peer will get.
  const std::string foreign = make_client_keys().public_key;
  host.sh("wg set wg0 peer " + foreign + " allowed-ips 10.200.0.3/32");
  const std::string blocked = provision("blocked"), neighbour = provision("neighbour");
  suspend("leaver");
  EXPECT_TRUE(eventually([&] {
    const auto peers = host.kernel_peers();
    return peers.contains(neighbour) && !peers.contains(leaver);
  })) << installation.unsettled();
  EXPECT_TRUE(eventually([&] {
    return installation.db().value("SELECT delivery_error FROM peers WHERE name = 'blocked'") == "prefix_taken_on_host";
  }));
  const auto peers = host.kernel_peers();
  EXPECT_EQ(peers.at(foreign), "10.200.0.3/32") << "a live peer's prefix was stolen";
  EXPECT_FALSE(peers.contains(blocked));
}

TEST_F(Doubt, AWorkerKilledBetweenPushAndFinishLeavesAReadingToTheNext) {
  Process& doomed = begin({{"PEERWRIGHT_CRASH_AT", "deliver.exec.after:2"}});
  const std::string key = provision("P1");
  ASSERT_EQ(doomed.wait(std::chrono::seconds(20)), 128 + SIGKILL);
  EXPECT_TRUE(host.kernel_peers().contains(key)) << "the push had reached the host";
  EXPECT_EQ(installation.db().value("SELECT applied_generation FROM peers WHERE name = 'P1'"), "0")
      << "called applied though nobody read it back";
  installation.start_worker("w2");
  expect_host_as_wanted();
  EXPECT_EQ(installation.db().value("SELECT applied_generation = generation FROM peers WHERE name = 'P1'"), "t");
}

TEST_F(Doubt, AnUnboundSourceCannotUseUpSomebodyElsesEventId) {
  begin();
  installation.publish(peer_provision("other", "P1", "fra1", make_client_keys().public_key));
  auto real = peer_event("suspend", "other", "P1").from("reseller");
  real.cloud_event["data"]["tenant"] = "other";  // reseller is bound to acme alone
  auto owner = peer_event("suspend", "acme", "P2").from("reseller").with_id(real.id());
  installation.publish({real, owner});
  ASSERT_TRUE(installation.wait_settled());
  EXPECT_EQ(installation.db().number("SELECT count(*) FROM dead_letters"), 0);
  EXPECT_EQ(installation.db().value("SELECT entitlement FROM peers WHERE name = 'P2'"), "suspended");
  EXPECT_EQ(installation.db().value("SELECT entitlement FROM peers WHERE name = 'P1'"), "active");
}

}  // namespace
}  // namespace peerwright::test
