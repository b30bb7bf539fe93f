#include <algorithm>

#include "outbound_parts.hpp"

// Statuses of tenants, customers, subscribers and servers.
namespace peerwright::events {
namespace {

using domain::HoldLevel;

// How strict a level is, beside others of the same scope.
int strictness(HoldLevel level) {
  switch (level) {
    case HoldLevel::cut:
    case HoldLevel::release:
      return 4;
    case HoldLevel::walled_garden:
      return 3;
    case HoldLevel::awaiting:
      return 2;
    case HoldLevel::grace:
      return 1;
    case HoldLevel::none:
      break;
  }
  return 0;
}

const char* entitlement_name(bool revoked, HoldLevel level) {
  if (revoked) return domain::name_of(domain::Entitlement::revoked);
  const bool held = level == HoldLevel::cut || level == HoldLevel::walled_garden;
  return domain::name_of(held ? domain::Entitlement::suspended : domain::Entitlement::active);
}

void write_holds(JsonWriter& body, bool revoked, const std::optional<Time>& released_at, const HoldSummary& holds) {
  body.text("entitlement", entitlement_name(revoked, holds.level));
  body.text("level", domain::name_of(holds.level));
  if (holds.next) write_step(body, "next", *holds.next);
  body.time("released_at", released_at);
}

void write_limits(JsonWriter& body, const domain::Tenant& tenant) {
  if (tenant.max_peers) body.number("max_peers", *tenant.max_peers);
  body.number("peers", tenant.peer_count);
  body.begin_array("plans");
  for (const auto& [plan, limit] : tenant.plans) {
    body.begin_object();
    body.text("plan", plan);
    if (limit.listed) body.number("max_peers", limit.max_peers);
    body.number("peers", limit.peer_count);
    body.flag("listed", limit.listed);
    body.end_object();
  }
  body.end_array();
  body.number("reservations_per_hour", tenant.reservations_per_hour);
  if (!tenant.suspensions_limit) return;
  body.begin_object("mass_suspension");
  body.number("limit", *tenant.suspensions_limit);
  body.number("window_seconds", tenant.suspensions_window_seconds);
  body.text("action", domain::name_of(tenant.suspensions_action));
  body.number("count", tenant.suspensions_count);
  if (tenant.suspensions_count > 0) body.text("since", rfc3339(tenant.suspensions_since));
  body.end_object();
}

void write_firewall(JsonWriter& body, const domain::Server& server) {
  body.begin_object("firewall");
  body.text("default_action", server.default_action ? name_of(*server.default_action) : "none");
  write_ports(body, "tunnel_only_ports", server.tunnel_only_ports);
  body.flag("masquerade", server.masquerade);
  body.end_object();
}

// Whether its keys are gone from the host: by proof, by an operator's word, or not yet.
void write_retirement(JsonWriter& body, const domain::Server& server) {
  if (server.state != domain::ServerState::retired) return;
  const bool proven = server.retired_proven_at.has_value();
  body.text("retirement", proven ? "proven" : server.retired_word.empty() ? "pending" : "operator_word");
  body.time("retired_proven_at", server.retired_proven_at);
  body.text_unless_empty("retired_word", server.retired_word);
}

void write_observed(JsonWriter& body, const ServerContext& context) {
  if (context.reachable) body.flag("reachable", *context.reachable);
  body.time("observed_at", context.observed_at);
  body.text_unless_empty("error_code", context.error_code);
  if (context.observed_at || !context.drift.empty()) {
    body.begin_object("drift");
    for (const auto& [kind, count] : context.drift) body.number(kind, count);
    body.end_object();
  }
  body.text_unless_empty("alert", context.alert);
  if (!context.urgent_wait) return;
  body.begin_object("urgent_late");
  if (context.urgent_wait->since) {
    body.time("since", context.urgent_wait->since);
    body.number("keys", context.urgent_wait->keys);
  }
  body.end_object();
}

void write_import(JsonWriter& body, const ImportReport& import) {
  body.begin_object("import");
  body.text("tenant", import.tenant);
  body.number("adopted", import.adopted);
  body.begin_object("left_alone");
  for (const auto& [code, count] : import.left_alone) body.number(code, count);
  body.end_object();
  body.end_object();
}

}  // namespace

HoldSummary summary_of(const std::vector<const domain::Hold*>& holds) {
  HoldSummary summary;
  for (const domain::Hold* hold : holds) {
    if (strictness(hold->level) > strictness(summary.level)) summary.level = hold->level;
    if (hold->steps.empty()) continue;
    const domain::HoldStep& first = hold->steps.front();
    if (!summary.next || first.at < summary.next->at) summary.next = first;
  }
  return summary;
}

Outbound subscriber_status(const std::string& tenant, const domain::Subscriber& subscriber, const HoldSummary& holds,
                           const std::string& cause) {
  JsonWriter body;
  body.begin_object();
  body.text("tenant", tenant);
  body.text_unless_empty("customer", holds.customer);
  body.text("subscriber", subscriber.name);
  write_holds(body, subscriber.revoked, subscriber.released_at, holds);
  body.number("version", subscriber.version);
  body.text("cause", cause);
  body.end_object();
  const std::string subject = joined(tenant, subscriber.name);
  return outbound("subscriber.status", joined(subject, std::to_string(subscriber.version)), subject, std::move(body));
}

Outbound subscriber_status(const std::string& tenant, const domain::Subscriber& subscriber, bool held,
                           const std::string& cause) {
  HoldSummary holds;
  holds.level = held ? HoldLevel::cut : HoldLevel::none;
  return subscriber_status(tenant, subscriber, holds, cause);
}

Outbound customer_status(const std::string& tenant, const domain::Customer& customer, const HoldSummary& holds,
                         const std::string& cause) {
  JsonWriter body;
  body.begin_object();
  body.text("tenant", tenant);
  body.text("customer", customer.name);
  write_holds(body, customer.revoked, customer.released_at, holds);
  body.number("version", customer.version);
  body.text("cause", cause);
  body.end_object();
  const std::string id = joined(joined(tenant, "customer"), customer.name);
  return outbound("subscriber.status", joined(id, std::to_string(customer.version)), joined(tenant, customer.name),
                  std::move(body));
}

Outbound tenant_status(const domain::Tenant& tenant, const std::string& cause, const std::string& alert) {
  JsonWriter body;
  body.begin_object();
  body.text("tenant", tenant.name);
  write_limits(body, tenant);
  write_garden(body, "walled_garden", tenant.garden);
  body.text_unless_empty("recipient_key", tenant.recipient_key);
  body.texts("dns", tenant.dns);
  body.text_unless_empty("alert", alert);
  body.number("version", tenant.version);
  body.text("cause", cause);
  body.end_object();
  return outbound("tenant.status", joined(tenant.name, std::to_string(tenant.version)), tenant.name, std::move(body));
}

Outbound server_status(const domain::Server& server, const std::string& cause, const ServerContext& context) {
  JsonWriter body;
  body.begin_object();
  body.text("server", server.name);
  if (context.network != nullptr) body.text("network", context.network->name);
  if (context.owner != nullptr) body.text("owner", context.owner->name);
  body.flag("registered", server.word.has_value());
  body.text("state", domain::name_of(server.state));
  body.flag("maintenance", server.maintenance);
  body.text_unless_empty("region", server.region);
  body.text_unless_empty("location", server.location);
  body.text_unless_empty("description", server.description);
  body.text_unless_empty("interface", server.interface);
  body.text_unless_empty("endpoint", server.endpoint);
  body.number("listen_port", server.listen_port);
  body.text_unless_empty("public_key", server.public_key);
  body.text_unless_empty("next_public_key", server.key_wanted);
  body.time("key_since", server.key_since);
  write_firewall(body, server);
  body.text("drift_policy", server.drift_policy);
  body.number("generation", server.generation);
  body.number("version", server.version);
  body.number("peers", server.peer_count);
  body.number("max_peers", server.max_peers);
  body.number("free", std::max<std::int64_t>(server.max_peers - server.peer_count, 0));
  write_observed(body, context);
  if (server.guard_held > 0) {
    body.number("guard_held", server.guard_held);
    body.text_unless_empty("guard_digest", server.guard_digest);
  }
  if (context.import) write_import(body, *context.import);
  write_retirement(body, server);
  body.object_text("metadata", server.metadata);
  body.text("cause", cause);
  body.end_object();
  return outbound("server.status", joined(server.name, std::to_string(server.version)), joined("server", server.name),
                  std::move(body));
}

Outbound server_status(const domain::Server& server, const std::string& cause, const domain::Network* network) {
  ServerContext context;
  context.network = network;
  return server_status(server, cause, context);
}

}  // namespace peerwright::events
