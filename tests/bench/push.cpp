// A push of many peers to a real host, against common practice and against the bare tool on the host itself.
#include <stdexcept>
#include <vector>

#include "bench/bench.hpp"
#include "bench/host.hpp"
#include "support/process.hpp"

namespace peerwright::bench {
namespace {

constexpr int kPeers = 1000;
constexpr int kManyPeers = 10'000;
constexpr int kPracticePresent = 500;  // where common practice is measured: it slows down with every peer
constexpr int kPracticeAdded = 20;
constexpr int kRounds = 5;
constexpr int kManyRounds = 3;

// A connection, `wg set` and `wg-quick save` for each peer, as scripts on the net do it; seconds for kPeers of them.
double practice(BenchHost& host, const std::vector<std::string>& keys) {
  host.wipe();
  host.run("wg addconf wg0 /dev/stdin", peers_conf(keys, 0, kPracticePresent));
  const double seconds = seconds_of([&] {
    for (int i = kPracticePresent; i < kPracticePresent + kPracticeAdded; ++i) {
      const std::string command = "wg set wg0 peer " + keys[static_cast<std::size_t>(i)] + " allowed-ips " +
                                  peer_prefix(i) + " && wg-quick save wg0 2>/dev/null";
      const auto done = test::run_command({"ssh", "-i", test::LabHost::ssh_key_file(), "-o", "StrictHostKeyChecking=no",
                                           "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                                           "root@" + host.lab().address(), command});
      if (done.exit_status != 0) throw std::runtime_error("common practice failed");
    }
  });
  return seconds * kPeers / kPracticeAdded;
}

struct Compared {
  double push = 0, bare = 0;
};

// In turns, each on an empty interface.
Compared compare(BenchHost& host, const std::vector<std::string>& keys, int peers, int rounds) {
  std::vector<double> pushes, bare;
  const std::string file = peers_conf(keys, 0, peers);
  const auto plan = plan_of(keys, 0, peers);
  for (int round = 0; round < rounds; ++round) {
    host.wipe();
    bare.push_back(seconds_of([&] { host.run("wg addconf wg0 /dev/stdin", file); }));
    host.wipe();
    host.execs = 0;
    pushes.push_back(seconds_of([&] { host.push(plan); }));
  }
  return {median(pushes), median(bare)};
}

}  // namespace

int push() {
  const auto keys = make_keys(kManyPeers);
  BenchHost host(1);
  const Compared some = compare(host, keys, kPeers, kRounds);
  print({"push.execs_for_1000_peers", static_cast<double>(host.execs), "execs", 1, 1, false});
  print({"push.1000_peers_against_bare_wg_addconf", some.push, "s", some.bare, 1.5, false});
  const Compared many = compare(host, keys, kManyPeers, kManyRounds);
  print({"push.10000_peers_against_bare_wg_addconf", many.push, "s", many.bare, 1.25, false});
  // How many times longer the practice takes: ours is the baseline here.
  print({"push.common_practice_against_1000_peers", practice(host, keys), "s", some.push, 1500, true});
  host.wipe();
  return 0;
}

}  // namespace peerwright::bench
