#include <charconv>
#include <utility>

#include "decoders.hpp"
#include "fields.hpp"

namespace peerwright::events {
namespace {

constexpr int kDefaultSshPort = 22;
constexpr std::string_view kDefaultSshUser = "root";
constexpr std::string_view kDefaultInterface = "wg0";
constexpr std::int64_t kDefaultMaxPeers = 1000;
constexpr int kMaxPort = 65'535;

// The schema has seen to the form "HOST:DIGITS" or "[IPV6]:DIGITS".
Result<void> check_endpoint(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  int port = 0;
  const auto read = std::from_chars(endpoint.data() + colon + 1, endpoint.data() + endpoint.size(), port);
  if (read.ec != std::errc() || port < 1 || port > kMaxPort) {
    return permanent("value_invalid", "/endpoint: the port is not from 1 to 65535", "send host:port");
  }
  if (endpoint.front() != '[') return {};
  auto address = address_at("/endpoint", endpoint.substr(1, colon - 2));
  if (!address) return tl::unexpected<Error>(std::move(address.error()));
  if (address->is_ipv4()) {
    return permanent("value_invalid", "/endpoint: an IPv4 address in brackets", "send it without brackets");
  }
  return {};
}

Result<void> check_path(const std::string& path) {
  if ((path + "/").find("/../") == std::string::npos && (path + "/").find("/./") == std::string::npos) return {};
  return permanent("value_invalid", "/config_path: has a step . or ..", "send the path that it leads to");
}

Result<std::vector<std::string>> read_dns(const Json& data) {
  std::vector<std::string> dns = texts_in(data, "dns");
  for (std::size_t i = 0; i < dns.size(); ++i) {
    auto address = address_at(item_pointer("dns", i), dns[i]);
    if (!address) return tl::unexpected<Error>(std::move(address.error()));
    dns[i] = address->text(false);
  }
  return dns;
}

void read_ssh(const Json& ssh, domain::ServerRegister& event) {
  event.ssh_host = text_in(ssh, "host");
  event.ssh_port = int_in(ssh, "port", kDefaultSshPort);
  event.ssh_user = text_in(ssh, "user", kDefaultSshUser);
  event.ssh_host_key = text_in(ssh, "host_key");
  event.exec_prefix = text_in(ssh, "exec_prefix");
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
  if (!event.public_key.empty()) {
    if (auto key = check_key_at("/public_key", event.public_key); !key) return tl::unexpected<Error>(key.error());
  }
  if (auto endpoint = check_endpoint(event.endpoint); !endpoint) return tl::unexpected<Error>(endpoint.error());
  if (auto path = check_path(event.config_path); !path) return tl::unexpected<Error>(path.error());
  auto dns = read_dns(data);
  if (!dns) return tl::unexpected<Error>(std::move(dns.error()));
  event.dns = *std::move(dns);
  return event;
}

}  // namespace peerwright::events
