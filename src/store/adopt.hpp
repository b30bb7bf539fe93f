#pragma once

#include "changes.hpp"
#include "peerwright/domain/adopt.hpp"
#include "peerwright/store/delivery.hpp"

// What stands on a host and is nobody's becomes a tenant's, within the commit that stores a reading.
namespace peerwright::store {

// Marks the server for an import without an event: its next exec is a reading, and what that shows and nobody knows
// becomes the server's owner's. `cause` is said of it ("observe/SERVER"). False where there is nothing to do: nobody
// owns the server, or an import is wanted already. The server's row is locked; what runs there now goes on undisturbed.
bool want_import(Tx& tx, domain::Id server_id, const std::string& cause);

// Locks what an import changes and what stands before the server in the lock order: keys, tenant, network.
void lock_for_import(Tx& tx, const PlannedPush& push, domain::State& state);

// The import that the reading was planned with. The server's row is locked and loaded, and the reading's proofs are
// stored. Adopts set by set, whatever the number of keys, and says all of it: statuses, audit, and what is left alone
// with its reason.
Imported import_strangers(Tx& tx, domain::State& state, const PlannedPush& push, const wireguard::HostAnswer& answer,
                          const Sealer* sealer);

// Keys that the answer shows and that do not belong to the server, as far as nobody has them elsewhere; those go into
// `left_alone`. Loads what refuse_stranger() and adopt() look at beside server and network.
std::vector<domain::Stranger> load_strangers(Tx& tx, const domain::Server& server, const wireguard::HostAnswer& answer,
                                             domain::State& state, std::vector<LeftAlone>& left_alone);

}  // namespace peerwright::store
