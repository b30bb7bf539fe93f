// Many hosts at once: how well pushes run side by side, and what an open session costs.
#include <atomic>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "bench/bench.hpp"
#include "bench/host.hpp"

namespace peerwright::bench {
namespace {

constexpr int kHosts = 50;
constexpr int kPeers = 100;
constexpr int kThreads = 8;  // deliver.threads
constexpr int kCores = 2;    // what the bar is about
constexpr int kRounds = 3;
constexpr int kSessions = 500;
constexpr int kSshds = 5;  // that share them
constexpr int kConnectAttempts = 20;

double resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6));
  }
  throw std::runtime_error("no resident size");
}

void push_all(std::vector<std::unique_ptr<BenchHost>>& hosts, const wireguard::PushPlan& plan) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      try {
        for (std::size_t at = next++; at < hosts.size(); at = next++) hosts[at]->push(plan);
      } catch (const std::exception&) {
        failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failed) throw std::runtime_error("a push failed");
}

// Each push adds peers of its own, so that nothing has to be wiped in between.
void compare_pushes() {
  std::vector<std::unique_ptr<BenchHost>> hosts;
  for (int number = 1; number <= kHosts; ++number) hosts.push_back(std::make_unique<BenchHost>(number));
  const auto keys = make_keys(2 * kRounds * kPeers);
  std::vector<double> all, one;
  for (int round = 0; round < kRounds; ++round) {
    const int from = 2 * round * kPeers;
    const auto for_all = plan_of(keys, from, from + kPeers);
    all.push_back(seconds_of([&] { push_all(hosts, for_all); }));
    const auto for_one = plan_of(keys, from + kPeers, from + 2 * kPeers);
    one.push_back(seconds_of([&] { hosts[static_cast<std::size_t>(round)]->push(for_one); }));
  }
  print({"hosts.50_hosts_of_100_peers_against_one_at_a_time_on_2_cores", median(all), "s",
         kHosts * median(one) / kCores, 1.5, false});
}

// sshd refuses some of those that come at the same time.
std::unique_ptr<ssh::Session> connect(const test::LabHost& lab) {
  for (int attempt = 1;; ++attempt) {
    try {
      return open_session(lab);
    } catch (const std::exception&) {
      if (attempt == kConnectAttempts) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

void measure_sessions() {
  std::vector<test::LabHost> labs;
  for (int number = 1; number <= kSshds; ++number) labs.push_back(test::LabHost::unwiped(number));
  std::vector<std::unique_ptr<ssh::Session>> sessions;
  const auto open = [&](int count) {
    for (int i = 0; i < count; ++i) {
      sessions.push_back(connect(labs[static_cast<std::size_t>(i % kSshds)]));
      const auto ran = sessions.back()->exec("true", "", std::chrono::seconds(30));
      if (!ran || ran->exit_status != 0) throw std::runtime_error("a session is of no use");
      sessions.back()->open_ahead();  // as it is kept
    }
  };
  open(kSshds);  // what the first ones cost is not theirs
  const double before = resident_kib();
  open(kSessions);
  print({"hosts.memory_of_an_open_session", (resident_kib() - before) / kSessions, "KiB", 40, 1, false});
}

}  // namespace

int hosts() {
  measure_sessions();
  compare_pushes();
  return 0;
}

}  // namespace peerwright::bench
