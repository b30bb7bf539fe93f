#include "peerwright/domain/rules.hpp"
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

Refs refs_of(const ServerImport& event) {
  Refs refs;
  refs.server = event.server;
  refs.owner_tenant = event.tenant;
  return refs;
}

Decision decide(const ServerImport& event, const Word& word, const State& state) {
  const Server* server = state.server(event.server);
  if (auto refusal = refuse_by_state(server, event.server)) return *std::move(refusal);
  const Tenant* tenant = event.tenant.empty() ? nullptr : state.tenant(event.tenant);
  if (tenant == nullptr && !server->owner_tenant_id) {
    return rejected("tenant_required", "the server belongs to no tenant, and none is named",
                    "name the tenant whose the peers on the host are");
  }
  if (tenant != nullptr && server->owner_tenant_id && *server->owner_tenant_id != tenant->id) {
    return rejected("server_of_other_tenant", "the server belongs to another tenant",
                    "leave the tenant out, for its peers become its owner's");
  }
  Decision decision;
  decision.imports[server->id] = {tenant != nullptr ? tenant->id : *server->owner_tenant_id, cause_of(word)};
  decision.due_servers.insert(server->id);  // and the next exec is a reading, for it is to be imported
  return decision;
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
