#include "halt.hpp"

#include <algorithm>

#include "context.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/broker/scan.hpp"
#include "peerwright/store/recover.hpp"

namespace peerwright::worker {
namespace {

constexpr std::chrono::milliseconds kReadTimeout{5000};
constexpr std::chrono::milliseconds kLook{200};
constexpr const char* kPart = "audit";

struct Tail {
  std::vector<store::AuditRow> rows;  // the last entry of each partition
  std::int64_t first = 0;             // the least number that can be read; 0: the topic is empty
};

Result<Tail> read_entries(const std::vector<broker::Ends>& ends) {
  Tail tail;
  for (const broker::Ends& partition : ends) {
    auto first = store::published_audit(partition.first.payload);
    auto last = store::published_audit(partition.last.payload);
    if (!first) return tl::unexpected(first.error());
    if (!last) return tl::unexpected(last.error());
    tail.first = tail.first == 0 ? first->row.chain_no : std::min(tail.first, first->row.chain_no);
    tail.rows.push_back(std::move(last->row));
  }
  return tail;
}

// A topic that is not there is an empty one only where nothing was ever published.
Result<Tail> read_tail(const Context& context, store::HaltStore& store) {
  const auto ends = broker::end_messages(context.kafka, context.config()->kafka.audit_topic, kReadTimeout);
  if (ends) return read_entries(*ends);
  if (ends.error().code != "kafka_topic_missing") return tl::unexpected(ends.error());
  const auto published = store.has_published();
  if (!published) return tl::unexpected(published.error());
  if (*published) return tl::unexpected(ends.error());
  return Tail();
}

void warn_of_lost_entries(const Context& context, std::int64_t first) {
  if (first <= 1) return;
  log::warn(
      "a rebuild is not possible any more",
      {"audit_topic_shortened",
       "the first entry of topic " + context.config()->kafka.audit_topic + " is number " + std::to_string(first),
       "keep that topic without limit (retention.ms=-1, retention.bytes=-1); until then nothing but backups helps",
       Retry::never},
      {{"loop", "gate"}});
}

}  // namespace

Result<bool> check_tail(Context& context) {
  store::HaltStore store(context.database);
  const auto tail = read_tail(context, store);
  if (!tail) return tl::unexpected(tail.error());
  const auto verdict = store.judge(tail->rows);
  if (!verdict) return tl::unexpected(verdict.error());
  if (!*verdict) {
    if (auto recorded = store.record_installation(); !recorded) return tl::unexpected(recorded.error());
    store.pass(context.fence);
    warn_of_lost_entries(context, tail->first);
    return true;
  }
  // The heartbeats of all workers see it, and say so.
  if (auto halted = store.halt(**verdict); !halted) return tl::unexpected(halted.error());
  context.gate.close();
  return false;
}

void run_gate(Context& context) {
  std::string complaint;
  while (!context.stopping()) {
    if (context.gate.is_halted() || !(context.gate.needs_check() || context.fence.asks())) {
      context.pause("gate", kLook);
      continue;
    }
    const auto checked = check_tail(context);
    if (checked) {
      complaint.clear();
      if (*checked) {
        context.readiness.set(kPart, "");
        context.gate.open();
      } else {
        context.pause("gate", kSlowestRetry);
      }
      continue;
    }
    context.readiness.set(kPart, checked.error().message);
    if (std::exchange(complaint, checked.error().code) != checked.error().code) {
      log::warn("nothing runs before the audit topic was read", checked.error(), {{"loop", "gate"}});
    }
    context.pause("gate", kFirstRetry);
  }
}

}  // namespace peerwright::worker
