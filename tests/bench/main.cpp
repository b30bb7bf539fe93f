#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/bench.hpp"

namespace peerwright::bench {

void print(const Comparison& c) {
  nlohmann::ordered_json line;
  const double ratio = c.baseline == 0 ? 0 : c.value / c.baseline;
  line["name"] = c.name;
  line["value"] = c.value;
  line["unit"] = c.unit;
  line["baseline"] = c.baseline;
  line["ratio"] = ratio;
  line["bar"] = c.bar;
  line["met"] = c.at_least ? ratio >= c.bar : ratio <= c.bar;
  std::cout << line.dump() << std::endl;
}

double seconds_of(const std::function<void()>& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

}  // namespace peerwright::bench

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  try {
    if (what == "intake") return peerwright::bench::intake();
    if (what == "push") return peerwright::bench::push();
    if (what == "memory") return peerwright::bench::memory();
    if (what == "fanout") return peerwright::bench::fanout();
    if (what == "latency") return peerwright::bench::latency();
    if (what == "reconcile") return peerwright::bench::reconcile();
    if (what == "hosts") return peerwright::bench::hosts();
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "%s\n", fault.what());
    return 1;
  }
  std::fputs("usage: bench intake | push | fanout | latency | reconcile | hosts | memory\n", stderr);
  return 2;
}
