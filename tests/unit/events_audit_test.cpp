#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "events_samples.hpp"
#include "peerwright/events/audit.hpp"

// The audit is what a database is rebuilt from: what an after-image leaves out is lost.
namespace peerwright::events {
namespace {

using namespace samples;
using nlohmann::json;
using testing::HasSubstr;

TEST(Audit, HoldsWhatChanged) {
  domain::Decision decision;
  decision.networks = {network()};
  decision.peers = {peer()};
  const std::string word_text = R"("word":{"source":"billing","id":"inv-1","sequence":17,)"
                                R"("place":{"broker_time":"2026-01-31T10:00:00.000001Z","partition":3,"offset":99}})";
  EXPECT_EQ(audit_body(word(), "peerwright.peer.provision.v1", refs(), decision),
            R"({"version":3,"source":"billing","id":"inv-1","sequence":17,"type":"peerwright.peer.provision.v1",)"
            R"("subject":{"tenant":"acme","peer":"P-1","server":"ams-1"},"outcome":"accepted",)"
            R"("place":{"broker_time":"2026-01-31T10:00:00.000001Z","partition":3,"offset":99},)"
            R"("changes":{"networks":[{"id":1,"network":"eu-1","ipv4":"10.20.0.0/16","ipv6":"fd20::/64",)"
            R"("reserved_offsets":[1],"next_offset":8,"quarantine_seconds":3600}],)"
            R"("peers":[{"id":3,"tenant_id":4,"tenant":"acme","peer":"P-1","stage":"provisioned",)"
            R"("entitlement":"active","subscriber_id":5,"subscriber":"S-1","server_id":2,"network_id":1,)"
            R"("address_offset":7,"public_key":")" +
                kClientKey +
                R"(","peer_type":"client","description":"Zoë's \"laptop\"\u000a",)"
                R"("client_routes":["0.0.0.0/0","::/0"],"keepalive_seconds":25,"cause":"billing/inv-1",)"
                R"("changed_at":"2026-01-31T10:00:00.000001Z","version":7,"generation":12,"applied_generation":12,)" +
                word_text + R"(}]}})");
}

// Each kind of thing, and how many members its image has where all of them are set.
TEST(Audit, HoldsEveryMemberOfEveryKind) {
  const json changes = json::parse(audit_body(word(), "t", refs(), decision()))["changes"];
  const std::map<std::string, std::size_t> sizes{
      {"tenants", 17}, {"customers", 6}, {"networks", 10}, {"servers", 43},  {"subscribers", 7},
      {"peers", 46},   {"holds", 9},     {"removals", 6},  {"rules", 11},    {"meshes", 6},
      {"links", 11},   {"timers", 3},    {"freed", 2},     {"used_keys", 2}, {"fan_outs", 3}};
  // Beside them: settled peers and abandoned servers, of which the next test tells.
  for (const auto& [kind, members] : sizes) {
    ASSERT_TRUE(changes.contains(kind)) << kind;
    EXPECT_EQ(changes[kind][0].size(), members) << kind << changes[kind][0].dump(1);
  }
  EXPECT_EQ(changes.size(), sizes.size());
  EXPECT_EQ(changes["servers"][0]["ssh_jump"], json::parse(R"({"host":"jump.example.net","port":2222,"user":"jump",
    "host_key":"ssh-ed25519 BBBB"})"));
}

TEST(Audit, KeepsSecretsAsTheyAreSealed) {
  const json changes = json::parse(audit_body(word(), "t", refs(), decision()))["changes"];
  const json& made = changes["peers"][0];
  EXPECT_EQ(made["preshared_key_sealed"], full_peer().preshared_key_sealed);
  EXPECT_EQ(made["client_key_sealed"], full_peer().client_key_sealed);
  EXPECT_EQ(made["staged_client_key_sealed"], full_peer().staged_client_key_sealed);
  EXPECT_EQ(changes["servers"][0]["private_key_sealed"], full_server().private_key_sealed);
  EXPECT_EQ(made["metadata"], json::parse(full_peer().metadata));
}

TEST(Audit, HoldsHoldsAndSubscribersAndRefusals) {
  const json all = json::parse(audit_body(word(), "t", refs(), decision()));
  EXPECT_EQ(all["alert"], "mass_suspension");
  EXPECT_EQ(all["changes"]["subscribers"][0],
            json::parse(R"({"id":5,"tenant_id":4,"subscriber":"S-1","version":3,"customer_id":6,)"
                        R"("released_at":"2026-01-31T10:00:00.000001Z","revoked":true})"));
  const json& held = all["changes"]["holds"][0];
  EXPECT_EQ(held["scope"], "subscriber");
  EXPECT_EQ(held["scope_id"], 5);
  EXPECT_EQ(held["owner"], "billing");
  EXPECT_EQ(held["held"], true);
  EXPECT_EQ(held["level"], "walled_garden");
  EXPECT_EQ(held["steps"][1]["level"], "release");
  EXPECT_EQ(held["reason"], "unpaid");
  EXPECT_EQ(held["word"]["place"]["offset"], 99);

  const json refused = json::parse(audit_body(word(), "t", refs(), domain::rejected("stale", "older", "nothing")));
  EXPECT_EQ(refused["outcome"], "rejected");
  EXPECT_EQ(refused["code"], "stale");
  EXPECT_EQ(refused["changes"], json::object());
  EXPECT_FALSE(refused.contains("alert"));
}

AuditExtras extras() {
  AuditExtras all;
  all.payload_hash = std::string(64, 'a');
  all.replays = "events/3/99";
  all.made = {{"tenants", 4, 0, "acme"}, {"peers", 3, 4, "P-1"}};
  all.positions = {{"events", 3, 100, kWhen, std::string(64, 'b')}};
  all.progress = AuditProgress{"subscriber", 5, 3, true};
  all.clock_us = 7;
  return all;
}

// What was written comes back: written once more it is the same to the letter.
TEST(Audit, IsReadBackAsItWasWritten) {
  domain::Decision all = decision();
  all.abandoned_servers = {2};
  all.peers.push_back(peer());
  all.peers.back().id = 12;
  all.peers.back().word->heard = {{"security", 4}};
  const std::string body = audit_body(word(), "t", refs(), all, extras());
  const auto entry = read_audit(body);
  ASSERT_TRUE(entry.has_value()) << entry.error().message;
  // All that the changes do not hold, as it was.
  domain::Decision same = entry->decision;
  same.alert = all.alert;
  EXPECT_EQ(audit_body(word(), "t", refs(), same, entry->extras), body);
}

TEST(Audit, WritesASettledPeerShort) {
  domain::Decision one;
  one.peers = {full_peer()};
  one.peers[0].stage = domain::Stage::revoked;
  one.peers[0].entitlement = domain::Entitlement::revoked;
  one.peers[0].generation += 1;
  ASSERT_TRUE(differs_by_settling(full_peer(), one.peers[0]));
  AuditExtras extras;
  extras.settled = {one.peers[0].id};
  const auto entry = read_audit(audit_body(word(), "t", refs(), one, extras));
  ASSERT_TRUE(entry.has_value()) << entry.error().message;
  domain::Decision read;
  read.peers = {full_peer()};
  overlay(read.peers[0], entry->decision.peers.at(0));
  EXPECT_EQ(audit_body(word(), "t", refs(), read), audit_body(word(), "t", refs(), one));

  one.peers[0].site_networks.clear();
  EXPECT_FALSE(differs_by_settling(full_peer(), one.peers[0]));
}

TEST(Audit, RefusesWhatItCannotRead) {
  for (const char* body : {"", "[]", R"({"version":2,"changes":{}})", R"({"version":4})",
                           R"({"version":3,"changes":{"peers":[{"stage":"elsewhere"}]}})"}) {
    const auto entry = read_audit(body);
    ASSERT_FALSE(entry.has_value()) << body;
    EXPECT_EQ(entry.error().code, "audit_entry_unreadable");
  }
}

TEST(Audit, NamesAllThatTheEventNamed) {
  domain::Refs named = refs();
  named.customer = "C-1";
  named.subscriber = "S-1";
  named.rule = "R-1";
  named.region = "eu-west";
  named.mesh = "mesh/backbone";
  named.network = "eu-1";
  const json subject = json::parse(audit_body(word(), "t", named, {}))["subject"];
  EXPECT_EQ(subject.size(), 9U) << subject;
  EXPECT_THAT(rejected(word(), "t", named, {}).body, HasSubstr(R"("mesh":"mesh/backbone")"));
}

}  // namespace
}  // namespace peerwright::events
