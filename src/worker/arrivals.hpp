#pragma once

#include "context.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::worker {

// Completes an arrival whose place, key and raw message are set: decoded or refused, whether its source may say this
// here, and the secrets that it brings or asks for.
void read_arrival(const Context& context, store::Arrival& arrival);

// Counts and logs what a batch did, and wakes whoever has to carry it on.
void note_batch(Context& context, const store::BatchReport& report);

}  // namespace peerwright::worker
