#include "peerwright/store/sweep.hpp"

#include "context.hpp"
#include "peerwright/base/log.hpp"

namespace peerwright::worker {
namespace {

constexpr int kTimersAtOnce = 100;

class Sweep {
 public:
  explicit Sweep(Context& context) : context_(context), store_(context.database, context.sealer) {}

  void run() {
    while (context_.may_work("sweep")) {
      const auto step = round();
      context_.beat("sweep");
      if (!step) {
        context_.metrics.counter("db_errors_total", step.error().code).add();
        if (!failing_) log::warn("the sweep cannot go on now", step.error(), {{"loop", "sweep"}});
        failing_ = true;
        context_.pause("sweep", kFirstRetry);
        continue;
      }
      failing_ = false;
      if (step->due) context_.deliver.notify();
      if (step->found) context_.publish.notify();
      if (!step->more) context_.sweep.wait(std::chrono::milliseconds(context_.config()->sweep.poll_ms));
    }
  }

 private:
  using Step = store::SweepStore::Step;

  // A part of whatever there is, of each kind one after the other: none keeps the others waiting.
  Result<Step> round() {
    const auto pending = store_.look();
    if (!pending) return tl::unexpected(pending.error());
    const auto config = context_.config();
    Step all;
    const auto add = [&](Result<Step> step) -> Result<void> {
      if (!step) return tl::unexpected(step.error());
      all.found = all.found || step->found;
      all.more = all.more || step->more;
      all.due = all.due || step->due;
      all.peers += step->peers;
      return {};
    };
    Result<void> done;
    if (pending->timers) {
      done = add(store_.timers({config->kafka.event_topics, std::chrono::milliseconds(config->sweep.clock_margin_ms)},
                               kTimersAtOnce));
    }
    if (done && pending->wider) done = add(store_.wider_fan_out(config->sweep.chunk_peers));
    if (done && pending->fan_outs) done = add(store_.fan_out(config->sweep.chunk_peers));
    if (!done) return tl::unexpected(done.error());
    // What one kind decided may have made work for another.
    all.more = all.more || (all.found && !pending->fan_outs);
    return all;
  }

  Context& context_;
  store::SweepStore store_;
  bool failing_ = false;
};

}  // namespace

void run_sweep(Context& context) { Sweep(context).run(); }

}  // namespace peerwright::worker
