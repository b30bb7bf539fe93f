#include "peer_claim.hpp"
#include "peer_settings.hpp"
#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

// Whether the event asks for what is so, or under way, already.
bool is_done(const PeerRotateKey& event, const Peer& peer) {
  if (event.public_key.empty()) return false;
  if (peer.staged_key.empty()) return event.public_key == peer.public_key;
  return event.public_key == peer.staged_key && event.stage_seconds > 0;
}

// A key that was staged before and is not the new one goes from the host, never to be used.
void stage_key(const std::string& key, const std::string& sealed, Peer& peer, Decision& decision) {
  if (peer.staged_key == key) return;
  if (!peer.staged_key.empty() && peer.server_id) {
    decision.removals.push_back({*peer.server_id, peer.staged_key, peer.id});
  }
  peer.staged_key = key;
  peer.staged_client_key_sealed = sealed;
  decision.used_keys.insert_or_assign(key, peer.id);
}

}  // namespace

Refs refs_of(const PeerRotateKey& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.peer = event.peer;
  refs.counts_tenant = true;  // a peer whose subscriber was released meanwhile is counted down
  refs.public_key = event.public_key;
  refs.stages_key = true;
  return refs;
}

Decision decide(const PeerRotateKey& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.tenant, event.peer);
  if (before.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "provision a peer of another name");
  }
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  if (before.stage != Stage::provisioned) {
    return rejected("peer_not_provisioned", "the peer has no key yet", "send peer.provision with the key");
  }
  Decision decision;
  Peer after = before;
  after.word = following(word, after.word);
  if (is_done(event, before)) {
    decision.outcome = Outcome::unchanged;
    decision.peers.push_back(std::move(after));
    return decision;
  }
  if (auto refusal = refuse_unknown_secret(before)) return *std::move(refusal);
  const bool makes_key = event.public_key.empty();
  if (auto refusal = refuse_secrets(makes_key, {}, *state.tenant(event.tenant), state)) return *std::move(refusal);
  const std::string& key = makes_key ? state.prepared.client_public_key : event.public_key;
  if (key != before.staged_key && state.key_taken(key)) {
    return rejected("key_unavailable", "the public key cannot be used", "make a new key pair on the client");
  }
  stage_key(key, makes_key ? state.prepared.client_key_sealed : std::string(), after, decision);
  if (event.stage_seconds > 0) {
    after.staged_until = state.now + std::chrono::seconds(event.stage_seconds);
    decision.timers.push_back({TimerKind::rotation, after.id, {}, after.staged_until});
  } else {
    switch_key(after, decision);
    if (before.staged_until) decision.timers.push_back({TimerKind::rotation, after.id, {}, std::nullopt});
  }
  settle_peer(std::move(after), state, cause_of(word), true, decision);
  return decision;
}

}  // namespace peerwright::domain
