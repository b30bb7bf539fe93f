// Reading a server on which nothing has changed: one exec that writes nothing but its push number.
#include <stdexcept>

#include "bench/bench.hpp"
#include "bench/host.hpp"

namespace peerwright::bench {
namespace {

constexpr int kPeers = 10'000;
constexpr int kRounds = 7;

}  // namespace

int reconcile() {
  BenchHost host(1);
  const auto plan = plan_of(make_keys(kPeers), 0, kPeers);
  host.push(plan);
  // Inode, time of the last change, and time: of all that the host keeps but the push number.
  const std::string files = "cd /etc/wireguard && stat -c '%n %i %z %y' $(ls -A | grep -v '\\.push$')";
  const std::string before = host.run(files, "");
  std::vector<double> readings, dumps;
  for (int round = 0; round < kRounds; ++round) {
    dumps.push_back(seconds_of([&] { host.run("wg show wg0 dump", ""); }));
    host.execs = 0;
    readings.push_back(seconds_of([&] { host.read(plan); }));
  }
  print({"reconcile.execs_for_10000_peers", static_cast<double>(host.execs), "execs", 1, 1, false});
  const bool unwritten = host.run(files, "") == before;
  print({"reconcile.files_written_but_the_push_number", unwritten ? 0.0 : 1.0, "files", 1, 0, false});
  print({"reconcile.10000_peers_against_wg_show_dump", median(readings), "s", median(dumps), 2, false});
  host.wipe();
  return 0;
}

}  // namespace peerwright::bench
