#include "peerwright/domain/rules.hpp"
#include "server_settings.hpp"

namespace peerwright::domain {

Refs refs_of(const ServerRotateKey& event) {
  Refs refs;
  refs.server = event.server;
  return refs;
}

Decision decide(const ServerRotateKey& event, const Word& word, const State& state) {
  const Server* before = state.server(event.server);
  if (auto refusal = refuse_by_state(before, event.server)) return *std::move(refusal);
  if (auto refusal = refuse_by_order(word, before->word)) return *std::move(refusal);
  if (!before->key_wanted.empty()) {
    return rejected("server_key_pending", "the host does not have the key of the last rotation yet",
                    "wait until server.status names it; what may stand on the host must stay known");
  }
  const Prepared& made = state.prepared;
  const std::string remedy = "let an operator look into the worker's log, then send the event again under a new id";
  if (!made.refusal.empty()) return rejected(made.refusal, "no key pair could be made for the server", remedy);
  if (made.server_public_key.empty() || made.server_key_sealed.empty()) {
    return rejected("key_not_made", "no key pair was made for the server", remedy);
  }
  // Its clients hear of the key once the host has it: until then the old one is what they reach it by.
  Server after = *before;
  after.private_key_sealed = made.server_key_sealed;
  after.key_wanted = made.server_public_key;
  after.generation += 1;
  Decision decision = settle_server(*before, std::move(after), word, true);
  decision.due_servers.insert(before->id);
  return decision;
}

}  // namespace peerwright::domain
