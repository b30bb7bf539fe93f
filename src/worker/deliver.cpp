#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "claimed.hpp"
#include "context.hpp"
#include "peerwright/base/crash_point.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/domain/retry.hpp"
#include "peerwright/store/delivery.hpp"
#include "peerwright/store/urgent.hpp"
#include "resolve.hpp"
#include "sessions.hpp"

namespace peerwright::worker {
namespace {

constexpr const char* kLoop = "deliver";
constexpr std::chrono::seconds kAgain{30};  // until what was set aside for a while is looked for again

using domain::Id;

void count_late(Context& context) { context.metrics.counter("urgent_deadline_missed_total").add(); }

// Says what is urgent and late, whether its host can be reached or not. Answers until when to look again at the latest.
std::chrono::milliseconds watch_urgent(Context& context, store::UrgentStore& store, std::chrono::milliseconds most) {
  const std::chrono::milliseconds limit(context.config()->deliver.urgent_limit_ms);
  const auto look = store.look(limit);
  if (!look) return most;  // the claims say that the database is away
  for (const store::UrgentLate& late : look->late) {
    count_late(context);
    log::error("an urgent change is late", {{"loop", kLoop},
                                            {"server", late.server},
                                            {"keys", late.keys},
                                            {"waits_ms", std::int64_t{late.waits.count()}},
                                            {"limit_ms", std::int64_t{limit.count()}}});
  }
  for (const std::string& server : look->proven) {
    log::info("nothing urgent is late any more", {{"loop", kLoop}, {"server", server}});
  }
  if (!look->late.empty() || !look->proven.empty()) context.publish.notify();
  return std::min(most, look->next.value_or(most));
}

// What the threads share.
struct Tools {
  explicit Tools(Context& context) : sessions(context) {}
  Sessions sessions;
  Resolver resolver;
};

// What one thread does with the servers that it is given.
class Deliverer {
 public:
  Deliverer(Context& context, Tools& tools)
      : context_(context), tools_(tools), store_(context.database, context.sealer), random_(std::random_device()()) {}

  void deliver(Id server_id) {
    const auto shared = context_.config();
    const Config& config = *shared;
    const store::DeliveryLimits limits{config.deliver.chunk_peers,
                                       config.deliver.chunk_peers,
                                       config.deliver.urgent_chunk_peers,
                                       {config.deliver.guard_keys, config.deliver.guard_percent},
                                       std::chrono::milliseconds(config.deliver.retry_max_ms)};
    auto planned = store_.plan(context_.worker_id, server_id, limits);
    if (!planned) {
      const auto delay = retry_in(1, planned.error().retry);
      return release(planned.error(),
                     [&](const Error& noted) { return store_.fail(context_.worker_id, server_id, noted, delay); });
    }
    if (!*planned) return context_.publish.notify();  // proven already: the statuses are in the outbox
    store::PlannedPush& push = **planned;
    resolve_names(push);
    auto answer = ask_host(push);
    show_reachability(context_, push.server, answer ? nullptr : &answer.error());
    auto finished = answer ? finish(push, *answer) : Result<store::Finished>(tl::unexpected(answer.error()));
    if (finished) return note(push, *finished);
    context_.metrics.counter("pushes_total", finished.error().code).add();
    log_failure(push, finished.error());
    give_back(push, finished.error());
    context_.publish.notify();  // of some failures a status tells
  }

 private:
  // Hosts are told literals. What cannot be resolved in time does not keep the others waiting.
  void resolve_names(store::PlannedPush& push) {
    std::set<std::string> endpoints;
    for (const auto& peer : push.plan.peers) {
      if (!peer.endpoint.empty()) endpoints.insert(peer.endpoint);
    }
    if (endpoints.empty()) return;
    const auto resolved = tools_.resolver.resolve(endpoints, kResolveDeadline);
    std::vector<std::string> unresolved;
    for (auto& peer : push.plan.peers) {
      if (peer.endpoint.empty()) continue;
      const auto found = resolved.find(peer.endpoint);
      if (found != resolved.end()) {
        peer.endpoint = found->second;
      } else {
        unresolved.push_back(peer.public_key);
      }
    }
    for (const std::string& key : unresolved) push.drop_unresolved(key);
    if (unresolved.empty()) return;
    log::warn(
        "endpoints cannot be resolved",
        {{"loop", kLoop}, {"server", push.server.name}, {"endpoints", static_cast<std::int64_t>(unresolved.size())}});
  }

  // Of an interface whose key is being changed both keys are right.
  static bool is_right_interface(const domain::Server& server, const std::string& key) {
    return server.public_key.empty() || key == server.public_key ||
           (!server.key_wanted.empty() && key == server.key_wanted);
  }

  Result<wireguard::HostAnswer> ask_host(const store::PlannedPush& push) {
    const wireguard::HostInterface where = interface_of(push.server, push.installation_id);
    const std::chrono::milliseconds deadline(context_.config()->ssh.exec_timeout_ms);
    // The host gives up before we do, so that a script does not outlive our interest in it.
    const int host_seconds = std::max(1, static_cast<int>(deadline.count() / 1000) - kHostMarginSeconds);
    const bool retires = push.mode == wireguard::PushMode::retire;
    auto command = wireguard::exec_command(where, push.mode, push.push_number, host_seconds,
                                           retires ? ssh::retire_script() : ssh::push_script());
    if (!command) return tl::unexpected(command.error());
    const Secret input = wireguard::render_push(push.plan);
    crash_point(kLoop, "exec.before");
    auto ran = exec(push.server, *command, input, deadline);
    crash_point(kLoop, "exec.after");
    if (!ran) return tl::unexpected(ran.error());
    if (auto why = wireguard::closed_way(where.way, ran->exit_status, ran->out, ran->err)) return tl::unexpected(*why);
    if (retires) return wireguard::parse_retired(ran->out, ran->exit_status, push.push_number);
    auto answer = wireguard::parse_answer(ran->out, ran->exit_status, push.push_number,
                                          push.mode == wireguard::PushMode::push ? push.plan.peers : push.wanted);
    if (!answer) return answer;
    if (!is_right_interface(push.server, answer->interface_key)) {
      return permanent("interface_key_changed", "the interface has another key than the one registered",
                       "if the host was rebuilt, give the interface its key back, or register the new key");
    }
    return answer;
  }

  Result<ssh::ExecResult> exec(const domain::Server& server, const std::string& command, const Secret& input,
                               std::chrono::milliseconds deadline) {
    auto taken = tools_.sessions.take(server);
    if (!taken) return tl::unexpected(taken.error());
    auto ran = taken->session->exec(command, input.reveal(), deadline);
    if (!ran && taken->was_open && ran.error().code == "ssh_channel_failed") {
      // The kept session had died, and nothing was sent: the same push may go through a new one.
      taken = tools_.sessions.connect(server);
      if (!taken) return tl::unexpected(taken.error());
      ran = taken->session->exec(command, input.reveal(), deadline);
    }
    tools_.sessions.put_back(server, std::move(taken->session));
    return ran;
  }

  Result<store::Finished> finish(const store::PlannedPush& push, const wireguard::HostAnswer& answer) {
    const auto proof = push.mode == wireguard::PushMode::push ? wireguard::prove_push(push.plan, answer)
                                                              : wireguard::prove_reading(push.wanted, answer);
    return store_.finish(context_.worker_id, push, answer, proof, retry_in(push.attempts + 1, Retry::later));
  }

  void note(const store::PlannedPush& push, const store::Finished& finished) {
    context_.metrics.counter("pushes_total", push.mode == wireguard::PushMode::reading ? "read" : "proven").add();
    if (push.mode == wireguard::PushMode::retire) {
      log::info("a retired server is gone from its host", {{"loop", kLoop}, {"server", push.server.name}});
    }
    for (const std::int64_t ms : finished.latencies_ms) {
      context_.metrics.histogram("delivery_proven_seconds", "bulk").observe(static_cast<double>(ms) / 1000);
    }
    std::int64_t slowest_urgent = 0;
    for (const std::int64_t ms : finished.urgent_latencies_ms) {
      context_.metrics.histogram("delivery_proven_seconds", "urgent").observe(static_cast<double>(ms) / 1000);
      slowest_urgent = std::max(slowest_urgent, ms);
    }
    // Late by so little that watch_urgent() has not seen it.
    if (slowest_urgent > context_.config()->deliver.urgent_limit_ms && !finished.was_late) count_late(context_);
    if (push.attempts > 0) {
      log::info("the host obeys again", {{"loop", kLoop}, {"server", push.server.name}, {"attempt", push.attempts}});
    }
    if (finished.imported) note_import(push, *finished.imported);
    if (finished.applied > 0 || finished.imported) context_.publish.notify();
    if (finished.still_due) context_.deliver.notify();
  }

  static void note_import(const store::PlannedPush& push, const store::Imported& imported) {
    log::info("a host was imported", {{"loop", kLoop},
                                      {"server", push.server.name},
                                      {"adopted", imported.adopted},
                                      {"left_alone", static_cast<std::int64_t>(imported.left_alone.size())}});
    std::map<std::string, std::int64_t> codes;
    for (const store::LeftAlone& one : imported.left_alone) ++codes[one.code];
    for (const auto& [code, keys] : codes) {
      log::warn("keys on the host are left alone",
                {{"loop", kLoop}, {"server", push.server.name}, {"code", code}, {"keys", keys}});
    }
  }

  // One line for a change of state, not one for a retry.
  void log_failure(const store::PlannedPush& push, const Error& why) {
    if (push.attempts > 0 && push.attempts % kAttemptsBetweenLines != 0) return;
    if (why.retry == Retry::never) {
      log::error("a push failed and will not succeed by itself", why, {{"loop", kLoop}, {"server", push.server.name}});
    } else {
      log::warn("a push failed and is tried again", why,
                {{"loop", kLoop}, {"server", push.server.name}, {"attempt", push.attempts + 1}});
    }
  }

  // What the content of a push is to blame for goes on at once, in smaller portions.
  static bool is_content(const Error& why) {
    return why.code == "prefix_taken_on_host" || why.code == "wg_refused" || why.code == "own_way_cut";
  }
  // Whether the push says something of the key: a firewall does of all that it walls in.
  static bool is_told(const store::PlannedPush& push, std::string_view key) {
    const auto& gone = push.plan.removals;
    const auto& peers = push.plan.peers;
    return push.firewall.carried || std::find(gone.begin(), gone.end(), key) != gone.end() ||
           std::any_of(peers.begin(), peers.end(), [&](const auto& peer) { return peer.public_key == key; });
  }
  // The key that is to blame, as far as it is known.
  static std::string blamed_key(const store::PlannedPush& push, const Error& why) {
    if (why.code == "own_way_cut" && is_told(push, why.message.substr(why.message.rfind(' ') + 1))) {
      return why.message.substr(why.message.rfind(' ') + 1);
    }
    return is_content(why) ? push.lone_key() : std::string();
  }
  static bool is_firewall(const store::PlannedPush& push, const Error& why) {
    const bool no_nft = why.code == "host_tool_missing" && why.message.ends_with(" nft");
    return push.mode == wireguard::PushMode::push && push.firewall.carried && (why.code == "nft_refused" || no_nft);
  }

  void give_back(const store::PlannedPush& push, const Error& why) {
    const bool firewall = is_firewall(push, why);
    const store::Blamed blamed{blamed_key(push, why), firewall};
    const auto delay = retry_in(push.attempts + 1, is_content(why) || firewall ? Retry::later : why.retry);
    release(why, [&](const Error& noted) { return store_.fail(context_.worker_id, push, noted, delay, blamed); });
  }

  std::chrono::milliseconds retry_in(int failures, Retry retry) {
    const std::chrono::milliseconds most(context_.config()->deliver.retry_max_ms);
    if (retry == Retry::never) return most;
    const double random = std::uniform_real_distribution<double>(0, 1)(random_);
    return domain::retry_delay(failures, std::chrono::milliseconds(context_.config()->deliver.retry_base_ms), most,
                               random);
  }

  // Gives the server back, with the time of the next attempt. While the database is away the lease cannot be given
  // back, and nobody else would take it over as long as we live: so it is tried until it works.
  template <typename Fail>
  void release(const Error& why, Fail fail) {
    Error noted = why;
    for (;;) {
      const Result<void> failed = fail(noted);
      if (failed || context_.stopping()) return;
      context_.metrics.counter("db_errors_total", failed.error().code).add();
      if (failed.error().retry == Retry::never) noted = {"delivery_failed", "see the log", "", why.retry};
      std::this_thread::sleep_for(kFirstRetry);
    }
  }

  static constexpr int kHostMarginSeconds = 5;
  static constexpr int kAttemptsBetweenLines = 20;
  static constexpr std::chrono::milliseconds kResolveDeadline{2000};
  Context& context_;
  Tools& tools_;
  store::DeliveryStore store_;
  std::mt19937 random_;
};

}  // namespace

void run_deliver(Context& context) {
  Tools tools(context);
  Claimed claimed;
  const int threads = context.config()->deliver.threads;
  std::vector<std::thread> pool;
  pool.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      Deliverer deliverer(context, tools);
      while (const auto server = claimed.next()) {
        // What is left stays claimed, which ends with this process or is claimed again by it.
        if (context.gate.is_open()) deliverer.deliver(*server);
        claimed.done(*server);
        context.deliver.notify();
      }
    });
  }
  store::DeliveryStore store(context.database, context.sealer);
  store::UrgentStore urgent(context.database);
  auto next_again = std::chrono::steady_clock::now() + kAgain;
  const std::chrono::milliseconds poll(context.config()->deliver.poll_ms);
  bool failing = false;
  const std::chrono::milliseconds dead_after(context.config()->worker.dead_after_ms);
  while (context.may_work(kLoop)) {
    const auto claims = claim_servers(store, context.worker_id, dead_after, claimed, threads);
    if (!claims && !failing) log::warn("nothing can be claimed", claims.error(), {{"loop", kLoop}});
    failing = !claims;
    if (claims && std::chrono::steady_clock::now() >= next_again) {
      (void)store.retry_set_aside();
      next_again = std::chrono::steady_clock::now() + kAgain;
    }
    context.beat(kLoop);
    context.deliver.wait(failing ? kFirstRetry : watch_urgent(context, urgent, poll));
  }
  claimed.end();
  for (std::thread& thread : pool) thread.join();
}

}  // namespace peerwright::worker
