#include <gmock/gmock.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <set>

#include "events_reference.hpp"
#include "events_samples.hpp"
#include "events_support.hpp"
#include "events_validator.hpp"

// What peerwright says fits the schemas that it publishes, and the documents that are made of them are up to date.
namespace peerwright::events {
namespace {

using nlohmann::json;

bool updates() { return std::getenv("PEERWRIGHT_UPDATE_DOCS") != nullptr; }

json outbound_schema(const std::string& name) {
  return json::parse(read_file(schema_folder() / "outbound" / (name + ".schema.json")));
}

std::set<std::string> outbound_names() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(schema_folder() / "outbound")) {
    const std::string file = entry.path().filename().string();
    names.insert(file.substr(0, file.find(".schema.json")));
  }
  return names;
}

// Published schemas let members come; what is said must still be described.
void expect_described(const json& schema, const json& data, const std::string& place) {
  if (data.is_array()) {
    for (const json& item : data) expect_described(schema.at("items"), item, place + "[]");
  }
  if (!data.is_object() || schema.contains("additionalProperties")) return;
  for (const auto& [name, value] : data.items()) {
    ASSERT_TRUE(schema.at("properties").contains(name)) << place << "/" << name;
    expect_described(schema.at("properties").at(name), value, place + "/" + name);
  }
}

// And the other way round: a sample that leaves members out shows nothing of them.
std::size_t members_of(const json& schema) { return schema.value("properties", json::object()).size(); }

TEST(OutboundSchemas, FitWhatIsSaid) {
  std::set<std::string> said;
  for (const auto& [name, out] : samples::outbound()) {
    said.insert(event_of(name));
    EXPECT_EQ(out.type, "peerwright." + event_of(name) + ".v1");
    const json schema = outbound_schema(event_of(name));
    const json body = json::parse(out.body);
    EXPECT_EQ(violation_of(schema, body), "") << name << body.dump(1);
    expect_described(schema, body, name);
    EXPECT_EQ(schema.at("title"), json(out.type));
  }
  EXPECT_EQ(said, outbound_names());
}

TEST(OutboundSchemas, FitTheBarestToo) {
  domain::Peer peer;
  peer.tenant = "acme";
  peer.name = "P-1";
  domain::Tenant tenant;
  tenant.name = "acme";
  domain::Server server;
  server.name = "ams-1";
  domain::Mesh mesh;
  mesh.name = "link/hq";
  domain::Peer expired = peer;
  expired.reservation = domain::Reservation::expired;
  const std::vector<Outbound> all{peer_status(peer, PeerContext{}),
                                  reservation_status(expired, PeerContext{}),
                                  subscriber_status("acme", samples::subscriber(), HoldSummary{}, "x/1"),
                                  customer_status("acme", domain::Customer{}, HoldSummary{}, "x/1"),
                                  tenant_status(tenant, "x/1"),
                                  server_status(server, "x/1"),
                                  mesh_status(mesh, {}, {}, "x/1"),
                                  peer_usage(peer, Usage{}),
                                  rejected(samples::word(), "t", {}, domain::rejected("a", "b", "c")),
                                  dead_letter(DeadLetter{})};
  for (const Outbound& out : all) {
    const std::string name = out.type.substr(11, out.type.size() - 14);
    EXPECT_EQ(violation_of(outbound_schema(name), json::parse(out.body)), "") << out.body;
  }
}

TEST(OutboundSchemas, RefuseWhatIsBroken) {
  for (const auto& [name, out] : samples::outbound()) {
    const json schema = outbound_schema(event_of(name));
    const json body = json::parse(out.body);
    for (const json& required : schema.at("required")) {
      json without = body;
      without.erase(required.get<std::string>());
      EXPECT_NE(violation_of(schema, without), "") << name << required;
    }
  }
}

TEST(OutboundSchemas, SamplesShowNearlyEveryMember) {
  for (const auto& [name, out] : samples::outbound()) {
    if (name != event_of(name) || name == "rejected") continue;
    // reserved_until and over_quota, delivery_error, walled_garden, released_at, adopted
    constexpr std::size_t kExclusive = 5;
    EXPECT_GE(json::parse(out.body).size() + kExclusive, members_of(outbound_schema(name))) << name;
  }
}

TEST(EventDocuments, OutboundExamplesAreWhatIsSaid) {
  for (const auto& [name, out] : samples::outbound()) {
    const auto path = schema_folder() / "examples" / "outbound" / (name + ".json");
    const std::string text = nlohmann::ordered_json::parse(out.body).dump(2) + "\n";
    if (updates()) std::ofstream(path) << text;
    EXPECT_EQ(read_file(path), text) << "run with PEERWRIGHT_UPDATE_DOCS=1 to write it anew";
  }
}

TEST(EventDocuments, TheReferenceIsMadeOfTheSchemas) {
  const std::string path = PEERWRIGHT_SOURCE_DIR "/docs/reference/events.md";
  if (updates()) std::ofstream(path) << events_reference_markdown();
  EXPECT_EQ(read_file(path), events_reference_markdown()) << "run with PEERWRIGHT_UPDATE_DOCS=1 to write it anew";
}

std::set<std::string> names_in(const YAML::Node& node) {
  std::set<std::string> names;
  for (const auto& entry : node) names.insert(entry.first.as<std::string>());
  return names;
}

TEST(AsyncApi, ListsExactlyWhatIsReadAndSaid) {
  const YAML::Node api = YAML::LoadFile((schema_folder() / "asyncapi.yaml").string());
  EXPECT_EQ(api["asyncapi"].as<std::string>(), "3.0.0");
  std::set<std::string> read;
  for (const CatalogueRow& row : catalogue()) read.insert(std::string(row.name));
  EXPECT_EQ(names_in(api["channels"]["events"]["messages"]), read);
  std::set<std::string> said;
  for (const char* channel : {"status", "dead_letters", "audit"})
    said.merge(names_in(api["channels"][channel]["messages"]));
  EXPECT_EQ(said, outbound_names());
  read.merge(said);
  EXPECT_EQ(names_in(api["components"]["messages"]), read);
}

TEST(AsyncApi, PointsToSchemasAndKeysThatExist) {
  const YAML::Node api = YAML::LoadFile((schema_folder() / "asyncapi.yaml").string());
  for (const auto& entry : api["components"]["messages"]) {
    const auto name = entry.first.as<std::string>();
    const YAML::Node message = entry.second;
    EXPECT_EQ(message["name"].as<std::string>(), "peerwright." + name + ".v1");
    const auto file = message["payload"]["schema"]["$ref"].as<std::string>();
    const json schema = json::parse(read_file(schema_folder() / file));
    EXPECT_EQ(schema.at("title"), message["name"].as<std::string>());
    EXPECT_EQ(schema.at("description"), message["summary"].as<std::string>()) << name;
    EXPECT_FALSE(message["bindings"]["kafka"]["key"]["description"].as<std::string>().empty()) << name;
  }
  for (const auto& channel : api["channels"]) {
    for (const auto& message : channel.second["messages"]) {
      EXPECT_EQ(message.second["$ref"].as<std::string>(), "#/components/messages/" + message.first.as<std::string>());
    }
  }
  std::set<std::string> operated;
  for (const auto& operation : api["operations"])
    operated.insert(operation.second["channel"]["$ref"].as<std::string>());
  EXPECT_EQ(operated.size(), api["channels"].size());
}

}  // namespace
}  // namespace peerwright::events
