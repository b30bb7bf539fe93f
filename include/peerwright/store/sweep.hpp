#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/store/database.hpp"

namespace peerwright::store {

// When timers may take something away: every partition of these topics was caught up `margin` after they fell due.
struct TimerGate {
  std::vector<std::string> topics;
  std::chrono::milliseconds margin{1000};
};

// The sweep loop's way into the database: what follows from decisions by and by, and what falls due. One thread uses
// it.
class SweepStore {
 public:
  // Both outlive it. Without a sealer statuses say no secrets.
  explicit SweepStore(const Database& database, const Sealer* sealer = nullptr);
  ~SweepStore();

  // Whether there may be something to do at all.
  struct Pending {
    bool timers = false;
    bool wider = false;
    bool fan_outs = false;
  };
  Result<Pending> look();

  struct Step {
    bool found = false;     // there was something to do
    bool more = false;      // and there is more
    bool due = false;       // deliveries became due
    std::size_t peers = 0;  // that were considered
  };
  // Carries one subscriber's holds, release or revocation on to its next `chunk` peers, in one transaction under the
  // subscriber's lock, from the holds as they stand. Subscribers that another transaction has locked are passed over;
  // one that cannot be stored is put off for a minute.
  Result<Step> fan_out(int chunk);

  // Carries on one change that concerns many: of a customer to the fan-outs of its subscribers, of a server to the
  // statuses of its peers and to its meshes, of a tenant to the servers where it has peers; `chunk` of them in one
  // transaction. One that cannot be stored is put off for a minute.
  Result<Step> wider_fan_out(int chunk);

  // Decides up to `most` timers that are due, in one transaction; `peers` counts them. Those that take something away
  // wait for the gate, and for messages about their subject (its subscriber, its customer, its tenant) that could not
  // be executed. One that cannot be carried out is put off for a minute, and never in the way of others.
  Result<Step> timers(const TimerGate& gate, int most);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::store
