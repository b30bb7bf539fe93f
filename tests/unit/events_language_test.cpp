#include <gmock/gmock.h>

#include "events_samples.hpp"
#include "events_support.hpp"

// What the decoders of the whole language make of data: keys, secrets, and the decisions that show their members.
namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::ElementsAre;

TEST(EventKeys, AreThoseOfTheSubject) {
  const std::map<std::string, std::string> keys{{"tenant.set", "acme"},
                                                {"tenant.approve", "acme/S-1"},
                                                {"tenant.approve-customer-dropped", "acme/C-1"},
                                                {"network.set", "network/eu-1"},
                                                {"server.update", "server/ams-1"},
                                                {"server.retire", "server/ams-1"},
                                                {"server.rotate_key", "server/ams-1"},
                                                {"reservation.create", "acme/S-1"},
                                                {"reservation.create-minimal", "acme/R-8"},
                                                {"reservation.cleanup", "acme"},
                                                {"reservation.cleanup-all", "installation"},
                                                {"peer.provision-made-here", "acme/P-9"},
                                                {"peer.update", "acme/P-1"},
                                                {"peer.move", "acme/P-1"},
                                                {"subscriber.suspend-customer", "acme/C-1"},
                                                {"subscriber.revoke", "acme/S-1"},
                                                {"rule.set", "acme"},
                                                {"rule.remove", "acme"},
                                                {"mesh.set", "mesh/backbone"},
                                                {"link.set", "link/hq-to-branch"},
                                                {"link.remove", "link/hq-to-branch"}};
  for (const auto& [name, key] : keys) {
    const auto event = decode_json(example(name));
    ASSERT_TRUE(event) << name << message_of(event);
    EXPECT_EQ(event->key, key) << name;
  }
}

SecretsWanted secrets_of(const std::string& name) {
  const auto event = decode_json(example(name));
  EXPECT_TRUE(event) << name << message_of(event);
  return event ? event->secrets : SecretsWanted{};
}

TEST(EventSecrets, SayWhatIsToBeOpenedOrMade) {
  const SecretsWanted sent = secrets_of("peer.provision-all");
  EXPECT_EQ(json(sent.sealed_preshared_key), example("peer.provision-all")["data"]["preshared_key_sealed"]);
  EXPECT_FALSE(sent.makes_preshared_key);
  EXPECT_TRUE(sent.makes_client_key);
  EXPECT_EQ(sent.place, "peers/acme/G-1");
  const SecretsWanted made = secrets_of("peer.provision-made-here");
  EXPECT_TRUE(made.makes_preshared_key && made.makes_client_key);
  EXPECT_EQ(made.sealed_preshared_key, "");
  EXPECT_TRUE(secrets_of("reservation.create").makes_preshared_key);
  EXPECT_FALSE(secrets_of("reservation.create").makes_client_key);
  EXPECT_TRUE(secrets_of("peer.update").makes_preshared_key);
  EXPECT_TRUE(secrets_of("peer.rotate_key-made-here").makes_client_key);
  const SecretsWanted server = secrets_of("server.rotate_key");
  EXPECT_TRUE(server.makes_server_key);
  EXPECT_EQ(server.place, "servers/ams-1");
}

TEST(EventSecrets, AreNotWantedElsewhere) {
  for (const auto& [name, text] : examples("valid")) {
    const auto event = decode_text(text);
    ASSERT_TRUE(event) << name;
    const bool may = name.starts_with("peer.provision-") || name.starts_with("reservation.create") ||
                     name.starts_with("peer.update") || name.starts_with("peer.rotate_key-") ||
                     name.starts_with("server.rotate_key");
    EXPECT_TRUE(may || !event->secrets.any()) << name;
  }
}

domain::State state() {
  domain::State state;
  state.now = samples::kWhen;
  domain::Tenant tenant;
  tenant.id = 4;
  tenant.name = "acme";
  state.load(tenant);
  domain::Customer customer;
  customer.id = 6;
  customer.tenant_id = 4;
  customer.name = "C-1";
  state.load(customer);
  state.load(samples::network());
  state.load(samples::server());
  state.load(samples::peer());
  return state;
}

domain::Decision decided(const std::string& name, const domain::State& from) {
  const auto event = decode_json(example(name));
  EXPECT_TRUE(event) << name << message_of(event);
  domain::Word word = samples::word();
  word.source = "security";
  word.sequence = 99;
  word.place.offset += 1;
  return event ? event->decide(word, from) : domain::Decision{};
}

TEST(DecodeTenant, TakesEveryMember) {
  const auto decision = decided("tenant.set", state());
  ASSERT_EQ(decision.tenants.size(), 1U) << decision.message;
  const domain::Tenant& made = decision.tenants[0];
  EXPECT_EQ(made.max_peers, 5000);
  EXPECT_EQ(made.plans.at("business").max_peers, 500);
  EXPECT_EQ(made.reservations_per_hour, 20);
  EXPECT_EQ(made.suspensions_limit, 50);
  EXPECT_EQ(made.suspensions_window_seconds, 3600);
  EXPECT_EQ(made.suspensions_action, domain::MassAction::approve);
  ASSERT_EQ(made.garden.size(), 2U);
  EXPECT_EQ(made.garden[0].prefix, "203.0.113.10/32");
  EXPECT_EQ(made.garden[0].protocol, wireguard::RuleProtocol::tcp);
  EXPECT_EQ(made.garden[0].port, 443);
  EXPECT_EQ(made.garden[1].prefix, "fd20::80/128");
  EXPECT_EQ(made.recipient_key, samples::kOtherKey);
  EXPECT_THAT(made.dns, ElementsAre("10.20.0.1", "fd20::1"));
}

TEST(DecodeServer, ChangesWhatAnUpdateSays) {
  domain::State from = state();
  domain::Server before = samples::full_server();
  before.state = domain::ServerState::active;
  before.key_wanted.clear();
  before.retired_word.clear();
  before.retired_proven_at.reset();
  from.load(before);
  const auto decision = decided("server.update", from);
  ASSERT_EQ(decision.servers.size(), 1U) << decision.message;
  const domain::Server& made = decision.servers[0];
  EXPECT_EQ(made.endpoint, "ams-1.example.net:51821");
  EXPECT_EQ(made.max_peers, 3000);
  EXPECT_EQ(made.mtu, 0) << "null";
  EXPECT_FALSE(made.default_action) << "none";
  EXPECT_EQ(made.ssh_user, "wgadmin");
  EXPECT_EQ(made.ssh_host, before.ssh_host) << "left out";
  EXPECT_EQ(made.location, before.location) << "left out";
}

TEST(DecodeServer, AnUpdateTakesTheJumpHostAway) {
  domain::State from = state();
  domain::Server before = samples::full_server();
  before.state = domain::ServerState::active;
  before.exec_prefix.clear();
  before.ssh_way = wireguard::WayIn::sudo;
  before.ssh_jump = domain::JumpHost{"jump.example.net", 22, "root", "ssh-ed25519 AAAA"};
  from.load(before);
  json event = example("server.update-no-jump");
  domain::Word word = samples::word();
  word.sequence = 99;
  word.id = "later";
  const auto decision = decode_json(event)->decide(word, from);
  ASSERT_EQ(decision.servers.size(), 1U) << decision.message;
  EXPECT_EQ(decision.servers[0].ssh_way, wireguard::WayIn::shell);
  EXPECT_FALSE(decision.servers[0].ssh_jump);
  event["data"]["ssh"] = {{"user", "wgadmin"}};
  const auto other = decode_json(event)->decide(word, from);
  EXPECT_EQ(other.servers.at(0).ssh_jump, before.ssh_jump) << "left out";
}

TEST(DecodePeer, ChangesWhatAnUpdateSays) {
  domain::State from = state();
  domain::Peer before = samples::full_peer();
  before.expired = false;
  before.over_quota = false;
  before.staged_key.clear();
  before.delivery_error.clear();
  from.load(before);
  json event = example("peer.update");
  event["data"].erase("make_preshared_key");
  domain::Word word = samples::word();
  word.sequence = 99;
  word.id = "later";
  const auto decoded = decode_json(event);
  ASSERT_TRUE(decoded) << message_of(decoded);
  const auto decision = decoded->decide(word, from);
  ASSERT_EQ(decision.peers.size(), 1U) << decision.message;
  const domain::Peer& made = decision.peers[0];
  EXPECT_EQ(made.display_name, "Zoë's phone");
  EXPECT_FALSE(made.expires_at) << "null";
  EXPECT_EQ(made.endpoint, "") << "null";
  EXPECT_EQ(made.mtu, 0) << "null";
  EXPECT_THAT(made.site_networks, ElementsAre("192.168.41.0/24"));
  EXPECT_EQ(made.metadata, R"({"order":"2026-18"})");
  EXPECT_EQ(made.user_id, "4711") << "left out";
}

TEST(DecodeHolds, CountTheStepsFromWhenItWasSent) {
  domain::State from = state();
  const auto decision = decided("subscriber.suspend-customer", from);
  ASSERT_EQ(decision.holds.size(), 1U) << decision.message;
  const domain::Hold& made = decision.holds[0];
  EXPECT_EQ(made.scope, (domain::Scope{domain::ScopeKind::customer, 6}));
  EXPECT_EQ(made.level, domain::HoldLevel::grace);
  const Time sent = samples::kWhen;
  using domain::HoldLevel;
  EXPECT_THAT(made.steps, ElementsAre(domain::HoldStep{HoldLevel::walled_garden, sent + std::chrono::hours(72)},
                                      domain::HoldStep{HoldLevel::cut, sent + std::chrono::hours(240)},
                                      domain::HoldStep{HoldLevel::release, sent + std::chrono::hours(960)}));
}

TEST(DecodeMesh, TakesServersAndNodes) {
  domain::State from = state();
  domain::Server other = samples::server();
  other.id = 3;
  other.name = "fra-2";
  other.public_key = samples::kClientKey;
  from.load(other);
  domain::Mesh named;
  named.id = 7;
  named.name = "mesh/backbone";
  from.load(named);
  const auto decision = decided("mesh.set", from);
  ASSERT_EQ(decision.meshes.size(), 1U) << decision.message;
  const auto& members = decision.meshes[0].members;
  ASSERT_EQ(members.size(), 3U);
  EXPECT_TRUE(members[0].managed);
  EXPECT_EQ(members[0].keepalive_seconds, 25);
  EXPECT_EQ(members[1].endpoint, "fra-2.example.net:51820");
  EXPECT_FALSE(members[2].managed);
  EXPECT_EQ(members[2].name, "branch-7");
  EXPECT_EQ(members[2].public_key, samples::kOtherKey);
  EXPECT_THAT(members[2].allowed_ips, ElementsAre("10.99.0.7/32", "192.168.7.0/24"));
}

TEST(DecodeTimes, ReadTheirZoneAndRefuseWhatIsNone) {
  const auto said = [](const std::string& time) {
    json event = example("peer.update-expiry");
    event["data"]["expires_at"] = time;
    return event;
  };
  domain::State from = state();
  const auto expiry = [&](const std::string& time) -> std::string {
    const auto event = decode_json(said(time));
    if (!event) return event.error().code;
    domain::Word word = samples::word();
    word.id = "later";
    word.sequence = 99;
    const auto decision = event->decide(word, from);
    if (decision.peers.empty() || !decision.peers[0].expires_at) return decision.code;
    return rfc3339(*decision.peers[0].expires_at);
  };
  EXPECT_EQ(expiry("2027-01-31T09:30:00.5+01:00"), "2027-01-31T08:30:00.500000Z");
  EXPECT_EQ(expiry("2028-02-29T23:59:59.123456789z"), "2028-02-29T23:59:59.123456Z");
  EXPECT_EQ(expiry("2027-01-01T00:15:00-11:30"), "2027-01-01T11:45:00.000000Z");
  for (const char* bad :
       {"2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z", "2027-01-01T24:00:00Z", "1969-12-31T23:59:59Z",
        "2027-01-01T00:60:00Z", "2027-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:00"}) {
    EXPECT_EQ(expiry(bad), "value_invalid") << bad;
  }
}

}  // namespace
}  // namespace peerwright::events
