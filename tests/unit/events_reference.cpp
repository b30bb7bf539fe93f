#include "events_reference.hpp"

#include <array>
#include <string_view>

#include "events_support.hpp"

namespace peerwright::events {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kHead = R"(# Events

What peerwright reads and says. Made from the schemas by a test: don't edit it. Every message is a CloudEvent (1.0) in
JSON, in binary mode (`ce_` headers) or structured; `schemas/asyncapi.yaml` describes the same for machines.

- **id and source** name an event. The same again is absorbed; the same with other content is a dead letter.
- **sequence** (a decimal number, growing per source and subject) orders what a source says of one subject.
- **The Kafka key** is that of the subject, as named below, with the partitioner `murmur2`.
- Members that are not listed are refused, and so are secrets in the open. No message repeats a value that it refuses.
- Names are letters, digits and `. _ : @ -`, 1 to 128 characters, the first a letter or digit.

)";

constexpr std::array<std::string_view, 11> kSaid{
    "peer.status", "reservation.status", "subscriber.status", "tenant.status", "server.status", "mesh.status",
    "peer.usage",  "address.status",     "rejected",          "dead_letter",   "audit.entry"};

ordered_json schema_of(const std::string& file) { return ordered_json::parse(read_file(schema_folder() / file)); }

std::string code(const std::string& text) { return "`" + text + "`"; }

// In a table's cell.
std::string cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, "\\");
  return text;
}

std::string list(const ordered_json& values) {
  std::string text;
  for (const auto& value : values) {
    text += (text.empty() ? "" : ", ") + code(value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

std::string type_of(const ordered_json& node) {
  const ordered_json& type = node.at("type");
  std::string text;
  if (type.is_string()) {
    text = type.get<std::string>();
  } else {
    for (const auto& one : type) text += (text.empty() ? "" : " or ") + one.get<std::string>();
  }
  if (text == "array") return "list of " + type_of(node.at("items"));
  return text;
}

// The bounds as the schema has them; "" where it has none.
std::string bounds_of(const ordered_json& node) {
  const auto range = [&](const char* least, const char* most, const std::string& unit) -> std::string {
    if (!node.contains(least) && !node.contains(most)) return "";
    const std::string low = node.contains(least) ? node.at(least).dump() : "0";
    if (!node.contains(most)) return "from " + low + unit;
    const std::string high = node.at(most).dump();
    return (low == high ? low : low + " to " + high) + unit;
  };
  if (node.contains("enum")) return list(node.at("enum"));
  if (auto text = range("minimum", "maximum", ""); !text.empty()) return text;
  if (auto text = range("minItems", "maxItems", " items"); !text.empty()) return text;
  if (auto text = range("minProperties", "maxProperties", " members"); !text.empty()) return text;
  return range("minLength", "maxLength", " characters");
}

bool is_required(const ordered_json& node, const std::string& name) {
  if (!node.contains("required")) return false;
  for (const auto& required : node.at("required")) {
    if (required == name) return true;
  }
  return false;
}

// One row per member, those inside of objects and lists below theirs.
void add_members(std::string& text, const ordered_json& node, const std::string& before, bool inbound) {
  if (!node.contains("properties")) return;
  for (const auto& [name, member] : node.at("properties").items()) {
    const bool required = is_required(node, name);
    text += "| " + code(before + name) + (required ? " **required**" : "") + " | " + type_of(member) + " | " +
            cell(bounds_of(member)) + " |";
    if (inbound) text += " " + (member.contains("default") ? code(member.at("default").dump()) : "") + " |";
    text += " " + cell(member.value("description", "")) + " |\n";
    const bool is_list = member.at("type") == "array";
    add_members(text, is_list ? member.at("items") : member, before + name + (is_list ? "[]." : "."), inbound);
  }
}

void add_combinations(std::string& text, const ordered_json& rule) {
  for (const char* kind : {"oneOf", "anyOf"}) {
    if (!rule.contains(kind)) continue;
    ordered_json names = ordered_json::array();
    for (const auto& choice : rule.at(kind)) names.push_back(choice.at("required").at(0));
    text += std::string(kind) == "oneOf" ? "Exactly one of " : "At least one of ";
    text += list(names) + " is needed.\n";
  }
  if (rule.contains("not")) text += "Not together: " + list(rule.at("not").at("required")) + ".\n";
  if (rule.contains("dependencies")) {
    for (const auto& [name, needed] : rule.at("dependencies").items()) {
      text += code(name) + " needs " + list(needed) + ".\n";
    }
  }
  if (!rule.contains("allOf")) return;
  for (const auto& part : rule.at("allOf")) add_combinations(text, part);
}

void add_table(std::string& text, const ordered_json& schema, bool inbound) {
  text += inbound ? "| Member | Type | Bounds | Default | Meaning |\n|---|---|---|---|---|\n"
                  : "| Member | Type | Bounds | Meaning |\n|---|---|---|---|\n";
  add_members(text, schema, "", inbound);
  text += "\n";
}

void add_example(std::string& text, const std::filesystem::path& file) {
  text += "```json\n" + ordered_json::parse(read_file(file)).dump(2) + "\n```\n\n";
}

// Where a heading is found: its text without the dots.
std::string anchor(std::string_view name) {
  std::string text = "#";
  for (const char c : name) {
    if (c != '.') text += c;
  }
  return text;
}

void add_inbound(std::string& text, const CatalogueRow& row) {
  const std::string name(row.name);
  const ordered_json schema = schema_of(std::string(row.schema));
  const auto file = schema_folder() / "examples" / "valid" / (name + ".json");
  const auto event = decode_text(read_file(file));
  text += "### " + name + "\n\n" + schema.value("description", "") + "\n\nType " + code(std::string(row.type)) +
          ". Key of the example: " + code(event ? event->key : "") + ".\n\n";
  add_table(text, schema, true);
  std::string combinations;
  add_combinations(combinations, schema);
  if (!combinations.empty()) text += combinations + "\n";
  add_example(text, file);
}

void add_outbound(std::string& text, const std::string& name) {
  const ordered_json schema = schema_of("outbound/" + name + ".schema.json");
  text += "### " + name + "\n\n" + schema.value("description", "") + "\n\nType " + code(schema.value("title", "")) +
          ". Key: " + schema.value("x-key", "") + ".\n\n";
  add_table(text, schema, false);
  add_example(text, schema_folder() / "examples" / "outbound" / (name + ".json"));
}

}  // namespace

std::string events_reference_markdown() {
  std::string text(kHead);
  text += "## What it reads\n\n";
  for (const CatalogueRow& row : catalogue()) {
    const ordered_json schema = schema_of(std::string(row.schema));
    text += "- [" + std::string(row.name) + "](" + anchor(row.name) + "): " + schema.value("description", "") + "\n";
  }
  text += "\n";
  for (const CatalogueRow& row : catalogue()) add_inbound(text, row);
  text +=
      "## What it says\n\nMembers without a value are left out. New members may come: ignore those that you don't "
      "know.\n\n";
  for (const std::string_view name : kSaid) {
    const ordered_json schema = schema_of("outbound/" + std::string(name) + ".schema.json");
    text += "- [" + std::string(name) + "](" + anchor(name) + "): " + schema.value("description", "") + "\n";
  }
  text += "\n";
  for (const std::string_view name : kSaid) add_outbound(text, std::string(name));
  text.pop_back();
  return text;
}

}  // namespace peerwright::events
