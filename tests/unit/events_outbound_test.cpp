#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "events_samples.hpp"

namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

using namespace samples;

TEST(PeerStatus, SaysAllThatAClientNeeds) {
  const auto at = server();
  const auto in = network();
  const Outbound status = peer_status(peer(), &at, &in, 84);
  EXPECT_EQ(status.id, "peer.status/acme/P-1/7");
  EXPECT_EQ(status.type, "peerwright.peer.status.v1");
  EXPECT_EQ(status.key, "acme/P-1");
  EXPECT_EQ(status.body,
            R"({"tenant":"acme","peer":"P-1","subscriber":"S-1","type":"client","entitlement":"active",)"
            R"("delivery":"applied","server":"ams-1","addresses":["10.20.0.7/32","fd20::7/128"],"public_key":")" +
                kClientKey +
                R"(","generation":12,"version":7,"cause":"billing/inv-1",)"
                R"("changed_at":"2026-01-31T10:00:00.000001Z","latency_ms":84,"classic":{"state":"vps_ready"},)"
                R"("client":{"server_public_key":")" +
                kServerKey +
                R"(","endpoint":"ams-1.example.net:51820","addresses":["10.20.0.7/32","fd20::7/128"],)"
                R"("dns":["10.20.0.1"],"mtu":1420,"routes":["0.0.0.0/0","::/0"],"keepalive_seconds":25}})");
}

TEST(PeerStatus, LeavesOutWhatThereIsNot) {
  domain::Peer bare;
  bare.tenant = "acme";
  bare.name = "P-1";
  bare.entitlement = domain::Entitlement::suspended;
  bare.cause = "billing/inv-1";
  bare.version = 1;
  bare.changed_at = kWhen;
  const Outbound status = peer_status(bare, nullptr, nullptr, -1);
  EXPECT_EQ(status.key, "acme/P-1");
  EXPECT_EQ(status.body,
            R"({"tenant":"acme","peer":"P-1","entitlement":"suspended","delivery":"none","addresses":[],)"
            R"("generation":0,"version":1,"cause":"billing/inv-1","changed_at":"2026-01-31T10:00:00.000001Z"})");
}

TEST(PeerStatus, HasAClientPartOnlyWhileTheClientHasAFuture) {
  const auto at = server();
  const auto in = network();
  const auto has_client = [&](domain::Entitlement entitlement) {
    domain::Peer changed = peer();
    changed.entitlement = entitlement;
    return json::parse(peer_status(changed, &at, &in, -1).body).contains("client");
  };
  EXPECT_TRUE(has_client(domain::Entitlement::active));
  EXPECT_TRUE(has_client(domain::Entitlement::suspended));
  EXPECT_FALSE(has_client(domain::Entitlement::revoked));
  EXPECT_FALSE(has_client(domain::Entitlement::unprovisioned));
}

TEST(PeerStatus, TakesDnsAndMtuFromTheNearest) {
  const auto at = server();
  const auto in = network();
  auto of = tenant();
  PeerContext around;
  around.server = &at;
  around.network = &in;
  around.tenant = &of;
  const auto client = [&](const domain::Peer& said) { return json::parse(peer_status(said, around).body)["client"]; };
  EXPECT_EQ(client(full_peer())["dns"], json({"10.20.0.53"}));
  EXPECT_EQ(client(full_peer())["mtu"], 1380);
  EXPECT_EQ(client(peer())["dns"], json({"10.20.0.9"})) << "the tenant's";
  EXPECT_EQ(client(peer())["mtu"], 1420) << "the server's";
  of.dns.clear();
  EXPECT_EQ(client(peer())["dns"], json({"10.20.0.1"})) << "the server's";
  around.tenant = nullptr;
  EXPECT_EQ(client(peer())["dns"], json({"10.20.0.1"})) << "the server's";
}

TEST(PeerStatus, SaysAWalledGardenAsASuspension) {
  domain::Peer walled = peer();
  walled.entitlement = domain::Entitlement::walled_garden;
  const json body = json::parse(peer_status(walled, nullptr, nullptr, -1).body);
  EXPECT_EQ(body["entitlement"], "suspended");
  EXPECT_EQ(body["walled_garden"], true);
  walled.entitlement = domain::Entitlement::suspended;
  EXPECT_FALSE(json::parse(peer_status(walled, nullptr, nullptr, -1).body).contains("walled_garden"));
}

TEST(PeerStatus, SaysTheClassicLine) {
  const auto classic = [](const domain::Peer& said, const PeerContext& around) {
    return json::parse(peer_status(said, around).body).value("classic", json::object()).value("state", "");
  };
  domain::Peer said = peer();
  PeerContext around;
  EXPECT_EQ(classic(said, around), "vps_ready");
  around.connected_at = kWhen;
  EXPECT_EQ(classic(said, around), "connected");
  around.limit_missed = true;
  EXPECT_EQ(classic(said, around), "failed");
  around = {};
  said.applied_generation = 0;
  EXPECT_EQ(classic(said, around), "configured");
  said.delivery_error = "wg_refused";
  EXPECT_EQ(classic(said, around), "failed");
  said.stage = domain::Stage::reserved;
  EXPECT_EQ(classic(said, around), "pending");
  said.stage = domain::Stage::unknown;
  EXPECT_EQ(classic(said, around), "");
  said.stage = domain::Stage::revoked;
  EXPECT_EQ(classic(said, around), "");
}

TEST(PeerStatus, SaysSecretsSealedAndNeverAsTheyAreStored) {
  const auto at = server();
  const auto in = network();
  const std::string body = peer_status(full_peer(), &at, &in, -1, {"sealed-psk", "sealed-key"}).body;
  const json client = json::parse(body)["client"];
  EXPECT_EQ(client["preshared_key_sealed"], "sealed-psk");
  EXPECT_EQ(client["private_key_sealed"], "sealed-key");
  const domain::Peer stored = full_peer();
  for (const std::string& secret : {stored.preshared_key_sealed, stored.client_key_sealed,
                                    stored.staged_client_key_sealed, stored.preshared_key_hash}) {
    EXPECT_THAT(body, Not(HasSubstr(secret)));
  }
  EXPECT_THAT(server_status(full_server(), "x").body, Not(HasSubstr(full_server().private_key_sealed)));
}

TEST(PeerStatus, LeavesOutMetadataThatIsNoObject) {
  domain::Peer said = peer();
  for (const char* text : {"", "{}", "[]", "{", "{\"a\":}", "{\"a\":\"\\u0000\"}"}) {
    said.metadata = text;
    EXPECT_FALSE(json::parse(peer_status(said, nullptr, nullptr, -1).body).contains("metadata")) << text;
  }
}

TEST(ReservationStatus, HasAClientOnlyWhileItIsHeld) {
  const auto at = server();
  const auto in = network();
  domain::Peer said = full_peer();
  said.reservation = domain::Reservation::reserved;
  const Outbound held = reservation_status(said, &at, &in);
  EXPECT_EQ(held.id, "reservation.status/acme/P-1/7");
  EXPECT_EQ(held.key, "acme/P-1");
  EXPECT_EQ(json::parse(held.body)["state"], "reserved");
  EXPECT_TRUE(json::parse(held.body).contains("client"));
  for (const auto state : {domain::Reservation::activated, domain::Reservation::expired}) {
    said.reservation = state;
    EXPECT_FALSE(json::parse(reservation_status(said, &at, &in).body).contains("client"));
  }
}

TEST(SubscriberStatus, SummarisesAllHolds) {
  const domain::Hold garden = hold();
  domain::Hold lifted = hold();
  lifted.level = domain::HoldLevel::none;
  lifted.steps = {{domain::HoldLevel::cut, later(5)}};
  const HoldSummary holds = summary_of({&lifted, &garden});
  EXPECT_EQ(holds.level, domain::HoldLevel::walled_garden);
  ASSERT_TRUE(holds.next);
  EXPECT_EQ(holds.next->at, later(5));
  EXPECT_FALSE(summary_of({}).next);
  domain::Hold grace = hold();
  grace.level = domain::HoldLevel::grace;
  const json body = json::parse(subscriber_status("acme", subscriber(), summary_of({&grace}), "x").body);
  EXPECT_EQ(body["entitlement"], "active") << "a grace is only said";
  EXPECT_EQ(body["level"], "grace");
  EXPECT_EQ(body["next"]["level"], "cut");
  domain::Subscriber ended = subscriber();
  ended.revoked = true;
  EXPECT_EQ(json::parse(subscriber_status("acme", ended, false, "x").body)["entitlement"], "revoked");
}

TEST(SubscriberStatus, OfACustomerSharesNoIdWithASubscriber) {
  const Outbound said = customer_status("acme", customer(), {}, "x");
  EXPECT_EQ(said.id, "subscriber.status/acme/customer/C-1/2");
  EXPECT_EQ(said.type, "peerwright.subscriber.status.v1");
  EXPECT_EQ(said.key, "acme/C-1");
  EXPECT_FALSE(json::parse(said.body).contains("subscriber"));
}

TEST(TenantStatus, SaysLimitsUseAndAlert) {
  const Outbound said = tenant_status(tenant(), "x/1", "mass_suspension");
  EXPECT_EQ(said.id, "tenant.status/acme/9");
  EXPECT_EQ(said.key, "acme");
  const json body = json::parse(said.body);
  EXPECT_EQ(body["alert"], "mass_suspension");
  EXPECT_EQ(body["mass_suspension"]["count"], 51);
  EXPECT_EQ(body["plans"][0], json::parse(R"({"plan":"business","max_peers":500,"peers":2,"listed":true})"));
  domain::Tenant bare;
  bare.name = "isp-b";
  const json without = json::parse(tenant_status(bare, "x/1").body);
  for (const char* member : {"alert", "max_peers", "mass_suspension", "recipient_key"}) {
    EXPECT_FALSE(without.contains(member)) << member;
  }
}

TEST(MeshStatus, HasTheConfigurationOfWhomNobodyLogsInTo) {
  const auto at = server();
  const auto entry = link();
  const Outbound said = mesh_status(mesh(), {&entry}, {&at}, "x/1");
  EXPECT_EQ(said.id, "mesh.status/mesh/backbone/2");
  EXPECT_EQ(said.key, "mesh/backbone");
  const json body = json::parse(said.body);
  EXPECT_FALSE(body["members"][0].contains("configuration"));
  EXPECT_EQ(body["members"][1]["configuration"].get<std::string>(),
            "[Interface]\nPrivateKey = REPLACE_WITH_YOUR_PRIVATE_KEY\nAddress = 10.99.0.7/32\nListenPort = 51821\n"
            "\n# ams-1\n[Peer]\nPublicKey = " +
                kServerKey +
                "\nAllowedIPs = 10.99.0.1/32\nEndpoint = ams-1.example.net:51820\nPersistentKeepalive = 25\n");
  EXPECT_EQ(body["links"][0]["server"], "ams-1");
  EXPECT_THAT(mesh_status(mesh(), {}, {}, "x/1").body, HasSubstr("its key is not known yet"));
}

TEST(PeerUsage, IsOnePerInterval) {
  const Usage usage{kWhen, later(60), 1, 2, 3, 4, true};
  const Outbound said = peer_usage(peer(), usage);
  EXPECT_EQ(said.id, "peer.usage/acme/P-1/1769853660000001");
  EXPECT_EQ(said.body, R"({"tenant":"acme","peer":"P-1","subscriber":"S-1","from":"2026-01-31T10:00:00.000001Z",)"
                       R"("until":"2026-01-31T10:01:00.000001Z","rx_bytes":1,"tx_bytes":2,"rx_bytes_total":3,)"
                       R"("tx_bytes_total":4,"online":true})");
}

TEST(SubscriberStatus, SaysWhetherItIsHeld) {
  const Outbound status = subscriber_status("acme", subscriber(), true, "billing/inv-1");
  EXPECT_EQ(status.id, "subscriber.status/acme/S-1/3");
  EXPECT_EQ(status.type, "peerwright.subscriber.status.v1");
  EXPECT_EQ(status.key, "acme/S-1");
  EXPECT_EQ(status.body, R"({"tenant":"acme","subscriber":"S-1","entitlement":"suspended","level":"cut",)"
                         R"("version":3,"cause":"billing/inv-1"})");
  EXPECT_THAT(subscriber_status("acme", subscriber(), false, "x").body, HasSubstr(R"("entitlement":"active")"));
}

TEST(ServerStatus, SaysWhereItStands) {
  const auto in = network();
  const Outbound status = server_status(server(), "billing/inv-1", &in);
  EXPECT_EQ(status.id, "server.status/ams-1/4");
  EXPECT_EQ(status.type, "peerwright.server.status.v1");
  EXPECT_EQ(status.key, "server/ams-1");
  EXPECT_EQ(status.body,
            R"({"server":"ams-1","network":"eu-1","registered":true,"state":"active","maintenance":false,)"
            R"("interface":"wg0","endpoint":"ams-1.example.net:51820","listen_port":51820,"public_key":")" +
                kServerKey +
                R"(","firewall":{"default_action":"none","tunnel_only_ports":[],"masquerade":false},)"
                R"("drift_policy":"repair","generation":12,"version":4,"peers":1,"max_peers":1000,"free":999,)"
                R"("cause":"billing/inv-1"})");
  EXPECT_THAT(server_status(server(), "x").body, Not(HasSubstr("network")));
}

TEST(Rejected, NamesCodeAndRemedy) {
  const auto decision = domain::rejected("unknown_server", "there is no server ams-1", "send server.register first");
  const Outbound out = rejected(word(), "peerwright.peer.provision.v1", refs(), decision);
  EXPECT_EQ(out.id, "rejected/billing/inv-1");
  EXPECT_EQ(out.type, "peerwright.rejected.v1");
  EXPECT_EQ(out.key, "acme/P-1");
  EXPECT_EQ(out.body,
            R"({"source":"billing","id":"inv-1","sequence":17,"type":"peerwright.peer.provision.v1",)"
            R"("code":"unknown_server","message":"there is no server ams-1","remedy":"send server.register first",)"
            R"("tenant":"acme","peer":"P-1","server":"ams-1"})");
}

TEST(Rejected, HasAnIdThatNoOtherWordShares) {
  const auto id = [](const std::string& source, const std::string& event_id) {
    domain::Word said = word();
    said.source = source;
    said.id = event_id;
    return rejected(said, "t", refs(), domain::rejected("a", "b", "c")).id;
  };
  EXPECT_NE(id("a/b", "c"), id("a", "b/c"));
  EXPECT_NE(id("a%2Fb", "c"), id("a/b", "c"));
  EXPECT_EQ(id("peerwright-cli/ops", "1"), "rejected/peerwright-cli%2Fops/1");
}

TEST(DeadLetters, SayWhereTheMessageStoodAndWhatIsWrong) {
  DeadLetter letter;
  letter.topic = "peerwright.events";
  letter.partition = 3;
  letter.offset = 99;
  letter.key = "acme/P-1";
  letter.id = "inv-1";
  letter.code = "not_json";
  letter.message = "not JSON";
  letter.remedy = "send JSON";
  letter.size_bytes = 12;
  const Outbound out = dead_letter(letter);
  EXPECT_EQ(out.id, "dead_letter/peerwright.events/3/99");
  EXPECT_EQ(out.type, "peerwright.dead_letter.v1");
  EXPECT_EQ(out.key, "acme/P-1");
  EXPECT_EQ(out.body, R"({"topic":"peerwright.events","partition":3,"offset":99,"key":"acme/P-1","id":"inv-1",)"
                      R"("code":"not_json","message":"not JSON","remedy":"send JSON","size_bytes":12})");
}

TEST(OutboundText, IsTextWhateverComesIn) {
  DeadLetter letter;
  letter.topic = "t";
  letter.key = std::string("\xFF\0\"\\\x01\x7F\n\xC3\xA9", 9);
  letter.message = "\xE2\x82";
  const Outbound out = dead_letter(letter);
  EXPECT_EQ(out.key, "\xEF\xBF\xBD\xEF\xBF\xBD\"\\\x01\x7F\n\xC3\xA9");
  const json body = json::parse(out.body);
  EXPECT_EQ(body["key"], json(out.key));
  EXPECT_EQ(body["message"], "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_THAT(out.body, Not(HasSubstr("\\u0000"))) << "the database cannot store it";
}

TEST(OutboundHeaders, AreThoseOfBinaryMode) {
  Outbound out;
  out.id = "peer.status/acme/P-1/7";
  out.type = "peerwright.peer.status.v1";
  EXPECT_THAT(headers_of(out, "2026-01-31T10:00:00.000001Z"),
              ElementsAre(Pair("ce_specversion", "1.0"), Pair("ce_id", out.id), Pair("ce_source", "peerwright"),
                          Pair("ce_type", out.type), Pair("ce_time", "2026-01-31T10:00:00.000001Z"),
                          Pair("content-type", "application/json")));
}

TEST(OutboundKeys, FollowTheSubject) {
  domain::Refs subject;
  EXPECT_EQ(key_of(subject), "");
  subject.network = "eu-1";
  EXPECT_EQ(key_of(subject), "network/eu-1");
  subject.server = "ams-1";
  EXPECT_EQ(key_of(subject), "server/ams-1");
  subject.mesh = "link/hq";
  EXPECT_EQ(key_of(subject), "link/hq");
  subject.tenant = "acme";
  EXPECT_EQ(key_of(subject), "acme");
  subject.rule = "R-1";
  EXPECT_EQ(key_of(subject), "acme");
  subject.customer = "C-1";
  EXPECT_EQ(key_of(subject), "acme/C-1");
  subject.peer = "P-1";
  EXPECT_EQ(key_of(subject), "acme/P-1");
  subject.subscriber = "S-1";
  EXPECT_EQ(key_of(subject), "acme/S-1");
  subject.key = "acme";
  EXPECT_EQ(key_of(subject), "acme") << "what the event said";
}

}  // namespace
}  // namespace peerwright::events
