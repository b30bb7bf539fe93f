#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace peerwright::test {

// A TCP proxy on loopback that can cut its connections, both ends at once, after a number of bytes in one direction:
// what a failing network does to an SSH session.
class CuttingProxy {
 public:
  CuttingProxy(const std::string& host, int port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  [[nodiscard]] int port() const { return port_; }
  enum class Direction { to_host, from_host };
  // The next connection to carry so many more bytes in that direction is cut there; then all is well again.
  void cut_after(Direction direction, std::int64_t bytes);
  [[nodiscard]] bool has_cut() const { return budget_ < 0; }

 private:
  void serve();
  void carry(int client, int host);
  std::string host_;
  int host_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> budget_{-1};  // bytes left until the cut; below zero: none is ahead
  std::atomic<Direction> direction_{Direction::to_host};
  std::vector<std::thread> connections_;
  std::thread server_;
};

}  // namespace peerwright::test
