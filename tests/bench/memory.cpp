// Resident memory of an idle worker with everything connected.
#include <fstream>
#include <stdexcept>

#include "bench/bench.hpp"
#include "support/installation.hpp"

namespace peerwright::bench {
namespace {

constexpr double kBarMib = 64;

double resident_mib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  throw std::runtime_error("the worker is gone");
}

}  // namespace

int memory() {
  test::LabHost host(1);
  test::Installation installation;
  test::Process& worker = installation.start_worker("idle");
  installation.establish({test::network_set("net"), test::server_register("fra1", "net", host)});
  installation.publish(test::peer_provision("acme", "P1", "fra1", test::make_client_keys().public_key));
  if (!installation.wait_settled()) throw std::runtime_error("the worker did not settle");
  print({"memory.idle_worker", resident_mib(worker.pid()), "MiB", kBarMib, 1, false});
  return 0;
}

}  // namespace peerwright::bench
