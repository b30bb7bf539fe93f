#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

#include "events_support.hpp"

// Events that nobody thought of: made at random out of the schemas themselves, then broken in one place.
namespace peerwright::events {
namespace {

using nlohmann::json;

constexpr int kEventsPerType = 25;
constexpr int kBrokenPerEvent = 4;

unsigned seed() {
  const char* said = std::getenv("PEERWRIGHT_SEED");
  return said != nullptr ? static_cast<unsigned>(std::strtoul(said, nullptr, 10)) : std::random_device()();
}

// The words of its type: a type may be one word or several.
std::vector<std::string> types_of(const json& node) {
  const json& type = node.at("type");
  if (type.is_string()) return {type.get<std::string>()};
  return type.get<std::vector<std::string>>();
}

bool has_all(const json& data, const json& names) {
  return std::all_of(names.begin(), names.end(),
                     [&](const json& name) { return data.contains(name.get<std::string>()); });
}

// Makes data that fits a schema of the subset of draft-07 that ours are written in.
class Maker {
 public:
  explicit Maker(std::mt19937& random) : random_(random) {}

  json make(const json& node) {
    if (node.contains("enum")) return pick(node.at("enum"));
    const auto types = types_of(node);
    const std::string& type = types[below(types.size())];
    if (type == "null") return nullptr;
    if (type == "boolean") return chance(50);
    if (type == "integer") return number(node);
    if (type == "number") return static_cast<double>(below(1'000'000)) / 64.0;
    if (type == "string") return text(node);
    if (type == "array") return list(node);
    return object(node);
  }

  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_); }
  bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }
  const json& pick(const json& choices) { return choices[below(choices.size())]; }

 private:
  std::int64_t number(const json& node) {
    const std::int64_t low = node.at("minimum");
    const std::int64_t high = node.at("maximum");
    if (chance(20)) return low;
    if (chance(20)) return high;
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }

  // What has a form comes from the schema's own examples, now and then; anything else is any text of a fitting length.
  std::string text(const json& node) {
    std::vector<std::string> examples;
    const json shown = node.value("examples", json::array());
    for (const json& example : shown) {
      if (example.is_string()) examples.push_back(example.get<std::string>());
    }
    if (node.contains("pattern") || chance(70)) return examples[below(examples.size())];
    const std::size_t least = node.value("minLength", std::size_t{0});
    const std::size_t most = std::min(node.at("maxLength").get<std::size_t>(), least + 40);
    std::string any;
    for (std::size_t i = least + below(most - least + 1); i > 0; --i) any += static_cast<char>(' ' + below(95));
    return any;
  }

  json list(const json& node) {
    const std::size_t least = node.at("minItems");
    const std::size_t most = std::min(node.at("maxItems").get<std::size_t>(), least + 3);
    json items = json::array();
    for (std::size_t i = least + below(most - least + 1); i > 0; --i) items.push_back(make(node.at("items")));
    return items;
  }

  json object(const json& node) {
    json made = json::object();
    const json& others = node.at("additionalProperties");
    if (others.is_object()) {
      for (std::size_t i = below(4); i > 0; --i) made["m" + std::to_string(i)] = make(others);
      return made;
    }
    const json required = node.value("required", json::array());
    for (const auto& [name, member] : node.at("properties").items()) {
      const bool needed = std::find(required.begin(), required.end(), json(name)) != required.end();
      if (needed || chance(50)) made[name] = make(member);
    }
    settle(node, node, made);
    while (made.size() < node.value("minProperties", std::size_t{0})) {
      const auto& properties = node.at("properties");
      const auto added = std::next(properties.begin(), static_cast<std::ptrdiff_t>(below(properties.size())));
      made[added.key()] = make(added.value());
      settle(node, node, made);
    }
    return made;
  }

  void add(const json& node, const json& names, json& made) {
    for (const json& name : names) {
      if (!made.contains(name.get<std::string>())) {
        made[name.get<std::string>()] = make(node.at("properties").at(name.get<std::string>()));
      }
    }
  }

  // Makes what was made at random keep the rules on combinations.
  void settle(const json& node, const json& rule, json& made) {
    const json parts = rule.value("allOf", json::array());
    for (const json& part : parts) settle(node, part, made);
    if (rule.contains("not") && has_all(made, rule.at("not").at("required"))) {
      made.erase(pick(rule.at("not").at("required")).get<std::string>());
    }
    if (rule.contains("oneOf")) {
      for (const json& choice : rule.at("oneOf")) {
        for (const json& name : choice.at("required")) made.erase(name.get<std::string>());
      }
      add(node, pick(rule.at("oneOf")).at("required"), made);
    }
    if (rule.contains("anyOf")) add(node, pick(rule.at("anyOf")).at("required"), made);
    const json dependencies = rule.value("dependencies", json::object());
    for (const auto& [name, needed] : dependencies.items()) {
      if (made.contains(name)) {
        add(node, needed, made);
      } else if (is_choice(rule, name)) {
        for (const json& other : needed) made.erase(other.get<std::string>());
      }
    }
  }

  // Whether exactly one of several members is needed, and this is one of them.
  static bool is_choice(const json& rule, const std::string& name) {
    if (!rule.contains("oneOf")) return false;
    const json& choices = rule.at("oneOf");
    return std::any_of(choices.begin(), choices.end(),
                       [&](const json& choice) { return choice.at("required").at(0) == name; });
  }

  std::mt19937& random_;
};

json event_of_type(const CatalogueRow& row, json data) {
  return {{"specversion", "1.0"},          {"id", "e-1"},   {"source", "billing"},
          {"type", std::string(row.type)}, {"sequence", 1}, {"data", std::move(data)}};
}

const std::set<std::string>& refusals_by_content() {
  static const std::set<std::string> codes{"key_invalid", "prefix_invalid", "value_invalid"};
  return codes;
}

json schema_of(const CatalogueRow& row) { return json::parse(read_file(schema_folder() / row.schema)); }

TEST(EventProperties, WhatFitsItsSchemaIsAcceptedOrRefusedForItsContent) {
  const unsigned used = seed();
  std::cout << "PEERWRIGHT_SEED=" << used << " makes the same events again\n";
  std::mt19937 random(used);
  Maker maker(random);
  int accepted = 0;
  for (const CatalogueRow& row : catalogue()) {
    const json schema = schema_of(row);
    for (int i = 0; i < kEventsPerType; ++i) {
      const json event = event_of_type(row, maker.make(schema));
      const auto decoded = decode_json(event);
      if (decoded) {
        ++accepted;
        EXPECT_FALSE(decoded->key.empty()) << event.dump(1);
        EXPECT_EQ(decoded->secrets.any() && decoded->secrets.place.empty(), false) << event.dump(1);
      } else {
        EXPECT_TRUE(refusals_by_content().contains(decoded.error().code))
            << decoded.error().code << ": " << decoded.error().message << event.dump(1);
        EXPECT_TRUE(decoded.error().message.starts_with("/")) << decoded.error().message;
        EXPECT_FALSE(decoded.error().remedy.empty()) << decoded.error().message;
      }
    }
  }
  EXPECT_GT(accepted, kEventsPerType * static_cast<int>(catalogue().size()) / 4) << "the generator makes rubbish alone";
}

// A place in made data, and what the schema says of it.
struct Spot {
  json::json_pointer at;
  const json* node = nullptr;
};

void collect(const json& node, const json& data, const json::json_pointer& at, std::vector<Spot>& spots) {
  spots.push_back({at, &node});
  if (data.is_array()) {
    for (std::size_t i = 0; i < data.size(); ++i) collect(node.at("items"), data[i], at / i, spots);
  }
  if (!data.is_object()) return;
  for (const auto& [name, value] : data.items()) {
    const bool listed = node.contains("properties");
    collect(listed ? node.at("properties").at(name) : node.at("additionalProperties"), value, at / name, spots);
  }
}

json wrong_type(const json& node) {
  const auto types = types_of(node);
  const auto allowed = [&](const char* type) { return std::find(types.begin(), types.end(), type) != types.end(); };
  if (!allowed("array")) return json::array({1});
  return allowed("object") ? json(7) : json::object({{"x", 1}});
}

// Breaks one place in one way; false where this way does not fit there. An object may break a combination, so it is
// only given a member that nobody knows.
bool break_at(Maker& maker, const Spot& spot, json& data) {
  json& value = data[spot.at];
  const json& node = *spot.node;
  const bool counts = value.is_number_integer() && node.contains("maximum");
  switch (maker.below(6)) {
    case 0:
      value = wrong_type(node);
      return true;
    case 1:
      if (!counts) return false;
      value = node.at("maximum").get<std::int64_t>() + 1;
      return true;
    case 2:
      if (!counts) return false;
      value = node.at("minimum").get<std::int64_t>() - 1;
      return true;
    case 3:
      if (!value.is_string()) return false;
      value = std::string(node.at("maxLength").get<std::size_t>() + 1, 'a');
      return true;
    case 4:
      if (!value.is_object() || node.at("additionalProperties").is_object()) return false;
      value["nobody_knows_this"] = 1;
      return true;
    default:
      if (!value.is_object() || !node.contains("required")) return false;
      value.erase(maker.pick(node.at("required")).get<std::string>());
      return true;
  }
}

TEST(EventProperties, WhatIsBrokenInOnePlaceIsRefusedThere) {
  const unsigned used = seed();
  std::cout << "PEERWRIGHT_SEED=" << used << " makes the same events again\n";
  std::mt19937 random(used);
  Maker maker(random);
  int broken = 0;
  for (const CatalogueRow& row : catalogue()) {
    const json schema = schema_of(row);
    for (int i = 0; i < kEventsPerType * kBrokenPerEvent; ++i) {
      json data = maker.make(schema);
      std::vector<Spot> spots;
      collect(schema, data, json::json_pointer(), spots);
      const Spot spot = spots[maker.below(spots.size())];
      if (!break_at(maker, spot, data)) continue;
      ++broken;
      const json event = event_of_type(row, data);
      const auto decoded = decode_json(event);
      ASSERT_FALSE(decoded) << "broken at " << spot.at.to_string() << event.dump(1);
      const Error& error = decoded.error();
      const std::set<std::string> codes{"schema_violation", "string_too_long", "envelope_invalid"};
      EXPECT_TRUE(codes.contains(error.code)) << error.code << ": " << error.message << event.dump(1);
      EXPECT_FALSE(error.remedy.empty()) << error.message << event.dump(1);
      EXPECT_EQ(error.retry, Retry::never);
      if (error.code == "schema_violation") {
        EXPECT_TRUE(error.message.starts_with("/") || error.message.starts_with("the data: ")) << error.message;
        EXPECT_TRUE(error.message.starts_with(spot.at.empty() ? "the data" : spot.at.to_string()))
            << spot.at.to_string() << " against " << error.message << event.dump(1);
      }
    }
  }
  EXPECT_GT(broken, kEventsPerType * static_cast<int>(catalogue().size())) << "hardly anything was broken";
}

}  // namespace
}  // namespace peerwright::events
