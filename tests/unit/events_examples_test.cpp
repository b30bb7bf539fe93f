#include <gmock/gmock.h>

#include <set>

#include "embedded/peerwright_schemas.hpp"
#include "events_support.hpp"

namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Refusal {
  std::string code;
  std::string part;  // of the message: the pointer, or the attribute
};

// Every invalid example, and what is said of it.
const std::map<std::string, Refusal>& refusals() {
  static const std::map<std::string, Refusal> table{
      {"network.set-no-range", {"schema_violation", "the data: has none of the alternatives"}},
      {"network.set-host-bits", {"prefix_invalid", "/ipv4: "}},
      {"network.set-ipv6-as-ipv4", {"prefix_invalid", "/ipv4: "}},
      {"network.set-quarantine-too-long", {"schema_violation", "/quarantine_seconds: is not from 0 to 31536000"}},
      {"network.set-reserved-is-range", {"prefix_invalid", "/reserved/0: "}},
      {"server.register-port-out-of-range", {"schema_violation", "/ssh/port: is not from 1 to 65535"}},
      {"server.register-no-host-key", {"schema_violation", "/ssh: has no member 'host_key'"}},
      {"server.register-shell-in-exec-prefix", {"schema_violation", "/ssh/exec_prefix: does not match "}},
      {"server.register-mtu-too-small", {"schema_violation", "/mtu: is not from 1280 to 9000"}},
      {"server.register-endpoint-without-port", {"schema_violation", "/endpoint: does not match "}},
      {"server.register-endpoint-port-zero", {"value_invalid", "/endpoint: "}},
      {"server.register-path-escapes", {"value_invalid", "/config_path: "}},
      {"server.register-public-key-not-canonical", {"key_invalid", "/public_key: "}},
      {"server.register-dns-is-name", {"prefix_invalid", "/dns/0: "}},
      {"peer.provision-no-server", {"schema_violation", "the data: has no member 'server'"}},
      {"peer.provision-unknown-member", {"schema_violation", "the data: has an unknown member 'private_key'"}},
      {"peer.provision-key-too-short", {"schema_violation", "/public_key: does not have 44 characters"}},
      {"peer.provision-key-all-zero", {"key_invalid", "/public_key: "}},
      {"peer.provision-key-not-canonical", {"key_invalid", "/public_key: "}},
      {"peer.provision-route-invalid", {"prefix_invalid", "/client_routes/0: "}},
      {"peer.provision-tenant-with-slash", {"schema_violation", "/tenant: does not match "}},
      {"peer.provision-keepalive-is-text", {"schema_violation", "/keepalive_seconds: is not of type integer"}},
      {"peer.provision-nul-in-description", {"value_invalid", "/data/description"}},
      {"peer.suspend-no-id", {"envelope_invalid", "attribute id "}},
      {"peer.suspend-source-empty", {"envelope_invalid", "attribute source "}},
      {"peer.suspend-specversion-0.3", {"envelope_invalid", "attribute specversion "}},
      {"peer.suspend-sequence-negative", {"envelope_invalid", "attribute sequence "}},
      {"peer.suspend-time-without-zone", {"envelope_invalid", "attribute time "}},
      {"peer.suspend-type-of-version-2", {"unknown_type", "peerwright.peer.suspend.v2"}},
      {"peer.suspend-no-tenant", {"schema_violation", "the data: has no member 'tenant'"}},
      {"peer.suspend-name-empty", {"schema_violation", "/peer: "}},
      {"peer.suspend-reason-too-long", {"schema_violation", "/reason: does not have 0 to 512 characters"}},
      {"peer.resume-no-tenant", {"schema_violation", "the data: has no member 'tenant'"}},
      {"peer.resume-name-empty", {"schema_violation", "/peer: "}},
      {"peer.resume-reason-too-long", {"schema_violation", "/reason: "}},
      {"peer.revoke-no-tenant", {"schema_violation", "the data: has no member 'tenant'"}},
      {"peer.revoke-name-empty", {"schema_violation", "/peer: "}},
      {"peer.revoke-reason-too-long", {"schema_violation", "/reason: "}},
      {"subscriber.suspend-no-tenant", {"schema_violation", "the data: has no member 'tenant'"}},
      {"subscriber.suspend-name-empty", {"schema_violation", "/subscriber: "}},
      {"subscriber.suspend-reason-too-long", {"schema_violation", "/reason: "}},
      {"subscriber.resume-no-tenant", {"schema_violation", "the data: has no member 'tenant'"}},
      {"subscriber.resume-name-empty", {"schema_violation", "/subscriber: "}},
      {"subscriber.resume-reason-too-long", {"schema_violation", "/reason: "}},
  };
  return table;
}

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

// What the reader of a schema, and the memory of this program, rest on.
void expect_bounded(const json& node, const std::string& place) {
  EXPECT_TRUE(node.contains("description")) << place;
  const std::string type = node.value("type", "");
  if (type == "string") {
    EXPECT_TRUE(node.contains("maxLength")) << place;
    EXPECT_LE(node.value("maxLength", 0U), kMaxStringBytes) << place;
  } else if (type == "integer") {
    EXPECT_TRUE(node.contains("minimum") && node.contains("maximum")) << place;
  } else if (type == "array") {
    EXPECT_TRUE(node.contains("maxItems")) << place;
    expect_bounded(node.at("items"), place + "/items");
  } else {
    ASSERT_EQ(type, "object") << place;
    EXPECT_EQ(node.at("additionalProperties"), false) << place;
    for (const auto& [name, member] : node.at("properties").items()) expect_bounded(member, place + "/" + name);
  }
}

TEST(EventSchemas, DescribeAndBoundEveryMember) {
  for (const CatalogueRow& row : catalogue()) {
    const json schema = json::parse(read_file(schema_folder() / row.schema));
    EXPECT_EQ(schema.at("$schema"), "http://json-schema.org/draft-07/schema#") << row.schema;
    expect_bounded(schema, std::string(row.schema));
  }
}

}  // namespace
}  // namespace peerwright::events
