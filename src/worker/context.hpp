#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "halt.hpp"
#include "live_config.hpp"
#include "peerwright/admin/liveness.hpp"
#include "peerwright/admin/metrics.hpp"
#include "peerwright/base/config.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/base/sealed_box.hpp"
#include "peerwright/broker/message.hpp"
#include "peerwright/ssh/connect_gate.hpp"
#include "peerwright/store/database.hpp"
#include "peerwright/store/fence.hpp"

namespace peerwright::worker {

// Wakes a loop before its poll interval is over. Safe from every thread.
class Wake {
 public:
  void notify();
  // Returns when notified, or after `most`; a notification from before the call counts.
  void wait(std::chrono::milliseconds most);

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool notified_ = false;
};

// Why the worker is not ready yet, by the part that says so.
class Readiness {
 public:
  void set(const std::string& part, const std::string& reason);  // an empty reason: the part is ready
  [[nodiscard]] std::vector<std::string> reasons() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;
};

// What all loops of one process share. Outlives them.
struct Context {
  const LiveConfig& live;
  const store::Database& database;
  const Sealer* sealer = nullptr;  // for roles that seal
  const broker::Connection& kafka;
  const std::string worker_id;
  const std::string worker_name;
  const std::atomic<bool>& stop;
  admin::Metrics& metrics;
  admin::Liveness& liveness;
  Readiness& readiness;
  std::atomic<bool> loops_ended = false;  // the heart beats until all other loops have ended
  Wake deliver{};
  Wake sweep{};
  Wake publish{};
  Wake observe{};
  ssh::ConnectGate connects{};  // of all loops to the hosts
  Gate gate{};
  store::Fence fence{};                   // of the database
  const IntakeKey* intake_key = nullptr;  // nullptr: sealed values are not taken

  [[nodiscard]] std::shared_ptr<const Config> config() const { return live.get(); }
  [[nodiscard]] bool stopping() const { return stop.load(std::memory_order_relaxed); }
  void beat(const std::string& loop);
  // Waits in small steps, so that an end is not kept waiting; false when the process stops.
  bool pause(const std::string& loop, std::chrono::milliseconds time);
  // Waits until the loop may work; false when the process stops.
  bool may_work(const std::string& loop);
};

// The loops. Each blocks until the context stops.
void run_heartbeat(Context& context);
void run_intake(Context& context);
void run_deliver(Context& context);
void run_observe(Context& context);
void run_sweep(Context& context);
void run_publish(Context& context);

inline constexpr std::chrono::milliseconds kFirstRetry{100};
inline constexpr std::chrono::milliseconds kSlowestRetry{2000};

}  // namespace peerwright::worker
