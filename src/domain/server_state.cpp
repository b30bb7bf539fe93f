#include "peerwright/domain/retire.hpp"
#include "peerwright/domain/rules.hpp"
#include "server_settings.hpp"

// Whether a server takes new peers, whether it is pushed to, and its end.
namespace peerwright::domain {
namespace {

Refs refs_of_server(const std::string& server) {
  Refs refs;
  refs.server = server;
  return refs;
}

}  // namespace

bool is_leaving(const Server& server) {
  return server.state == ServerState::retired && server.retired_word.empty() && !server.retired_proven_at;
}

Refs refs_of(const ServerDrain& event) { return refs_of_server(event.server); }
Refs refs_of(const ServerMaintenance& event) { return refs_of_server(event.server); }
Refs refs_of(const ServerRetire& event) { return refs_of_server(event.server); }

Decision decide(const ServerDrain& event, const Word& word, const State& state) {
  const Server* before = state.server(event.server);
  if (auto refusal = refuse_by_state(before, event.server)) return *std::move(refusal);
  if (auto refusal = refuse_by_order(word, before->word)) return *std::move(refusal);
  Server after = *before;
  after.state = event.on ? ServerState::draining : ServerState::active;
  const bool changed = after.state != before->state;
  return settle_server(*before, std::move(after), word, changed);
}

Decision decide(const ServerMaintenance& event, const Word& word, const State& state) {
  const Server* before = state.server(event.server);
  if (auto refusal = refuse_by_state(before, event.server)) return *std::move(refusal);
  if (auto refusal = refuse_by_order(word, before->word)) return *std::move(refusal);
  Server after = *before;
  after.maintenance = event.on;
  const bool changed = after.maintenance != before->maintenance;
  Decision decision = settle_server(*before, std::move(after), word, changed);
  if (changed && !event.on) decision.due_servers.insert(before->id);
  return decision;
}

Decision decide(const ServerRetire& event, const Word& word, const State& state) {
  const Server* before = state.server(event.server);
  if (before == nullptr || !before->word) return unknown_server(event.server);
  if (auto refusal = refuse_by_order(word, before->word)) return *std::move(refusal);
  if (before->peer_count > 0) {
    return rejected("server_has_peers", "the server still has " + std::to_string(before->peer_count) + " peers",
                    "move its peers with peer.move, or revoke them with peer.revoke");
  }
  const bool again = before->state == ServerState::retired;
  // The word that the host is gone may follow later, when the proof does not come; after the proof it says nothing.
  const bool proven = again && before->retired_proven_at;
  const bool given_up = !event.operator_word.empty() && event.operator_word != before->retired_word && !proven;
  Server after = *before;
  after.state = ServerState::retired;
  if (given_up) after.retired_word = event.operator_word;
  if (!again) after.generation += 1;
  Decision decision = settle_server(*before, std::move(after), word, !again || given_up);
  if (given_up) {
    decision.abandoned_servers.insert(before->id);
  } else if (!again) {
    decision.doubtful_servers.insert(before->id);  // its end is proven by a reading of the whole interface
    decision.due_servers.insert(before->id);
  }
  return decision;
}

}  // namespace peerwright::domain
