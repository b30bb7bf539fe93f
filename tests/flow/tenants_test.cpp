// Tenants: their limits, who may speak for them, and that nothing crosses from one to another.
#include "flow.hpp"
#include "peerwright/events/catalogue.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

class Tenants : public FlowTest {
 protected:
  LabHost other{2};
  TestEvent foreign(const std::string& type, json data, const std::string& key) {
    data["tenant"] = "rival";
    return event(type, data, key);
  }
  // The state of everything that belongs to the tenant, as one text.
  std::string of_acme() {
    std::string text;
    for (const char* table : {"peers", "subscribers", "customers", "access_rules"}) {
      for (const auto& row :
           installation.db().rows(std::string("SELECT to_jsonb(x) FROM ") + table +
                                  " x JOIN tenants t ON t.id = x.tenant_id WHERE t.name = 'acme' ORDER BY x.id"))
        text += row.at(0) + '\n';
    }
    return text;
  }
};

TEST_F(Tenants, LimitsOfPeersPerTenantAndPlan) {
  expect(tenant_set({{"max_peers", 3}, {"plans", {{"home", 1}, {"pro", 5}}}}));
  provision("P1", {{"plan", "home"}});
  expect(of_peer("provision", "P2", {{"server", "fra1"}, {"public_key", keys("P2").public_key}, {"plan", "home"}}),
         "rejected", "plan_full");
  expect(of_peer("provision", "P2", {{"server", "fra1"}, {"public_key", keys("P2").public_key}, {"plan", "gold"}}),
         "rejected", "unknown_plan");
  provision("P2", {{"plan", "pro"}});
  provision("P3", {{"plan", "pro"}});
  expect(of_peer("provision", "P4", {{"server", "fra1"}, {"public_key", keys("P4").public_key}, {"plan", "pro"}}),
         "rejected", "tenant_full");
  expect(of_peer("revoke", "P1"));
  provision("P5", {{"plan", "home"}});
  EXPECT_EQ(
      installation.db().value("SELECT string_agg(plan || '=' || peer_count, ',' ORDER BY plan) FROM tenant_plans"),
      "home=1,pro=2");
}

TEST_F(Tenants, SuspensionsOfManyAreAlertedOn) {
  expect(tenant_set({{"mass_suspension", {{"limit", 1}, {"window_seconds", 3600}, {"action", "alert"}}}}));
  provision("P1", {{"subscriber", "S1"}});
  provision("P2", {{"subscriber", "S2"}});
  expect(of_subscriber("suspend", json::object(), "S1"));
  expect(of_subscriber("suspend", json::object(), "S2"));
  EXPECT_TRUE(goes_off("P2")) << "an alert stops nothing";
  wait_said(installation, "tenant.status", json{{"tenant", "acme"}, {"alert", "mass_suspension"}});
}

TEST_F(Tenants, SuspensionsOfManyCanWaitForApproval) {
  expect(tenant_set({{"mass_suspension", {{"limit", 1}, {"window_seconds", 3600}, {"action", "approve"}}}}));
  for (const char* number : {"1", "2", "3"})
    provision(std::string("P") + number, {{"subscriber", std::string("S") + number}});
  for (const char* subscriber : {"S1", "S2", "S3"}) expect(of_subscriber("suspend", json::object(), subscriber));
  EXPECT_TRUE(goes_off("P1"));
  wait_said(installation, "tenant.status", json{{"tenant", "acme"}, {"alert", "suspension_awaits_approval"}});
  settle();
  EXPECT_TRUE(on_host("P2"));
  expect(event("tenant.approve", {{"tenant", "acme"}, {"subscriber", "S2"}}, "acme/S2"));
  EXPECT_TRUE(goes_off("P2"));
  expect(event("tenant.approve", {{"tenant", "acme"}, {"subscriber", "S3"}, {"approved", false}}, "acme/S3"));
  settle();
  EXPECT_TRUE(on_host("P3"));
}

TEST_F(Tenants, AKnownSourcesNameOnAWrongTopicOrForAnotherTenantIsRefusedAndAudited) {
  provision("P1");
  const auto wrong = foreign("peer.suspend", {{"peer", "P1"}}, "rival/P1").from("reseller");
  installation.publish(wrong);
  EXPECT_EQ(installation.decision(wrong.id(), "reseller"),
            std::pair(std::string("rejected"), std::string("source_not_bound")));
  const auto elsewhere = of_peer("suspend", "P1").from("only-urgent");
  installation.publish(elsewhere);
  EXPECT_EQ(installation.decision(elsewhere.id(), "only-urgent"),
            std::pair(std::string("rejected"), std::string("source_not_bound")));
  settle();
  EXPECT_TRUE(on_host("P1"));
}

// Every event of another tenant that names this tenant's things: nothing of this tenant changes, and what is answered
// says no more than if the things did not exist.
TEST_F(Tenants, NothingCrossesWhateverIsSaid) {
  installation.establish({event("server.register",
                                {{"server", "own"},
                                 {"network", "net"},
                                 {"owner", "acme"},
                                 {"endpoint", "own.example.net:51820"},
                                 {"region", "private"},
                                 {"ssh", {{"host", other.address()}, {"host_key", other.host_key()}}}},
                                "server/own")});
  provision("P1", {{"subscriber", "S1"}, {"customer", "C1"}});
  expect(reservation("R1"));
  expect(event("rule.set", {{"tenant", "acme"}, {"rule", "r1"}, {"dest_peer", "P1"}, {"action", "deny"}}, "acme"));
  settle();
  const std::string before = of_acme();
  const std::string key = make_client_keys().public_key;
  const std::vector<TestEvent> tries = {
      foreign("peer.provision", {{"peer", "P1"}, {"server", "own"}, {"public_key", key}}, "rival/P1"),
      foreign("peer.provision", {{"peer", "R1"}, {"public_key", key}}, "rival/R1"),
      foreign("peer.provision", {{"peer", "X"}, {"region", "private"}, {"public_key", key}}, "rival/X"),
      foreign("peer.provision", {{"peer", "Y"}, {"server", "fra1"}, {"public_key", keys("P1").public_key}}, "rival/Y"),
      foreign("reservation.create", {{"peer", "R1"}, {"server", "own"}}, "rival/R1"),
      foreign("reservation.cleanup", json::object(), "rival"),
      foreign("peer.update", {{"peer", "P1"}, {"description", "mine"}}, "rival/P1"),
      foreign("peer.move", {{"peer", "P1"}, {"server", "own"}}, "rival/P1"),
      foreign("peer.rotate_key", {{"peer", "P1"}, {"public_key", key}}, "rival/P1"),
      foreign("peer.suspend", {{"peer", "P1"}}, "rival/P1"),
      foreign("peer.resume", {{"peer", "P1"}}, "rival/P1"),
      foreign("peer.revoke", {{"peer", "P1"}}, "rival/P1"),
      foreign("subscriber.suspend", {{"subscriber", "S1"}}, "rival/S1"),
      foreign("subscriber.suspend", {{"customer", "C1"}}, "rival/C1"),
      foreign("subscriber.resume", {{"subscriber", "S1"}}, "rival/S1"),
      foreign("subscriber.revoke", {{"subscriber", "S1"}}, "rival/S1"),
      foreign("rule.set", {{"rule", "r2"}, {"dest_peer", "P1"}, {"action", "allow"}}, "rival"),
      foreign("rule.remove", {{"rule", "r1"}}, "rival"),
      foreign("tenant.set", {{"max_peers", 0}}, "rival"),
      foreign("tenant.approve", {{"subscriber", "S1"}}, "rival/S1"),
  };
  std::set<std::string> tried;
  for (const TestEvent& one : tries) {
    installation.publish(one);
    const auto [outcome, code] = installation.decision(one.id());
    SCOPED_TRACE(one.text() + " -> " + outcome + ' ' + code);
    tried.insert(one.cloud_event["type"]);
    const auto refusal = installation.db().value(
        "SELECT coalesce(max(body), '') FROM outbox WHERE ce_id = 'rejected/billing/" + one.id() + "'");
    EXPECT_EQ(refusal.find("acme"), std::string::npos) << "a refusal tells of the other tenant";
  }
  settle();
  EXPECT_EQ(of_acme(), before);
  EXPECT_TRUE(on_host("P1"));
  // Every event that belongs to a tenant was tried.
  for (const auto& row : events::catalogue()) {
    const std::string name(row.name);
    if (name.starts_with("server.") || name.starts_with("network.") || name.starts_with("mesh.") ||
        name.starts_with("link."))
      continue;
    EXPECT_TRUE(tried.contains(std::string(row.type))) << name;
  }
}

TEST_F(Tenants, AServerOfItsOwnIsUnknownToOthers) {
  installation.establish({event("server.register",
                                {{"server", "own"},
                                 {"network", "net"},
                                 {"owner", "acme"},
                                 {"endpoint", "own.example.net:51820"},
                                 {"ssh", {{"host", other.address()}, {"host_key", other.host_key()}}}},
                                "server/own")});
  const auto foreign_server =
      foreign("peer.provision", {{"peer", "X"}, {"server", "own"}, {"public_key", keys("X").public_key}}, "rival/X");
  const auto no_server = foreign(
      "peer.provision", {{"peer", "X"}, {"server", "nowhere"}, {"public_key", keys("X").public_key}}, "rival/X");
  expect(foreign_server, "rejected", "unknown_server");
  expect(no_server, "rejected", "unknown_server");
}

}  // namespace
}  // namespace peerwright::test
