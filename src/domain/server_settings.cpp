#include "server_settings.hpp"

#include <algorithm>

#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {
namespace {

template <typename Value>
void set(Value& member, const std::optional<Value>& said) {
  if (said) member = *said;
}

// Ports are a set: their order says nothing.
bool same_ports(const std::vector<wireguard::PortUse>& a, const std::vector<wireguard::PortUse>& b) {
  const auto same = [](const wireguard::PortUse& x, const wireguard::PortUse& y) {
    return x.protocol == y.protocol && x.port == y.port;
  };
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin(), same);
}

bool same_texts(const Server& a, const Server& b) {
  return a.region == b.region && a.location == b.location && a.description == b.description &&
         a.drift_policy == b.drift_policy && a.metadata == b.metadata && a.post_up == b.post_up &&
         a.post_down == b.post_down;
}

// An address may be another machine's where it is reached from another place.
bool same_place(const std::optional<JumpHost>& a, const std::optional<JumpHost>& b) {
  return a.has_value() == b.has_value() && (!a || (a->host == b->host && a->port == b->port));
}

// Names of hosts are compared as they are written; an alias shows by the interface's key.
bool same_interface(const Server& a, const Server& b) {
  return a.interface == b.interface && a.ssh_host == b.ssh_host && a.ssh_port == b.ssh_port &&
         a.exec_prefix == b.exec_prefix && same_place(a.ssh_jump, b.ssh_jump);
}

bool has_interface(const Server& server) {
  return server.word && (server.state != ServerState::retired ||
                         (server.retired_word.empty() && !server.retired_proven_at.has_value()));
}

}  // namespace

void apply_settings(const ServerSettings& settings, Server& server) {
  set(server.ssh_host, settings.ssh_host);
  set(server.ssh_port, settings.ssh_port);
  set(server.ssh_user, settings.ssh_user);
  set(server.ssh_host_key, settings.ssh_host_key);
  set(server.ssh_way, settings.ssh_way);
  set(server.ssh_jump, settings.ssh_jump);
  set(server.exec_prefix, settings.exec_prefix);
  set(server.endpoint, settings.endpoint);
  set(server.mtu, settings.mtu);
  set(server.dns, settings.dns);
  set(server.keepalive_seconds, settings.keepalive_seconds);
  set(server.max_peers, settings.max_peers);
  set(server.region, settings.region);
  set(server.location, settings.location);
  set(server.description, settings.description);
  set(server.listen_port, settings.listen_port);
  set(server.default_action, settings.default_action);
  set(server.tunnel_only_ports, settings.tunnel_only_ports);
  set(server.masquerade, settings.masquerade);
  set(server.drift_policy, settings.drift_policy);
  set(server.metadata, settings.metadata);
  set(server.post_up, settings.post_up);
  set(server.post_down, settings.post_down);
}

ServerChange change_between(const Server& before, const Server& after) {
  ServerChange change;
  change.clients = before.endpoint != after.endpoint || before.mtu != after.mtu || before.dns != after.dns ||
                   before.public_key != after.public_key;
  change.firewall = before.default_action != after.default_action || before.masquerade != after.masquerade ||
                    !same_ports(before.tunnel_only_ports, after.tunnel_only_ports);
  change.interface = before.listen_port != after.listen_port || before.mtu != after.mtu;
  change.place = before.ssh_host != after.ssh_host || before.ssh_port != after.ssh_port ||
                 before.exec_prefix != after.exec_prefix || before.interface != after.interface ||
                 before.config_path != after.config_path || !same_place(before.ssh_jump, after.ssh_jump);
  const bool way_in = before.ssh_user != after.ssh_user || before.ssh_host_key != after.ssh_host_key ||
                      before.ssh_way != after.ssh_way || before.ssh_jump != after.ssh_jump;
  const bool limits = before.max_peers != after.max_peers || before.keepalive_seconds != after.keepalive_seconds;
  change.anything = change.clients || change.firewall || change.interface || change.place || way_in || limits ||
                    !same_texts(before, after);
  return change;
}

bool on_host(const ServerChange& change) { return change.firewall || change.interface || change.place; }

void carry_on(const Server& server, const ServerChange& change, const std::string& cause, Decision& decision) {
  if (change.clients) decision.wider_fan_outs.insert_or_assign({FanOut::server, server.id}, cause);
  if (change.place) decision.doubtful_servers.insert(server.id);
  if (on_host(change)) decision.due_servers.insert(server.id);
}

Decision unknown_server(const std::string& name) {
  return rejected("unknown_server", "there is no server " + name, "send server.register first");
}

Decision server_retired(const std::string& name) {
  return rejected("server_retired", "the server " + name + " was retired",
                  "name another server, or send server.register to take it into service again");
}

std::optional<Decision> refuse_by_state(const Server* server, const std::string& name) {
  if (server == nullptr || !server->word) return unknown_server(name);
  if (server->state == ServerState::retired) return server_retired(name);
  return std::nullopt;
}

std::optional<Decision> refuse_by_way(const Server& after) {
  if (after.ssh_way == wireguard::WayIn::shell || after.exec_prefix.empty()) return std::nullopt;
  return rejected("exec_prefix_not_taken",
                  std::string("a host that is logged in to by ") + wireguard::name_of(after.ssh_way) +
                      " carries out one command, and takes no exec prefix with it",
                  "send an empty exec_prefix; what enters a container belongs into the host's own configuration");
}

std::optional<Decision> refuse_by_others(const Server& before, const Server& after, const State& state) {
  const bool had_it = has_interface(before);
  const bool comes = !had_it || !same_interface(before, after);
  const bool takes_key = !after.public_key.empty() && (!had_it || before.public_key != after.public_key);
  if (!comes && !takes_key) return std::nullopt;
  for (const Server* other : state.servers_beside(after.id)) {
    if (!has_interface(*other)) continue;
    const bool same_key = takes_key && (other->public_key == after.public_key || other->key_wanted == after.public_key);
    if (!same_key && !(comes && same_interface(*other, after))) continue;
    return rejected(
        "interface_taken",
        same_key ? "the interface with this public key is the server " + other->name
                 : after.interface + " on " + after.ssh_host + " is the server " + other->name,
        "name another interface or host, or retire the server " + other->name + " and wait until that is proven");
  }
  return std::nullopt;
}

std::optional<Decision> refuse_by_own_way(const Server& after, const Network* network) {
  const auto& ports = after.tunnel_only_ports;
  const bool closes_ssh = std::any_of(ports.begin(), ports.end(), [&](const wireguard::PortUse& use) {
    return use.port == after.ssh_port && use.protocol != wireguard::RuleProtocol::udp;
  });
  if (!closes_ssh) return std::nullopt;
  const auto host = wireguard::Prefix::parse(after.ssh_host);
  const bool through_tunnel =
      host && network != nullptr &&
      ((network->net4 && network->net4->contains(*host)) || (network->net6 && network->net6->contains(*host)));
  if (through_tunnel) return std::nullopt;
  return rejected("ssh_port_closed",
                  "port " + std::to_string(after.ssh_port) +
                      " is to be reached through the tunnel alone, "
                      "but the worker comes to it from outside",
                  "leave the SSH port out of tunnel_only_ports, or give the host's address in the tunnel as ssh.host");
}

Decision settle_server(const Server& before, Server after, const Word& word, bool changed) {
  Decision decision;
  decision.outcome = changed ? Outcome::accepted : Outcome::unchanged;
  after.version = before.version + (changed ? 1 : 0);
  if (changed) after.updated_by = word.source;
  after.word = following(word, after.word);
  decision.servers.push_back(std::move(after));
  return decision;
}

}  // namespace peerwright::domain
