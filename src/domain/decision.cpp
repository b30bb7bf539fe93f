#include "peerwright/domain/decision.hpp"

#include <algorithm>
#include <iterator>

namespace peerwright::domain {

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::unchanged:
      return "unchanged";
    case Outcome::rejected:
      return "rejected";
  }
  return "";
}

Decision rejected(std::string code, std::string message, std::string remedy) {
  Decision decision;
  decision.outcome = Outcome::rejected;
  decision.code = std::move(code);
  decision.message = std::move(message);
  decision.remedy = std::move(remedy);
  return decision;
}

void Changes::apply(State& state, const Decision& decision) {
  for (const Network& network : decision.networks) {
    networks.insert(network.id);
    if (const Network* before = state.network(network.id)) {
      // Offsets are taken from the front, so what is missing from the front was taken.
      const auto taken = static_cast<std::ptrdiff_t>(before->free.size() - network.free.size());
      std::copy_n(before->free.begin(), taken, std::back_inserter(taken_offsets[network.id]));
    }
    state.load(network);
  }
  for (const Server& server : decision.servers) {
    servers.insert(server.id);
    state.load(server);
  }
  for (const Subscriber& subscriber : decision.subscribers) {
    subscribers.insert(subscriber.id);
    state.load(subscriber);
  }
  for (const Peer& peer : decision.peers) {
    peers.insert(peer.id);
    state.load(peer);
  }
  for (const Hold& hold : decision.holds) {
    holds.insert_or_assign({hold.scope, hold.owner}, hold);
    state.load(hold);
  }
  for (const Removal& removal : decision.removals) {
    removals.insert_or_assign({removal.server_id, removal.public_key}, removal);
  }
  for (const auto& [subscriber, cause] : decision.fan_outs) fan_outs.insert_or_assign(subscriber, cause);
  doubtful_servers.insert(decision.doubtful_servers.begin(), decision.doubtful_servers.end());
  due_servers.insert(decision.due_servers.begin(), decision.due_servers.end());
  urgent_servers.insert(decision.urgent_servers.begin(), decision.urgent_servers.end());
}

}  // namespace peerwright::domain
