#include "event_stream.hpp"

#include <algorithm>
#include <map>

#include "peerwright/base/seal.hpp"

namespace peerwright::fuzz {
namespace {

using Texts = std::vector<std::string>;

// Names and values by the member that has them. All of them are few, so that events meet.
const std::map<std::string, Texts>& pools() {
  static const Texts tenants{"acme", "rival"};
  static const Texts peers{"P-1", "P-2", "P-3", "P-4", "P-5"};
  static const std::map<std::string, Texts> all{
      {"tenant", tenants},
      {"owner", tenants},
      {"peer", peers},
      {"source_peer", peers},
      {"dest_peer", peers},
      {"subscriber", {"S-1", "S-2", "S-3"}},
      {"customer", {"C-1", "C-2"}},
      {"server", {"s-1", "s-2", "s-3", "s-4"}},
      {"network", {"n-1", "n-2", "n-3"}},
      {"region", {"r-1", "r-2"}},
      {"plan", {"home", "business", "odd"}},
      {"rule", {"x-1", "x-2"}},
      {"mesh", {"m-1", "m-2"}},
      {"link", {"m-1", "l-2"}},
      {"public_key",
       {"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
        "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=", "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=",
        "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=", "BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY="}},
      {"ipv4", {"10.0.0.0/28", "10.1.0.0/29", "10.2.0.0/30", "8.8.8.0/29"}},
      {"ipv6", {"fd00::/124", "fd01::/125", "2001:db8::/124"}},
      {"address", {"10.0.0.2", "10.0.0.3", "10.0.0.9", "10.1.0.2", "10.1.0.6", "fd00::4", "10.9.0.1"}},
      {"mode", {"cut", "walled_garden"}},
      {"action", {"alert", "approve", "allow", "deny"}},
  };
  return all;
}

const std::map<std::string, Texts>& list_pools() {
  static const Texts prefixes{"192.168.1.0/24", "192.168.0.0/16", "192.168.2.0/25", "10.0.0.0/24",
                              "fd40::/64",      "172.20.0.0/16",  "8.8.4.0/24",     "10.99.0.1/32"};
  static const std::map<std::string, Texts> all{
      {"site_networks", prefixes},
      {"allowed_ips", prefixes},
      {"forbidden", prefixes},
      {"reserved", {"10.0.0.1", "10.0.0.2", "10.1.0.6", "fd00::1"}},
  };
  return all;
}

// Those that concern peers: the ones whose decisions rest on the most.
const std::vector<Json>& peer_examples() {
  static const std::vector<Json> all = [] {
    std::vector<Json> some;
    for (const Json& example : examples()) {
      const std::string type = example["type"];
      const bool concerns = type.starts_with("peerwright.peer.") || type.starts_with("peerwright.reservation.create") ||
                            type.starts_with("peerwright.subscriber.");
      if (concerns) some.push_back(example);
    }
    return some;
  }();
  return all;
}

constexpr std::array<std::int64_t, 8> kNumbers{0, 1, 2, 3, 5, 60, 3600, 86'400};

}  // namespace

std::vector<Json> EventStream::beginning() {
  const auto event = [](const char* type, const Json& data) {
    static int count = 0;
    return Json{{"specversion", "1.0"},
                {"id", "begin-" + std::to_string(++count)},
                {"source", "operations"},
                {"type", std::string("peerwright.") + type + ".v1"},
                {"data", data}};
  };
  const auto server = [&](const char* name, const char* network, const char* region, int max_peers) {
    return event("server.register",
                 {{"server", name},
                  {"network", network},
                  {"region", region},
                  {"max_peers", max_peers},
                  {"endpoint", "192.0.2.1:51820"},
                  {"ssh", {{"host", name}, {"host_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"}}}});
  };
  const auto peer = [&](const char* name, const char* subscriber, const char* at) {
    return event("peer.provision", {{"tenant", "acme"},
                                    {"peer", name},
                                    {"subscriber", subscriber},
                                    {"customer", "C-1"},
                                    {"server", at},
                                    {"make_key", true}});
  };
  return {event("network.set", {{"network", "n-1"}, {"ipv4", "10.0.0.0/28"}, {"quarantine_seconds", 60}}),
          event("network.set", {{"network", "n-2"}, {"ipv4", "10.1.0.0/29"}}),
          server("s-1", "n-1", "r-1", 5),
          server("s-2", "n-1", "r-1", 3),
          server("s-3", "n-2", "r-2", 9),
          event("tenant.set", {{"tenant", "acme"}, {"recipient_key", pools().at("public_key").front()}}),
          peer("P-1", "S-1", "s-1"),
          peer("P-2", "S-1", "s-2"),
          peer("P-3", "S-2", "s-3")};
}

Json EventStream::next(Time now) {
  now_ = now;
  const std::vector<Json>& from = chance(2) ? examples() : peer_examples();
  Json event = from[pick(from.size())];
  event["id"] = "e-" + std::to_string(++count_);
  event["source"] = chance(4) ? "peerwright-cli/ann" : "billing";
  event.erase("sequence");
  if (chance(2)) event["sequence"] = std::to_string(chance(6) ? pick(count_ + 1) : count_);
  if (!event["data"].is_object()) return event;
  add_members(event["type"].get<std::string>(), event["data"]);
  change(event["data"]);
  return event;
}

void EventStream::add_members(const std::string& type, Json& data) {
  const bool places =
      type.find(".peer.provision.") != std::string::npos || type.find(".reservation.create.") != std::string::npos;
  if (!places) return;
  for (const char* name : {"customer", "subscriber", "plan", "address"}) {
    if (chance(2)) {
      data.erase(name);
    } else {
      data[name] = "";
    }
  }
  const std::size_t place = pick(3);
  data.erase("server");
  data.erase("region");
  if (place != 2) data[place == 0 ? "server" : "region"] = "";
  if (chance(4)) data["expires_at"] = "";
  if (chance(4)) data["quota_bytes"] = 1;
}

// In order of the names, which json keeps: the same bytes are the same event.
void EventStream::change(Json& object) {
  for (auto& [name, value] : object.items()) {
    if (value.is_object()) {
      change(value);
      continue;
    }
    if (value.is_array() && !list_pools().contains(name)) {
      for (Json& element : value) {
        if (element.is_object()) change(element);
      }
      continue;
    }
    change_member(name, value);
  }
}

void EventStream::change_member(const std::string& name, Json& value) {
  if (const auto found = pools().find(name); found != pools().end()) {
    // Example values of some members are the point of them: "action" is not the same everywhere.
    if (name == "action" && chance(2)) return;
    value = found->second[pick(found->second.size())];
  } else if (const auto list = list_pools().find(name); list != list_pools().end()) {
    if (chance(2)) return;
    value = Json::array();
    for (std::size_t i = pick(3); i > 0; --i) value.push_back(list->second[pick(list->second.size())]);
  } else if (name == "expires_at" || name == "effective_at") {
    if (!value.is_null() || chance(2))
      value = rfc3339(now_ + std::chrono::seconds(60 * static_cast<int>(pick(100)) - 600));
  } else if (value.is_number_integer()) {
    if (chance(2)) value = kNumbers[pick(kNumbers.size())];
  } else if (value.is_boolean()) {
    if (name != "make_key" && name != "make_preshared_key") value = chance(2);
  }
}

}  // namespace peerwright::fuzz
