#include "sessions.hpp"

namespace peerwright::worker {
namespace {

std::string target_of(const domain::Server& server) {
  return server.ssh_user + '@' + server.ssh_host + ':' + std::to_string(server.ssh_port) + ' ' + server.ssh_host_key;
}

}  // namespace

Result<Sessions::Taken> Sessions::take(const domain::Server& server) {
  {
    const std::lock_guard lock(mutex_);
    if (auto found = open_.extract(server.id); !found.empty() && found.mapped().target == target_of(server)) {
      return Taken{std::move(found.mapped().session), true};
    }
  }
  return connect(server);
}

Result<Sessions::Taken> Sessions::connect(const domain::Server& server) {
  const auto shared = context_.config();
  const Config& config = *shared;
  const ssh::Target target{server.ssh_host, server.ssh_port, server.ssh_user, server.ssh_host_key};
  const ssh::Timeouts timeouts{std::chrono::milliseconds(config.ssh.connect_timeout_ms),
                               std::chrono::milliseconds(config.ssh.dead_peer_ms)};
  // Read for each connection: a key that was rotated needs no restart.
  auto key = read_secret_file(config.ssh.private_key_file);
  if (!key) return tl::unexpected(key.error());
  auto session = ssh::Session::connect(target, *key, timeouts);
  if (!session) return tl::unexpected(session.error());
  return Taken{*std::move(session), false};
}

void Sessions::put_back(const domain::Server& server, std::unique_ptr<ssh::Session> session) {
  if (session->broken()) return;
  const std::lock_guard lock(mutex_);
  if (open_.size() >= kMaxOpen) open_.erase(open_.begin());
  open_[server.id] = {target_of(server), std::move(session)};
}

}  // namespace peerwright::worker
