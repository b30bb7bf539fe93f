#include "columns.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace peerwright::store {

using Json = nlohmann::json;
using wireguard::RuleAction;
using wireguard::RuleProtocol;

std::vector<std::string> list_of(const std::string& joined) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin < joined.size();) {
    const std::size_t end = std::min(joined.find(',', begin), joined.size());
    items.push_back(joined.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

std::string joined(const std::vector<std::int64_t>& items) {
  std::string text;
  for (const std::int64_t item : items) text += (text.empty() ? "" : ",") + std::to_string(item);
  return text;
}

std::optional<Time> RowReader::maybe_time() {
  const auto micros = maybe_number();
  return micros ? std::optional(time_from_micros(*micros)) : std::nullopt;
}

std::optional<wireguard::Prefix> RowReader::maybe_prefix() {
  const std::string range = text();
  if (range.empty()) return std::nullopt;
  auto prefix = wireguard::Prefix::parse(range);
  if (!prefix) throw std::runtime_error("a network range was expected in a column");
  return *prefix;
}

Column& RowWriter::column() {
  if (next_ == columns_.size()) columns_.emplace_back();
  return columns_[next_++];
}

pqxx::result RowWriter::run(Tx& tx, const char* name) const {
  std::vector<std::string> parameters;
  parameters.reserve(columns_.size());
  for (const Column& column : columns_) parameters.push_back(column.text());
  return tx.run_list(name, parameters);
}

const char* name_of(RuleProtocol protocol) {
  switch (protocol) {
    case RuleProtocol::tcp:
      return "tcp";
    case RuleProtocol::udp:
      return "udp";
    case RuleProtocol::any:
      break;
  }
  return "any";
}

RuleProtocol protocol_from(const std::string& name) {
  if (name == "tcp") return RuleProtocol::tcp;
  return name == "udp" ? RuleProtocol::udp : RuleProtocol::any;
}

const char* name_of(RuleAction action) { return action == RuleAction::allow ? "allow" : "deny"; }

std::optional<RuleAction> action_from(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == "allow" ? RuleAction::allow : RuleAction::deny;
}

std::string text_of(const std::vector<wireguard::PortUse>& ports) {
  Json all = Json::array();
  for (const auto& use : ports) all.push_back({{"protocol", name_of(use.protocol)}, {"port", use.port}});
  return all.dump();
}

std::vector<wireguard::PortUse> ports_from(const std::string& text) {
  std::vector<wireguard::PortUse> ports;
  for (const Json& use : Json::parse(text)) {
    ports.push_back({protocol_from(use.value("protocol", "")), use.value("port", 0)});
  }
  return ports;
}

std::string text_of(const std::vector<wireguard::GardenDestination>& garden) {
  Json all = Json::array();
  for (const auto& to : garden) {
    all.push_back({{"prefix", to.prefix}, {"protocol", name_of(to.protocol)}, {"port", to.port}});
  }
  return all.dump();
}

std::vector<wireguard::GardenDestination> garden_from(const std::string& text) {
  std::vector<wireguard::GardenDestination> garden;
  for (const Json& to : Json::parse(text)) {
    garden.push_back({to.value("prefix", ""), protocol_from(to.value("protocol", "")), to.value("port", 0)});
  }
  return garden;
}

std::string text_of(const std::vector<domain::HoldStep>& steps) {
  Json all = Json::array();
  for (const auto& step : steps) all.push_back({{"level", domain::name_of(step.level)}, {"at_us", micros_of(step.at)}});
  return all.dump();
}

std::vector<domain::HoldStep> steps_from(const std::string& text) {
  std::vector<domain::HoldStep> steps;
  for (const Json& step : Json::parse(text)) {
    const auto level = domain::hold_level_from(step.at("level").get<std::string>());
    if (!level) throw std::runtime_error("a level of a hold was expected in a column");
    steps.push_back({*level, time_from_micros(step.at("at_us").get<std::int64_t>())});
  }
  return steps;
}

std::string text_of(const std::vector<domain::MeshMember>& members) {
  Json all = Json::array();
  for (const auto& member : members) {
    all.push_back({{"name", member.name},
                   {"managed", member.managed},
                   {"public_key", member.public_key},
                   {"endpoint", member.endpoint},
                   {"allowed_ips", member.allowed_ips},
                   {"keepalive_seconds", member.keepalive_seconds}});
  }
  return all.dump();
}

std::vector<domain::MeshMember> members_from(const std::string& text) {
  std::vector<domain::MeshMember> members;
  for (const Json& from : Json::parse(text)) {
    domain::MeshMember member;
    member.name = from.at("name").get<std::string>();
    member.managed = from.value("managed", true);
    member.public_key = from.value("public_key", "");
    member.endpoint = from.value("endpoint", "");
    member.allowed_ips = from.value("allowed_ips", std::vector<std::string>{});
    member.keepalive_seconds = from.value("keepalive_seconds", 0);
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace peerwright::store
