#include "peerwright/domain/rules.hpp"

#include <algorithm>

namespace peerwright::domain {

std::string cause_of(const Word& word) { return word.source + '/' + word.id; }

std::optional<Decision> refuse_by_order(const Word& said, const std::optional<Word>& held) {
  if (!held) return std::nullopt;
  switch (order_of(said, *held)) {
    case Order::newer:
      return std::nullopt;
    case Order::older:
      return rejected("stale", "a newer word on this subject was accepted before: " + cause_of(*held),
                      "nothing to do, unless the sequence is wrong: it has to grow per source and subject");
    case Order::sequence_reused:
      return rejected("sequence_reused", "the sequence was used before by " + cause_of(*held),
                      "give every event of a subject a sequence of its own, growing");
    case Order::sequence_required:
      return rejected("sequence_required", "this source's last word on the subject had a sequence, this one has none",
                      "send the CloudEvents extension `sequence` with every event of this source");
  }
  return std::nullopt;
}

namespace {

bool held(Scope scope, const State& state, std::span<const Hold> said) {
  for (const Hold& hold : said) {
    if (hold.scope != scope) continue;
    return hold.held || state.held_by_others(scope, hold.owner);
  }
  return state.held_by_others(scope, {});
}

}  // namespace

Entitlement entitlement_now(const Peer& peer, const State& state, std::span<const Hold> said) {
  if (peer.stage == Stage::revoked) return Entitlement::revoked;
  if (held({ScopeKind::peer, peer.id}, state, said)) return Entitlement::suspended;
  if (peer.subscriber_id && held({ScopeKind::subscriber, *peer.subscriber_id}, state, said)) {
    return Entitlement::suspended;
  }
  return peer.stage == Stage::provisioned ? Entitlement::active : Entitlement::unprovisioned;
}

namespace {

// A hold that came and went before it reached the peer has changed nothing, but a plan or a reading in between saw it:
// the removal row that this left has to go again, and what became unproven is due.
void mend_delivery(const Peer& peer, Entitlement entitlement, Decision& decision) {
  if (!peer.server_id || peer.public_key.empty()) return;
  const bool gone = entitlement != Entitlement::active;
  const bool pending = peer.applied_generation < peer.generation;
  if (!gone || pending) decision.removals.push_back({*peer.server_id, peer.public_key, peer.id, gone});
  if (pending) decision.due_servers.insert(*peer.server_id);
}

}  // namespace

void settle_peer(Peer peer, const State& state, const std::string& cause, bool force, Decision& decision) {
  const Entitlement entitlement = entitlement_now(peer, state, decision.holds);
  if (entitlement == peer.entitlement && !force) return mend_delivery(peer, entitlement, decision);
  const bool was_active = peer.entitlement == Entitlement::active;
  peer.entitlement = entitlement;
  peer.cause = cause;
  peer.changed_at = state.now;
  peer.version += 1;
  peer.delivery_error.clear();
  const Server* server = peer.server_id ? state.server(*peer.server_id) : nullptr;
  if (server != nullptr && !peer.public_key.empty()) {
    // The decision may have changed this server already, for another peer of the same event.
    const auto changed = std::find_if(decision.servers.begin(), decision.servers.end(),
                                      [&](const Server& s) { return s.id == server->id; });
    Server& next = changed != decision.servers.end() ? *changed : decision.servers.emplace_back(*server);
    next.generation += 1;
    peer.generation = next.generation;
    const bool gone = entitlement != Entitlement::active;
    decision.removals.push_back({server->id, peer.public_key, peer.id, gone});
    decision.due_servers.insert(server->id);
    if (gone && was_active) decision.urgent_servers.insert(server->id);
  }
  decision.peers.push_back(std::move(peer));
}

std::int64_t offsets_of(const Network& network) {
  // The last IPv4 address is the broadcast address; IPv6 has none.
  std::int64_t count = network.net4 ? network.net4->size() - 1 : network.net6 ? network.net6->size() : 0;
  if (network.net4 && network.net6) count = std::min(count, network.net6->size());
  return count;
}

std::optional<std::int64_t> take_offset(Network& network) {
  const std::int64_t end = offsets_of(network);
  const auto is_reserved = [&](std::int64_t offset) {
    return std::binary_search(network.reserved.begin(), network.reserved.end(), offset);
  };
  while (network.next_offset < end && is_reserved(network.next_offset)) ++network.next_offset;
  if (network.next_offset < end) return network.next_offset++;
  while (!network.free.empty()) {
    const std::int64_t offset = network.free.front();
    network.free.erase(network.free.begin());
    if (!is_reserved(offset)) return offset;
  }
  return std::nullopt;
}

}  // namespace peerwright::domain
