#include "peerwright/store/sweep.hpp"

#include "context.hpp"
#include "peerwright/base/log.hpp"

namespace peerwright::worker {

void run_sweep(Context& context) {
  store::SweepStore store(context.database);
  bool failing = false;
  while (!context.stopping()) {
    const auto step = store.fan_out(context.config()->sweep.chunk_peers);
    context.beat("sweep");
    if (!step) {
      context.metrics.counter("db_errors_total", step.error().code).add();
      if (!failing) log::warn("a hold cannot be carried on to its peers now", step.error(), {{"loop", "sweep"}});
      failing = true;
      context.pause("sweep", kFirstRetry);
      continue;
    }
    failing = false;
    if (step->due) context.deliver.notify();
    if (step->found) context.publish.notify();
    if (!step->more) context.sweep.wait(std::chrono::milliseconds(context.config()->sweep.poll_ms));
  }
}

}  // namespace peerwright::worker
