// One change, on an idle worker and on a large interface.
#include <pqxx/nontransaction>
#include <pqxx/pqxx>
#include <stdexcept>
#include <thread>

#include "bench/bench.hpp"
#include "bench/host.hpp"
#include "support/installation.hpp"

namespace peerwright::bench {
namespace {

constexpr int kRounds = 15;
constexpr int kManyPeers = 10'000;

double commit_seconds(const std::string& dsn) {
  pqxx::connection connection(dsn);
  {
    pqxx::work work(connection);
    work.exec("CREATE TABLE bench_commits (id integer PRIMARY KEY)");
    work.commit();
  }
  std::vector<double> all;
  for (int round = 0; round < kRounds; ++round) {
    all.push_back(seconds_of([&] {
      pqxx::work work(connection);
      work.exec("INSERT INTO bench_commits VALUES (" + std::to_string(round) + ")");
      work.commit();
    }));
  }
  return median(all);
}

double produce_seconds(test::Installation& installation) {
  const std::string brokers = test::required_environment("KAFKA_BROKERS");
  const auto producer = broker::Producer::create({brokers, {}, {}});
  if (!producer) throw std::runtime_error(producer.error().message);
  std::vector<double> all;
  for (int round = 0; round < kRounds + 1; ++round) {
    const broker::OutMessage message{installation.topic("status"), "bench", {}, std::string(1000, 'x')};
    const double seconds = seconds_of([&] {
      const auto sent = (*producer)->send({&message, 1}, std::chrono::seconds(10));
      if (!sent[0]) throw std::runtime_error(sent[0].error().message);
    });
    if (round > 0) all.push_back(seconds);  // the first one connects
  }
  return median(all);
}

// The script as a shell on the host itself runs it, with a plan of one peer: no network, no session.
double script_seconds(BenchHost& host, const std::vector<std::string>& keys) {
  host.wipe();
  std::string shell = "set -e\n";
  for (int round = 0; round < kRounds; ++round) {
    const std::string plan(wireguard::render_push(plan_of(keys, round, round + 1)).reveal());
    shell += "cat >/run/bench.plan <<'PLAN'\n" + plan + "PLAN\nbegun=$(date +%s%N)\n" + host.push_command() +
             " </run/bench.plan >/dev/null\necho $(($(date +%s%N) - begun))\n";
  }
  std::vector<double> all;
  std::istringstream out(host.run("sh -s", shell));
  for (double nanoseconds = 0; out >> nanoseconds;) all.push_back(nanoseconds / 1e9);
  if (all.size() != kRounds) throw std::runtime_error("the script did not run on the host");
  host.wipe();
  return median(all);
}

// From the moment at which an event is sent to the one at which it is known to be proven.
double event_seconds(test::Installation& installation, const std::string& dsn) {
  pqxx::connection connection(dsn);
  const auto proven = [&](const std::string& peer) {
    pqxx::nontransaction work(connection);  // who asks all the time is not to be what is measured
    return !work.exec("SELECT FROM peers WHERE name = '" + peer +
                      "' AND generation > 0 AND applied_generation = generation")
                .empty();
  };
  std::vector<double> all;
  for (int round = 0; round < kRounds + 1; ++round) {
    const std::string peer = "L" + std::to_string(round);
    const auto event = test::peer_provision("acme", peer, "fra1", test::make_client_keys().public_key);
    const double seconds = seconds_of([&] {
      installation.publish(event);
      while (!proven(peer)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    if (round > 0) all.push_back(seconds);  // the first one opens the session
    if (!installation.wait_settled()) throw std::runtime_error("the worker did not settle");
  }
  return median(all);
}

void compare_event() {
  BenchHost host(1);
  const auto keys = make_keys(kRounds);
  const double script = script_seconds(host, keys);
  test::Installation installation;
  installation.start_worker("idle");
  const test::LabHost lab(1);
  installation.establish({test::network_set("net"), test::server_register("fra1", "net", lab)});
  if (!installation.wait_settled()) throw std::runtime_error("the worker did not settle");
  const double event = event_seconds(installation, installation.db().dsn());
  const double commit = commit_seconds(installation.db().dsn());
  const double produce = produce_seconds(installation);
  print({"latency.event_to_proven_against_commit_script_and_produce", event * 1000, "ms",
         (commit + script + produce) * 1000, 2, false});
}

// One peer more, on an empty interface and on one with many.
void compare_interfaces() {
  const auto keys = make_keys(kManyPeers + 2 * kRounds);
  BenchHost host(1);
  const auto one_more = [&](int from) {
    std::vector<double> all;
    for (int round = 0; round < kRounds; ++round) {
      const auto plan = plan_of(keys, from + round, from + round + 1);
      all.push_back(seconds_of([&] { host.push(plan); }));
    }
    return median(all);
  };
  const double empty = one_more(kManyPeers);
  host.push(plan_of(keys, 0, kManyPeers));
  std::vector<double> dumps;
  for (int round = 0; round < kRounds; ++round) {
    dumps.push_back(seconds_of([&] { host.run("wg show wg0 dump >/dev/null", ""); }));
  }
  const double many = one_more(kManyPeers + kRounds);
  print({"latency.one_change_among_10000_peers_against_an_empty_interface", many * 1000, "ms", empty * 1000, 3, false});
  // What no reading of the interface can be quicker than.
  print(
      {"latency.one_change_among_10000_peers_against_wg_show_dump", many * 1000, "ms", median(dumps) * 1000, 4, false});
  host.wipe();
}

}  // namespace

int latency() {
  compare_event();
  compare_interfaces();
  return 0;
}

}  // namespace peerwright::bench
