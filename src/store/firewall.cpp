#include "firewall.hpp"

#include <map>

#include "columns.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using wireguard::Firewall;

constexpr int kRuleColumns = 11;

// An address as a row names it: network and offset; nothing where either is missing.
struct Place {
  std::optional<Id> network_id;
  std::optional<std::int64_t> offset;
};

Place place_from(RowReader& read) {
  Place place;
  place.network_id = read.maybe_number();
  place.offset = read.maybe_number();
  return place;
}

std::vector<std::string> addresses_at(const Place& place, const domain::State& state) {
  std::vector<std::string> addresses;
  const domain::Network* network = place.network_id ? state.network(*place.network_id) : nullptr;
  if (network == nullptr || !place.offset) return addresses;
  for (const auto& net : {network->net4, network->net6}) {
    const auto address = net ? net->at(*place.offset) : std::nullopt;
    if (address) addresses.push_back(address->text());
  }
  return addresses;
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

void add_gardens(Tx& tx, domain::State& state, const domain::Server& server, bool carried_on, Firewall& firewall) {
  std::map<Id, wireguard::Garden> gardens;  // by tenant
  for (const auto& row : tx.run(carried_on ? "plan_walled" : "firewall_walled", server.id)) {
    RowReader read(row);
    wireguard::Garden& garden = gardens[read.number()];
    append(garden.addresses, addresses_at(place_from(read), state));
    append(garden.addresses, read.list());
  }
  Ids tenants;
  for (const auto& [tenant_id, garden] : gardens) tenants.push_back(tenant_id);
  load_tenants(tx, tenants, state);
  for (auto& [tenant_id, garden] : gardens) {
    const domain::Tenant* tenant = state.tenant(tenant_id);
    if (tenant != nullptr) garden.destinations = tenant->garden;
    firewall.gardens.push_back(std::move(garden));
  }
}

struct LoadedRule {
  domain::AccessRule rule;
  std::string tenant;
  Place source;
  Place dest;
};

std::vector<LoadedRule> load_rules(Tx& tx, domain::State& state, const domain::Server& server, bool carried_on) {
  std::vector<LoadedRule> rules;
  Ids networks;
  for (const auto& row : tx.run(carried_on ? "plan_rules" : "firewall_rules", server.id)) {
    RowReader read(row, kRuleColumns);
    LoadedRule loaded;
    loaded.rule = rule_from(row);
    loaded.tenant = read.text();
    loaded.source = place_from(read);
    loaded.dest = place_from(read);
    for (const Place& place : {loaded.source, loaded.dest}) {
      if (place.network_id && state.network(*place.network_id) == nullptr) networks.push_back(*place.network_id);
    }
    rules.push_back(std::move(loaded));
  }
  normalise(networks);
  load_networks(tx, networks, state);
  return rules;
}

// All addresses on the server of the tenants that have a rule for all of their peers.
std::map<Id, std::vector<std::string>> load_addresses(Tx& tx, const domain::State& state, const domain::Server& server,
                                                      const std::vector<LoadedRule>& rules, bool carried_on) {
  std::map<Id, std::vector<std::string>> addresses;
  Ids tenants;
  for (const LoadedRule& loaded : rules) {
    if (!loaded.rule.source_peer_id || !loaded.rule.dest_peer_id) tenants.push_back(loaded.rule.tenant_id);
  }
  normalise(tenants);
  if (tenants.empty()) return addresses;
  for (const auto& row : tx.run(carried_on ? "plan_addresses" : "firewall_addresses", server.id, array_of(tenants))) {
    RowReader read(row);
    const Id tenant_id = read.number();
    append(addresses[tenant_id], addresses_at(place_from(read), state));
  }
  return addresses;
}

void add_rules(Tx& tx, domain::State& state, const domain::Server& server, bool carried_on, Firewall& firewall) {
  const auto rules = load_rules(tx, state, server, carried_on);
  const auto all = load_addresses(tx, state, server, rules, carried_on);
  const auto ends = [&](const LoadedRule& loaded, const std::optional<Id>& peer_id, const Place& place) {
    if (peer_id) return addresses_at(place, state);
    const auto found = all.find(loaded.rule.tenant_id);
    return found != all.end() ? found->second : std::vector<std::string>();
  };
  for (const LoadedRule& loaded : rules) {
    wireguard::FirewallRule rule;
    rule.sources = ends(loaded, loaded.rule.source_peer_id, loaded.source);
    rule.destinations = ends(loaded, loaded.rule.dest_peer_id, loaded.dest);
    // Nobody to speak of; an empty list would mean everybody.
    if (rule.sources.empty() || rule.destinations.empty()) continue;
    rule.protocol = loaded.rule.dest_protocol;
    rule.port = loaded.rule.dest_port;
    rule.action = loaded.rule.action;
    rule.priority = loaded.rule.priority;
    rule.name = loaded.tenant + '/' + loaded.rule.name;
    firewall.rules.push_back(std::move(rule));
  }
}

}  // namespace

std::string refused_text(const std::string& code, const std::string& hash) { return code + ' ' + hash; }

std::string refused_code(const KnownFirewall& known, const std::string& wanted_hash) {
  const std::size_t space = known.refused.find(' ');
  if (space == std::string::npos || known.refused.substr(space + 1) != wanted_hash) return {};
  return known.refused.substr(0, space);
}

bool is_due(const KnownFirewall& known, const std::string& wanted_hash) {
  return known.hash != wanted_hash || (!known.known && !wanted_hash.empty());
}

bool shows_firewall(const wireguard::HostAnswer& answer, const std::string& wanted_hash) {
  return answer.firewall_loaded == wanted_hash && answer.firewall_file == wanted_hash &&
         answer.firewall_state.empty() == wanted_hash.empty();
}

KnownFirewall seen_firewall(const KnownFirewall& before, const wireguard::HostAnswer& answer,
                            const std::string& wanted_hash, bool carried) {
  KnownFirewall seen = before;
  if (answer.firewall_loaded == wireguard::kUnreadableHash) {  // only of the saved text is anything known
    seen.known = false;
    if (answer.firewall_file != wanted_hash) seen.hash = answer.firewall_file;
    return seen;
  }
  const bool changed_since =
      !before.state.empty() && before.hash == wanted_hash && before.state != answer.firewall_state;
  const bool noted_before = !before.hash.empty() && before.hash == answer.firewall_state;
  const bool by_hand = !carried && (changed_since || noted_before);
  seen.state = answer.firewall_state;
  seen.known = !by_hand && shows_firewall(answer, wanted_hash);
  if (seen.known) {
    seen.hash = wanted_hash;
    seen.refused.clear();
    return seen;
  }
  // Whatever stands there, it is not the wanted one: also where none is wanted.
  seen.hash = answer.firewall_state;
  for (const std::string* shown : {&answer.firewall_file, &answer.firewall_loaded}) {
    if (!shown->empty() && *shown != wanted_hash) seen.hash = *shown;
  }
  return seen;
}

std::string wanted_firewall(Tx& tx, domain::State& state, const domain::Server& server, const FirewallNeeds& needs) {
  const domain::Network& network = *state.network(*server.network_id);
  Firewall firewall;
  firewall.interface = server.interface;
  firewall.default_action = server.default_action;
  firewall.tunnel_only_ports = server.tunnel_only_ports;
  firewall.masquerade = server.masquerade;
  for (const auto& prefix : network.forbidden) firewall.forbidden.push_back(prefix.text());
  for (const auto& net : {network.net4, network.net6}) {
    if (net) firewall.tunnel_networks.push_back(net->text());
  }
  if (needs.walled) add_gardens(tx, state, server, needs.carried_on, firewall);
  if (needs.rules) add_rules(tx, state, server, needs.carried_on, firewall);
  return wireguard::render_firewall(firewall);
}

}  // namespace peerwright::store
