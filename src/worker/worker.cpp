#include "peerwright/worker/worker.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "context.hpp"
#include "descriptors.hpp"
#include "peerwright/admin/server.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/store/workers.hpp"

#ifndef PEERWRIGHT_VERSION
#error "the build names the version"
#endif

namespace peerwright::worker {
namespace {

constexpr std::chrono::milliseconds kWatchStep{100};
constexpr std::chrono::seconds kFileInterval{2};
constexpr std::chrono::seconds kLoopBound{60};  // a loop that did not come round for so long stands still

struct Loop {
  const char* role;
  void (*run)(Context&);
};
constexpr std::array<Loop, 5> kLoops{{{"intake", run_intake},
                                      {"deliver", run_deliver},
                                      {"observe", run_observe},
                                      {"sweep", run_sweep},
                                      {"publish", run_publish}}};

struct Secrets {
  store::Database database;
  std::optional<Sealer> sealer;
  std::optional<IntakeKey> intake_key;
  broker::Connection kafka;
};

bool has_role(const Config& config, std::string_view role) {
  return std::find(config.roles.begin(), config.roles.end(), role) != config.roles.end();
}

Result<Secrets> read_secrets(const Config& config) {
  Secrets secrets;
  secrets.database.dsn = config.postgres.dsn;
  const auto read = [](const std::string& file, Secret& into) -> Result<void> {
    if (file.empty()) return {};
    auto secret = read_secret_file(file);
    if (!secret) return tl::unexpected(secret.error());
    into = *std::move(secret);
    return {};
  };
  // These two are read again for each connection; a start without them is refused all the same.
  Secret tried;
  if (auto ok = read(config.postgres.password_file, tried); !ok) return tl::unexpected(ok.error());
  secrets.database.password_file = config.postgres.password_file;
  if (has_role(config, "deliver") || has_role(config, "observe")) {
    if (auto ok = read(config.ssh.private_key_file, tried); !ok) return tl::unexpected(ok.error());
  }
  // The other roles open what it sealed, where there is anything to open.
  if (has_role(config, "intake") || !config.encryption.key_file.empty()) {
    Secret key;
    if (auto ok = read(config.encryption.key_file, key); !ok) return tl::unexpected(ok.error());
    auto sealer = Sealer::create(key);
    if (!sealer) return tl::unexpected(sealer.error());
    secrets.sealer.emplace(*std::move(sealer));
  }
  if (has_role(config, "intake") && !config.encryption.intake_key_file.empty()) {
    Secret key;
    if (auto ok = read(config.encryption.intake_key_file, key); !ok) return tl::unexpected(ok.error());
    auto intake_key = IntakeKey::create(key);
    if (!intake_key) return tl::unexpected(intake_key.error());
    secrets.intake_key.emplace(*std::move(intake_key));
  }
  secrets.kafka.brokers = config.kafka.brokers;
  for (const auto& [name, value] : config.kafka.properties) secrets.kafka.properties.emplace_back(name, value);
  for (const auto& [name, file] : config.kafka.secret_property_files) {
    Secret value;
    if (auto ok = read(file, value); !ok) return tl::unexpected(ok.error());
    secrets.kafka.secret_properties.emplace_back(name, std::move(value));
  }
  return secrets;
}

std::string name_of_worker(const Config& config) {
  if (!config.worker.name.empty()) return config.worker.name;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + '/' + std::to_string(getpid());
}

// Waits for a database with the right tables; empty when the process is to end.
std::string enlist(const store::Database& database, const std::string& name, Readiness& readiness,
                   const std::atomic<bool>& stop) {
  store::WorkerStore store(database);
  std::string complaint;
  while (!stop) {
    auto ready = store.check_schema();
    auto id = ready ? store.enlist(name) : Result<std::string>(tl::unexpected(ready.error()));
    if (id) {
      readiness.set("database", "");
      return *id;
    }
    readiness.set("database", id.error().message);
    if (std::exchange(complaint, id.error().code) != id.error().code) log::warn("waiting for the database", id.error());
    std::this_thread::sleep_for(kFirstRetry);
  }
  return {};
}

// Until the process is to end: takes a changed configuration over, on a signal or when its file says something else.
void watch_config(const Context& context, LiveConfig& live, std::atomic<bool>& reload_asked) {
  auto next_look = std::chrono::steady_clock::now() + kFileInterval;
  while (!context.stopping()) {
    std::this_thread::sleep_for(kWatchStep);
    bool reload = reload_asked.exchange(false);
    if (std::chrono::steady_clock::now() >= next_look) {
      next_look = std::chrono::steady_clock::now() + kFileInterval;
      reload = reload || live.file_changed();
    }
    if (reload) live.reload(context.metrics);
  }
}

void run_loops(Context& context, LiveConfig& live, std::atomic<bool>& reload_asked) {
  std::vector<std::thread> threads;
  for (const Loop& loop : kLoops) {
    if (!has_role(*context.config(), loop.role)) continue;
    context.liveness.expect(loop.role, kLoopBound);
    threads.emplace_back([&context, run = loop.run] { run(context); });
  }
  context.liveness.expect("heartbeat", kLoopBound);
  context.liveness.expect("gate", kLoopBound);
  context.readiness.set("audit", "its topic was not read yet");
  threads.emplace_back([&context] { run_gate(context); });
  std::thread heart([&context] { run_heartbeat(context); });
  watch_config(context, live, reload_asked);
  for (std::thread& thread : threads) thread.join();
  context.loops_ended = true;
  heart.join();
}

}  // namespace

Result<void> run(const ConfigInput& input, const Config& config, const std::atomic<bool>& stop,
                 std::atomic<bool>& reload_asked) {
  if (auto enough = provide_descriptors(most_descriptors(config)); !enough) {
    log::warn("not all sessions could be kept", enough.error());
  }
  LiveConfig live(input, config);
  auto secrets = read_secrets(config);
  if (!secrets) return tl::unexpected(secrets.error());
  admin::Metrics metrics(PEERWRIGHT_VERSION);
  admin::Liveness liveness;
  Readiness readiness;
  readiness.set("database", "not asked yet");
  if (has_role(config, "intake")) readiness.set("intake", "not a member of the consumer group yet");
  metrics.gauge("config_last_reload_successful").set(1);
  auto server =
      admin::Server::start(config.admin.listen, {metrics, liveness, [&readiness] { return readiness.reasons(); }});
  if (!server) return tl::unexpected(server.error());

  const std::string name = name_of_worker(config);
  const std::string worker_id = enlist(secrets->database, name, readiness, stop);
  if (worker_id.empty()) return {};
  Context context{live,           secrets->database, secrets->sealer ? &*secrets->sealer : nullptr,
                  secrets->kafka, worker_id,         name,
                  stop,           metrics,           liveness,
                  readiness};
  secrets->database.fence = &context.fence;
  if (secrets->intake_key) context.intake_key = &*secrets->intake_key;
  log::info("the worker runs", {{"id", worker_id}, {"admin_port", (*server)->port()}});
  run_loops(context, live, reload_asked);
  (*server)->stop();
  log::info("the worker has ended");
  return {};
}

}  // namespace peerwright::worker
