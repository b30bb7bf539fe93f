#include "server_health.hpp"

#include <nlohmann/json.hpp>

#include "changes.hpp"
#include "columns.hpp"
#include "peerwright/events/outbound.hpp"

namespace peerwright::store {
namespace {

// Somebody may stand between us and the host.
constexpr const char* kHostKeyChanged = "ssh_host_key_changed";

}  // namespace

std::string Health::alert() const {
  if (error_code == kHostKeyChanged) return error_code;
  if (!error_code.empty()) return {};
  if (!guard_code.empty()) return guard_code;
  if (!up) return "interface_down";
  if (!listening) return "port_not_listening";
  if (!forwarding) return "forwarding_off";
  if (!file_safe) return "config_file_exposed";
  return {};
}

std::string text_of(const DriftCounts& drift) { return nlohmann::json(drift).dump(); }
DriftCounts counts_from(const std::string& text) { return nlohmann::json::parse(text).get<DriftCounts>(); }

bool is_safe_mode(const std::string& mode) { return mode.empty() || mode == "600" || mode == "400"; }

bool forwards(const domain::Network* network, bool forwarding4, bool forwarding6) {
  if (network == nullptr) return true;
  return (forwarding4 || !network->net4) && (forwarding6 || !network->net6);
}

void say_health(Tx& tx, domain::State& state, domain::Id server_id, const Health& health,
                std::optional<Time> observed_at) {
  tx.run("observe_raise_server", server_id);
  domain::Server after = *state.server(server_id);
  after.version += 1;
  state.load(after);
  events::ServerContext context;
  context.network = after.network_id ? state.network(*after.network_id) : nullptr;
  if (after.owner_tenant_id) load_tenants(tx, {*after.owner_tenant_id}, state);
  context.owner = after.owner_tenant_id ? state.tenant(*after.owner_tenant_id) : nullptr;
  context.reachable = health.reachable();
  context.observed_at = observed_at;
  context.error_code = health.error_code;
  context.drift = health.drift;
  context.alert = health.alert();
  Messages messages;
  messages.say("status", events::server_status(after, "observation/" + std::to_string(micros_of(state.now)), context));
  messages.store(tx);
}

namespace {

// How the server was seen last, and when, of a row that observe_met or observe_reached answers.
std::optional<Time> read_last_seen(const pqxx::row& row, const domain::State& state, const domain::Server& server,
                                   Health& health) {
  RowReader read(row);
  const auto observed_at = read.maybe_time();
  health.up = read.flag();
  health.listening = read.flag();
  const bool forwarding4 = read.flag();
  health.forwarding =
      forwards(server.network_id ? state.network(*server.network_id) : nullptr, forwarding4, read.flag());
  health.file_safe = is_safe_mode(read.text());
  health.drift = counts_from(read.text());
  return observed_at;
}

void say_last_seen(Tx& tx, domain::State& state, domain::Id server_id, const pqxx::result& rows, const char* code) {
  const pqxx::row row = rows[0];  // the reader keeps a reference
  Health health;
  health.error_code = code;
  const auto observed_at = read_last_seen(row, state, *state.server(server_id), health);
  say_health(tx, state, server_id, health, observed_at);
}

}  // namespace

bool say_met(Tx& tx, domain::State& state, domain::Id server_id, const Error& why) {
  if (why.code != kHostKeyChanged || state.server(server_id) == nullptr) return false;
  const auto rows = tx.run("observe_met", server_id, why.code);
  if (rows.empty()) return false;
  say_last_seen(tx, state, server_id, rows, kHostKeyChanged);
  return true;
}

void say_reached(Tx& tx, domain::State& state, domain::Id server_id) {
  const auto rows = tx.run("observe_reached", server_id);
  if (!rows.empty()) say_last_seen(tx, state, server_id, rows, "");
}

}  // namespace peerwright::store
