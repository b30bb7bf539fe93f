#pragma once

#include <vector>

#include "peerwright/base/config.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/base/sealed_box.hpp"
#include "peerwright/store/intake.hpp"

namespace peerwright::worker {

// With what messages are read: who may say what, and the keys.
struct Reading {
  const std::vector<SourceBinding>& sources;
  const Sealer& sealer;
  const IntakeKey* intake_key = nullptr;  // nullptr: sealed values are not taken
};

// Completes an arrival whose place, key and raw message are set, as intake does: decoded or refused, whether its source
// may say this here, and the secrets that it brings or asks for, sealed for the database.
void read_arrival(const Reading& with, store::Arrival& arrival);

}  // namespace peerwright::worker
