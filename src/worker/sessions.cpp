#include "sessions.hpp"

namespace peerwright::worker {

Result<Sessions::Taken> Sessions::take(const domain::Server& server) {
  if (auto kept = kept_.take(server.id, ssh::target_of(server))) return Taken{std::move(kept), true};
  return connect(server);
}

Result<Sessions::Taken> Sessions::connect(const domain::Server& server) {
  const auto shared = context_.config();
  const Config& config = *shared;
  const ssh::Timeouts timeouts{std::chrono::milliseconds(config.ssh.connect_timeout_ms),
                               std::chrono::milliseconds(config.ssh.dead_peer_ms)};
  // Read for each connection: a key that was rotated needs no restart.
  auto key = read_secret_file(config.ssh.private_key_file);
  if (!key) return tl::unexpected(key.error());
  context_.connects.set_most(config.ssh.connects_per_host);
  auto session = ssh::Session::connect(ssh::target_of(server), *key, timeouts, &context_.connects);
  if (!session) return tl::unexpected(session.error());
  return Taken{*std::move(session), false};
}

void Sessions::put_back(const domain::Server& server, std::unique_ptr<ssh::Session> session) {
  kept_.put_back(server.id, ssh::target_of(server), std::move(session));
}

wireguard::HostInterface interface_of(const domain::Server& server, const std::string& installation_id) {
  return {server.interface, server.config_path, server.exec_prefix, installation_id, server.public_key, server.ssh_way};
}

void show_reachability(Context& context, const domain::Server& server, const Error* why) {
  const bool reachable = why == nullptr || why->code.rfind("ssh_", 0) != 0;
  const bool other_key = why != nullptr && why->code == "ssh_host_key_changed";
  context.metrics.gauge("server_reachable", server.name).set(reachable ? 1 : 0);
  context.metrics.gauge("server_host_key_changed", server.name).set(other_key ? 1 : 0);
}

}  // namespace peerwright::worker
