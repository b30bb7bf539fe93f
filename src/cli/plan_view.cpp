#include "plan_view.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <map>

#include "rows.hpp"

namespace peerwright::cli {
namespace {

using store::PlanAction;
using store::PlannedEvent;
using store::PlannedPeer;
using store::PlannedServer;
using Fate = PlannedEvent::Fate;

bool refused(const PlannedEvent& event) {
  return event.fate == Fate::rejected || event.fate == Fate::kept || event.fate == Fate::dead_letter;
}

struct Totals {
  std::size_t removed = 0, changed = 0, added = 0, firewalls = 0, keys = 0;

  void count(const PlannedServer& server) {
    for (const PlannedPeer& peer : server.peers) {
      ++(peer.action == PlanAction::remove ? removed : peer.action == PlanAction::change ? changed : added);
    }
    firewalls += server.firewall ? 1 : 0;
    keys += server.interface_key ? 1 : 0;
  }
  [[nodiscard]] std::string text() const {
    return std::to_string(removed) + " removed, " + std::to_string(changed) + " changed, " + std::to_string(added) +
           " added";
  }
  [[nodiscard]] Json row() const {
    return {{"removed", removed},
            {"changed", changed},
            {"added", added},
            {"firewalls", firewalls},
            {"interface_keys", keys}};
  }
};

// "SOURCE/ID" and type, as far as they could be read.
struct Named {
  explicit Named(const store::Arrival& arrival) : sender(events::sender_of(arrival.raw)) {}
  [[nodiscard]] std::string text() const { return sender.source + '/' + sender.id + ' ' + sender.type; }
  events::Sender sender;
};

Json row_of_event(const PlannedEvent& event, const store::Arrival& arrival, const std::string& place) {
  const Named named(arrival);
  return {{"place", place},
          {"source", or_null(named.sender.source)},
          {"id", or_null(named.sender.id)},
          {"type", or_null(named.sender.type)},
          {"outcome", store::name_of(event.fate)},
          {"code", or_null(event.code)},
          {"message", or_null(event.message)},
          {"remedy", or_null(event.remedy)},
          {"alert", or_null(event.alert)}};
}

Json row_of_peer(const PlannedPeer& peer) {
  return {{"action", store::name_of(peer.action)},
          {"kind", peer.foreign          ? "foreign"
                   : peer.tenant.empty() ? "node"
                                         : "peer"},
          {"tenant", or_null(peer.tenant)},
          {"name", peer.foreign ? Json() : Json(peer.name)},
          {"public_key", or_null(peer.public_key)},
          {"allowed_ips", peer.allowed_ips},
          {"changes", peer.changes},
          {"why", or_null(peer.why)},
          {"cause", or_null(peer.cause)}};
}

Json row_of_server(const PlannedServer& server) {
  Totals totals;
  totals.count(server);
  Json peers = Json::array();
  for (const PlannedPeer& peer : server.peers) peers.push_back(row_of_peer(peer));
  return {{"server", server.name},
          {"registered", server.registered},
          {"read_first", server.read_first},
          {"held", server.held},
          {"abandoned", server.abandoned},
          {"firewall", server.firewall},
          {"interface_key", server.interface_key},
          {"removed", totals.removed},
          {"changed", totals.changed},
          {"added", totals.added},
          {"peers", std::move(peers)}};
}

Totals totals_of(const store::Plan& plan) {
  Totals totals;
  for (const PlannedServer& server : plan.servers) totals.count(server);
  return totals;
}

std::map<std::string, std::size_t> outcomes_of(const store::Plan& plan) {
  std::map<std::string, std::size_t> outcomes;
  for (const PlannedEvent& event : plan.events) ++outcomes[store::name_of(event.fate)];
  return outcomes;
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string counted(std::size_t count, const std::string& thing) {
  return std::to_string(count) + ' ' + thing + (count == 1 ? "" : "s");
}

void say(const std::string& line) { std::cout << printable(line) << '\n'; }

void print_peer(const PlannedPeer& peer) {
  static const std::map<PlanAction, char> kMarks{
      {PlanAction::add, '+'}, {PlanAction::change, '~'}, {PlanAction::remove, '-'}};
  const std::string whose = peer.foreign          ? "key " + peer.public_key
                            : peer.tenant.empty() ? "node " + peer.name
                                                  : "peer " + peer.tenant + '/' + peer.name;
  std::string line = std::string("  ") + kMarks.at(peer.action) + ' ' + whose;
  if (!peer.allowed_ips.empty()) line += "  " + joined(peer.allowed_ips);
  std::string why = peer.action == PlanAction::change ? joined(peer.changes) : peer.why;
  if (!peer.cause.empty()) why += (why.empty() ? "" : ": ") + peer.cause;
  say(line + (why.empty() ? "" : "  (" + why + ')'));
}

void print_server(const PlannedServer& server, std::size_t limit) {
  std::vector<std::string> notes;
  if (server.registered) notes.emplace_back("registered by these events");
  if (server.read_first) notes.emplace_back("read before anything is changed");
  if (server.held) notes.emplace_back("in maintenance: nothing is pushed until that ends");
  if (server.abandoned) notes.emplace_back("given up on an operator's word: nothing is pushed");
  say(server.name + (notes.empty() ? "" : "  (" + joined(notes) + ')'));
  for (std::size_t i = 0; i < std::min(limit, server.peers.size()); ++i) print_peer(server.peers[i]);
  if (server.peers.size() > limit) say("  ... and " + std::to_string(server.peers.size() - limit) + " more");
  if (server.firewall) say("  ~ firewall");
  if (server.interface_key) say("  ~ interface key");
  Totals totals;
  totals.count(server);
  say("  " + totals.text());
}

void print_refusals(const PlanShown& shown) {
  bool first = true;
  for (std::size_t i = 0; i < shown.plan.events.size(); ++i) {
    const PlannedEvent& event = shown.plan.events[i];
    if (!refused(event)) continue;
    if (std::exchange(first, false)) say("not executed");
    say("  " + shown.places[i] + ' ' + Named(shown.arrivals[i]).text() + ": " + store::name_of(event.fate) + ", " +
        event.code + ": " + event.message);
    if (!event.remedy.empty()) say("    remedy: " + event.remedy);
  }
}

}  // namespace

bool has_differences(const store::Plan& plan) {
  return !plan.servers.empty() || std::any_of(plan.events.begin(), plan.events.end(),
                                              [](const PlannedEvent& event) { return event.fate == Fate::accepted; });
}

bool has_refusals(const store::Plan& plan) { return std::any_of(plan.events.begin(), plan.events.end(), refused); }

Json row_of(const PlanShown& shown) {
  Json events = Json::array();
  for (std::size_t i = 0; i < shown.plan.events.size(); ++i) {
    events.push_back(row_of_event(shown.plan.events[i], shown.arrivals[i], shown.places[i]));
  }
  Json servers = Json::array();
  for (const PlannedServer& server : shown.plan.servers) servers.push_back(row_of_server(server));
  Json totals = totals_of(shown.plan).row();
  totals["events"] = shown.plan.events.size();
  totals["outcomes"] = outcomes_of(shown.plan);
  return {{"at", rfc3339(shown.plan.at)},
          {"differences", has_differences(shown.plan)},
          {"events", std::move(events)},
          {"servers", std::move(servers)},
          {"totals", std::move(totals)}};
}

void print_plan(const PlanShown& shown, std::size_t limit) {
  say("what " + counted(shown.plan.events.size(), "event") + " would do, as things stood at " + rfc3339(shown.plan.at));
  for (const PlannedServer& server : shown.plan.servers) print_server(server, limit);
  print_refusals(shown);
  std::string outcomes;
  for (const auto& [outcome, count] : outcomes_of(shown.plan)) {
    outcomes += (outcomes.empty() ? "" : ", ") + std::to_string(count) + ' ' + outcome;
  }
  if (!outcomes.empty()) say("events: " + outcomes);
  if (shown.plan.servers.empty()) {
    say("hosts: nothing would change");
  } else {
    say("hosts: " + totals_of(shown.plan).text() + " on " + counted(shown.plan.servers.size(), "server"));
  }
}

}  // namespace peerwright::cli
