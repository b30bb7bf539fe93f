#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The one nftables table that belongs to a WireGuard interface on a host, as text for `nft -f -`: pure text. It neither
// opens what another table closes nor touches one.
namespace peerwright::wireguard {

enum class RuleAction { allow, deny };
enum class RuleProtocol { any, tcp, udp };

// A port of the host itself that is reached through the tunnel only. What a container publishes by address translation
// is forwarded, not received, and so is none.
struct PortUse {
  RuleProtocol protocol = RuleProtocol::any;  // any: TCP and UDP
  int port = 0;                               // 1 to 65535
};

// What is forwarded from or to the interface. Replies to what was let through need no rule.
struct FirewallRule {
  std::vector<std::string> sources;       // prefixes; empty: any peer of the interface
  std::vector<std::string> destinations;  // the same
  RuleProtocol protocol = RuleProtocol::any;
  int port = 0;  // of the destination; 0: any; with RuleProtocol::any one of TCP or UDP
  RuleAction action = RuleAction::allow;
  int priority = 0;  // lower first; of the same priority, the denying ones first
  std::string name;  // shown by `nft list table`; may be empty
};

struct GardenDestination {
  std::string prefix;
  RuleProtocol protocol = RuleProtocol::any;
  int port = 0;  // 0: any
};

// Peers in a walled garden: they reach these destinations and nothing else, and only what they begin themselves (or the
// host itself begins) gets replies. No rule opens or closes anything for them.
struct Garden {
  std::vector<std::string> addresses;
  std::vector<GardenDestination> destinations;
};

struct Firewall {
  std::string interface;                     // wg0
  std::optional<RuleAction> default_action;  // from peer to peer where no rule matches; nullopt: not filtered
  std::vector<FirewallRule> rules;
  std::vector<Garden> gardens;
  std::vector<std::string> forbidden;  // prefixes that nothing out of the tunnel reaches, whatever else is said
  std::vector<PortUse> tunnel_only_ports;
  bool masquerade = false;                   // translate what leaves `tunnel_networks` by another interface
  std::vector<std::string> tunnel_networks;  // prefixes, both families
  // Whether it lets everything through, as no table does: also with a default of `allow` and nothing else.
  [[nodiscard]] bool empty() const;
};

// "peerwright_wg0": the table's name. Characters of an interface that nft does not take in a name are replaced, two
// different interfaces never get one name.
std::string firewall_table(std::string_view interface);

// The text that replaces the whole table in one transaction; "" when empty(): no table is wanted. The order of lists
// (and what they have twice) does not matter: equal states give equal text. What is no prefix or port makes a text that
// nft refuses, never one that lets more through. The table holds an empty chain "text_HASH", with firewall_hash() of
// the text, which `nft list table` shows again.
std::string render_firewall(const Firewall& firewall);

// SHA-256, in hexadecimal, of the text without the line of its own hash; "" for "". Equal to HostAnswer's
// firewall_loaded and firewall_file where the text is loaded and saved.
std::string firewall_hash(const std::string& text);

}  // namespace peerwright::wireguard
