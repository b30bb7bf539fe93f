#include <charconv>
#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr int kDefaultSshPort = 22;
constexpr std::string_view kDefaultSshUser = "root";
constexpr std::string_view kDefaultWay = "shell";
constexpr std::string_view kDefaultInterface = "wg0";
constexpr std::int64_t kDefaultMaxPeers = 1000;

Result<void> check_path(const std::string& path) {
  if ((path + "/").find("/../") == std::string::npos && (path + "/").find("/./") == std::string::npos) return {};
  return permanent("value_invalid", "/config_path: has a step . or ..", "send the path that it leads to");
}

// The endpoint was checked.
int port_of(const std::string& endpoint) {
  int port = 0;
  std::from_chars(endpoint.data() + endpoint.rfind(':') + 1, endpoint.data() + endpoint.size(), port);
  return port;
}

// The schema has checked its name.
wireguard::WayIn way_from(const std::string& name) {
  return wireguard::way_in_from(name).value_or(wireguard::WayIn::shell);
}

std::optional<domain::JumpHost> read_jump(const Json& jump) {
  if (jump.is_null()) return std::nullopt;
  return domain::JumpHost{text_in(jump, "host"), int_in(jump, "port", kDefaultSshPort),
                          text_in(jump, "user", kDefaultSshUser), text_in(jump, "host_key")};
}

void read_ssh(const Json& ssh, domain::ServerRegister& event) {
  event.ssh_host = text_in(ssh, "host");
  event.ssh_port = int_in(ssh, "port", kDefaultSshPort);
  event.ssh_user = text_in(ssh, "user", kDefaultSshUser);
  event.ssh_host_key = text_in(ssh, "host_key");
  event.ssh_way = way_from(text_in(ssh, "way", kDefaultWay));
  if (const auto jump = ssh.find("jump"); jump != ssh.end()) event.ssh_jump = read_jump(*jump);
  event.exec_prefix = text_in(ssh, "exec_prefix");
}

void read_ssh(const Json& ssh, domain::ServerSettings& settings) {
  settings.ssh_host = said_text(ssh, "host");
  settings.ssh_port = said_int(ssh, "port");
  settings.ssh_user = said_text(ssh, "user");
  settings.ssh_host_key = said_text(ssh, "host_key");
  if (const auto way = said_text(ssh, "way")) settings.ssh_way = way_from(*way);
  if (const auto jump = ssh.find("jump"); jump != ssh.end()) settings.ssh_jump = read_jump(*jump);
  settings.exec_prefix = said_text(ssh, "exec_prefix");
}

std::vector<wireguard::PortUse> read_ports(const Json& ports) {
  std::vector<wireguard::PortUse> uses;
  for (const Json& port : ports) uses.push_back({protocol_in(port, "protocol"), int_in(port, "port", 0)});
  return uses;
}

// What registration and update have in common: what is not said, is absent.
Result<domain::ServerSettings> read_more(const Json& data) {
  domain::ServerSettings more;
  more.region = said_text(data, "region");
  auto location = line_in(data, "location");
  if (!location) return tl::unexpected<Error>(std::move(location.error()));
  more.location = *std::move(location);
  more.description = said_text(data, "description");
  more.listen_port = said_int(data, "listen_port");
  if (const auto action = said_text(data, "default_action")) {
    more.default_action = *action == "none" ? std::nullopt : std::optional(action_from(*action));
  }
  if (const auto ports = data.find("tunnel_only_ports"); ports != data.end()) {
    more.tunnel_only_ports = read_ports(*ports);
  }
  more.masquerade = said_flag(data, "masquerade");
  more.drift_policy = said_text(data, "drift_policy");
  auto metadata = metadata_in(data);
  if (!metadata) return tl::unexpected<Error>(std::move(metadata.error()));
  more.metadata = *std::move(metadata);
  more.post_up = said_text(data, "post_up");
  more.post_down = said_text(data, "post_down");
  return more;
}

template <typename Value>
void unless_said(std::optional<Value>& member, Value value) {
  if (!member) member = std::move(value);
}

// A registration says all settings: what is left out has its default.
void fill(domain::ServerSettings& more, const std::string& endpoint) {
  unless_said(more.region, std::string());
  unless_said(more.location, std::string());
  unless_said(more.description, std::string());
  unless_said(more.listen_port, port_of(endpoint));
  unless_said(more.default_action, std::optional<wireguard::RuleAction>());
  unless_said(more.tunnel_only_ports, std::vector<wireguard::PortUse>());
  unless_said(more.masquerade, false);
  unless_said(more.drift_policy, std::string("repair"));
  unless_said(more.metadata, std::string("{}"));
  unless_said(more.post_up, std::string());
  unless_said(more.post_down, std::string());
}

}  // namespace

Result<domain::ServerRegister> decode_server_register(const Json& data) {
  domain::ServerRegister event;
  event.server = text_in(data, "server");
  event.network = text_in(data, "network");
  read_ssh(data.at("ssh"), event);
  event.interface = text_in(data, "interface", kDefaultInterface);
  event.config_path = text_in(data, "config_path", "/etc/wireguard/" + event.interface + ".conf");
  event.public_key = text_in(data, "public_key");
  event.endpoint = text_in(data, "endpoint");
  event.mtu = int_in(data, "mtu", 0);
  event.keepalive_seconds = int_in(data, "keepalive_seconds", 0);
  event.max_peers = number_in(data, "max_peers", kDefaultMaxPeers);
  event.owner = text_in(data, "owner");
  if (!event.public_key.empty()) {
    if (auto key = check_key_at("/public_key", event.public_key); !key) return tl::unexpected<Error>(key.error());
  }
  if (auto good = check_endpoint_at("/endpoint", event.endpoint); !good) return tl::unexpected<Error>(good.error());
  if (auto path = check_path(event.config_path); !path) return tl::unexpected<Error>(path.error());
  auto dns = addresses_in(data, "dns");
  if (!dns) return tl::unexpected<Error>(std::move(dns.error()));
  event.dns = *std::move(dns);
  auto more = read_more(data);
  if (!more) return tl::unexpected<Error>(std::move(more.error()));
  event.more = *std::move(more);
  fill(event.more, event.endpoint);
  return event;
}

Result<domain::ServerUpdate> decode_server_update(const Json& data) {
  auto settings = read_more(data);
  if (!settings) return tl::unexpected<Error>(std::move(settings.error()));
  if (const auto ssh = data.find("ssh"); ssh != data.end()) read_ssh(*ssh, *settings);
  settings->endpoint = said_text(data, "endpoint");
  if (settings->endpoint) {
    auto good = check_endpoint_at("/endpoint", *settings->endpoint);
    if (!good) return tl::unexpected<Error>(std::move(good.error()));
  }
  settings->mtu = said_int_or_null(data, "mtu", 0);
  if (data.contains("dns")) {
    auto dns = addresses_in(data, "dns");
    if (!dns) return tl::unexpected<Error>(std::move(dns.error()));
    settings->dns = *std::move(dns);
  }
  settings->keepalive_seconds = said_int(data, "keepalive_seconds");
  settings->max_peers = said_number(data, "max_peers");
  return domain::ServerUpdate{text_in(data, "server"), *std::move(settings)};
}

Result<domain::ServerDrain> decode_server_drain(const Json& data) {
  return domain::ServerDrain{text_in(data, "server"), flag_in(data, "on", true)};
}
Result<domain::ServerMaintenance> decode_server_maintenance(const Json& data) {
  return domain::ServerMaintenance{text_in(data, "server"), flag_in(data, "on", true)};
}
Result<domain::ServerRetire> decode_server_retire(const Json& data) {
  return domain::ServerRetire{text_in(data, "server"), text_in(data, "operator_word")};
}
Result<domain::ServerRotateKey> decode_server_rotate_key(const Json& data) {
  return domain::ServerRotateKey{text_in(data, "server")};
}
Result<domain::ServerReconcile> decode_server_reconcile(const Json& data) {
  return domain::ServerReconcile{text_in(data, "server")};
}
Result<domain::ServerApprove> decode_server_approve(const Json& data) {
  return domain::ServerApprove{text_in(data, "server"), said_int(data, "keys"), flag_in(data, "approved", true),
                               text_in(data, "digest")};
}
Result<domain::ServerImport> decode_server_import(const Json& data) {
  return domain::ServerImport{text_in(data, "server"), text_in(data, "tenant")};
}
Result<domain::ServerObserve> decode_server_observe(const Json& data) {
  return domain::ServerObserve{text_in(data, "server")};
}

}  // namespace peerwright::events
