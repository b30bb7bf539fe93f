#include "peerwright/domain/retire.hpp"
#include "peerwright/domain/rules.hpp"
#include "server_settings.hpp"

// Orders that leave no trace in what a server is: they are carried out, and are never too late.
namespace peerwright::domain {
namespace {

// A retired server takes these orders until its end is proven, for they are about what still stands there.
std::optional<Decision> refuse_where_nothing_stands(const Server* server, const std::string& name) {
  if (server != nullptr && server->word && is_leaving(*server)) return std::nullopt;
  return refuse_by_state(server, name);
}

}  // namespace

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

Refs refs_of(const ServerApprove& event) {
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
  if (auto refusal = refuse_where_nothing_stands(server, event.server)) return *std::move(refusal);
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

// An approval speaks of what its sender has seen: of more keys than that it says nothing.
Decision decide(const ServerApprove& event, const Word& /*word*/, const State& state) {
  const Server* before = state.server(event.server);
  if (auto refusal = refuse_where_nothing_stands(before, event.server)) return *std::move(refusal);
  if (before->guard_held == 0) {
    return rejected("nothing_awaits_approval", "no removal awaits an approval on this server",
                    "nothing to do: it was approved or dropped before, or the keys are gone");
  }
  if (event.keys && *event.keys < before->guard_held) {
    return rejected("guard_changed",
                    std::to_string(before->guard_held) + " keys are held by now, more than the approval speaks of",
                    "look at `peerwright server show` and approve anew");
  }
  if (!event.digest.empty() && event.digest != before->guard_digest) {
    return rejected("guard_changed", "other keys are held by now than those that the approval speaks of",
                    "look at `peerwright server show` and approve anew");
  }
  Decision decision;
  Server& server = decision.servers.emplace_back(*before);
  server.guard_held = 0;
  server.guard_digest.clear();
  server.version += 1;
  decision.approved_servers.emplace(server.id, event.approved);
  decision.observe_servers.insert(server.id);  // so that its status is said without the stop
  if (event.approved) decision.due_servers.insert(server.id);
  if (is_leaving(server)) decision.doubtful_servers.insert(server.id);  // it is gone to at once, and read
  return decision;
}

}  // namespace peerwright::domain
