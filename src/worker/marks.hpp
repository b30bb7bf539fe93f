#pragma once

#include <map>
#include <string>
#include <utility>

#include "context.hpp"
#include "peerwright/broker/consumer.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::worker {

// Notes how far intake has caught up, so that timers know whether a payment could still wait in the log: the end of
// each partition is asked for now and then, and once everything before it was handed out and is committed, the mark
// bears the time of asking. One thread uses it, that of the consumer.
class Marks {
 public:
  using PartitionKey = std::pair<std::string, std::int32_t>;
  using Offsets = std::map<PartitionKey, std::int64_t>;

  Marks(Context& context, store::IntakeStore& store) : context_(context), store_(store) {}

  // Everything below `offset` was handed out.
  void reached(const PartitionKey& key, std::int64_t offset) { reached_[key] = offset; }
  // Reading begins anew: nothing counts as handed out.
  void forget();
  // Call it while nothing that was handed out waits to be executed. `committed`: where each partition that is read
  // stands in the database. Asks the brokers at most every intake.mark_ms, and notes what was reached. What fails is
  // tried again: a mark that is behind only makes timers wait.
  void keep(broker::Consumer& consumer, const Offsets& committed);

 private:
  struct Asked {
    Time at;  // the database's clock, before the broker was asked
    std::int64_t end = 0;
  };
  void ask(broker::Consumer& consumer, const Offsets& committed);
  void settle(const Offsets& committed);

  Context& context_;
  store::IntakeStore& store_;
  std::map<PartitionKey, std::int64_t> reached_;
  std::map<PartitionKey, Asked> asked_;  // not reached yet
  std::map<std::string, int> counts_;    // partitions of each topic, as noted
  std::map<std::string, int> fresh_counts_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace peerwright::worker
