#include "peerwright/wireguard/firewall.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/prefix.hpp"

namespace peerwright::wireguard {
namespace {

constexpr const char* kMarkChain = "text_";  // the chain whose name carries the text's hash
constexpr const char* kNoAddress = "?";      // for what is no prefix: nft refuses the text
constexpr std::size_t kElementsPerLine = 6;
constexpr std::size_t kMaxCommentChars = 100;  // nft takes 128
constexpr const char* kAccept = "accept";
constexpr const char* kDrop = "drop";

// What an address of each family is called in nft.
struct Family {
  bool is_ipv4;
  const char* match;
  const char* suffix;
  const char* set_type;
};
constexpr Family kFamilies[] = {{true, "ip", "4", "ipv4_addr"}, {false, "ip6", "6", "ipv6_addr"}};

// Prefixes of both families. Each list is sorted and has none that lies in another, for nft takes no overlap in a set.
struct Networks {
  std::vector<std::string> ipv4;
  std::vector<std::string> ipv6;
  auto operator<=>(const Networks&) const = default;
  [[nodiscard]] bool empty() const { return ipv4.empty() && ipv6.empty(); }
  [[nodiscard]] const std::vector<std::string>& of(const Family& family) const { return family.is_ipv4 ? ipv4 : ipv6; }
};

Networks networks_of(const std::vector<std::string>& texts) {
  Networks networks;
  std::set<Prefix> prefixes;  // the shorter before the longer
  for (const auto& text : texts) {
    if (const auto prefix = Prefix::parse(text)) {
      prefixes.insert(prefix->network());
    } else {
      networks.ipv4.assign(1, kNoAddress);
      networks.ipv6.assign(1, kNoAddress);
    }
  }
  std::map<bool, std::set<int>> lengths;  // of those kept, by family
  for (const auto& prefix : prefixes) {
    auto& shorter = lengths[prefix.is_ipv4()];
    const bool lies_in_another = std::any_of(shorter.begin(), shorter.end(), [&](int length) {
      return length < prefix.length() && prefixes.contains(prefix.widened(length));
    });
    if (lies_in_another) continue;
    shorter.insert(prefix.length());
    (prefix.is_ipv4() ? networks.ipv4 : networks.ipv6).push_back(prefix.text(false));
  }
  return networks;
}

// "{ a, b }", over as many lines as it takes; one alone stands without braces where `bare`.
std::string elements(const std::vector<std::string>& words, bool bare) {
  if (bare && words.size() == 1) return words[0];
  std::string text = "{ ";
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i % kElementsPerLine == 0 ? ",\n\t\t\t" : ", ";
    text += words[i];
  }
  return text + " }";
}

std::string in_quotes(const std::string& name) { return '"' + name + '"'; }

// " tcp dport 443", or nothing where every protocol and port is meant.
std::string service(RuleProtocol protocol, const std::vector<std::string>& ports) {
  if (ports.empty()) {
    if (protocol == RuleProtocol::any) return "";
    return protocol == RuleProtocol::tcp ? " meta l4proto tcp" : " meta l4proto udp";
  }
  if (protocol == RuleProtocol::any) return " meta l4proto { tcp, udp } th dport " + elements(ports, true);
  return (protocol == RuleProtocol::tcp ? " tcp dport " : " udp dport ") + elements(ports, true);
}

std::string service(RuleProtocol protocol, int port) {
  return service(protocol, port == 0 ? std::vector<std::string>() : std::vector<std::string>{std::to_string(port)});
}

std::string comment(std::string_view name) {
  if (name.empty()) return "";
  std::string text;
  for (const char c : name.substr(0, kMaxCommentChars)) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      std::string_view(" _.:/+-").find(c) != std::string_view::npos;
    text += good ? c : '_';
  }
  return " comment " + in_quotes(text);
}

using GardenServices = std::map<std::pair<RuleProtocol, int>, Networks>;  // by protocol and port

class Writer {
 public:
  explicit Writer(const Firewall& firewall)
      : firewall_(firewall), interface_(in_quotes(firewall.interface)), forbidden_(networks_of(firewall.forbidden)) {
    collect_gardens();
  }

  // All that stands between the table's braces.
  std::string body() {
    sets("forbidden", forbidden_);
    for (std::size_t i = 0; i < gardens_.size(); ++i) sets(garden_name(i) + "_", gardens_[i].second);
    const bool has_rules = !firewall_.rules.empty() || firewall_.default_action;
    for (std::size_t i = 0; i < gardens_.size(); ++i) garden(i);
    if (!gardens_.empty()) to_garden();
    if (has_rules) rules();
    if (!forbidden_.empty() || !gardens_.empty() || has_rules) forward(has_rules);
    if (!forbidden_.empty() || !gardens_.empty() || !firewall_.tunnel_only_ports.empty()) input();
    if (firewall_.masquerade && !firewall_.tunnel_networks.empty()) masquerade();
    return std::move(text_);
  }

 private:
  void line(const std::string& words) { text_.append("\t\t").append(words).append("\n"); }
  void open(const std::string& what) { text_.append("\t").append(what).append(" {\n"); }
  void close() { text_.append("\t}\n"); }
  static std::string garden_name(std::size_t place) { return "garden" + std::to_string(place + 1); }

  // Gardens with the same destinations are one.
  void collect_gardens() {
    std::map<GardenServices, std::vector<std::string>> by_services;
    for (const auto& garden : firewall_.gardens) {
      if (garden.addresses.empty()) continue;
      std::map<std::pair<RuleProtocol, int>, std::vector<std::string>> prefixes;
      for (const auto& to : garden.destinations) prefixes[{to.protocol, to.port}].push_back(to.prefix);
      GardenServices services;
      for (const auto& [service, texts] : prefixes) services[service] = networks_of(texts);
      auto& addresses = by_services[services];
      addresses.insert(addresses.end(), garden.addresses.begin(), garden.addresses.end());
    }
    for (const auto& [services, addresses] : by_services) gardens_.emplace_back(services, networks_of(addresses));
  }

  void sets(const std::string& name, const Networks& networks) {
    for (const auto& family : kFamilies) {
      if (networks.of(family).empty()) continue;
      open("set " + name + family.suffix);
      line(std::string("type ") + family.set_type);
      line("flags interval");
      line("elements = " + elements(networks.of(family), false));
      close();
    }
  }

  // WHO ip daddr @SET VERDICT, for each family that has one.
  void by_set(const std::string& before, const char* direction, const std::string& name, const Networks& networks,
              const std::string& after) {
    for (const auto& family : kFamilies) {
      if (networks.of(family).empty()) continue;
      line(before + " " + family.match + " " + direction + " @" + name + family.suffix + " " + after);
    }
  }

  // Where a gardened peer may go, also on the host itself.
  void garden(std::size_t place) {
    open("chain " + garden_name(place));
    line("ct state related accept");
    for (const auto& [to, networks] : gardens_[place].first) {
      for (const auto& family : kFamilies) {
        if (networks.of(family).empty()) continue;
        line(std::string(family.match) + " daddr " + elements(networks.of(family), true) +
             service(to.first, to.second) + " " + kAccept);
      }
    }
    line(kDrop);
    close();
  }

  // What goes to a gardened peer: replies. That alone would let a connection of before go on, but not what the peer
  // says in it.
  void to_garden() {
    open("chain to_garden");
    replies();
    line(kDrop);
    close();
  }

  void replies() {
    line("ct state related accept");
    line("ct state established ct direction reply accept");
  }

  void forward(bool has_rules) {
    open("chain forward");
    line("type filter hook forward priority 0; policy accept;");
    by_set("iifname " + interface_, "daddr", "forbidden", forbidden_, kDrop);
    for (std::size_t i = 0; i < gardens_.size(); ++i) {
      by_set("iifname " + interface_, "saddr", garden_name(i) + "_", gardens_[i].second, "goto " + garden_name(i));
    }
    for (std::size_t i = 0; i < gardens_.size(); ++i) {
      by_set("oifname " + interface_, "daddr", garden_name(i) + "_", gardens_[i].second, "goto to_garden");
    }
    if (has_rules) {
      line("iifname " + interface_ + " goto rules");
      line("oifname " + interface_ + " goto rules");
    }
    close();
  }

  // Replies only, not all that is established: so a new denying rule also ends what goes on.
  void rules() {
    std::set<std::tuple<int, bool, std::string>> sorted;
    for (const auto& rule : firewall_.rules) {
      sorted.emplace(rule.priority, rule.action == RuleAction::allow, rule_lines(rule));
    }
    open("chain rules");
    replies();
    for (const auto& [priority, allows, lines] : sorted) text_ += lines;
    if (firewall_.default_action) {
      line("iifname " + interface_ + " oifname " + interface_ + " " +
           (*firewall_.default_action == RuleAction::deny ? kDrop : kAccept));
    }
    close();
  }

  // A line for each family that both ends have: between two families nothing goes.
  [[nodiscard]] std::string rule_lines(const FirewallRule& rule) const {
    const Networks sources = networks_of(rule.sources);
    const Networks destinations = networks_of(rule.destinations);
    const std::string after = service(rule.protocol, rule.port) + " " +
                              (rule.action == RuleAction::deny ? kDrop : kAccept) + comment(rule.name) + "\n";
    const std::string from = "\t\tiifname " + interface_;
    const std::string to = " oifname " + interface_;
    if (sources.empty() && destinations.empty()) return from + to + after;
    std::string lines;
    for (const auto& family : kFamilies) {
      if (!sources.empty() && sources.of(family).empty()) continue;
      if (!destinations.empty() && destinations.of(family).empty()) continue;
      const std::string match = family.match;
      lines += sources.empty() ? from : "\t\t" + match + " saddr " + elements(sources.of(family), true);
      lines += destinations.empty() ? to : " " + match + " daddr " + elements(destinations.of(family), true);
      lines += after;
    }
    return lines;
  }

  void input() {
    open("chain input");
    line("type filter hook input priority 0; policy accept;");
    by_set("iifname " + interface_, "daddr", "forbidden", forbidden_, kDrop);
    for (std::size_t i = 0; i < gardens_.size(); ++i) {
      // The host may look at a gardened peer.
      by_set("iifname " + interface_ + " ct state established ct direction reply", "saddr", garden_name(i) + "_",
             gardens_[i].second, kAccept);
      by_set("iifname " + interface_, "saddr", garden_name(i) + "_", gardens_[i].second, "goto " + garden_name(i));
    }
    std::map<RuleProtocol, std::set<int>> ports;
    for (const auto& use : firewall_.tunnel_only_ports) ports[use.protocol].insert(use.port);
    for (const auto& [protocol, numbers] : ports) {
      std::vector<std::string> words;
      for (const int number : numbers) words.push_back(std::to_string(number));
      line("iifname != { \"lo\", " + interface_ + " }" + service(protocol, words) + " " + kDrop);
    }
    close();
  }

  void masquerade() {
    const Networks networks = networks_of(firewall_.tunnel_networks);
    open("chain postrouting");
    line("type nat hook postrouting priority 100; policy accept;");
    for (const auto& family : kFamilies) {
      if (networks.of(family).empty()) continue;
      line("oifname != { \"lo\", " + interface_ + " } " + family.match + " saddr " +
           elements(networks.of(family), true) + " masquerade");
    }
    close();
  }

  const Firewall& firewall_;
  std::string interface_;  // quoted
  Networks forbidden_;
  std::vector<std::pair<GardenServices, Networks>> gardens_;
  std::string text_;
};

std::string mark_line(const std::string& hash) { return std::string("\tchain ") + kMarkChain + hash + " {}\n"; }

}  // namespace

bool Firewall::empty() const {
  const bool has_gardens =
      std::any_of(gardens.begin(), gardens.end(), [](const Garden& garden) { return !garden.addresses.empty(); });
  return default_action != RuleAction::deny && rules.empty() && !has_gardens && forbidden.empty() &&
         tunnel_only_ports.empty() && (!masquerade || tunnel_networks.empty());
}

std::string firewall_table(std::string_view interface) {
  std::string name = "peerwright_";
  for (const char c : interface) {
    // No interface has a slash in its name, so nothing else gets the same one.
    if (c == '+') {
      name += "/p";
    } else if (c == '=') {
      name += "/e";
    } else {
      name += c;
    }
  }
  return name;
}

std::string render_firewall(const Firewall& firewall) {
  if (firewall.empty()) return "";
  const std::string table = "table inet " + firewall_table(firewall.interface);
  const std::string head = table + " {}\ndelete " + table + "\n" + table + " {\n";
  const std::string rest = Writer(firewall).body() + "}\n";
  return head + mark_line(sha256_hex(head + rest)) + rest;
}

std::string firewall_hash(const std::string& text) {
  const std::string start = std::string("\n\tchain ") + kMarkChain;
  const std::size_t at = text.find(start);
  if (at == std::string::npos) return text.empty() ? "" : sha256_hex(text);
  const std::size_t end = text.find('\n', at + 1);
  return sha256_hex(text.substr(0, at) + (end == std::string::npos ? "\n" : text.substr(end)));
}

}  // namespace peerwright::wireguard
