#pragma once

#include "changes.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/store/delivery.hpp"

namespace peerwright::store {

// What should stand on the host for a peer: its key, and the staged one beside it, without addresses.
struct PeerConfigs {
  wireguard::PeerConfig main;
  std::optional<wireguard::PeerConfig> staged;
};
// The prefixes that are the peer's on its server: its addresses and the networks behind it, sorted.
std::vector<std::string> allowed_ips_of(const domain::Peer& peer, const domain::Network& network);
// Error `preshared_key_unreadable`. The endpoint is left out: it belongs to some pushes only.
Result<PeerConfigs> configs_of(const domain::Peer& peer, const domain::Network& network, const Sealer* sealer);

// What columns `proven` say where all stands as wanted: the fingerprint, that of the staged key, the endpoint's
// setting.
std::string proven_text(const PeerConfigs& configs, const std::string& endpoint);
std::string proven_text(std::string fingerprints, const std::string& endpoint);
// The endpoint's setting in such a text of `key`; "" without one, or where it was proven with another key.
std::string proven_endpoint(const std::optional<std::string>& proven, const std::string& key);

// What an exec showed, or a plan found proven.
struct Shown {
  wireguard::Proof keys;
  std::map<std::string, std::string> configured_endpoints;  // of keys that were pushed
  bool firewall = true;                                     // the wanted firewall is proven
  bool garden = true;                                       // the same, for what must not be let in without it
  bool walled_out = false;                                  // the host refuses the gardens: the walled are to be off
  std::int64_t planned_generation = 0;
  bool complete = false;  // a reading: what it does not show is not there
};

// Stores what was seen of peers' keys on a server (whose row is locked and loaded): applied where it is as wanted, up
// to the planned generation; due again where it is not; removal rows away where the key is gone; addresses into
// quarantine. Says the statuses. Keys that the database does not know are left alone.
Finished store_proofs(Tx& tx, domain::State& state, domain::Id server_id, const Sealer* sealer, const Shown& shown);

// Rows of keys on the server that were moved away or rotated out, and that are gone: they have done their work. What
// they held of addresses goes to other such rows of their peers, or is free. Answers the keys and whose they were.
std::vector<std::pair<std::string, domain::Id>> drop_strays(Tx& tx, domain::Id server_id,
                                                            const std::vector<std::string>& keys);
// Addresses that peers have given up: each rides on such a row of its peer, or its quarantine begins.
void hand_on_addresses(Tx& tx, const Column& networks, const Column& offsets, const Column& peers);

// Sets peers aside and says so: by a key of theirs on the server, unless the peer changed after `planned_generation`,
// or by their ids.
void park(Tx& tx, domain::State& state, domain::Id server_id, const Sealer* sealer, const std::string& key,
          const std::string& code, std::int64_t planned_generation);
void park(Tx& tx, domain::State& state, const Ids& peers, const Sealer* sealer, const std::string& code);

}  // namespace peerwright::store
