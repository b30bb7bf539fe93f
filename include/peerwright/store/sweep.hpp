#pragma once

#include <memory>

#include "peerwright/base/result.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

// The sweep loop's way into the database: what follows from decisions by and by. One thread uses it.
class SweepStore {
 public:
  explicit SweepStore(const Database& database);
  ~SweepStore();

  struct Step {
    bool found = false;     // there was something to do
    bool more = false;      // and there is more
    bool due = false;       // deliveries became due
    std::size_t peers = 0;  // that were considered
  };
  // Carries one subscriber's holds on to its next `chunk` peers, in one transaction under the subscriber's lock, from
  // the holds as they stand. Subscribers that another transaction has locked are passed over; one that cannot be stored
  // is put off for a minute.
  Result<Step> fan_out(int chunk);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
