#include "sessions.hpp"

#include <algorithm>

namespace peerwright::worker {
namespace {

std::string login_of(const std::string& user, const std::string& host, int port, const std::string& host_key) {
  return user + '@' + host + ':' + std::to_string(port) + ' ' + host_key;
}

std::string text_of(const ssh::Target& target) {
  std::string text = login_of(target.user, target.host, target.port, target.host_key);
  if (const auto& jump = target.jump) {
    text += " by way of " + login_of(jump->user, jump->host, jump->port, jump->host_key);
  }
  return text;
}

}  // namespace

Result<Sessions::Taken> Sessions::take(const domain::Server& server) {
  std::unique_ptr<ssh::Session> elsewhere;  // closed without the lock
  {
    const std::lock_guard lock(mutex_);
    if (auto found = open_.extract(server.id); !found.empty()) {
      Open& open = found.mapped();
      if (open.target == text_of(ssh::target_of(server))) return Taken{std::move(open.session), true};
      elsewhere = std::move(open.session);
    }
  }
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
  if (session->broken()) return;
  std::unique_ptr<ssh::Session> unused;  // closed without the lock
  const std::lock_guard lock(mutex_);
  if (open_.size() >= kMaxOpen && !open_.contains(server.id)) {
    const auto oldest = std::min_element(
        open_.begin(), open_.end(), [](const auto& a, const auto& b) { return a.second.put_back < b.second.put_back; });
    unused = std::move(oldest->second.session);
    open_.erase(oldest);
  }
  open_[server.id] = {text_of(ssh::target_of(server)), std::move(session), ++put_back_};
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
