#include "peerwright/domain/rules.hpp"
#include "server_settings.hpp"

namespace peerwright::domain {

Refs refs_of(const ServerUpdate& event) {
  Refs refs;
  refs.server = event.server;
  const ServerSettings& said = event.settings;
  refs.places_server = said.ssh_host || said.ssh_port || said.ssh_jump || said.exec_prefix;
  refs.ssh_host = said.ssh_host.value_or("");
  return refs;
}

Decision decide(const ServerUpdate& event, const Word& word, const State& state) {
  const Server* before = state.server(event.server);
  if (auto refusal = refuse_by_state(before, event.server)) return *std::move(refusal);
  if (auto refusal = refuse_by_order(word, before->word)) return *std::move(refusal);
  Server after = *before;
  apply_settings(event.settings, after);
  if (auto refusal = refuse_by_way(after)) return *std::move(refusal);
  const Network* network = after.network_id ? state.network(*after.network_id) : nullptr;
  if (auto refusal = refuse_by_own_way(after, network)) return *std::move(refusal);
  if (auto refusal = refuse_by_others(*before, after, state)) return *std::move(refusal);
  const ServerChange change = change_between(*before, after);
  if (on_host(change)) after.generation += 1;
  Decision decision = settle_server(*before, std::move(after), word, change.anything);
  carry_on(*before, change, cause_of(word), decision);
  return decision;
}

}  // namespace peerwright::domain
