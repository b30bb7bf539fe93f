#include "peerwright/domain/rules.hpp"
#include "server_settings.hpp"

namespace peerwright::domain {
namespace {

std::optional<Id> owner_id(const ServerRegister& event, const State& state) {
  const Tenant* owner = event.owner.empty() ? nullptr : state.tenant(std::string_view(event.owner));
  return owner == nullptr ? std::nullopt : std::optional(owner->id);
}

// What a registration never changes.
std::optional<Decision> refuse_by_fixed(const ServerRegister& event, const Server& before, const Network& network,
                                        const std::optional<Id>& owner) {
  if (before.network_id && *before.network_id != network.id) {
    return rejected("server_network_fixed", "the server stands in another network",
                    "register another interface as a server of another name in the new network");
  }
  if (before.word && before.owner_tenant_id != owner) {
    return rejected("server_owner_fixed", "the server has another owner",
                    "register another interface as a server of another name for the new owner, and move the peers "
                    "there");
  }
  const bool own_key = !before.private_key_sealed.empty() && before.state != ServerState::retired;
  const bool says_another =
      !event.public_key.empty() && event.public_key != before.public_key && event.public_key != before.key_wanted;
  if (own_key && says_another) {
    return rejected("server_key_fixed", "the interface has a key that was made by server.rotate_key",
                    "leave public_key out; server.rotate_key gives the interface a new one");
  }
  return std::nullopt;
}

void apply_key(const ServerRegister& event, const State& state, Server& server) {
  const bool coming = event.public_key == server.key_wanted && server.state != ServerState::retired;
  if (event.public_key.empty() || event.public_key == server.public_key || coming) return;
  server.public_key = event.public_key;
  server.key_since = state.now;
  server.private_key_sealed.clear();
  server.key_wanted.clear();
}

// A registration says everything: what it leaves out has its default.
void reset_settings(Server& server) {
  const Server fresh;
  server.region = fresh.region;
  server.location = fresh.location;
  server.description = fresh.description;
  server.listen_port = fresh.listen_port;
  server.default_action = fresh.default_action;
  server.tunnel_only_ports = fresh.tunnel_only_ports;
  server.masquerade = fresh.masquerade;
  server.drift_policy = fresh.drift_policy;
  server.metadata = fresh.metadata;
  server.post_up = fresh.post_up;
  server.post_down = fresh.post_down;
}

void apply(const ServerRegister& event, Server& server) {
  server.ssh_host = event.ssh_host;
  server.ssh_port = event.ssh_port;
  server.ssh_user = event.ssh_user;
  server.ssh_host_key = event.ssh_host_key;
  server.ssh_way = event.ssh_way;
  server.ssh_jump = event.ssh_jump;
  server.exec_prefix = event.exec_prefix;
  server.interface = event.interface;
  server.config_path = event.config_path;
  server.endpoint = event.endpoint;
  server.mtu = event.mtu;
  server.dns = event.dns;
  server.keepalive_seconds = event.keepalive_seconds;
  server.max_peers = event.max_peers;
  reset_settings(server);
  apply_settings(event.more, server);
}

}  // namespace

Refs refs_of(const ServerRegister& event) {
  Refs refs;
  refs.server = event.server;
  refs.makes_server = true;
  refs.network = event.network;
  refs.owner_tenant = event.owner;
  refs.places_server = true;
  refs.ssh_host = event.ssh_host;
  refs.server_key = event.public_key;
  return refs;
}

Decision decide(const ServerRegister& event, const Word& word, const State& state) {
  const Server& before = *state.server(event.server);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  const Network* network = state.network(event.network);
  if (network == nullptr || !network->word) {
    return rejected("unknown_network", "there is no network " + event.network, "send network.set first");
  }
  const std::optional<Id> owner = owner_id(event, state);
  if (auto refusal = refuse_by_fixed(event, before, *network, owner)) return *std::move(refusal);

  Server after = before;
  // Its interface went with its end, and with it a key that the host alone had. One that is stored here comes back.
  if (before.retired_proven_at && before.private_key_sealed.empty()) after.public_key.clear();
  after.network_id = network->id;
  after.owner_tenant_id = owner;
  apply_key(event, state, after);
  apply(event, after);
  if (auto refusal = refuse_by_way(after)) return *std::move(refusal);
  if (auto refusal = refuse_by_own_way(after, network)) return *std::move(refusal);
  if (auto refusal = refuse_by_others(before, after, state)) return *std::move(refusal);
  after.generation += 1;
  if (!before.word) after.created_by = word.source;
  const bool returns = before.state == ServerState::retired;
  if (returns) {
    after.state = ServerState::active;
    after.retired_word.clear();
    after.retired_proven_at.reset();
  }
  ServerChange change = change_between(before, after);
  if (returns) change.place = true;           // nobody knows what happened to it meanwhile
  if (!before.word) change = ServerChange{};  // there was nothing to change
  Decision decision = settle_server(before, std::move(after), word, true);
  carry_on(before, change, cause_of(word), decision);
  decision.due_servers.insert(before.id);
  return decision;
}

}  // namespace peerwright::domain
