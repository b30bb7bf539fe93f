#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace peerwright::ssh {

// Lets only so many connections to one sshd be made at the same time: it resets what exceeds its MaxStartups. Safe from
// every thread; outlives the places that it gives.
class ConnectGate {
 public:
  static constexpr int kDefaultMost = 4;

  // One of those who are connecting; leaves when it goes.
  class Place {
   public:
    Place(ConnectGate& gate, std::string address) : gate_(&gate), address_(std::move(address)) {}
    ~Place() {
      if (gate_ != nullptr) gate_->leave(address_);
    }
    Place(Place&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), address_(std::move(other.address_)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Place& operator=(Place&&) = delete;

   private:
    ConnectGate* gate_;
    std::string address_;
  };

  // At least 1. Whoever is inside already stays.
  void set_most(int most);
  // A place among those who connect to `address` (an sshd, as it is registered), waited for as long at most. nullopt:
  // there was none.
  std::optional<Place> enter(const std::string& address, std::chrono::milliseconds most);

 private:
  void leave(const std::string& address);

  std::mutex mutex_;
  std::condition_variable left_;
  int most_ = kDefaultMost;
  std::map<std::string, int> inside_;
};

}  // namespace peerwright::ssh
