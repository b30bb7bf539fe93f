#pragma once

#include "peerwright/base/seal.hpp"
#include "peerwright/base/sealed_box.hpp"
#include "peerwright/domain/state.hpp"
#include "peerwright/events/catalogue.hpp"

namespace peerwright::worker {

// Opens the secrets that an event brought, makes those that it asks for, and seals them all for the database. Slow
// beside a decision, so it is done before the transaction. `intake_key` may be nullptr.
//
// Prepared::refusal where something that was sent cannot be used: `intake_key_missing` (sealed values are not taken
// here), `sealed_value_unreadable` (sealed to another key, or no preshared key). Nothing is prepared then.
domain::Prepared prepare_secrets(const events::SecretsWanted& wanted, const Sealer& sealer,
                                 const IntakeKey* intake_key);

}  // namespace peerwright::worker
