#include "halt.hpp"

#include "context.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/broker/scan.hpp"
#include "peerwright/store/recover.hpp"

namespace peerwright::worker {
namespace {

constexpr std::chrono::milliseconds kReadTimeout{5000};
constexpr std::chrono::milliseconds kLook{200};
constexpr const char* kPart = "audit";

// The last entry of each partition. A topic that is not there is an empty one only where nothing was ever published.
Result<std::vector<store::AuditRow>> read_tail(const Context& context, store::HaltStore& store) {
  std::vector<store::AuditRow> tail;
  const auto last = broker::last_messages(context.kafka, context.config()->kafka.audit_topic, kReadTimeout);
  if (!last) {
    if (last.error().code != "kafka_topic_missing") return tl::unexpected(last.error());
    const auto published = store.has_published();
    if (!published) return tl::unexpected(published.error());
    if (*published) return tl::unexpected(last.error());
    return tail;
  }
  for (const broker::Message& message : *last) {
    auto entry = store::published_audit(message.payload);
    if (!entry) return tl::unexpected(entry.error());
    tail.push_back(std::move(entry->row));
  }
  return tail;
}

}  // namespace

Result<bool> check_tail(Context& context) {
  store::HaltStore store(context.database);
  const auto tail = read_tail(context, store);
  if (!tail) return tl::unexpected(tail.error());
  const auto verdict = store.judge(*tail);
  if (!verdict) return tl::unexpected(verdict.error());
  if (!*verdict) {
    if (auto recorded = store.record_installation(); !recorded) return tl::unexpected(recorded.error());
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
    if (!context.gate.needs_check()) {
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
