#pragma once

#include <optional>
#include <vector>

#include "addresses.hpp"
#include "peerwright/domain/events.hpp"

// Settings of a peer, as provision, reservation and update say them.
namespace peerwright::domain {

// A rejection where secrets that the event asks for were not made: the worker's own (state.prepared.refusal),
// `recipient_key_missing` (nobody could be told what is made here) or `secret_not_made`.
std::optional<Decision> refuse_secrets(bool makes_key, const PeerSettings& settings, const Tenant& tenant,
                                       const State& state);

// A rejection where the peer takes no change of its configuration by this word: it was revoked, the word is behind, or
// there is no place yet that could change.
std::optional<Decision> refuse_change(const Peer& peer, const Word& word);

// Puts what is said into the peer, and the preshared key that was prepared. `sites` are the said site networks
// (sites_from), of no account where none are said.
void put_settings(const PeerSettings& settings, const std::vector<wireguard::Prefix>& sites, const Prepared& prepared,
                  Peer& peer);

// Whether the peers' settings are the same, all of them, or those that stand on the host.
bool same_settings(const Peer& one, const Peer& other);
bool same_on_host(const Peer& one, const Peer& other);

}  // namespace peerwright::domain
