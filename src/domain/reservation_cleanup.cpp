#include "peerwright/domain/events.hpp"

namespace peerwright::domain {

Refs refs_of(const ReservationCleanup& event) {
  Refs refs;
  refs.tenant = event.tenant;
  return refs;
}

// Whatever is overdue expires by its timer, once intake has caught up; the event only makes the sweep look now.
Decision decide(const ReservationCleanup& /*event*/, const Word& /*word*/, const State& /*state*/) { return {}; }

}  // namespace peerwright::domain
