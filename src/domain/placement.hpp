#pragma once

#include <optional>
#include <string>
#include <vector>

#include "addresses.hpp"
#include "peerwright/domain/events.hpp"

// What provision, reservation and move have in common: where a peer stands, and what its tenant may have.
namespace peerwright::domain {

// What a peer wants of a server.
struct Wanted {
  Id tenant_id = 0;
  Id peer_id = 0;
  std::string server;  // or
  std::string region;
  std::string address;                           // asked for; empty: the next
  std::vector<wireguard::Prefix> sites;          // as sites_from gave them
  std::optional<Id> kept_network = {};           // whose address it has already
  std::optional<std::int64_t> kept_offset = {};  // which that is, where it was allocated before it had a server
};

// A tenant's server by its name, or `unknown_server`: nobody learns of servers of others.
Judged<const Server*> visible_server(const std::string& name, Id tenant_id, const State& state);

// The named server, or the least used one of the region that has room for what is wanted. Rejections:
// `server_required`, `unknown_server`, `unknown_region`, `server_draining`, `server_retired`, `server_full`,
// `region_full`, `addresses_exhausted`, and those of asked_offset and refuse_sites.
Judged<const Server*> choose_server(const Wanted& wanted, const State& state);

// Puts the peer onto a server that choose_server gave: server, network and address, with the network's after-image. It
// is counted by the caller (count_peer).
void seat_peer(Peer& peer, const Server& server, const Wanted& wanted, const State& state, Decision& decision);

// Prefixes behind a peer, without host bits, sorted, none inside another; or `prefix_invalid`, `prefix_too_wide`.
Judged<std::vector<wireguard::Prefix>> sites_from(const std::vector<std::string>& texts);
std::vector<std::string> texts_of(const std::vector<wireguard::Prefix>& prefixes);

// `prefix_taken`, `prefix_forbidden` or `prefix_public` where the peer may not have the prefixes on the server.
std::optional<Decision> refuse_sites(const std::vector<wireguard::Prefix>& sites, const Server& server, Id peer_id,
                                     const State& state);

// Whether all of the prefix is for private use: RFC 1918, RFC 6598, RFC 4193 and link-local addresses.
bool is_private(const wireguard::Prefix& prefix);

// `tenant_full`, `unknown_plan` or `plan_full` where the tenant may not have one more peer (of the plan, unless empty).
std::optional<Decision> refuse_one_more(const Tenant& tenant, const std::string& plan);
std::optional<Decision> refuse_plan(const Tenant& tenant, const std::string& plan);

// Gives the peer the subscriber that the event names, and the subscriber its customer. Answers `subscriber_required`,
// `subscriber_of_other_customer` or `subscriber_revoked` where it cannot have it.
std::optional<Decision> give_subscriber(const Placement& place, const std::string& cause, const State& state,
                                        Peer& peer, Decision& decision);

// What a decision about a new place looks at.
Refs refs_of_place(const Placement& place, const PeerSettings& settings);

// sites_from for what the settings say; none where they say nothing.
Judged<std::vector<wireguard::Prefix>> sites_said(const PeerSettings& settings);

// Whether the peer stands where the event says. What an event leaves out it does not contradict.
bool names_its_place(const Placement& place, const Peer& peer, const State& state);

// Whether the event says nothing of the peer that is not so already.
bool says_the_same(const Placement& place, const PeerSettings& settings, const Peer& peer, const State& state);

// A peer as if nobody had said anything about it yet: its identity, its versions, whoever made it, and an address that
// was allocated to it beforehand.
Peer blank(const Peer& peer);

// All that a peer needs which gets an address first, reserved or provisioned at once: subscriber, place, counts and
// settings, put into the (blank) peer and the decision. Answers the rejection where it cannot have it.
std::optional<Decision> admit(const Placement& place, const PeerSettings& settings, const Word& word,
                              const State& state, Peer& peer, Decision& decision);

}  // namespace peerwright::domain
