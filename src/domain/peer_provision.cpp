#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

bool says_the_same(const PeerProvision& event, const Peer& peer, const State& state) {
  const Server* server = peer.server_id ? state.server(*peer.server_id) : nullptr;
  return peer.public_key == event.public_key && peer.subscriber == event.subscriber && server != nullptr &&
         server->name == event.server && peer.description == event.description &&
         peer.client_routes == event.client_routes &&
         peer.keepalive_seconds == event.keepalive_seconds.value_or(server->keepalive_seconds);
}

Decision decide_again(const PeerProvision& event, const Peer& peer, const State& state) {
  if (peer.public_key != event.public_key) {
    return rejected("peer_has_key", "the peer was provisioned with another key",
                    "send peer.rotate_key to give it a new one, or provision a peer of another name");
  }
  if (!says_the_same(event, peer, state)) {
    return rejected("peer_exists", "the peer was provisioned with other settings",
                    "send peer.update or peer.move to change it");
  }
  Decision decision;
  decision.outcome = Outcome::unchanged;
  decision.peers.push_back(peer);
  return decision;
}

}  // namespace

Refs refs_of(const PeerProvision& event) {
  Refs refs;
  refs.tenant = event.tenant;
  refs.subscriber = event.subscriber;
  refs.peer = event.peer;
  refs.server = event.server;
  refs.public_key = event.public_key;
  return refs;
}

Decision decide(const PeerProvision& event, const Word& word, const State& state) {
  const Peer& before = *state.peer(event.tenant, event.peer);
  if (before.stage == Stage::revoked) {
    return rejected("peer_revoked", "the peer was revoked, which is final", "provision a peer of another name");
  }
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  if (before.stage == Stage::provisioned) return decide_again(event, before, state);

  const Server* server = state.server(event.server);
  if (server == nullptr || !server->word) {
    return rejected("unknown_server", "there is no server " + event.server, "send server.register first");
  }
  // The refusal is the same whoever holds the key: it must not tell one tenant about another.
  if (state.key_taken(event.public_key)) {
    return rejected("key_unavailable", "the public key cannot be used", "make a new key pair on the client");
  }
  if (server->peer_count >= server->max_peers) {
    return rejected("server_full", "the server has its " + std::to_string(server->max_peers) + " peers",
                    "name another server, or raise max_peers with server.register");
  }
  Network network = *state.network(*server->network_id);
  const auto offset = take_offset(network);
  if (!offset) {
    return rejected("addresses_exhausted", "the network " + network.name + " has no free address",
                    "wait until quarantined addresses return, or use a server in another network");
  }

  Decision decision;
  Peer after = before;
  after.stage = Stage::provisioned;
  const Subscriber* subscriber = event.subscriber.empty() ? nullptr : state.subscriber(event.tenant, event.subscriber);
  if (subscriber != nullptr) {
    after.subscriber_id = subscriber->id;
    after.subscriber = subscriber->name;
  }
  after.server_id = server->id;
  after.network_id = network.id;
  after.address_offset = offset;
  after.public_key = event.public_key;
  after.description = event.description;
  after.client_routes = event.client_routes;
  after.keepalive_seconds = event.keepalive_seconds.value_or(server->keepalive_seconds);
  after.word = word;
  decision.networks.push_back(std::move(network));
  Server counted = *server;
  counted.peer_count += 1;
  decision.servers.push_back(std::move(counted));
  settle_peer(std::move(after), state, cause_of(word), true, decision);
  return decision;
}

}  // namespace peerwright::domain
