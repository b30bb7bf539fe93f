#include "peerwright/events/outbound.hpp"
#include "rows.hpp"

// Rows of tenants, customers, subscribers, networks, rules and meshes.
namespace peerwright::cli {
namespace {

const char* protocol_of(wireguard::RuleProtocol protocol) {
  if (protocol == wireguard::RuleProtocol::tcp) return "tcp";
  return protocol == wireguard::RuleProtocol::udp ? "udp" : "any";
}

Json plans_of(const domain::Tenant& tenant) {
  Json plans = Json::array();
  for (const auto& [name, plan] : tenant.plans) {
    plans.push_back(
        {{"plan", name}, {"peers", plan.peer_count}, {"max_peers", plan.max_peers}, {"listed", plan.listed}});
  }
  return plans;
}

Json garden_of(const domain::Tenant& tenant) {
  Json garden = Json::array();
  for (const auto& to : tenant.garden) {
    garden.push_back(
        {{"to", to.prefix}, {"protocol", protocol_of(to.protocol)}, {"port", to.port > 0 ? Json(to.port) : Json()}});
  }
  return garden;
}

// As statuses say it: what all owners together do to the subject.
const char* entitlement_of(const store::SubjectView& view, const events::HoldSummary& holds) {
  if (view.revoked) return "revoked";
  const bool felt = holds.level == domain::HoldLevel::cut || holds.level == domain::HoldLevel::walled_garden;
  return felt ? "suspended" : "active";
}

events::HoldSummary summary_of(const store::SubjectView& view) {
  std::vector<const domain::Hold*> holds;
  for (const domain::Hold& hold : view.holds) holds.push_back(&hold);
  return events::summary_of(holds);
}

}  // namespace

Json row_of(const store::TenantView& view) {
  const domain::Tenant& tenant = view.tenant;
  Json row{{"tenant", tenant.name},
           {"set", tenant.word.has_value()},
           {"cause", tenant.word ? Json(word_of(*tenant.word)) : Json()},
           {"peers", tenant.peer_count},
           {"max_peers", tenant.max_peers ? Json(*tenant.max_peers) : Json()},
           {"customers", view.customers},
           {"subscribers", view.subscribers},
           {"awaiting_approval", view.awaiting},
           {"reservations_per_hour", tenant.reservations_per_hour},
           {"suspensions_limit", tenant.suspensions_limit ? Json(*tenant.suspensions_limit) : Json()},
           {"suspensions_window_seconds", tenant.suspensions_window_seconds},
           {"suspensions_action", name_of(tenant.suspensions_action)},
           {"recipient_key", or_null(tenant.recipient_key)},
           {"dns", tenant.dns},
           {"version", tenant.version}};
  row["plans"] = plans_of(tenant);
  row["walled_garden"] = garden_of(tenant);
  return row;
}

Json row_of(const store::SubjectView& view) {
  const events::HoldSummary holds = summary_of(view);
  Json row{{"tenant", view.tenant}, {"customer", or_null(view.customer)}};
  if (!view.subscriber.empty()) row["subscriber"] = view.subscriber;
  row["entitlement"] = entitlement_of(view, holds);
  row["level"] = name_of(holds.level);
  row["next"] = holds.next ? Json{{"level", name_of(holds.next->level)}, {"at", rfc3339(holds.next->at)}} : Json();
  row["released_at"] = or_null(view.released_at);
  row["peers"] = view.peers;
  if (view.subscriber.empty()) row["subscribers"] = view.subscribers;
  row["version"] = view.version;
  return row;
}

Json row_of(const store::NetworkView& view) {
  const domain::Network& network = view.network;
  Json row{{"network", network.name},
           {"set", network.word.has_value()},
           {"cause", network.word ? Json(word_of(*network.word)) : Json()},
           {"ipv4", network.net4 ? Json(network.net4->text()) : Json()},
           {"ipv6", network.net6 ? Json(network.net6->text()) : Json()},
           {"servers", view.servers},
           {"addresses", view.addresses},
           {"held", view.held},
           {"resting", view.resting},
           {"free", view.free},
           {"quarantine_seconds", network.quarantine_seconds},
           {"allow_public", network.allow_public}};
  row["reserved"] = Json::array();
  for (const std::int64_t offset : network.reserved) {
    const auto& range = network.net4 ? network.net4 : network.net6;
    if (const auto address = range ? range->at(offset) : std::nullopt) row["reserved"].push_back(address->text(false));
  }
  row["forbidden"] = Json::array();
  for (const wireguard::Prefix& prefix : network.forbidden) row["forbidden"].push_back(prefix.text());
  return row;
}

Json row_of(const store::RuleView& view) {
  const domain::AccessRule& rule = view.rule;
  return {{"tenant", view.tenant},
          {"rule", rule.name},
          {"priority", rule.priority},
          {"source", or_null(view.source)},
          {"dest", or_null(view.dest)},
          {"protocol", protocol_of(rule.dest_protocol)},
          {"port", rule.dest_port > 0 ? Json(rule.dest_port) : Json()},
          {"action", rule.action == wireguard::RuleAction::allow ? "allow" : "deny"},
          {"cause", rule.word ? Json(word_of(*rule.word)) : Json()}};
}

Json row_of(const store::LinkView& view) {
  return {{"server", view.server},           {"other", view.other},     {"endpoint", or_null(view.endpoint)},
          {"allowed_ips", view.allowed_ips}, {"has_key", view.has_key}, {"wanted", view.wanted},
          {"applied", view.applied}};
}

Json row_of(const store::MeshView& view) {
  const domain::Mesh& mesh = view.mesh;
  Json row{{"mesh", mesh.name}, {"active", mesh.active}, {"members", Json::array()}};
  for (const domain::MeshMember& member : mesh.members) row["members"].push_back(member.name);
  row["version"] = mesh.version;
  row["cause"] = mesh.word ? Json(word_of(*mesh.word)) : Json();
  return row;
}

Json row_of(const store::HolderView& view) {
  return {{"tenant", view.tenant},
          {"peer", view.peer},
          {"network", view.network},
          {"from", rfc3339(view.from)},
          {"until", or_null(view.until)}};
}

}  // namespace peerwright::cli
