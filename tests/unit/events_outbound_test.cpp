#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "peerwright/events/outbound.hpp"

namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

const std::string kClientKey = "kuZKPJJm4LFYqcLJ9SVLrKxNSRjKBHxHQHyxBFTlkWs=";
const std::string kServerKey = "Tdv8lXxQwLbVMpiLm5jQaMqEdTBnRsuZ/eNU0PlkW3E=";
// 2026-01-31T10:00:00.000001Z
const Time kWhen = time_from_micros(1'769'853'600'000'001);

domain::Network network() {
  domain::Network network;
  network.id = 1;
  network.name = "eu-1";
  network.net4 = *wireguard::Prefix::parse("10.20.0.0/16");
  network.net6 = *wireguard::Prefix::parse("fd20::/64");
  network.reserved = {1};
  network.next_offset = 8;
  network.quarantine_seconds = 3600;
  network.free = {5, 6};
  return network;
}

domain::Word word() {
  domain::Word word;
  word.source = "billing";
  word.id = "inv-1";
  word.sequence = 17;
  word.place = {kWhen, 3, 99};
  return word;
}

domain::Server server() {
  domain::Server server;
  server.id = 2;
  server.name = "ams-1";
  server.network_id = 1;
  server.ssh_host = "ams-1.example.net";
  server.ssh_user = "wgadmin";
  server.ssh_host_key = "ssh-ed25519 AAAA";
  server.exec_prefix = "sudo -n";
  server.interface = "wg0";
  server.config_path = "/etc/wireguard/wg0.conf";
  server.public_key = kServerKey;
  server.endpoint = "ams-1.example.net:51820";
  server.mtu = 1420;
  server.dns = {"10.20.0.1"};
  server.keepalive_seconds = 25;
  server.max_peers = 1000;
  server.peer_count = 1;
  server.generation = 12;
  server.version = 4;
  server.word = word();
  return server;
}

domain::Peer peer() {
  domain::Peer peer;
  peer.id = 3;
  peer.tenant_id = 4;
  peer.tenant = "acme";
  peer.name = "P-1";
  peer.stage = domain::Stage::provisioned;
  peer.entitlement = domain::Entitlement::active;
  peer.subscriber_id = 5;
  peer.subscriber = "S-1";
  peer.server_id = 2;
  peer.network_id = 1;
  peer.address_offset = 7;
  peer.public_key = kClientKey;
  peer.description = "Zoë's \"laptop\"\n";
  peer.client_routes = {"0.0.0.0/0", "::/0"};
  peer.keepalive_seconds = 25;
  peer.word = word();
  peer.cause = "billing/inv-1";
  peer.changed_at = kWhen;
  peer.version = 7;
  peer.generation = 12;
  peer.applied_generation = 12;
  return peer;
}

TEST(PeerStatus, SaysAllThatAClientNeeds) {
  const auto at = server();
  const auto in = network();
  const Outbound status = peer_status(peer(), &at, &in, 84);
  EXPECT_EQ(status.id, "peer.status/acme/P-1/7");
  EXPECT_EQ(status.type, "peerwright.peer.status.v1");
  EXPECT_EQ(status.key, "acme/P-1");
  EXPECT_EQ(status.body,
            R"({"tenant":"acme","peer":"P-1","subscriber":"S-1","entitlement":"active","delivery":"applied",)"
            R"("server":"ams-1","addresses":["10.20.0.7/32","fd20::7/128"],"public_key":")" +
                kClientKey +
                R"(","generation":12,"version":7,"cause":"billing/inv-1",)"
                R"("changed_at":"2026-01-31T10:00:00.000001Z","latency_ms":84,"client":{"server_public_key":")" +
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

TEST(SubscriberStatus, SaysWhetherItIsHeld) {
  domain::Subscriber subscriber;
  subscriber.name = "S-1";
  subscriber.version = 3;
  const Outbound status = subscriber_status("acme", subscriber, true, "billing/inv-1");
  EXPECT_EQ(status.id, "subscriber.status/acme/S-1/3");
  EXPECT_EQ(status.type, "peerwright.subscriber.status.v1");
  EXPECT_EQ(status.key, "acme/S-1");
  EXPECT_EQ(status.body,
            R"({"tenant":"acme","subscriber":"S-1","entitlement":"suspended","version":3,"cause":"billing/inv-1"})");
  EXPECT_THAT(subscriber_status("acme", subscriber, false, "x").body, HasSubstr(R"("entitlement":"active")"));
}

TEST(ServerStatus, SaysWhereItStands) {
  const auto in = network();
  const Outbound status = server_status(server(), "billing/inv-1", &in);
  EXPECT_EQ(status.id, "server.status/ams-1/4");
  EXPECT_EQ(status.type, "peerwright.server.status.v1");
  EXPECT_EQ(status.key, "server/ams-1");
  EXPECT_EQ(status.body, R"({"server":"ams-1","network":"eu-1","registered":true,"interface":"wg0",)"
                         R"("endpoint":"ams-1.example.net:51820","public_key":")" +
                             kServerKey +
                             R"(","generation":12,"version":4,"peers":1,"max_peers":1000,"cause":"billing/inv-1"})");
  EXPECT_THAT(server_status(server(), "x").body, Not(HasSubstr("network")));
}

domain::Refs refs() {
  domain::Refs refs;
  refs.tenant = "acme";
  refs.peer = "P-1";
  refs.server = "ams-1";
  refs.public_key = kClientKey;
  return refs;
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

TEST(Audit, HoldsWhatChanged) {
  domain::Decision decision;
  decision.networks = {network()};
  decision.servers = {server()};
  decision.peers = {peer()};
  decision.removals.push_back({2, kClientKey, 3, false});
  const std::string word_text = R"("word":{"source":"billing","id":"inv-1","sequence":17,)"
                                R"("place":{"broker_time":"2026-01-31T10:00:00.000001Z","partition":3,"offset":99}})";
  EXPECT_EQ(audit_body(word(), "peerwright.peer.provision.v1", refs(), decision),
            R"({"source":"billing","id":"inv-1","sequence":17,"type":"peerwright.peer.provision.v1",)"
            R"("subject":{"tenant":"acme","peer":"P-1","server":"ams-1"},"outcome":"accepted",)"
            R"("place":{"broker_time":"2026-01-31T10:00:00.000001Z","partition":3,"offset":99},)"
            R"("changes":{"networks":[{"id":1,"network":"eu-1","ipv4":"10.20.0.0/16","ipv6":"fd20::/64",)"
            R"("reserved_offsets":[1],"next_offset":8,"quarantine_seconds":3600}],)"
            R"("servers":[{"id":2,"server":"ams-1","network_id":1,"ssh_host":"ams-1.example.net","ssh_port":22,)"
            R"("ssh_user":"wgadmin","ssh_host_key":"ssh-ed25519 AAAA","exec_prefix":"sudo -n","interface":"wg0",)"
            R"("config_path":"/etc/wireguard/wg0.conf","public_key":")" +
                kServerKey +
                R"(","endpoint":"ams-1.example.net:51820","mtu":1420,"dns":["10.20.0.1"],"keepalive_seconds":25,)"
                R"("max_peers":1000,"peers":1,"generation":12,"version":4,)" +
                word_text +
                R"(}],"peers":[{"id":3,"tenant_id":4,"tenant":"acme","peer":"P-1","stage":"provisioned",)"
                R"("entitlement":"active","subscriber_id":5,"subscriber":"S-1","server_id":2,"network_id":1,)"
                R"("address_offset":7,"public_key":")" +
                kClientKey +
                R"(","description":"Zoë's \"laptop\"\u000a","client_routes":["0.0.0.0/0","::/0"],)"
                R"("keepalive_seconds":25,"cause":"billing/inv-1","changed_at":"2026-01-31T10:00:00.000001Z",)"
                R"("version":7,"generation":12,"applied_generation":12,)" +
                word_text + R"(}],"removals":[{"server_id":2,"public_key":")" + kClientKey +
                R"(","peer_id":3,"wanted_gone":false}]}})");
}

TEST(Audit, HoldsHoldsAndSubscribersAndRefusals) {
  domain::Decision decision;
  domain::Subscriber subscriber;
  subscriber.id = 5;
  subscriber.tenant_id = 4;
  subscriber.name = "S-1";
  subscriber.version = 3;
  decision.subscribers = {subscriber};
  decision.holds.push_back({{domain::ScopeKind::subscriber, 5}, "billing", true, "unpaid", word()});
  const json held = json::parse(audit_body(word(), "t", refs(), decision));
  EXPECT_EQ(held["changes"]["subscribers"][0], json::parse(R"({"id":5,"tenant_id":4,"subscriber":"S-1","version":3})"));
  const json& hold = held["changes"]["holds"][0];
  EXPECT_EQ(hold["scope"], "subscriber");
  EXPECT_EQ(hold["scope_id"], 5);
  EXPECT_EQ(hold["owner"], "billing");
  EXPECT_EQ(hold["held"], true);
  EXPECT_EQ(hold["reason"], "unpaid");
  EXPECT_EQ(hold["word"]["place"]["offset"], 99);

  const json refused = json::parse(audit_body(word(), "t", refs(), domain::rejected("stale", "older", "nothing")));
  EXPECT_EQ(refused["outcome"], "rejected");
  EXPECT_EQ(refused["code"], "stale");
  EXPECT_EQ(refused["changes"], json::object());
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
  subject.tenant = "acme";
  EXPECT_EQ(key_of(subject), "acme");
  subject.peer = "P-1";
  EXPECT_EQ(key_of(subject), "acme/P-1");
  subject.subscriber = "S-1";
  EXPECT_EQ(key_of(subject), "acme/S-1");
}

}  // namespace
}  // namespace peerwright::events
