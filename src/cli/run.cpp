#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <iostream>
#include <string>

#include "peerwright/base/log.hpp"
#include "peerwright/worker/worker.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr int kSignalledBase = 128;  // as shells report an end by a signal
constexpr std::size_t kHostNameBytes = 256;

std::atomic<bool> stop_asked{false};
std::atomic<bool> reload_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // else a signal handler must not touch it

// The first signal asks for an orderly end; whoever sends a second one does not want to wait for it.
extern "C" void on_stop_signal(int number) {
  if (stop_asked.exchange(true)) _exit(kSignalledBase + number);
}

extern "C" void on_reload_signal(int) { reload_asked = true; }

void listen_for_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = on_reload_signal;
  sigaction(SIGHUP, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);  // a connection that broke is an error of its write
}

// Logs and leases name the worker alike, also where the configuration leaves that to us.
void name_worker(Config& config) {
  if (!config.worker.name.empty()) return;
  std::array<char, kHostNameBytes> host{};
  gethostname(host.data(), host.size() - 1);
  config.worker.name = std::string(host.data()) + '/' + std::to_string(getpid());
}

}  // namespace

Action setup_run(CLI::App&) {
  return [](const Globals& globals) {
    const ConfigInput input = config_input(globals);
    LoadedConfig loaded = load_config(input);
    for (const ConfigProblem& problem : loaded.problems) std::cerr << render(problem);
    if (!loaded.problems.empty()) return Exit::usage;
    Config& config = loaded.config;
    name_worker(config);
    log::init(config.log.level, config.log.format, config.worker.name);
    listen_for_signals();
    const auto ended = worker::run(input, config, stop_asked, reload_asked);
    if (ended) return Exit::ok;
    log::error("the worker could not run", ended.error());
    return exit_of(ended.error());
  };
}

}  // namespace peerwright::cli
