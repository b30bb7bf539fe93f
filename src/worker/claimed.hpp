#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/domain/model.hpp"

namespace peerwright::worker {

// Servers that a loop has claimed: waiting for one of its threads, or at work. The thread that came last is given the
// next one: its connection is warm, and threads beyond what is busy at once rest. Safe from every thread.
class Claimed {
 public:
  // `failing`: whether their last attempts had failed. Those that are in already are left as they are.
  void add(const std::vector<domain::Id>& servers, bool failing) {
    const std::lock_guard lock(mutex_);
    for (const domain::Id server : servers) {
      if (active_.emplace(server, failing).second) waiting_.push_back(server);
    }
    wake(waiting_.size());
  }
  // The next server, or nullopt at the end.
  std::optional<domain::Id> next() {
    std::unique_lock lock(mutex_);
    while (!ended_ && waiting_.empty()) {
      std::condition_variable woken;
      idle_.push_back(&woken);
      woken.wait(lock, [&] { return std::find(idle_.begin(), idle_.end(), &woken) == idle_.end(); });
    }
    if (ended_) return std::nullopt;
    const domain::Id server = waiting_.front();
    waiting_.pop_front();
    return server;
  }
  void done(domain::Id server) {
    const std::lock_guard lock(mutex_);
    active_.erase(server);
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    wake(idle_.size());
  }
  // Who is asked for first, those that may not answer or the others: in turns, so that neither keeps the other waiting
  // for ever where threads are few. The claiming thread alone calls it.
  bool takes_failing_first() { return failing_first_ = !failing_first_; }
  // Server -> whether its last attempt had failed.
  [[nodiscard]] std::map<domain::Id, bool> active() const {
    const std::lock_guard lock(mutex_);
    return active_;
  }

 private:
  void wake(std::size_t count) {
    for (; count > 0 && !idle_.empty(); --count) {
      std::condition_variable* const last = idle_.back();
      idle_.pop_back();
      last->notify_one();
    }
  }

  mutable std::mutex mutex_;
  std::vector<std::condition_variable*> idle_;  // of the threads that wait, the last one at the end
  std::deque<domain::Id> waiting_;
  std::map<domain::Id, bool> active_;
  bool ended_ = false;
  bool failing_first_ = false;
};

// Claims as much as there are free threads for, out of `store.claim`. Hosts that may not answer get a quarter
// of the threads at most, so that the dead never keep the living waiting.
template <typename Store>
Result<void> claim_servers(Store& store, const std::string& worker_id, std::chrono::milliseconds dead_after,
                           Claimed& claimed, int threads) {
  const bool first = claimed.takes_failing_first();
  for (const bool failing : {first, !first}) {
    std::vector<domain::Id> active;
    int active_failing = 0;
    for (const auto& [server, has_failed] : claimed.active()) {
      active.push_back(server);
      active_failing += has_failed ? 1 : 0;
    }
    int free = threads - static_cast<int>(active.size());
    if (failing) free = std::min(free, std::max(1, threads / 4) - active_failing);
    if (free <= 0) continue;
    const auto servers = store.claim(worker_id, active, free, dead_after, failing);
    if (!servers) return tl::unexpected(servers.error());
    claimed.add(*servers, failing);
  }
  return {};
}

}  // namespace peerwright::worker
