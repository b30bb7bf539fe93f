#pragma once

#include <string>
#include <vector>

#include "command.hpp"
#include "peerwright/store/plan.hpp"

namespace peerwright::cli {

// A plan with the events that it is of.
struct PlanShown {
  const store::Plan& plan;
  const std::vector<store::Arrival>& arrivals;
  std::vector<std::string> places;  // of each event: "LINE" of a file, or "TOPIC/PARTITION/OFFSET"
};

// {"at", "differences", "events", "servers", "totals"}
Json row_of(const PlanShown& shown);
// The same for people, with at most `limit` lines for each server.
void print_plan(const PlanShown& shown, std::size_t limit);

// Whether a host or a decision would change anything.
bool has_differences(const store::Plan& plan);
// Whether there are events that would not be executed.
bool has_refusals(const store::Plan& plan);

}  // namespace peerwright::cli
