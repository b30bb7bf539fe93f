#include "peerwright/store/observe.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <thread>

#include "claimed.hpp"
#include "context.hpp"
#include "peerwright/base/log.hpp"
#include "sessions.hpp"

namespace peerwright::worker {
namespace {

constexpr const char* kLoop = "observe";
constexpr std::chrono::milliseconds kPoll{500};
constexpr std::chrono::minutes kPruneInterval{10};
constexpr std::chrono::seconds kPruneAgain{1};  // while there is more to delete
constexpr int kPruneRows = 5000;

using domain::Id;

// What one thread does with the servers that it is given.
class Observer {
 public:
  // `sessions` are those of this loop alone: a look never keeps a push waiting.
  Observer(Context& context, Sessions& sessions)
      : context_(context),
        sessions_(sessions),
        store_(context.database, context.sealer),
        random_(std::random_device()()) {}

  void observe(Id server_id) {
    auto planned = store_.plan(context_.worker_id, server_id);
    if (!planned) return give_back(server_id, planned.error());
    if (!*planned) return;
    const store::PlannedLook& look = **planned;
    const std::string& server = look.server.name;
    const auto seen = ask_host(look.server);
    show_reachability(context_, look.server, seen ? nullptr : &seen.error());
    const auto looked = seen ? store_.finish(context_.worker_id, look, *seen, times())
                             : store_.fail(context_.worker_id, look, seen.error(), times());
    if (!looked) return give_back(server_id, looked.error());
    note(server, *looked);
    if (!looked->other_outcome) return;  // one line for a change of state, not one for a retry
    if (seen) {
      log::info("the host can be looked at again", {{"loop", kLoop}, {"server", server}});
    } else {
      log::warn("a host cannot be looked at", seen.error(), {{"loop", kLoop}, {"server", server}});
    }
  }

 private:
  Result<wireguard::HostObservation> ask_host(const domain::Server& server) {
    const wireguard::HostInterface where = interface_of(server);
    const std::chrono::milliseconds deadline(context_.config()->ssh.exec_timeout_ms);
    // The host gives up before we do, so that a script does not outlive our interest in it.
    const int host_seconds = std::max(1, static_cast<int>(deadline.count() / 1000) - kHostMarginSeconds);
    auto command = wireguard::observe_command(where, host_seconds, ssh::observe_script());
    if (!command) return tl::unexpected(command.error());
    auto ran = exec(server, *command, deadline);
    if (!ran) return tl::unexpected(ran.error());
    if (auto why = wireguard::closed_way(where.way, ran->exit_status, ran->out, ran->err)) return tl::unexpected(*why);
    return wireguard::parse_observation(ran->out, ran->exit_status);
  }

  Result<ssh::ExecResult> exec(const domain::Server& server, const std::string& command,
                               std::chrono::milliseconds deadline) {
    auto taken = sessions_.take(server);
    if (!taken) return tl::unexpected(taken.error());
    auto ran = taken->session->exec(command, {}, deadline);
    if (!ran && taken->was_open) {  // the kept session had died; to look twice does no harm
      taken = sessions_.connect(server);
      if (!taken) return tl::unexpected(taken.error());
      ran = taken->session->exec(command, {}, deadline);
    }
    sessions_.put_back(server, std::move(taken->session));
    return ran;
  }

  // With jitter, so that the hosts are not all asked at the same time.
  store::LookTimes times() {
    const auto config = context_.config();
    const auto jittered = [this](int ms) {
      const double factor = std::uniform_real_distribution<double>(1 - kJitter, 1 + kJitter)(random_);
      return std::chrono::milliseconds(static_cast<std::int64_t>(ms * factor));
    };
    store::LookTimes times;
    times.next = jittered(config->observe.interval_ms);
    times.next_waiting = jittered(std::min(config->observe.waiting_interval_ms, config->observe.interval_ms));
    times.count_after = std::chrono::milliseconds(static_cast<std::int64_t>(config->observe.interval_ms * kCountAfter));
    return times;
  }

  void note(const std::string& server, const store::Looked& looked) {
    for (const auto& [state, count] : looked.peers) {
      context_.metrics.gauge("server_peers", server, state).set(static_cast<double>(count));
    }
    for (const auto& [kind, count] : looked.drift) {
      context_.metrics.gauge("drift_peers", server, kind).set(static_cast<double>(count));
    }
    context_.metrics.gauge("server_guard_stopped", server).set(looked.guard_held > 0 ? 1 : 0);
    context_.metrics.counter("wireguard_bytes_total", server, "rx").add(static_cast<double>(looked.rx_bytes));
    context_.metrics.counter("wireguard_bytes_total", server, "tx").add(static_cast<double>(looked.tx_bytes));
    if (looked.said) context_.publish.notify();
    if (looked.timers) context_.sweep.notify();
    if (looked.due) {
      log::warn("a host stands otherwise than it was proven to; its delivery looks after it",
                {{"loop", kLoop}, {"server", server}});
      context_.deliver.notify();
    }
  }

  // Nothing was stored: the look is made again. While the database is away the server cannot be given back; then it is
  // claimed anew, for it is no longer among the active ones.
  void give_back(Id server_id, const Error& why) {
    context_.metrics.counter("db_errors_total", why.code).add();
    (void)store_.release(context_.worker_id, server_id,
                         std::chrono::milliseconds(context_.config()->observe.waiting_interval_ms));
  }

  static constexpr int kHostMarginSeconds = 5;
  static constexpr double kJitter = 0.1;
  static constexpr double kCountAfter = 0.75;
  Context& context_;
  Sessions& sessions_;
  store::ObserveStore store_;
  std::mt19937 random_;
};

// Deletes a portion of what is too old; when to do so again.
std::chrono::steady_clock::time_point prune(Context& context, store::ObserveStore& store) {
  const auto deleted = store.prune_log(context.config()->observe.log_retention_days, kPruneRows);
  const bool more = deleted && *deleted == kPruneRows;
  return std::chrono::steady_clock::now() + (more ? std::chrono::steady_clock::duration(kPruneAgain) : kPruneInterval);
}

}  // namespace

void run_observe(Context& context) {
  Sessions sessions(context);
  Claimed claimed;
  const int threads = context.config()->observe.threads;
  std::vector<std::thread> pool;
  pool.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      Observer observer(context, sessions);
      while (const auto server = claimed.next()) {
        if (context.gate.is_open()) observer.observe(*server);
        claimed.done(*server);
        context.observe.notify();
      }
    });
  }
  store::ObserveStore store(context.database, context.sealer);
  auto prune_at = std::chrono::steady_clock::now();
  bool failing = false;
  const std::chrono::milliseconds dead_after(context.config()->worker.dead_after_ms);
  while (context.may_work(kLoop)) {
    const auto claims = claim_servers(store, context.worker_id, dead_after, claimed, threads);
    if (!claims && !failing) log::warn("nothing can be claimed", claims.error(), {{"loop", kLoop}});
    failing = !claims;
    if (claims && std::chrono::steady_clock::now() >= prune_at) prune_at = prune(context, store);
    context.beat(kLoop);
    context.observe.wait(failing ? kFirstRetry : kPoll);
  }
  claimed.end();
  for (std::thread& thread : pool) thread.join();
}

}  // namespace peerwright::worker
