#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "peerwright/ssh/session.hpp"
#include "peerwright/wireguard/host.hpp"
#include "support/lab.hpp"

namespace peerwright::bench {

// `count` public keys, new each time.
std::vector<std::string> make_keys(int count);
// The i-th peer's prefix; peers of one benchmark never share one.
std::string peer_prefix(int i);
// Peers `from` to `to` (not included) as `wg addconf` reads them.
std::string peers_conf(const std::vector<std::string>& keys, int from, int to);
wireguard::PushPlan plan_of(const std::vector<std::string>& keys, int from, int to);
double median(std::vector<double> values);

// A host of the lab, with one open session. What goes wrong throws.
class BenchHost {
 public:
  explicit BenchHost(int number);

  // Runs a command on the open session; its output.
  std::string run(const std::string& command, const std::string& input);
  // The next push's command line.
  std::string push_command(wireguard::PushMode mode = wireguard::PushMode::push);
  // One exec: remove, add, save, read back, compare.
  void push(const wireguard::PushPlan& plan);
  // One exec that reads the whole interface, and finds the peers there as they are wanted.
  void read(const wireguard::PushPlan& wanted);
  // Back to an empty interface.
  void wipe();

  [[nodiscard]] const test::LabHost& lab() const { return lab_; }
  int execs = 0;

 private:
  int lab_number_;
  test::LabHost lab_;
  std::unique_ptr<ssh::Session> session_;
  std::int64_t number_ = 0;
};

// A session of its own to a host of the lab.
std::unique_ptr<ssh::Session> open_session(const test::LabHost& lab);

}  // namespace peerwright::bench
