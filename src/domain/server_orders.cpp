#include "server_settings.hpp"

// Orders that leave no trace in what a server is: they are carried out, and are never too late.
namespace peerwright::domain {

Refs refs_of(const ServerReconcile& event) {
  Refs refs;
  refs.server = event.server;
  return refs;
}

Refs refs_of(const ServerObserve& event) {
  Refs refs;
  refs.server = event.server;
  return refs;
}

Decision decide(const ServerReconcile& event, const Word& /*word*/, const State& state) {
  const Server* server = state.server(event.server);
  if (auto refusal = refuse_by_state(server, event.server)) return *std::move(refusal);
  Decision decision;
  decision.doubtful_servers.insert(server->id);  // so that the whole interface is read first
  decision.due_servers.insert(server->id);
  return decision;
}

Decision decide(const ServerObserve& event, const Word& /*word*/, const State& state) {
  const Server* server = state.server(event.server);
  if (auto refusal = refuse_by_state(server, event.server)) return *std::move(refusal);
  Decision decision;
  decision.observe_servers.insert(server->id);
  return decision;
}

}  // namespace peerwright::domain
