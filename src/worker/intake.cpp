#include "peerwright/store/intake.hpp"

#include <algorithm>
#include <set>

#include "arrivals.hpp"
#include "context.hpp"
#include "marks.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/broker/consumer.hpp"
#include "peerwright/domain/retry.hpp"
#include "replay.hpp"

namespace peerwright::worker {
namespace {

constexpr const char* kLoop = "intake";
constexpr const char* kNotJoined = "not a member of the consumer group yet";
constexpr std::chrono::milliseconds kIdlePoll{100};
constexpr std::chrono::milliseconds kAskTimeout{5000};
constexpr std::chrono::seconds kLookAgain{30};
constexpr int kMostReloads = 5;  // of a batch that lost races for a key or an address
constexpr std::size_t kMaxBatchBytes = std::size_t{16} * 1024 * 1024;

using PartitionKey = std::pair<std::string, std::int32_t>;

class Intake final : public broker::AssignmentListener {
 public:
  explicit Intake(Context& context)
      : context_(context),
        store_(context.database, *context.sealer),
        marks_(context, store_),
        replay_(context, store_) {}

  void run() {
    while (context_.may_work(kLoop)) {
      auto made = broker::Consumer::create(context_.kafka, context_.config()->kafka.group,
                                           context_.config()->kafka.event_topics, *this);
      if (!made) {
        log::error("no consumer can be made", made.error(), {{"loop", kLoop}});
        if (!context_.pause(kLoop, kSlowestRetry)) return;
        continue;
      }
      consumer_ = *std::move(made);
      while (!context_.stopping() && round()) {
      }
      consumer_.reset();
    }
  }

  // Positions come from the database, which may be away just now: the partitions begin once it answers.
  std::vector<broker::Position> assigned(const std::vector<broker::Partition>& partitions) override {
    context_.metrics.counter("rebalances_total").add();
    log::info("partitions were assigned", {{"loop", kLoop}, {"count", partitions.size()}});
    joined_ = true;
    restart_ = true;
    return {};
  }
  void revoked(const std::vector<broker::Partition>&) override {
    expected_.clear();
    restart_ = true;
  }

 private:
  // One batch, or one wait; false where the consumer is of no more use.
  bool round() {
    context_.beat(kLoop);
    // Out of the group, too: whoever goes on begins anew.
    if (!context_.gate.is_open()) return false;
    if (restart_ && !restart()) {
      context_.pause(kLoop, kFirstRetry);
      return static_cast<bool>(consumer_->poll(std::chrono::milliseconds(0)));
    }
    batch_.clear();  // whatever ended the round before: what was not executed is read again
    marks_.keep(*consumer_, expected_);
    replay_.go_on();
    if (!collect()) return false;
    if (!batch_.empty() && !restart_) process();
    if (!stopped_.empty() && std::chrono::steady_clock::now() >= next_look_) restart_ = true;
    return true;
  }

  // Takes what has arrived, up to the limits; waits for the first message only. False on a fatal consumer.
  bool collect() {
    const auto most = static_cast<std::size_t>(context_.config()->intake.batch_messages);
    const std::chrono::milliseconds linger(context_.config()->intake.batch_wait_ms);
    std::size_t bytes = 0;
    auto deadline = std::chrono::steady_clock::time_point::max();
    while (batch_.size() < most && bytes < kMaxBatchBytes && !restart_) {
      auto wait = kIdlePoll;
      if (!batch_.empty()) {
        const auto left = deadline - std::chrono::steady_clock::now();
        wait = std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(left));
      }
      auto polled = consumer_->poll(wait);
      if (!polled) {
        log::error("the consumer failed and is made anew", polled.error(), {{"loop", kLoop}});
        return false;
      }
      if (auto* message = std::get_if<broker::Message>(&*polled)) {
        if (!is_next(*message)) continue;
        if (batch_.empty()) deadline = std::chrono::steady_clock::now() + linger;
        bytes += message->payload.size();
        batch_.push_back(std::move(*message));
      } else if (const auto* end = std::get_if<broker::EndOfPartition>(&*polled)) {
        lag(end->position.partition).set(0);
        marks_.reached({end->position.partition.topic, end->position.partition.number}, end->position.offset);
      } else if (const auto* fault = std::get_if<broker::PartitionFault>(&*polled)) {
        stop_partition({fault->partition.topic, fault->partition.number}, fault->error);
      } else if (!batch_.empty() || wait == kIdlePoll) {
        break;
      }
      if (!batch_.empty() && std::chrono::steady_clock::now() >= deadline) break;
    }
    return true;
  }

  // Whether the message is to be executed. The one that was executed last comes first: a topic that was made anew shows
  // by it, whatever its offsets are.
  bool is_next(const broker::Message& message) {
    const PartitionKey key(message.partition.topic, message.partition.number);
    const auto expected = expected_.find(key);
    if (expected == expected_.end()) return false;
    const auto last = last_.extract(key);
    if (!last.empty() && last.mapped().first == message.offset) {
      const events::RawMessage raw{message.payload, &message.headers};
      if (store::message_hash(message.key, raw) != last.mapped().second) {
        stop_partition(key, changed(message.offset));
        return false;
      }
    }
    if (message.offset < expected->second) return false;
    marks_.reached(key, message.offset + 1);
    return true;
  }

  admin::Gauge lag(const broker::Partition& partition) {
    return context_.metrics.gauge("intake_lag_messages", partition.topic, std::to_string(partition.number));
  }

  void stop_partition(const PartitionKey& key, const Error& why) {
    expected_.erase(key);
    std::erase_if(batch_, [&](const broker::Message& m) {
      return m.partition.topic == key.first && m.partition.number == key.second;
    });
    stopped_.insert(key);
    next_look_ = std::chrono::steady_clock::now() + kLookAgain;
    context_.metrics.gauge("intake_stalled_partitions").set(static_cast<double>(stopped_.size()));
    if (!complained_.insert(key).second) return;
    log::error("a partition is stopped until an operator decides; it is looked at again", why,
               {{"loop", kLoop}, {"topic", key.first}, {"partition", std::int64_t{key.second}}});
  }

  // Reads the positions of all that is assigned and begins there. False where something does not answer: try again.
  bool restart() {
    const auto partitions = consumer_->assignment();
    auto positions = begin_positions(partitions);
    if (!positions) {
      context_.readiness.set("intake", positions.error().message);
      if (std::exchange(complaint_, positions.error().code) != positions.error().code) {
        log::warn("intake waits", positions.error(), {{"loop", kLoop}});
      }
      return false;
    }
    complaint_.clear();
    marks_.forget();
    if (auto restarted = consumer_->restart_at(*positions); !restarted) {
      log::warn("the consumer cannot begin at its positions", restarted.error(), {{"loop", kLoop}});
      return false;
    }
    commit_positions();
    restart_ = false;
    // With more workers than partitions some have none: they stand by, which is ready.
    context_.readiness.set("intake", joined_ ? "" : kNotJoined);
    return true;
  }

  Result<std::vector<broker::Position>> begin_positions(const std::vector<broker::Partition>& partitions) {
    expected_.clear();
    stopped_.clear();
    last_.clear();
    std::vector<broker::Position> positions;
    if (partitions.empty()) return positions;
    auto cluster = consumer_->cluster_id(kAskTimeout);
    if (!cluster) return tl::unexpected(cluster.error());
    if (auto checked = store_.check_cluster(*cluster); !checked) return tl::unexpected(checked.error());
    store::IntakeStore::Partitions keys;
    for (const broker::Partition& p : partitions) keys.emplace_back(p.topic, p.number);
    auto stored = store_.positions(keys);
    if (!stored) return tl::unexpected(stored.error());
    for (const broker::Partition& partition : partitions) {
      const PartitionKey key(partition.topic, partition.number);
      auto marks = consumer_->watermarks(partition, kAskTimeout);
      if (!marks) return tl::unexpected(marks.error());
      const auto found = stored->find(key);
      auto offset = found != stored->end() ? Result<std::int64_t>(found->second) : first_position(key, marks->low);
      if (!offset) return tl::unexpected(offset.error());
      if (*offset < marks->low || *offset > marks->high) {
        stop_partition(key, gap(*offset, *marks));
        continue;
      }
      complained_.erase(key);
      auto last = store_.last_message(key.first, key.second);
      if (!last) return tl::unexpected(last.error());
      expected_[key] = *offset;
      // One that retention removed is no gap.
      const bool checked = *last && (*last)->first >= marks->low && (*last)->first < *offset;
      if (checked) last_[key] = **last;
      positions.push_back({partition, checked ? (*last)->first : *offset});
      lag(partition).set(static_cast<double>(marks->high - *offset));
    }
    context_.metrics.gauge("intake_stalled_partitions").set(static_cast<double>(stopped_.size()));
    return positions;
  }

  // What the topic had when this installation saw it first begins at the log's start, a partition added later at 0.
  Result<std::int64_t> first_position(const PartitionKey& key, std::int64_t low) {
    auto count = consumer_->partition_count(key.first, kAskTimeout);
    if (!count) return tl::unexpected(count.error());
    return store_.begin_partition(key.first, key.second, low, *count);
  }

  static Error gap(std::int64_t offset, const broker::Consumer::Watermarks& marks) {
    return {"position_outside_log",
            "the next message to execute is " + std::to_string(offset) + ", the log holds " +
                std::to_string(marks.low) + " to " + std::to_string(marks.high),
            "find out what became of the messages (retention, a topic made anew), then set intake.next_offset",
            Retry::never};
  }

  static Error changed(std::int64_t offset) {
    return {"log_changed", "message " + std::to_string(offset) + ", the last one executed, is another one now",
            "find out whether the topic was made anew; set intake.next_offset, and last_hash to null, to read on",
            Retry::never};
  }

  std::vector<store::Arrival> arrivals() const {
    std::vector<store::Arrival> all;
    all.reserve(batch_.size());
    for (const broker::Message& message : batch_) {
      store::Arrival arrival;
      arrival.topic = message.partition.topic;
      arrival.partition = message.partition.number;
      arrival.offset = message.offset;
      arrival.broker_time = time_from_micros(std::max<std::int64_t>(0, message.timestamp_ms) * 1000);
      arrival.key = message.key;
      arrival.raw = {message.payload, &message.headers};
      read_arrival(context_, arrival);
      all.push_back(std::move(arrival));
    }
    return all;
  }

  void process() {
    const auto all = arrivals();
    if (execute(all)) commit_positions();
  }

  void commit_positions() {
    std::vector<broker::Position> positions;
    positions.reserve(expected_.size());
    for (const auto& [key, offset] : expected_) positions.push_back({{key.first, key.second}, offset});
    consumer_->commit(positions);
  }

  std::vector<store::Cursor> cursors_of(std::span<const store::Arrival> part) const {
    std::map<PartitionKey, std::int64_t> next;
    for (const store::Arrival& arrival : part) next[{arrival.topic, arrival.partition}] = arrival.offset + 1;
    std::vector<store::Cursor> cursors;
    cursors.reserve(next.size());
    for (const auto& [key, offset] : next) cursors.push_back({key.first, key.second, expected_.at(key), offset});
    return cursors;
  }

  // Executes a part of the batch, by halves where it cannot be executed whole, so that the one message that is to blame
  // is left alone. False where the batch has to be read again.
  bool execute(std::span<const store::Arrival> part) {
    if (part.empty()) return true;
    const auto cursors = cursors_of(part);
    auto report = patiently([&] { return store_.execute(part, cursors); });
    for (int again = 0; !report && report.error().code == "db_unique" && again < kMostReloads; ++again) {
      report = patiently([&] { return store_.execute(part, cursors); });
    }
    if (!report && report.error().retry == Retry::later) return false;
    if (!report && part.size() > 1) {
      const std::size_t half = part.size() / 2;
      return execute(part.first(half)) && execute(part.subspan(half));
    }
    if (!report) {
      const Error why{"cannot_be_executed", report.error().message, "report the defect with the dead letter's original",
                      Retry::never};
      log::error("a message cannot be executed", why,
                 {{"loop", kLoop},
                  {"topic", part[0].topic},
                  {"partition", std::int64_t{part[0].partition}},
                  {"offset", part[0].offset}});
      report = patiently([&] { return store_.bury(part[0], cursors[0], why); });
    }
    if (!report) {
      // Refused though it is no message's fault, or not now: nothing is skipped, the batch is read again.
      log::error("a dead letter cannot be stored", report.error(), {{"loop", kLoop}});
      restart_ = true;
      context_.pause(kLoop, kSlowestRetry);
      return false;
    }
    for (const store::Cursor& cursor : cursors) expected_[{cursor.topic, cursor.partition}] = cursor.next;
    note_batch(context_, *report);
    return true;
  }

  // Tries again for as long as the fault can pass, with the partitions paused and the membership kept alive. Gives up,
  // so that the batch is read anew, when the assignment changed, another worker was here, all loops stop, or the
  // process ends.
  template <typename Transaction>
  Result<store::BatchReport> patiently(Transaction transaction) {
    for (int failures = 1;; ++failures) {
      const auto begun = std::chrono::steady_clock::now();
      auto report = transaction();
      if (report || report.error().retry == Retry::never) {
        if (failures > 1) consumer_->resume();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
        context_.metrics.histogram("db_transaction_seconds", kLoop).observe(took.count());
        return report;
      }
      context_.metrics.counter("db_errors_total", report.error().code).add();
      if (report.error().code == "offset_moved") restart_ = true;
      if (failures == 1) {
        log::warn("a batch waits", report.error(), {{"loop", kLoop}});
        consumer_->pause();
      }
      const auto until =
          std::chrono::steady_clock::now() + domain::retry_delay(failures, kFirstRetry, kSlowestRetry, 1.0);
      const auto gives_up = [&] { return restart_ || context_.stopping() || context_.gate.is_halted(); };
      while (!gives_up() && std::chrono::steady_clock::now() < until) {
        context_.beat(kLoop);
        if (!consumer_->poll(kFirstRetry)) restart_ = true;
      }
      if (gives_up()) {
        consumer_->resume();
        return report;
      }
    }
  }

  Context& context_;
  store::IntakeStore store_;
  Marks marks_;
  Replay replay_;
  std::unique_ptr<broker::Consumer> consumer_;
  std::map<PartitionKey, std::int64_t> expected_;  // where each partition that is being read stands in the database
  std::map<PartitionKey, std::pair<std::int64_t, std::string>> last_;  // offset and hash, still to be compared
  std::set<PartitionKey> stopped_;                                     // assigned, but not read
  std::set<PartitionKey> complained_;                                  // said once
  std::chrono::steady_clock::time_point next_look_{};
  std::vector<broker::Message> batch_;
  std::string complaint_;  // what intake waits for, said once
  bool restart_ = true;
  bool joined_ = false;  // the group has given this worker its share, be it none
};

}  // namespace

void run_intake(Context& context) { Intake(context).run(); }

}  // namespace peerwright::worker
