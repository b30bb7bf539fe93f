#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "embedded/peerwright_schemas.hpp"
#include "events_refusals.hpp"
#include "events_support.hpp"

namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(EventExamples, AllValidOnesAreAccepted) {
  for (const auto& [name, text] : examples("valid")) {
    const auto event = decode_text(text);
    ASSERT_TRUE(event) << name << ": " << event.error().message;
    EXPECT_EQ(event->envelope.type, "peerwright." + event_of(name) + ".v1") << name;
    EXPECT_EQ(event->payload_hash.size(), 32U) << name;
    EXPECT_FALSE(event->key.empty()) << name;
    EXPECT_TRUE(event->decide) << name;
  }
}

TEST(EventExamples, AllInvalidOnesAreRefusedForTheirReason) {
  const auto invalid = examples("invalid");
  for (const auto& [name, text] : invalid) {
    const auto found = refusals().find(name);
    ASSERT_NE(found, refusals().end()) << name << " stands in no row of this test";
    const auto event = decode_text(text);
    ASSERT_FALSE(event) << name;
    EXPECT_EQ(event.error().code, found->second.code) << name;
    EXPECT_THAT(event.error().message, HasSubstr(found->second.part)) << name;
    EXPECT_FALSE(event.error().remedy.empty()) << name;
    EXPECT_EQ(event.error().retry, Retry::never) << name;
  }
  EXPECT_EQ(invalid.size(), refusals().size()) << "a row of this test has no example";
}

TEST(EventExamples, BothModesReadTheSame) {
  for (const auto& [name, text] : examples("valid")) {
    const auto structured = decode_text(text);
    const Binary binary = binary_of(json::parse(text));
    const auto other = decode_text(binary.payload, &binary.headers);
    ASSERT_TRUE(structured && other) << name << ": " << message_of(other);
    EXPECT_EQ(structured->payload_hash, other->payload_hash) << name;
    EXPECT_EQ(structured->key, other->key) << name;
    EXPECT_EQ(structured->envelope.id, other->envelope.id) << name;
    EXPECT_EQ(structured->envelope.source, other->envelope.source) << name;
    EXPECT_EQ(structured->envelope.type, other->envelope.type) << name;
    EXPECT_EQ(structured->envelope.subject, other->envelope.subject) << name;
    EXPECT_EQ(structured->envelope.time, other->envelope.time) << name;
    EXPECT_EQ(structured->envelope.sequence, other->envelope.sequence) << name;
    EXPECT_EQ(structured->envelope.traceparent, other->envelope.traceparent) << name;
  }
}

TEST(EventCatalogue, AgreesWithSchemasAndExamplesBothWays) {
  std::set<std::string> in_table;
  for (const CatalogueRow& row : catalogue()) {
    in_table.insert(std::string(row.schema));
    EXPECT_EQ(row.type, "peerwright." + std::string(row.name) + ".v1");
    const json schema = json::parse(read_file(schema_folder() / row.schema));
    EXPECT_EQ(schema.at("title"), json(row.type));
  }
  std::set<std::string> on_disk;
  for (const auto& entry : std::filesystem::directory_iterator(schema_folder())) {
    const std::string file = entry.path().filename().string();
    if (file.ends_with(".schema.json")) on_disk.insert(file);
  }
  EXPECT_EQ(in_table, on_disk);
  std::set<std::string> built_in;
  for (const EmbeddedFile& file : peerwright_schemas()) built_in.insert(std::string(file.name));
  EXPECT_EQ(in_table, built_in);
}

TEST(EventCatalogue, EachTypeHasItsExamples) {
  std::map<std::string, int> valid;
  std::map<std::string, int> invalid;
  for (const auto& [name, text] : examples("valid")) ++valid[event_of(name)];
  for (const auto& [name, text] : examples("invalid")) ++invalid[event_of(name)];
  for (const CatalogueRow& row : catalogue()) {
    const std::string name(row.name);
    EXPECT_GE(valid[name], 2) << name;
    EXPECT_GE(invalid[name], 3) << name;
  }
  EXPECT_EQ(valid.size(), catalogue().size()) << "an example of a type that is not in the catalogue";
  EXPECT_EQ(invalid.size(), catalogue().size()) << "an example of a type that is not in the catalogue";
}

bool is_of_type(const json& node, const std::string& name) {
  const json type = node.value("type", json());
  return type == name || (type.is_array() && std::find(type.begin(), type.end(), name) != type.end());
}

// What the reader of a schema, and the memory of this program, rest on.
void expect_bounded(const json& node, const std::string& place) {
  EXPECT_TRUE(node.contains("description")) << place;
  EXPECT_TRUE(node.contains("type")) << place;
  if (is_of_type(node, "string")) {
    EXPECT_TRUE(node.contains("maxLength")) << place;
    EXPECT_LE(node.value("maxLength", 0U), kMaxStringBytes) << place;
    EXPECT_TRUE(node.contains("examples") || node.contains("enum")) << place;
  }
  if (is_of_type(node, "integer")) {
    EXPECT_TRUE(node.contains("minimum") && node.contains("maximum")) << place;
  }
  if (is_of_type(node, "array")) {
    EXPECT_TRUE(node.contains("maxItems")) << place;
    expect_bounded(node.at("items"), place + "/items");
  }
  if (!is_of_type(node, "object")) return;
  if (node.at("additionalProperties").is_object()) {
    EXPECT_TRUE(node.contains("maxProperties")) << place;
    expect_bounded(node.at("additionalProperties"), place + "/*");
    return;
  }
  EXPECT_EQ(node.at("additionalProperties"), false) << place;
  for (const auto& [name, member] : node.at("properties").items()) expect_bounded(member, place + "/" + name);
}

// A number without its unit is a guess.
void expect_units(const json& node, const std::string& place) {
  const json members = node.value("properties", json::object());
  for (const auto& [name, member] : members.items()) {
    const std::string text = member.value("description", "");
    if (name.ends_with("_bytes")) {
      EXPECT_THAT(text, HasSubstr("bytes")) << place << name;
    }
    if (is_of_type(member, "integer")) {
      EXPECT_THAT(text, HasSubstr(member.at("maximum").dump())) << place << "/" << name;
      EXPECT_THAT(text, HasSubstr(member.at("minimum").dump())) << place << "/" << name;
    }
    expect_units(member, place + "/" + name);
  }
}

TEST(EventSchemas, DescribeAndBoundEveryMember) {
  for (const CatalogueRow& row : catalogue()) {
    const json schema = json::parse(read_file(schema_folder() / row.schema));
    EXPECT_EQ(schema.at("$schema"), "http://json-schema.org/draft-07/schema#") << row.schema;
    expect_bounded(schema, std::string(row.schema));
    expect_units(schema, std::string(row.schema));
  }
}

}  // namespace
}  // namespace peerwright::events
