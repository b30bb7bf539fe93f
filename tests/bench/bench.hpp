#pragma once

#include <functional>
#include <string>

// Benchmarks compare two things in one run and print the ratio as a line of JSON; they fail on nothing but a fault.
namespace peerwright::bench {

struct Comparison {
  std::string name;
  double value = 0;  // ours
  std::string unit;
  double baseline = 0;   // what it is compared with, in the same unit
  double bar = 0;        // what `ratio` has to reach
  bool at_least = true;  // or to stay below
};
// {"name","value","unit","baseline","ratio","bar","met"}; ratio = value / baseline.
void print(const Comparison& comparison);

double seconds_of(const std::function<void()>& work);

int intake();
int push();
int memory();
int fanout();
int latency();
int reconcile();
int hosts();

}  // namespace peerwright::bench
