#include "arrivals.hpp"

#include "bindings.hpp"
#include "peerwright/base/log.hpp"
#include "secrets.hpp"

namespace peerwright::worker {

void read_arrival(const Context& context, store::Arrival& arrival) {
  read_arrival(Reading{context.config()->sources, *context.sealer, context.intake_key}, arrival);
}

void read_arrival(const Reading& with, store::Arrival& arrival) {
  auto event = events::decode(arrival.raw);
  if (!event) {
    arrival.refusal = event.error();
    arrival.blocks = may_block(with.sources, arrival.topic, events::sender_of(arrival.raw).source,
                               store::concerned_tenant(arrival.raw, arrival.key));
    return;
  }
  arrival.verdict = refuse_unbound(with.sources, arrival.topic, *event);
  if (!arrival.verdict && event->secrets.any()) {
    arrival.prepared = prepare_secrets(event->secrets, with.sealer, with.intake_key);
  }
  arrival.event = *std::move(event);
}

void note_batch(Context& context, const store::BatchReport& report) {
  admin::Metrics& metrics = context.metrics;
  for (const auto& [result, count] : report.results) {
    metrics.counter("events_total", result.first, result.second).add(static_cast<double>(count));
  }
  if (report.duplicates > 0) {
    metrics.counter("events_total", "_any", "duplicate").add(static_cast<double>(report.duplicates));
  }
  for (const auto& [code, count] : report.rejections) {
    metrics.counter("rejections_total", code).add(static_cast<double>(count));
  }
  for (const auto& [code, count] : report.dead_letter_codes) {
    metrics.counter("dead_letters_total", code).add(static_cast<double>(count));
  }
  if (report.kept > 0) {
    log::warn("events are kept for a newer version", {{"loop", "intake"}, {"count", report.kept}});
    for (const auto& [code, count] : report.kept_codes) {
      metrics.counter("dead_letters_total", code).add(static_cast<double>(count));
    }
  }
  for (const auto& [code, count] : report.alerts) {
    log::warn("a decision needs a person's eye", {{"loop", "intake"}, {"code", code}, {"count", count}});
  }
  if (report.reused_ids > 0) {
    log::error("a source used an id again with another payload", {{"loop", "intake"}, {"count", report.reused_ids}});
  }
  if (report.due) context.deliver.notify();
  if (report.sweep) context.sweep.notify();
  context.publish.notify();
}

}  // namespace peerwright::worker
