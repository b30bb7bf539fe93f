#include "kept.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "peerwright/store/intake.hpp"

namespace peerwright::store {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kDataMember = "data";
constexpr std::size_t kMostNameBytes = 256;
// The kinds of subjects whose names an event's data may have, the most special first.
constexpr std::array<const char*, 7> kKinds{"peer", "rule", "subscriber", "customer", "mesh", "server", "network"};

// Fit for a column, whatever a message holds.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string name_in(const Json& data, const char* member) {
  const auto found = data.find(member);
  if (found == data.end() || !found->is_string()) return {};
  std::string name = found->get<std::string>();
  return is_name(name) ? name : std::string();
}

// The data of a message in either mode; null where it cannot be read.
Json data_of(const events::RawMessage& raw) {
  if (raw.payload.size() > events::kMaxMessageBytes) return {};
  Json message = Json::parse(raw.payload, nullptr, false);
  if (!message.is_object()) return {};
  if (!message.contains("specversion")) return message;
  const auto data = message.find(kDataMember);
  return data != message.end() && data->is_object() ? *data : Json();
}

bool is_of_no_tenant(std::string_view kind) {
  return kind == "server" || kind == "network" || kind == "mesh" || kind == "link";
}

bool belongs_to_tenant(std::string_view subject) { return !is_of_no_tenant(subject.substr(0, subject.find('/'))); }

Concerned concerned_by_key(std::string_view key) {
  if (!is_name(key)) return {};
  const std::string_view first = key.substr(0, key.find('/'));
  if (is_of_no_tenant(first) && first.size() < key.size()) return {{}, {std::string(key)}};
  return {std::string(first), {}};
}

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace

Concerned concerned_by(const domain::Refs& refs) {
  Concerned concerned{refs.tenant, {}};
  const auto add = [&](const char* kind, const std::string& name) {
    if (!name.empty()) concerned.subjects.push_back(std::string(kind) + '/' + name);
  };
  add("peer", refs.peer);
  add("rule", refs.rule);
  add("subscriber", refs.subscriber);
  add("customer", refs.customer);
  if (!refs.mesh.empty()) concerned.subjects.push_back(refs.mesh);
  add("server", refs.server);
  add("network", refs.network);
  return concerned;
}

Concerned concerned_by(const events::RawMessage& raw, std::string_view key) {
  Concerned concerned;
  const Concerned said = concerned_by_key(key);
  const Json data = data_of(raw);
  if (data.is_object()) {
    concerned.tenant = name_in(data, "tenant");
    for (const char* kind : kKinds) {
      if (const std::string name = name_in(data, kind); !name.empty()) {
        concerned.subjects.push_back(std::string(kind) + '/' + name);
      }
    }
    if (!concerned.tenant.empty()) return concerned;
    if (std::any_of(concerned.subjects.begin(), concerned.subjects.end(), belongs_to_tenant)) {
      // A name that is only one within its tenant says nothing without it: it may be anybody's.
      concerned.tenant = said.tenant;
      if (concerned.tenant.empty()) concerned.subjects.clear();
      return concerned;
    }
    if (!concerned.subjects.empty()) return concerned;
  }
  return said;
}

std::string concerned_tenant(const events::RawMessage& raw, std::string_view key) {
  return concerned_by(raw, key).tenant;
}

std::optional<Original> unpack_original(std::string_view packed) {
  const auto end = packed.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const Json head = Json::parse(packed.substr(0, end), nullptr, false);
  if (!head.is_object() || !head.contains("key_hex") || !head.contains("headers")) return std::nullopt;
  Original original;
  original.key = unhex(head["key_hex"].get<std::string>());
  for (const Json& header : head["headers"]) {
    original.headers.emplace_back(unhex(header.at(0).get<std::string>()), unhex(header.at(1).get<std::string>()));
  }
  original.payload = std::string(packed.substr(end + 1));
  return original;
}

}  // namespace peerwright::store
