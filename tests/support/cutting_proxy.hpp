#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace peerwright::test {

// A TCP proxy on loopback that does to its connections what a network does: delays them, cuts them, both ends at once,
// at a place that the test chooses, lets nobody through, or swallows what it gets. It can also write down what passes.
class CuttingProxy {
 public:
  using Clock = std::chrono::steady_clock;

  CuttingProxy(const std::string& host, int port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  [[nodiscard]] int port() const { return port_; }
  enum class Direction { to_host, from_host };
  // The next connection to carry so many more bytes in that direction is cut there; then all is well again.
  void cut_after(Direction direction, std::int64_t bytes);
  [[nodiscard]] bool has_cut() const { return budget_ < 0; }

  // A portion is what one read brings: an SSH packet or a few. From now on so many pass, of both directions together;
  // the next one is cut (its first half still goes through, or nothing of it), and the proxy is shut.
  enum class Cut { before, within };
  void cut_at_portion(int portion, Cut cut);
  [[nodiscard]] bool has_cut_portion() const { return portions_left_ < 0; }
  // Ends all connections, and every new one at once, until it is opened again.
  void shut() { shut_ = true; }
  void open() { shut_ = false; }
  // Swallows: connections stand, and nothing passes until it is lifted.
  void stall(bool stalled) { stalled_ = stalled; }
  // As far away as that: what comes from now on takes half of it in each direction, and keeps its order. What is under
  // way when a connection is cut is lost. (TCP's own handshake takes no time.)
  void delay(std::chrono::milliseconds round_trip) { one_way_ = round_trip / 2; }

  struct Moved {
    Direction direction = Direction::to_host;
    std::int64_t bytes = 0;
  };
  // Forgets what has passed, and writes down what comes from now on. Only on a way with a delay is what does not wait
  // for an answer sure to stand before it.
  void record();
  // What has passed: portions in a row in the same direction are one.
  std::vector<Moved> recorded();

 private:
  struct Portion {
    Clock::time_point due;
    std::string bytes;  // none: the end
  };
  struct Way {
    int from;
    int to;
    Direction direction;
    std::deque<Portion> under_way{};
    bool ended = false;  // nothing more comes in
  };
  void serve();
  void carry(int client, int host);
  // Reads a portion.
  void take_in(Way& way);
  // Sends on what is due. False: the connection ends.
  bool give_out(Way& way);
  // How much of a portion may pass; sets `open` to false where the connection is to be cut behind that.
  std::int64_t passing(Direction direction, std::int64_t size, bool& open);
  void note(Direction direction, std::int64_t size);

  std::string host_;
  int host_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> shut_{false};
  std::atomic<bool> stalled_{false};
  std::atomic<std::int64_t> budget_{-1};  // bytes left until the cut; below zero: none is ahead
  std::atomic<Direction> direction_{Direction::to_host};
  std::atomic<int> portions_left_{-1};  // the same in portions
  std::atomic<Cut> cut_{Cut::before};
  std::atomic<Clock::duration> one_way_{Clock::duration::zero()};
  std::mutex mutex_;  // of what is recorded
  bool recording_ = false;
  std::vector<Moved> recorded_;
  std::vector<std::thread> connections_;
  std::thread server_;
};

// How often the host was told what its answer waits for. The answer is the most that came from the host in a row;
// behind it come the end of its channel and the opening of the next one, for which nobody waits.
int round_trips(const std::vector<CuttingProxy::Moved>& trace);
std::string text_of(const std::vector<CuttingProxy::Moved>& trace);

}  // namespace peerwright::test
