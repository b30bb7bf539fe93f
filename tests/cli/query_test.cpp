#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

class QueryTest : public testing::Test {
 protected:
  void fill() {
    cli_.execute(usual_events());
    cli_.deliver();
  }
  std::string out_of(const std::vector<std::string>& arguments) {
    const Answer answer = cli_.run(arguments);
    EXPECT_EQ(answer.exit, 0) << answer.err;
    return without_times(answer.out);
  }
  CommandLine cli_;
};

TEST_F(QueryTest, EmptyListsAreEmpty) {
  for (const char* group : {"tenant", "customer", "subscriber", "peer", "server", "network", "rule", "mesh", "dlq"}) {
    EXPECT_EQ(out_of({group, "list", "-o", "json"}), "[]\n");
    EXPECT_THAT(out_of({group, "list", "-o", "jsonl"}), IsEmpty());
    EXPECT_THAT(out_of({group, "list", "-o", "name"}), IsEmpty());
    EXPECT_THAT(out_of({group, "list"}), IsEmpty());
    EXPECT_THAT(cli_.run({group, "list"}).err, HasSubstr("no "));
  }
}

TEST_F(QueryTest, PeerListAsATable) {
  fill();
  EXPECT_EQ(out_of({"peer", "list"}),
            "TENANT  PEER    SUBSCRIBER  SERVER  ENTITLEMENT  DELIVERY  ADDRESSES\n"
            "acme    laptop  S-1         ams-1   active       applied   10.200.0.2/32, fd00:200::2/128\n"
            "acme    phone   S-1         ams-1   suspended    applied   10.200.0.3/32, fd00:200::3/128\n"
            "acme    router  S-2         ams-1   active       applied   10.200.0.4/32, fd00:200::4/128\n");
}

TEST_F(QueryTest, PeerListAsJson) {
  fill();
  const auto rows = json::parse(out_of({"peer", "list", "--status", "suspended", "-o", "json"}));
  const json expected = {{"tenant", "acme"},
                         {"peer", "phone"},
                         {"subscriber", "S-1"},
                         {"server", "ams-1"},
                         {"network", "eu-1"},
                         {"entitlement", "suspended"},
                         {"delivery", "applied"},
                         {"delivery_error", nullptr},
                         {"addresses", {"10.200.0.3/32", "fd00:200::3/128"}},
                         {"public_key", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="},
                         {"description", nullptr},
                         {"cause", "billing/late"},
                         {"changed_at", "TIME"},
                         {"version", rows[0]["version"]},
                         {"generation", rows[0]["generation"]},
                         {"applied_generation", rows[0]["generation"]},
                         {"customer", nullptr},
                         {"type", "client"},
                         {"plan", nullptr},
                         {"region", nullptr},
                         {"adopted", false}};
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0], expected);
}

TEST_F(QueryTest, PeerListFilters) {
  fill();
  cli_.execute({peer_provision("beta", "tablet", "ams-1", "Sp1p+HUAK3J5SZZ0wnSRZ4RvTbTVqSZVVrjtNcMvVhI=")});
  const auto names = [&](std::vector<std::string> filter) {
    filter.insert(filter.begin(), {"peer", "list", "-o", "name"});
    return out_of(filter);
  };
  EXPECT_EQ(names({}), "acme/laptop\nacme/phone\nacme/router\nbeta/tablet\n");
  EXPECT_EQ(names({"--tenant", "beta"}), "beta/tablet\n");
  EXPECT_EQ(names({"--subscriber", "S-1"}), "acme/laptop\nacme/phone\n");
  EXPECT_EQ(names({"--server", "ams-1", "--status", "pending"}), "beta/tablet\n");
  EXPECT_EQ(names({"--status", "active"}), "acme/laptop\nacme/router\nbeta/tablet\n");
  EXPECT_EQ(names({"--server", "elsewhere"}), "");
}

TEST_F(QueryTest, PeerListPages) {
  fill();
  cli_.execute({peer_provision("beta", "a", "ams-1", "Sp1p+HUAK3J5SZZ0wnSRZ4RvTbTVqSZVVrjtNcMvVhI=")});
  const Answer first = cli_.run({"peer", "list", "-o", "name", "--limit", "2"});
  EXPECT_EQ(first.out, "acme/laptop\nacme/phone\n");
  EXPECT_THAT(first.err, HasSubstr("--after acme/phone"));
  const Answer second = cli_.run({"peer", "list", "-o", "name", "--limit", "2", "--after", "acme/phone"});
  EXPECT_EQ(second.out, "acme/router\nbeta/a\n") << "the next tenant's names may be smaller";
  EXPECT_THAT(second.err, IsEmpty());
}

TEST_F(QueryTest, PeerShowAnswersTheSupportCall) {
  fill();
  EXPECT_EQ(
      out_of({"peer", "show", "acme/phone"}),
      "tenant              acme\n"
      "peer                phone\n"
      "subscriber          S-1\n"
      "server              ams-1\n"
      "network             eu-1\n"
      "entitlement         suspended\n"
      "delivery            applied\n"
      "delivery_error      -\n"
      "addresses           10.200.0.3/32, fd00:200::3/128\n"
      "public_key          hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n"
      "description         -\n"
      "cause               billing/late\n"
      "changed_at          TIME\n"
      "version             " +
          cli_.db().value("SELECT version FROM peers WHERE name = 'phone'") +
          "\n"
          "generation          " +
          cli_.db().value("SELECT generation FROM peers WHERE name = 'phone'") +
          "\n"
          "applied_generation  " +
          cli_.db().value("SELECT applied_generation FROM peers WHERE name = 'phone'") +
          "\n"
          "customer            -\n"
          "type                client\n"
          "plan                -\n"
          "region              -\n"
          "adopted             no\n"
          "client_routes       0.0.0.0/0, ::/0\n"
          "keepalive_seconds   25\n"
          "settings\n"
          "  name                   -\n"
          "  user_id                -\n"
          "  endpoint               -\n"
          "  site_networks          -\n"
          "  dns                    -\n"
          "  mtu                    -\n"
          "  hub_keepalive_seconds  0\n"
          "  has_preshared_key      no\n"
          "  preshared_key_unknown  no\n"
          "  expires_at             -\n"
          "  quota_bytes            -\n"
          "  over_quota             no\n"
          "  reservation            -\n"
          "  reserved_until         -\n"
          "  provisioned_at         TIME\n"
          "  staged_key             -\n"
          "  staged_until           -\n"
          "  created_by             billing\n"
          "metadata            -\n"
          "connectivity        -\n"
          "holds\n"
          "  scope peer, owner billing, held yes, reason invoice 7 is late, cause billing/late, level cut, since TIME, "
          "steps -\n"
          "timers              -\n"
          "next                nothing: the host is proven to be as wanted\n");
}

TEST_F(QueryTest, PeerShowTellsWhatHappensNext) {
  fill();
  cli_.execute({subscriber_event("suspend", "acme", "S-1")});
  EXPECT_THAT(out_of({"peer", "show", "acme/laptop"}), HasSubstr("its subscriber's holds are being carried"));
  cli_.db().execute("DELETE FROM fan_outs");
  cli_.execute({peer_event("suspend", "acme", "router", "S-2")});
  EXPECT_THAT(out_of({"peer", "show", "acme/router"}), HasSubstr("the next push to ams-1 brings it"));
  cli_.db().execute("UPDATE deliveries SET attempts = 3, error_code = 'ssh_unreachable', error_message = 'no route'");
  EXPECT_THAT(out_of({"peer", "show", "acme/router"}),
              HasSubstr("another attempt at ams-1 after TIME; the last failed: ssh_unreachable: no route"));
}

TEST_F(QueryTest, APeerThatTheHostRefusesIsFailed) {
  fill();
  cli_.execute({peer_event("resume", "acme", "phone")});
  cli_.db().execute("UPDATE peers SET delivery_error = 'prefix_taken_on_host' WHERE name = 'phone'");
  EXPECT_EQ(out_of({"peer", "list", "--status", "failed", "-o", "name"}), "acme/phone\n");
  EXPECT_EQ(out_of({"peer", "list", "--status", "pending", "-o", "name"}), "");
  EXPECT_THAT(out_of({"peer", "show", "acme/phone"}),
              HasSubstr("nothing: ams-1 refuses it (prefix_taken_on_host) until the peer is changed"));
  const auto server = json::parse(out_of({"server", "show", "ams-1", "-o", "json"}));
  EXPECT_EQ(server["peers_by_delivery"], json({{"applied", 2}, {"failed", 1}}));
  EXPECT_EQ(server["delivery"]["failed_peers"], 1);
  EXPECT_EQ(server["delivery"]["pending_peers"], 0);
}

TEST_F(QueryTest, WhatDoesNotExistExitsWith3) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"peer", "show", "acme/nobody"},
                                                    {"peer", "config", "acme/nobody"},
                                                    {"tenant", "show", "nobody"},
                                                    {"customer", "show", "acme/nobody"},
                                                    {"subscriber", "show", "acme/nobody"},
                                                    {"network", "show", "nowhere"},
                                                    {"mesh", "show", "mesh/none"},
                                                    {"server", "show", "nowhere"},
                                                    {"dlq", "show", "7"},
                                                    {"audit", "show", "--source", "s", "--id", "i"}}) {
    const Answer answer = cli_.run(arguments);
    EXPECT_EQ(answer.exit, 3) << answer.err;
    EXPECT_THAT(answer.err, HasSubstr("_not_found: "));
  }
}

TEST_F(QueryTest, ServerListAsATable) {
  fill();
  EXPECT_EQ(out_of({"server", "list"}),
            "SERVER  NETWORK  ENDPOINT                 PEERS  MAX  DELIVERY  PENDING  FAILED\n"
            "ams-1   eu-1     ams-1.example.net:51820  3      100  proven    0        0\n");
}

TEST_F(QueryTest, ServerShowTellsItsDelivery) {
  fill();
  cli_.execute({peer_event("suspend", "acme", "laptop", "S-1")});
  cli_.db().execute("UPDATE deliveries SET attempts = 3, error_code = 'ssh_unreachable', error_message = 'no route'");
  const auto row = json::parse(out_of({"server", "show", "ams-1", "-o", "json"}));
  EXPECT_EQ(row["server"], "ams-1");
  EXPECT_EQ(row["ssh"]["host"], "ams-1.example.net");
  EXPECT_EQ(row["peers_by_entitlement"], json({{"active", 1}, {"suspended", 2}}));
  EXPECT_EQ(row["peers_by_delivery"], json({{"applied", 2}, {"pending", 1}}));
  const json& delivery = row["delivery"];
  EXPECT_EQ(delivery["state"], "failing");
  EXPECT_EQ(delivery["urgent"], true);
  EXPECT_EQ(delivery["attempts"], 3);
  EXPECT_EQ(delivery["error_code"], "ssh_unreachable");
  EXPECT_EQ(delivery["in_doubt"], false);
  EXPECT_EQ(delivery["proven_at"], "TIME");
  EXPECT_EQ(delivery["pending_peers"], 1);
  EXPECT_EQ(delivery["pending_removals"], 1);
  EXPECT_EQ(std::to_string(delivery["push_number"].get<int>()), cli_.db().value("SELECT push_no FROM deliveries"));
}

TEST_F(QueryTest, DeadLettersAreListedAndOpened) {
  const std::string payload = "{\"specversion\": \"1.0\", \"id\": \"broken-1\",\n \"source\": \"billing\"";
  cli_.execute_text(payload);
  EXPECT_THAT(out_of({"dlq", "list"}), HasSubstr("\n1   TIME  not_json  billing  broken-1  -\n"));
  EXPECT_EQ(out_of({"dlq", "list", "-o", "name"}), "1\n");
  const auto row = json::parse(out_of({"dlq", "show", "1", "-o", "json"}));
  EXPECT_EQ(row["code"], "not_json");
  EXPECT_EQ(row["topic"], "events");
  EXPECT_EQ(row["original"], json({{"key", "key"}, {"headers", json::array()}, {"payload", payload}}));
  EXPECT_EQ(out_of({"dlq", "show", "1", "--raw"}), payload);
}

TEST_F(QueryTest, ADeadLetterOfBytesIsShownInHexadecimal) {
  const std::string payload = "\xFF\x1B[31m";
  cli_.execute_text(payload);
  EXPECT_EQ(json::parse(out_of({"dlq", "show", "1", "-o", "json"}))["original"]["payload_hex"], "ff1b5b33316d");
  EXPECT_EQ(out_of({"dlq", "show", "1", "--raw"}), payload);
}

TEST_F(QueryTest, NothingStoredCanSteerTheTerminal) {
  cli_.execute(usual_events());
  cli_.db().execute("UPDATE peers SET description = E'\\x1b[2Jred\\u009b' WHERE name = 'laptop'");
  const std::string shown = out_of({"peer", "show", "acme/laptop"});
  EXPECT_THAT(shown, HasSubstr("description         ?[2Jred?\n"));
}

TEST_F(QueryTest, ADeadLetterDoesNotOpenWithAnotherKey) {
  cli_.execute_text("no json");
  const std::string other = cli_.write("other-key", std::string(64, 'a'));
  const Answer answer = cli_.run({"dlq", "show", "1", "--raw", "--set", "encryption.key_file=" + other});
  EXPECT_EQ(answer.exit, 1);
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_THAT(answer.err, HasSubstr("sealed_with_other_key"));
}

TEST_F(QueryTest, AuditShowTellsTheDecision) {
  fill();
  const auto row = json::parse(out_of({"audit", "show", "--source", "billing", "--id", "late", "-o", "json"}));
  EXPECT_EQ(row["outcome"], "accepted");
  EXPECT_EQ(row["event_type"], "peerwright.peer.suspend.v1");
  EXPECT_EQ(row["chain_no"], nullptr);
  EXPECT_EQ(row["entry"]["subject"], json({{"tenant", "acme"}, {"peer", "phone"}}));
}

TEST_F(QueryTest, ALoginThatMayOnlyReadIsEnough) {
  fill();
  const std::string role = "reader_of_" + cli_.db().value("SELECT current_database()");
  cli_.db().execute("CREATE ROLE " + role + " LOGIN");
  cli_.db().execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role);
  const std::string dsn = "postgres.dsn=" + cli_.db().dsn() + " user=" + role;
  EXPECT_THAT(out_of({"peer", "list", "--set", dsn}), HasSubstr("laptop"));
  EXPECT_THAT(out_of({"peer", "show", "acme/phone", "--set", dsn}), HasSubstr("suspended"));
  EXPECT_THAT(out_of({"server", "list", "--set", dsn}), HasSubstr("ams-1"));
  EXPECT_THAT(out_of({"server", "show", "ams-1", "--set", dsn}), HasSubstr("ams-1"));
  EXPECT_THAT(out_of({"audit", "verify", "--set", dsn}), HasSubstr("intact"));
  EXPECT_EQ(cli_.run({"dlq", "list", "--set", dsn}).exit, 0);
  cli_.db().execute("DROP OWNED BY " + role);
  cli_.db().execute("DROP ROLE " + role);
}

}  // namespace
}  // namespace peerwright::test
