#pragma once

#include "context.hpp"
#include "peerwright/store/intake.hpp"
#include "peerwright/worker/arrivals.hpp"

namespace peerwright::worker {

// With the worker's own configuration and keys.
void read_arrival(const Context& context, store::Arrival& arrival);

// Counts and logs what a batch did, and wakes whoever has to carry it on.
void note_batch(Context& context, const store::BatchReport& report);

}  // namespace peerwright::worker
