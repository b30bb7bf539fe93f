#include "retire.hpp"

#include "columns.hpp"
#include "peerwright/domain/retire.hpp"
#include "peerwright/events/outbound.hpp"
#include "records.hpp"

namespace peerwright::store {
namespace {

constexpr const char* kPeersLeft = "peers_left_on_host";

// As a reading ends where nothing is left to be read. It may be that nothing of a server was ever there.
bool was_found_without(const std::string& error_code) {
  return error_code == "interface_missing" || error_code == "host_config_missing";
}

// While nothing is known to be left, a reading of the whole interface and its end are one: the host looks before it
// takes anything down. Not where it has just refused that, for then somebody has to be found; nor where the interface
// may have either of two keys, or an unknown one.
bool needs_no_reading(const domain::Server& server, const DeliveryRow& delivery) {
  return !delivery.import && delivery.error_code != kPeersLeft && !server.public_key.empty() &&
         server.key_wanted.empty();
}

std::string told(const End& end) {
  std::string text = "peers that are not ours stand on the interface: " + std::to_string(end.strangers);
  if (end.held > 0) text += ", of which wait for server.approve: " + std::to_string(end.held);
  return text;
}

}  // namespace

std::optional<End> end_of(Tx& tx, const domain::Server& server, const DeliveryRow& delivery) {
  const bool missing = delivery.in_doubt && was_found_without(delivery.error_code);
  const bool again = server.state == domain::ServerState::retired && server.retired_proven_at && missing;
  if (!domain::is_leaving(server) && !again) return std::nullopt;
  const auto row = tx.run("delivery_left", server.id)[0];
  End end;
  end.has_keys = bool_at(row, 0);
  end.held = int_at(row, 1);
  end.strangers = int_at(row, 2);
  end.guard_code = text_at(row, 3);
  end.comes_at_once = missing || (delivery.in_doubt && end.may_come() && needs_no_reading(server, delivery));
  return end;
}

void pick_retirement(Tx& tx, const DeliveryLimits& limits, PlannedPush& push) {
  push.mode = wireguard::PushMode::retire;
  push.plan = wireguard::PushPlan();
  for (const auto& row : tx.run("delivery_left_keys", push.server.id, limits.removals)) {
    push.plan.removals.push_back(text_at(row, 0));
  }
  push.firewall = PlannedFirewall{};
  push.firewall.carried = true;
  push.settled.clear();
  push.complaint.clear();
}

void hold_back(Tx& tx, const std::string& worker_id, domain::State& state, domain::Id server_id, const End& end,
               std::chrono::milliseconds again_in) {
  const auto rows = tx.run("delivery_hold_back", server_id, worker_id, std::string(kPeersLeft), told(end),
                           std::int64_t{again_in.count()});
  if (rows.empty() || !bool_at(rows[0], 0)) return;
  tx.run("observe_raise_server", server_id);
  domain::Server server = *state.server(server_id);
  server.version += 1;
  state.load(server);
  events::ServerContext context;
  context.network = server.network_id ? state.network(*server.network_id) : nullptr;
  context.error_code = kPeersLeft;
  context.alert = end.guard_code;
  Messages messages;
  messages.say("status", events::server_status(server, "reading/" + std::to_string(micros_of(state.now)), context));
  messages.store(tx);
}

void say_retired(Tx& tx, domain::State& state, domain::Id server_id, const std::string& cause) {
  const auto rows = tx.run("delivery_retired", server_id);
  if (rows.empty()) return;
  domain::Server server = *state.server(server_id);
  server.version = int_at(rows[0], 0);
  server.retired_proven_at = time_from_micros(int_at(rows[0], 1));
  Messages messages;
  messages.say("status", events::server_status(server, cause));
  record_retired(messages, server, state.now);
  messages.store(tx);
  state.load(server);
}

}  // namespace peerwright::store
