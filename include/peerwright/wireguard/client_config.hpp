#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/secret.hpp"

namespace peerwright::wireguard {

// All that a client's configuration file (wg-quick(8)) says.
struct ClientConfig {
  Secret private_key;                  // empty: the placeholder line is written instead
  std::vector<std::string> addresses;  // with prefix length
  std::vector<std::string> dns;        // may be empty
  std::optional<int> mtu;
  std::string server_public_key;
  Secret preshared_key;             // may be empty
  std::string endpoint;             // host:port
  std::vector<std::string> routes;  // the client's AllowedIPs
  int keepalive_seconds = 0;        // 0: the line is left out
};

inline constexpr const char* kPrivateKeyPlaceholder = "REPLACE_WITH_YOUR_PRIVATE_KEY";

// The file's text. A Secret, for it may hold the private key.
Secret render_client_config(const ClientConfig& config);

// The same as commands for RouterOS 7 (MikroTik), to be pasted or imported: the interface, its peer, its addresses, a
// route for each of the client's AllowedIPs, and the router's DNS servers where `dns` names addresses. Where
// a route is /0, the router must have another one to the endpoint itself.
Secret render_routeros(const ClientConfig& config, std::string_view interface_name);

}  // namespace peerwright::wireguard
