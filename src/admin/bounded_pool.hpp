#pragma once

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace peerwright::admin {

// The threads that answer, behind a queue that is bounded: the listening thread waits while it is full, so that more
// connections stay in the system's own queue. (The library's pool takes any number.)
class BoundedPool : public httplib::TaskQueue {
 public:
  BoundedPool(std::size_t threads, std::size_t max_waiting);
  ~BoundedPool() override;
  // void in older versions of the library, whether the job was taken in newer ones.
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(nullptr));
  Enqueued enqueue(std::function<void()> job) override;  // from the listening thread
  void shutdown() override;                              // does what waits, then joins

 private:
  void work();
  const std::size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace peerwright::admin
