#include "peerwright/wireguard/client_config.hpp"

namespace peerwright::wireguard {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// A line of the file; none where there is nothing to say.
void add_line(std::string& text, std::string_view name, std::string_view value) {
  if (!value.empty()) text.append(name).append(" = ").append(value).append("\n");
}

}  // namespace

Secret render_client_config(const ClientConfig& config) {
  const std::string addresses = joined(config.addresses);
  const std::string dns = joined(config.dns);
  const std::string routes = joined(config.routes);
  constexpr std::size_t kNamesAndKeysBytes = 512;
  std::string text;
  // Room for all of it, for a string that grows leaves copies of the private key behind.
  text.reserve(kNamesAndKeysBytes + addresses.size() + dns.size() + routes.size() + config.endpoint.size() +
               config.private_key.size() + config.preshared_key.size() + config.server_public_key.size());

  text += "[Interface]\n";
  add_line(text, "PrivateKey",
           config.private_key.empty() ? std::string_view(kPrivateKeyPlaceholder) : config.private_key.reveal());
  add_line(text, "Address", addresses);
  add_line(text, "DNS", dns);
  if (config.mtu) add_line(text, "MTU", std::to_string(*config.mtu));

  text += "\n[Peer]\n";
  add_line(text, "PublicKey", config.server_public_key);
  add_line(text, "PresharedKey", config.preshared_key.reveal());
  add_line(text, "AllowedIPs", routes);
  add_line(text, "Endpoint", config.endpoint);
  if (config.keepalive_seconds > 0) {
    add_line(text, "PersistentKeepalive", std::to_string(config.keepalive_seconds));
  }
  Secret secret(text);
  wipe(text);
  return secret;
}

}  // namespace peerwright::wireguard
