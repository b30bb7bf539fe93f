#include "rows.hpp"

#include "peerwright/base/clock.hpp"

namespace peerwright::cli {

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json or_null(const std::optional<Time>& time) { return time ? Json(rfc3339(*time)) : Json(); }

std::string word_of(const domain::Word& word) { return word.source + '/' + word.id; }

Json row_of(const domain::Hold& hold) {
  Json row{{"scope", name_of(hold.scope.kind)}, {"owner", hold.owner},         {"held", hold.held},
           {"reason", or_null(hold.reason)},    {"cause", word_of(hold.word)}, {"level", name_of(hold.level)},
           {"since", or_null(hold.since)}};
  row["steps"] = Json::array();
  for (const domain::HoldStep& step : hold.steps) {
    row["steps"].push_back({{"level", name_of(step.level)}, {"at", rfc3339(step.at)}});
  }
  return row;
}

namespace {

const char* state_of(const store::DeliveryView& delivery) {
  if (!delivery.due) return delivery.in_doubt ? "in doubt" : "proven";
  if (!delivery.error_code.empty()) return "failing";
  return "due";
}

Json row_of(const store::DeliveryView& delivery) {
  Json row{{"state", state_of(delivery)},
           {"due", delivery.due},
           {"urgent", delivery.urgent},
           {"due_since", or_null(delivery.due_since)},
           {"next_attempt_at", or_null(delivery.next_attempt_at)},
           {"attempts", delivery.attempts},
           {"error_code", or_null(delivery.error_code)},
           {"error_message", or_null(delivery.error_message)},
           {"push_number", delivery.push_number},
           {"in_doubt", delivery.in_doubt},
           {"proven_at", or_null(delivery.proven_at)},
           {"worker", or_null(delivery.worker)},
           {"pending_peers", delivery.pending},
           {"failed_peers", delivery.failed},
           {"pending_removals", delivery.removals}};
  return row;
}

// What will happen by itself, or what somebody has to do.
std::string next_of(const store::PeerDetail& detail) {
  const domain::Peer& peer = detail.view.peer;
  if (detail.fanning_out) return "its subscriber's holds are being carried to the peers";
  if (peer.delivery() == domain::Delivery::none) return "nothing: no server has to know it";
  if (peer.delivery() == domain::Delivery::applied) return "nothing: the host is proven to be as wanted";
  if (peer.delivery() == domain::Delivery::failed) {
    const std::string refuses = detail.view.server + " refuses it (" + peer.delivery_error + ')';
    if (peer.delivery_error == "endpoint_unresolvable" || peer.delivery_error == "not_shown_by_host") {
      return refuses + "; it is tried again every 30 seconds";
    }
    return "nothing: " + refuses + " until the peer is changed";
  }
  if (!detail.server) return "waits for its server";
  const store::DeliveryView& delivery = detail.server->delivery;
  if (delivery.error_code.empty()) return "the next push to " + detail.view.server + " brings it";
  std::string text = "another attempt at " + detail.view.server;
  if (delivery.next_attempt_at) text += " after " + rfc3339(*delivery.next_attempt_at);
  return text + "; the last failed: " + delivery.error_code + ": " + delivery.error_message;
}

template <typename Counts>
Json counts_of(const Counts& counts) {
  Json row = Json::object();
  for (const auto& [name, count] : counts) row[name] = count;
  return row;
}

}  // namespace

Json row_of(const store::PeerView& view) {
  const domain::Peer& peer = view.peer;
  return {{"tenant", peer.tenant},
          {"peer", peer.name},
          {"subscriber", or_null(peer.subscriber)},
          {"server", or_null(view.server)},
          {"network", or_null(view.network)},
          {"entitlement", name_of(peer.entitlement)},
          {"delivery", name_of(peer.delivery())},
          {"delivery_error", or_null(peer.delivery_error)},
          {"addresses", view.addresses},
          {"public_key", or_null(peer.public_key)},
          {"description", or_null(peer.description)},
          {"cause", or_null(peer.cause)},
          {"changed_at", rfc3339(peer.changed_at)},
          {"version", peer.version},
          {"generation", peer.generation},
          {"applied_generation", peer.applied_generation},
          {"customer", or_null(view.customer)},
          {"type", name_of(peer.type)},
          {"plan", or_null(peer.plan)},
          {"region", or_null(view.region)},
          {"adopted", peer.adopted}};
}

namespace {

Json settings_of(const domain::Peer& peer) {
  return {{"name", or_null(peer.display_name)},
          {"user_id", or_null(peer.user_id)},
          {"endpoint", or_null(peer.endpoint)},
          {"site_networks", peer.site_networks},
          {"dns", peer.dns},
          {"mtu", peer.mtu > 0 ? Json(peer.mtu) : Json()},
          {"hub_keepalive_seconds", peer.hub_keepalive_seconds},
          {"has_preshared_key", !peer.preshared_key_sealed.empty() || peer.preshared_key_unknown},
          {"preshared_key_unknown", peer.preshared_key_unknown},
          {"expires_at", or_null(peer.expires_at)},
          {"quota_bytes", peer.quota_bytes > 0 ? Json(peer.quota_bytes) : Json()},
          {"over_quota", peer.over_quota},
          {"reservation", or_null(name_of(peer.reservation))},
          {"reserved_until", or_null(peer.reserved_until)},
          {"provisioned_at", or_null(peer.provisioned_at)},
          {"staged_key", or_null(peer.staged_key)},
          {"staged_until", or_null(peer.staged_until)},
          {"created_by", or_null(peer.created_by)}};
}

Json row_of(const store::RuntimeView& view) {
  return {{"state", view.connectivity},
          {"since", or_null(view.since)},
          {"last_handshake_at", or_null(view.last_handshake_at)},
          {"endpoint", or_null(view.endpoint)},
          {"rx_bytes", view.rx_bytes},
          {"tx_bytes", view.tx_bytes}};
}

}  // namespace

Json row_of(const store::PeerDetail& detail) {
  Json row = row_of(detail.view);
  row["client_routes"] = detail.view.peer.client_routes;
  row["keepalive_seconds"] = detail.view.peer.keepalive_seconds;
  row["settings"] = settings_of(detail.view.peer);
  row["metadata"] = Json::parse(detail.view.peer.metadata, nullptr, false);
  row["connectivity"] = detail.runtime ? row_of(*detail.runtime) : Json();
  row["holds"] = Json::array();
  for (const domain::Hold& hold : detail.holds) row["holds"].push_back(row_of(hold));
  row["timers"] = Json::array();
  for (const store::TimerView& timer : detail.timers) {
    row["timers"].push_back({{"kind", name_of(timer.kind)}, {"due_at", rfc3339(timer.due_at)}});
  }
  row["next"] = next_of(detail);
  return row;
}

Json row_of(const store::ServerView& view) {
  const domain::Server& server = view.server;
  return {{"server", server.name},
          {"registered", server.word.has_value()},
          {"network", or_null(view.network)},
          {"endpoint", or_null(server.endpoint)},
          {"peers", server.peer_count},
          {"max_peers", server.max_peers},
          {"delivery", state_of(view.delivery)},
          {"pending_peers", view.delivery.pending},
          {"failed_peers", view.delivery.failed},
          {"pending_removals", view.delivery.removals},
          {"proven_at", or_null(view.delivery.proven_at)},
          {"error_code", or_null(view.delivery.error_code)},
          {"push_number", view.delivery.push_number},
          {"generation", server.generation},
          {"owner", or_null(view.owner)},
          {"region", or_null(server.region)},
          {"state", name_of(server.state)},
          {"maintenance", server.maintenance}};
}

namespace {

Json ports_of(const std::vector<wireguard::PortUse>& uses) {
  Json ports = Json::array();
  for (const wireguard::PortUse& use : uses) {
    const char* protocol = use.protocol == wireguard::RuleProtocol::tcp   ? "tcp"
                           : use.protocol == wireguard::RuleProtocol::udp ? "udp"
                                                                          : "any";
    ports.push_back(std::string(protocol) + '/' + std::to_string(use.port));
  }
  return ports;
}

Json action_of(const std::optional<wireguard::RuleAction>& action) {
  if (!action) return {};
  return *action == wireguard::RuleAction::allow ? "allow" : "deny";
}

void add_settings(const store::ServerView& view, Json& row) {
  const domain::Server& server = view.server;
  row["owner"] = or_null(view.owner);
  row["state"] = name_of(server.state);
  row["retired_proven_at"] = or_null(server.retired_proven_at);
  row["retired_word"] = or_null(server.retired_word);
  row["maintenance"] = server.maintenance;
  row["region"] = or_null(server.region);
  row["location"] = or_null(server.location);
  row["description"] = or_null(server.description);
  row["listen_port"] = server.listen_port;
  row["default_action"] = action_of(server.default_action);
  row["tunnel_only_ports"] = ports_of(server.tunnel_only_ports);
  row["masquerade"] = server.masquerade;
  row["drift_policy"] = server.drift_policy;
  row["post_up"] = or_null(server.post_up);
  row["post_down"] = or_null(server.post_down);
  row["metadata"] = Json::parse(server.metadata, nullptr, false);
  row["key_since"] = or_null(server.key_since);
  row["key_wanted"] = or_null(server.key_wanted);
  row["created_by"] = or_null(server.created_by);
  row["updated_by"] = or_null(server.updated_by);
}

Json jump_of(const domain::Server& server) {
  if (!server.ssh_jump) return nullptr;
  const domain::JumpHost& jump = *server.ssh_jump;
  return {{"host", jump.host}, {"port", jump.port}, {"user", jump.user}, {"host_key", jump.host_key}};
}

}  // namespace

Json row_of(const store::ServerDetail& detail) {
  const domain::Server& server = detail.view.server;
  Json row{{"server", server.name},
           {"registered", server.word.has_value()},
           {"cause", server.word ? Json(word_of(*server.word)) : Json()},
           {"network", or_null(detail.view.network)},
           {"endpoint", or_null(server.endpoint)},
           {"public_key", or_null(server.public_key)},
           {"interface", or_null(server.interface)},
           {"config_path", or_null(server.config_path)},
           {"exec_prefix", or_null(server.exec_prefix)},
           {"ssh",
            {{"host", or_null(server.ssh_host)},
             {"port", server.ssh_port},
             {"user", or_null(server.ssh_user)},
             {"host_key", or_null(server.ssh_host_key)},
             {"way", wireguard::name_of(server.ssh_way)},
             {"jump", jump_of(server)}}},
           {"mtu", server.mtu > 0 ? Json(server.mtu) : Json()},
           {"dns", server.dns},
           {"keepalive_seconds", server.keepalive_seconds},
           {"generation", server.generation},
           {"version", server.version},
           {"peers", server.peer_count},
           {"max_peers", server.max_peers},
           {"peers_by_entitlement", counts_of(detail.by_entitlement)},
           {"peers_by_delivery", counts_of(detail.by_delivery)}};
  add_settings(detail.view, row);
  row["delivery"] = row_of(detail.view.delivery);
  row["guard_held"] = server.guard_held;
  row["guard_digest"] = server.guard_digest;
  row["foreign"] = Json::array();
  for (const store::ForeignView& key : detail.foreign) {
    row["foreign"].push_back({{"public_key", key.public_key},
                              {"allowed_ips", key.allowed_ips},
                              {"state", key.state},
                              {"since", or_null(std::optional(key.since))}});
  }
  return row;
}

Json row_of(const store::DeadLetterView& view) {
  return {{"id", view.id},
          {"topic", view.topic},
          {"partition", view.partition},
          {"offset", view.offset},
          {"code", view.code},
          {"message", view.message},
          {"source", or_null(view.source)},
          {"event_id", or_null(view.event_id)},
          {"event_type", or_null(view.event_type)},
          {"broker_time", rfc3339(view.broker_time)},
          {"stored_at", rfc3339(view.stored_at)},
          {"state", view.state},
          {"kept", view.kept}};
}

Json row_of(const store::AuditView& view) {
  Json row{{"at", rfc3339(view.at)},
           {"source", view.source},
           {"event_id", view.event_id},
           {"event_type", view.event_type},
           {"key", view.key},
           {"outcome", view.outcome},
           {"code", or_null(view.code)},
           {"chain_no", view.chain_no ? Json(*view.chain_no) : Json()}};
  row["entry"] = Json::parse(view.body, nullptr, false);
  return row;
}

std::optional<std::pair<std::string, std::string>> peer_name_from(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == text.size()) return std::nullopt;
  return std::pair(text.substr(0, slash), text.substr(slash + 1));
}

}  // namespace peerwright::cli
