// A push of 1,000 peers to a real host, against common practice and against the bare tool on the host itself.
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "bench/bench.hpp"
#include "peerwright/ssh/session.hpp"
#include "peerwright/wireguard/host.hpp"
#include "support/lab.hpp"
#include "support/process.hpp"

namespace peerwright::bench {
namespace {

constexpr int kPeers = 1000;
constexpr int kPracticePresent = 500;  // where common practice is measured: it slows down with every peer
constexpr int kPracticeAdded = 20;
constexpr int kRounds = 5;

std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  for (int i = 0; i < kPeers; ++i) keys.push_back(test::make_client_keys().public_key);
  return keys;
}

std::string address(int i) {
  return "10.200." + std::to_string(1 + i / 250) + '.' + std::to_string(1 + i % 250) + "/32";
}

std::string conf(const std::vector<std::string>& keys, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "[Peer]\nPublicKey = " + keys[static_cast<std::size_t>(i)] + "\nAllowedIPs = " + address(i) + "\n";
  }
  return text;
}

class Host {
 public:
  Host() : lab_(1) {
    const ssh::Target target{lab_.address(), 22, "root", lab_.host_key()};
    auto key = read_secret_file(test::LabHost::ssh_key_file());
    auto session = ssh::Session::connect(target, *key, {});
    if (!session) throw std::runtime_error(session.error().message);
    session_ = *std::move(session);
  }

  std::string run(const std::string& command, const std::string& input) {
    ++execs;
    auto ran = session_->exec(command, input, std::chrono::minutes(2));
    if (!ran || ran->exit_status != 0) throw std::runtime_error("a command on the host failed: " + command);
    return ran->out;
  }

  void wipe() { lab_ = test::LabHost(1); }

  // One exec: remove, add, save, read back, compare.
  void push(const std::vector<std::string>& keys) {
    wireguard::PushPlan plan;
    for (int i = 0; i < kPeers; ++i) {
      wireguard::PeerConfig peer;
      peer.public_key = keys[static_cast<std::size_t>(i)];
      peer.allowed_ips = {address(i)};
      plan.peers.push_back(std::move(peer));
    }
    const wireguard::HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "", "bench"};
    const auto command = wireguard::exec_command(where, wireguard::PushMode::push, ++number_, 60, ssh::push_script());
    if (!command) throw std::runtime_error(command.error().message);
    const Secret input = wireguard::render_push(plan);
    const std::string out = run(*command, std::string(input.reveal()));
    const auto answer = wireguard::parse_answer(out, 0, number_);
    if (!answer) throw std::runtime_error(answer.error().message);
    const auto proof = wireguard::prove_push(plan, *answer);
    if (proof.size() != kPeers) throw std::runtime_error("the push was not proven");
    for (const auto& [key, proven] : proof) {
      if (!proven || proven->empty()) throw std::runtime_error("a peer was not proven");
    }
  }

  int execs = 0;

 private:
  test::LabHost lab_;
  std::unique_ptr<ssh::Session> session_;
  std::int64_t number_ = 0;
};

// A connection, `wg set` and `wg-quick save` for each peer, as scripts on the net do it; seconds for kPeers of them.
double practice(Host& host, const std::vector<std::string>& keys) {
  host.wipe();
  host.run("wg addconf wg0 /dev/stdin", conf(keys, kPracticePresent));
  const test::LabHost lab = test::LabHost::unwiped(1);
  const double seconds = seconds_of([&] {
    for (int i = kPracticePresent; i < kPracticePresent + kPracticeAdded; ++i) {
      const std::string command = "wg set wg0 peer " + keys[static_cast<std::size_t>(i)] + " allowed-ips " +
                                  address(i) + " && wg-quick save wg0 2>/dev/null";
      const auto done =
          test::run_command({"ssh", "-i", test::LabHost::ssh_key_file(), "-o", "StrictHostKeyChecking=no", "-o",
                             "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@" + lab.address(), command});
      if (done.exit_status != 0) throw std::runtime_error("common practice failed");
    }
  });
  return seconds * kPeers / kPracticeAdded;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int push() {
  const auto keys = make_keys();
  Host host;
  std::vector<double> pushes, bare;
  for (int round = 0; round < kRounds; ++round) {
    host.wipe();
    const std::string file = conf(keys, kPeers);
    bare.push_back(seconds_of([&] { host.run("wg addconf wg0 /dev/stdin", file); }));
    host.wipe();
    host.execs = 0;
    pushes.push_back(seconds_of([&] { host.push(keys); }));
  }
  print({"push.execs_for_1000_peers", static_cast<double>(host.execs), "execs", 1, 1, false});
  print({"push.1000_peers_against_bare_wg_addconf", median(pushes), "s", median(bare), 1.5, false});
  // How many times longer the practice takes: ours is the baseline here.
  print({"push.common_practice_against_1000_peers", practice(host, keys), "s", median(pushes), 1500, true});
  host.wipe();
  return 0;
}

}  // namespace peerwright::bench
