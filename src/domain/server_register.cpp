#include "peerwright/domain/events.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::domain {

Refs refs_of(const ServerRegister& event) {
  Refs refs;
  refs.server = event.server;
  refs.makes_server = true;
  refs.network = event.network;
  return refs;
}

Decision decide(const ServerRegister& event, const Word& word, const State& state) {
  const Server& before = *state.server(event.server);
  if (auto refusal = refuse_by_order(word, before.word)) return *std::move(refusal);
  const Network* network = state.network(event.network);
  if (network == nullptr || !network->word) {
    return rejected("unknown_network", "there is no network " + event.network, "send network.set first");
  }
  if (before.network_id && *before.network_id != network->id) {
    return rejected("server_network_fixed", "the server stands in another network",
                    "register a server of another name in the new network");
  }
  Decision decision;
  Server after = before;
  after.network_id = network->id;
  after.ssh_host = event.ssh_host;
  after.ssh_port = event.ssh_port;
  after.ssh_user = event.ssh_user;
  after.ssh_host_key = event.ssh_host_key;
  after.exec_prefix = event.exec_prefix;
  after.interface = event.interface;
  after.config_path = event.config_path;
  after.public_key = event.public_key.empty() ? before.public_key : event.public_key;
  after.endpoint = event.endpoint;
  after.mtu = event.mtu;
  after.dns = event.dns;
  after.keepalive_seconds = event.keepalive_seconds;
  after.max_peers = event.max_peers;
  after.generation += 1;
  after.version += 1;
  after.word = word;
  const bool elsewhere = after.ssh_host != before.ssh_host || after.interface != before.interface ||
                         after.config_path != before.config_path || after.exec_prefix != before.exec_prefix;
  if (before.word && elsewhere) decision.doubtful_servers.insert(after.id);
  decision.due_servers.insert(after.id);
  decision.servers.push_back(std::move(after));
  return decision;
}

}  // namespace peerwright::domain
