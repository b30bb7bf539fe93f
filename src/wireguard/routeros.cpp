#include <algorithm>

#include "peerwright/wireguard/client_config.hpp"
#include "peerwright/wireguard/prefix.hpp"

namespace peerwright::wireguard {
namespace {

constexpr std::size_t kCommandBytes = 96;  // of one command without its values
constexpr std::size_t kQuotedCharBytes = 3;

// A RouterOS string: what could end it, start a variable or a command, or ask for help is written as its hex value.
void add_quoted(std::string& text, std::string_view value) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  text += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      std::string_view(" _.,:/+=-@").find(c) != std::string_view::npos;
    if (good) {
      text += c;
    } else {
      text.append("\\").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 15U]);
    }
  }
  text += '"';
}

// ` NAME="VALUE"`; nothing where there is no value.
void add_value(std::string& text, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  text.append(" ").append(name).append("=");
  add_quoted(text, value);
}

void add_number(std::string& text, std::string_view name, std::string_view value) {
  text.append(" ").append(name).append("=").append(value);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : ",").append(word);
  return text;
}

bool is_ipv6(std::string_view prefix) { return prefix.find(':') != std::string_view::npos; }

// `host:port` or `[address]:port`.
void add_endpoint(std::string& text, std::string_view endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (endpoint.empty() || colon == std::string_view::npos) {
    add_value(text, "endpoint-address", endpoint);
    return;
  }
  std::string_view host = endpoint.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  add_value(text, "endpoint-address", host);
  add_value(text, "endpoint-port", endpoint.substr(colon + 1));
}

std::vector<std::string> only_addresses(const std::vector<std::string>& words) {
  std::vector<std::string> addresses;
  std::copy_if(words.begin(), words.end(), std::back_inserter(addresses),
               [](const std::string& word) { return Prefix::parse(word).has_value(); });
  return addresses;
}

std::size_t most_bytes(const ClientConfig& config, std::string_view interface_name) {
  std::size_t values = config.private_key.size() + config.preshared_key.size() + config.server_public_key.size() +
                       config.endpoint.size() + std::string_view(kPrivateKeyPlaceholder).size();
  std::size_t commands = 6;
  for (const auto* list : {&config.addresses, &config.dns, &config.routes, &config.routes}) {
    commands += list->size();
    for (const auto& word : *list) values += word.size() + 1;
  }
  return commands * (kCommandBytes + interface_name.size() * kQuotedCharBytes) + values * kQuotedCharBytes;
}

}  // namespace

Secret render_routeros(const ClientConfig& config, std::string_view interface_name) {
  std::string text;
  // Room for all of it, for a string that grows leaves copies of the private key behind.
  text.reserve(most_bytes(config, interface_name));
  text += "/interface wireguard add";
  add_value(text, "name", interface_name);
  add_value(text, "private-key",
            config.private_key.empty() ? std::string_view(kPrivateKeyPlaceholder) : config.private_key.reveal());
  if (config.mtu) add_number(text, "mtu", std::to_string(*config.mtu));
  text += "\n/interface wireguard peers add";
  add_value(text, "interface", interface_name);
  add_value(text, "public-key", config.server_public_key);
  add_value(text, "preshared-key", config.preshared_key.reveal());
  add_endpoint(text, config.endpoint);
  add_value(text, "allowed-address", joined(config.routes));
  if (config.keepalive_seconds > 0) {
    add_number(text, "persistent-keepalive", std::to_string(config.keepalive_seconds) + "s");
  }
  text += "\n";
  for (const auto& address : config.addresses) {
    text += is_ipv6(address) ? "/ipv6 address add" : "/ip address add";
    add_value(text, "address", address);
    add_value(text, "interface", interface_name);
    text += is_ipv6(address) ? " advertise=no\n" : "\n";
  }
  for (const auto& route : config.routes) {
    text += is_ipv6(route) ? "/ipv6 route add" : "/ip route add";
    add_value(text, "dst-address", route);
    add_value(text, "gateway", interface_name);
    text += "\n";
  }
  const auto dns = only_addresses(config.dns);
  if (!dns.empty()) {
    text += "/ip dns set";
    add_value(text, "servers", joined(dns));
    text += "\n";
  }
  Secret secret(text);
  wipe(text);
  return secret;
}

}  // namespace peerwright::wireguard
