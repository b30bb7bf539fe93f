#pragma once

#include <atomic>

#include "peerwright/base/result.hpp"

namespace peerwright::worker {

struct Context;

// Whether the loops may work: closed until what stands last in the audit topic was found in the database, and while the
// database says that all loops stop. Safe from every thread.
class Gate {
 public:
  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  // The tail has to be compared (again) before anything goes on.
  void close() { state_ = State::unknown; }
  void halt() { state_ = State::halted; }
  [[nodiscard]] bool is_halted() const { return state_ == State::halted; }
  [[nodiscard]] bool needs_check() const { return state_ == State::unknown; }
  // After a check; nothing where it was closed or halted meanwhile.
  void open() {
    State expected = State::unknown;
    state_.compare_exchange_strong(expected, State::open);
  }

 private:
  enum class State { unknown, open, halted };
  std::atomic<State> state_ = State::unknown;
};

// Compares the tail of the audit topic with the database, and halts all workers where it is not its own. False: halted.
// Errors: what cannot be read now; that is no answer.
Result<bool> check_tail(Context& context);

// Checks whenever the gate asks for it, or the fence of the database. Blocks until the context stops.
void run_gate(Context& context);

}  // namespace peerwright::worker
