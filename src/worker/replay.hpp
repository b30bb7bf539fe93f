#pragma once

#include <string>
#include <vector>

#include "context.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::worker {

// Executes what was kept once this program knows its type, and dead letters that an operator wants replayed: at start,
// and then now and then. One thread uses it, that of intake.
class Replay {
 public:
  Replay(Context& context, store::IntakeStore& store);
  // Takes a part, if it is time, and leaves the rest for the next call: new messages are not kept waiting for long.
  void go_on();

 private:
  void execute(const store::KeptMessage& message);

  Context& context_;
  store::IntakeStore& store_;
  std::vector<std::string> types_;
  domain::Place after_{};
  std::chrono::steady_clock::time_point next_{};
  std::string complaint_;
};

}  // namespace peerwright::worker
