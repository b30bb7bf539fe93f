#include "links.hpp"

#include <algorithm>

#include "columns.hpp"

namespace peerwright::store {
namespace {

using domain::Id;
using wireguard::PeerConfig;

constexpr std::string_view kUnknown = "?";

std::string unknown_text(const std::set<std::string>& keys) {
  std::string text(kUnknown);
  for (const std::string& key : keys) text.append(" ").append(key);
  return text;
}

// What was seen of a key: nullopt where nothing is known of it.
std::optional<std::string> seen_of(const Shown& shown, const std::string& key) {
  const auto found = shown.keys.find(key);
  if (found == shown.keys.end()) return shown.complete ? std::optional<std::string>("") : std::nullopt;
  return found->second;
}

}  // namespace

struct Links::Verdict {
  bool touched = false;  // something was seen of one of its keys
  bool gone = false;     // unwanted, and off the host
  bool as_wanted = false;
  std::optional<std::string> proven;
};

Links Links::load(Tx& tx, Id server_id) {
  Links links;
  links.server_id_ = server_id;
  for (const auto& row : tx.run("links_on_server", server_id)) {
    RowReader read(row);
    Link link;
    link.id = read.number();
    link.public_key = read.text();
    link.allowed_ips = read.list();
    link.endpoint = read.text();
    link.resolved = read.text();
    link.resolve = read.flag();
    link.keepalive_seconds = read.small();
    link.wanted = read.flag();
    link.generation = read.number();
    link.applied_generation = read.number();
    link.refused_generation = read.number();
    if (!row[read.column()].is_null()) link.proven = text_at(row, read.column());
    links.links_.push_back(std::move(link));
  }
  if (!links.links_.empty()) {
    for (const auto& row : tx.run("links_own_way", server_id)) links.own_way_keys_.insert(text_at(row, 0));
  }
  return links;
}

// The keys that may stand on the host because of the row.
std::set<std::string> Links::keys_on_host(const Link& link) {
  std::set<std::string> keys;
  if (link.proven && !link.proven->empty()) {
    std::size_t begin = 0;
    const bool unknown = link.proven->starts_with(kUnknown);
    do {
      const std::size_t end = std::min(link.proven->find(' ', begin), link.proven->size());
      keys.insert(link.proven->substr(begin, end - begin));
      begin = end + 1;
    } while (unknown && begin < link.proven->size());
    keys.erase(std::string(kUnknown));
  }
  const bool absent = link.proven && link.proven->empty();
  if (!link.wanted && !link.public_key.empty() && !absent) keys.insert(link.public_key);
  return keys;
}

std::map<std::string, Links::Group> Links::groups() const {
  std::map<std::string, Group> groups;
  for (const Link& link : links_) {
    if (link.public_key.empty()) continue;
    Group& group = groups[link.public_key];
    (link.wanted ? group.wanted : group.unwanted).push_back(&link);
  }
  std::erase_if(groups, [](const auto& entry) { return entry.second.wanted.empty(); });
  for (auto& [key, group] : groups) {
    group.config.public_key = key;
    std::set<std::string> prefixes;
    for (const Link* link : group.wanted) {
      for (const std::string& text : link->allowed_ips) {
        const auto prefix = wireguard::Prefix::parse(text);
        prefixes.insert(prefix ? prefix->network().text() : text);
      }
      group.config.keepalive_seconds = std::max(group.config.keepalive_seconds, link->keepalive_seconds);
      if (group.endpoint.empty()) group.endpoint = link->endpoint;
    }
    group.config.allowed_ips.assign(prefixes.begin(), prefixes.end());
  }
  return groups;
}

Links::Plan Links::plan(bool again) const {
  Plan plan;
  auto groups = this->groups();
  std::set<std::string> removals;
  for (const Link& link : links_) {
    for (const std::string& key : keys_on_host(link)) {
      if (!groups.contains(key) && !own_way_keys_.contains(key)) removals.insert(key);
    }
    // Never known by a key, or absent already.
    if (!link.wanted && keys_on_host(link).empty()) plan.settled[link.public_key] = "";
  }
  plan.removals.assign(removals.begin(), removals.end());
  for (auto& [key, group] : groups) {
    bool pending = !group.unwanted.empty();
    bool as_wanted = true;
    bool resolve = false;
    bool refused = false;
    const std::string text = group.text();
    for (const Link* link : group.wanted) {
      pending = pending || link->pending();
      refused = refused || link->refused_generation >= link->generation;
      resolve = resolve || link->resolve;
      as_wanted = as_wanted && link->proven == text;
    }
    if (again) pending = pending || (resolve && !refused);
    if (!pending) continue;
    if (as_wanted && !(again && resolve)) {
      plan.settled[key] = wireguard::fingerprint(group.config);
      continue;
    }
    const bool same_endpoint = std::all_of(group.wanted.begin(), group.wanted.end(), [&](const Link* link) {
      return link->proven && link->proven->starts_with(link->public_key + ' ') &&
             proven_endpoint(link->proven, link->public_key) == group.endpoint;
    });
    if (resolve || !same_endpoint) group.config.endpoint = group.endpoint;
    plan.endpoints[key] = group.endpoint;
    plan.peers.push_back(std::move(group.config));
  }
  return plan;
}

std::vector<PeerConfig> Links::wanted() const {
  std::vector<PeerConfig> all;
  auto groups = this->groups();
  for (auto& [key, group] : groups) all.push_back(std::move(group.config));
  return all;
}

void Links::mark_pushed(Tx& tx, const std::set<std::string>& keys) {
  RowWriter rows;
  for (Link& link : links_) {
    std::set<std::string> may_stand = keys_on_host(link);
    const bool touched = keys.contains(link.public_key) ||
                         std::any_of(may_stand.begin(), may_stand.end(), [&](auto& key) { return keys.contains(key); });
    if (!touched) continue;
    if (!link.public_key.empty()) may_stand.insert(link.public_key);
    link.proven = unknown_text(may_stand);
    rows.add(link.id).add(*link.proven).end_row();
  }
  if (!rows.empty()) rows.run(tx, "links_mark_pushed");
}

Links::Verdict Links::judge(const Link& link, const std::map<std::string, Group>& groups, const Shown& shown) {
  Verdict verdict;
  std::set<std::string> left;  // keys that may stand there still and must not
  for (const std::string& key : keys_on_host(link)) {
    const auto seen = seen_of(shown, key);
    if (seen || shown.keys.contains(key)) verdict.touched = true;
    if (link.wanted && key == link.public_key) continue;
    const auto other = groups.find(key);
    const bool is_others = other != groups.end() && seen == wireguard::fingerprint(other->second.config);
    if (!(seen && seen->empty()) && !is_others) left.insert(key);
  }
  if (!link.wanted) {
    verdict.gone = left.empty();
    verdict.touched = verdict.touched || verdict.gone;
    if (!verdict.gone) verdict.proven = unknown_text(left);
    return verdict;
  }
  if (link.public_key.empty()) {
    verdict.proven = left.empty() ? std::string() : unknown_text(left);
    return verdict;
  }
  const Group& group = groups.at(link.public_key);
  const auto seen = seen_of(shown, link.public_key);
  verdict.touched = verdict.touched || shown.complete || shown.keys.contains(link.public_key);
  if (seen == wireguard::fingerprint(group.config) && left.empty()) {
    const bool pushed = shown.configured_endpoints.contains(link.public_key);
    const std::string endpoint =
        pushed ? shown.configured_endpoints.at(link.public_key) : proven_endpoint(link.proven, link.public_key);
    verdict.proven = proven_text(*seen, endpoint);
    verdict.as_wanted = *verdict.proven == group.text();
  } else if (seen && seen->empty() && left.empty()) {
    verdict.proven = "";
  } else {
    left.insert(link.public_key);
    verdict.proven = unknown_text(left);
  }
  return verdict;
}

std::size_t Links::store(Tx& tx, const Shown& shown, const std::map<std::string, std::string>& resolved,
                         const std::set<std::string>& unresolved) {
  RowWriter rows;
  Ids deleted;
  std::set<std::string> as_told;
  const auto groups = this->groups();
  for (Link& link : links_) {
    const Verdict verdict = judge(link, groups, shown);
    if (!verdict.touched) continue;
    if (verdict.gone) {
      deleted.push_back(link.id);
      as_told.insert(link.public_key);
      continue;
    }
    link.proven = verdict.proven;
    if (verdict.as_wanted) as_told.insert(link.public_key);
    if (!verdict.as_wanted) {
      link.applied_generation = std::min(link.applied_generation, link.generation - 1);
    } else if (link.generation <= shown.planned_generation && shown.firewall) {
      link.applied_generation = link.generation;
    }
    if (const auto pushed = resolved.find(link.public_key); pushed != resolved.end() && verdict.as_wanted) {
      link.resolved = pushed->second;
      link.resolve = false;
    }
    if (unresolved.contains(link.public_key)) link.resolve = true;
    rows.add(link.id).add(link.proven).add(link.applied_generation).add(link.resolved).add(link.resolve).end_row();
  }
  if (!rows.empty()) rows.run(tx, "links_store");
  normalise(deleted);
  if (!deleted.empty()) tx.run("links_delete", array_of(deleted));
  std::erase_if(links_, [&](const Link& link) { return std::binary_search(deleted.begin(), deleted.end(), link.id); });
  return as_told.size();
}

}  // namespace peerwright::store
