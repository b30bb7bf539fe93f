#include <thread>

#include "context.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/store/workers.hpp"

namespace peerwright::worker {

namespace {

// The stop concerns every worker, and so does its end: then the tail is compared anew.
void heed(Context& context, const store::WorkerStore::Beat& beat) {
  const bool halted = !beat.halted_code.empty();
  context.metrics.gauge("halted").set(halted ? 1 : 0);
  if (halted && !context.gate.is_halted()) {
    context.gate.halt();
    log::error("all loops stop",
               {beat.halted_code, beat.halted_message,
                "run: peerwright recover (where it runs already, wait for its end)", Retry::never},
               {{"loop", "heartbeat"}});
  } else if (!halted && (context.gate.is_halted() || beat.is_another)) {
    context.gate.close();
  }
  if (halted) context.readiness.set("audit", beat.halted_code + ": " + beat.halted_message);
}

}  // namespace

void run_heartbeat(Context& context) {
  using Clock = std::chrono::steady_clock;
  store::WorkerStore store(context.database);
  const std::chrono::milliseconds interval(context.config()->worker.heartbeat_ms);
  const std::chrono::milliseconds dead_after(context.config()->worker.dead_after_ms);
  Clock::time_point last = Clock::now();
  bool cut_off = false;
  while (!context.loops_ended) {
    const auto begun = Clock::now();
    const auto beat = store.heartbeat(context.worker_id, context.worker_name);
    if (beat) {
      if (cut_off) log::info("the database answers again", {{"loop", "heartbeat"}});
      cut_off = false;
      last = begun;
    } else if (!cut_off && Clock::now() - last > dead_after) {
      cut_off = true;
      context.metrics.counter("leases_lost_total", "heartbeat").add();
      log::warn("cut off from the database: other workers may take over what this one holds", beat.error(),
                {{"loop", "heartbeat"}});
    }
    context.readiness.set("database", beat ? "" : beat.error().message);
    if (beat) heed(context, *beat);
    context.beat("heartbeat");
    std::this_thread::sleep_until(begun + interval);
  }
  // A new process must not wait for this one's death.
  if (auto left = store.leave(context.worker_id); !left) {
    log::warn("the leases could not be given back; they end by themselves", left.error(), {{"loop", "heartbeat"}});
  }
}

}  // namespace peerwright::worker
