#include <algorithm>

#include "delivery_host.hpp"

// The firewall of a server: part of the push where it is not known to stand, and nobody comes in before it does.
namespace peerwright::test {
namespace {

class Walls : public FullDeliveryTest {
 protected:
  Walls() {
    establish("srv");
    execute({provision("p"), provision("q")});
    settle();
    db.execute(R"(UPDATE tenants SET garden = '[{"prefix":"192.0.2.80/32","protocol":"tcp","port":443}]')");
    address = hosts["srv"].peers[key_of("p")].peer.allowed_ips.front();
    address = address.substr(0, address.find('/'));
  }
  FullHost& host() { return hosts["srv"]; }
  bool walled_in(const std::string& text) const { return host_has(address) && host_has(text); }
  bool host_has(const std::string& text) const { return hosts.at("srv").firewall.find(text) != std::string::npos; }
  std::string address;  // of p
};

TEST_F(Walls, APeerBecomesWalledWithTheFirewallAndKeepsItsKey) {
  EXPECT_EQ(0, host().firewalls);  // nothing is wanted, so nothing was said
  wall("p");
  const auto push = next();
  EXPECT_TRUE(push.urgent);
  EXPECT_TRUE(push.plan.removals.empty() && push.plan.peers.empty());
  ASSERT_TRUE(push.plan.firewall.has_value());
  EXPECT_FALSE(applied("p"));
  const auto finished = done(push);
  EXPECT_EQ(1U, finished.urgent_latencies_ms.size());
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(walled_in("192.0.2.80"));
  EXPECT_TRUE(host().peers.contains(key_of("p")));
  EXPECT_EQ(true, said_of("p").value("walled_garden", false));
  EXPECT_EQ("t", of_delivery("firewall_known"));
  EXPECT_NE("", of_delivery("firewall_state"));
  EXPECT_EQ("", of_delivery("urgent_since"));
  EXPECT_EQ(0, settle());

  wall("p", false);
  settle();
  EXPECT_EQ("", host().firewall);
  EXPECT_TRUE(applied("p"));
  EXPECT_EQ("", of_delivery("firewall_hash"));
}

TEST_F(Walls, NobodyIsAppliedWhileTheFirewallIsNotProven) {
  wall("p");
  execute({provision("r"), peer_event("suspend", "acme", "q")});
  host().ignores_firewall = true;
  done(next(), std::chrono::hours(1));
  EXPECT_FALSE(applied("p") || applied("r"));
  EXPECT_TRUE(applied("q"));  // off is off, whatever the firewall says
  EXPECT_TRUE(claimed(full, me, 10).empty());
  EXPECT_EQ("proof_differs", of_delivery("error_code"));
  host().ignores_firewall = false;
  db.execute("UPDATE deliveries SET next_attempt_at = now()");
  settle();
  EXPECT_TRUE(applied("p") && applied("r"));
  EXPECT_TRUE(host_has(address));
}

TEST_F(Walls, WhatAHostRefusesForEverIsSetAsideWithThoseWhoNeedIt) {
  host().refuses_firewall = true;
  wall("p");
  execute({provision("r"), peer_event("suspend", "acme", "q")});
  settle();
  EXPECT_EQ(1, host().firewalls);  // not told again and again
  EXPECT_TRUE(applied("q") && applied("r"));
  EXPECT_FALSE(applied("p"));
  EXPECT_FALSE(host().peers.contains(key_of("p")));  // a garden that cannot stand is a cut
  EXPECT_EQ("failed", said_of("p")["delivery"]);
  EXPECT_EQ("nft_refused", of_delivery("error_code"));
  EXPECT_EQ("f", of_delivery("due"));
  EXPECT_EQ("", of_delivery("urgent_since"));

  host().refuses_firewall = false;  // another text is tried
  wall("r");
  settle();
  EXPECT_TRUE(applied("p") && applied("r"));
  EXPECT_TRUE(host_has(address));
  EXPECT_TRUE(host().peers.contains(key_of("p")));
  EXPECT_EQ("", of_delivery("error_code"));
  EXPECT_EQ("", of_delivery("firewall_refused"));
}

TEST_F(Walls, WhoIsWalledOutComesBackOnceTheRefusedFirewallCanStand) {
  wall("p");
  settle();
  host().refuses_firewall = true;
  wall("q");  // p was applied in the garden that stood
  settle();
  EXPECT_TRUE(host().peers.empty());
  EXPECT_EQ("failed", said_of("p")["delivery"]);
  // Somebody puts the key back: it goes again.
  host().peers[key_of("p")].peer.public_key = key_of("p");
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  settle();
  EXPECT_TRUE(host().peers.empty());

  host().refuses_firewall = false;
  EXPECT_EQ(0, full.retry_set_aside().value());  // not so soon
  db.execute("UPDATE deliveries SET firewall_refused = regexp_replace(firewall_refused, '[0-9]+$', '0')");
  EXPECT_EQ(1, full.retry_set_aside().value());
  settle();
  EXPECT_EQ(2U, host().peers.size());
  EXPECT_TRUE(applied("p") && applied("q"));
  EXPECT_TRUE(walled_in("192.0.2.80"));
  EXPECT_EQ(0, full.retry_set_aside().value());
}

TEST_F(Walls, ARefusalIsForgottenWithTheGarden) {
  host().refuses_firewall = true;
  wall("p");
  settle();
  EXPECT_NE("", of_delivery("firewall_refused"));
  wall("p", false);
  settle();
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(host().peers.contains(key_of("p")));
  EXPECT_EQ("", of_delivery("firewall_refused"));
}

TEST_F(Walls, AfterAFailureTheFirewallGoesAlone) {
  wall("p");
  execute({provision("r")});
  const auto lost = next();
  EXPECT_FALSE(lost.plan.peers.empty());
  ASSERT_TRUE(full.fail(me, lost, {"prefix_taken_on_host", "a stranger has it", "", Retry::never},
                        std::chrono::milliseconds(0), {})
                  .has_value());
  done(next());  // the reading
  const auto push = next();
  EXPECT_TRUE(push.plan.firewall.has_value());
  EXPECT_TRUE(push.plan.peers.empty());
  done(push);
  EXPECT_TRUE(applied("p"));
  settle();
  EXPECT_TRUE(applied("r"));
}

TEST_F(Walls, NftThatTellsNothingMattersWhereAFirewallIsWanted) {
  host().nft_tells = false;
  db.execute("UPDATE deliveries SET in_doubt = true");
  execute({provision("r")});
  EXPECT_EQ(2, settle());
  EXPECT_TRUE(applied("r"));
  EXPECT_EQ(0, host().firewalls);
  host().nft_tells = true;
  wall("p");
  settle();
  EXPECT_TRUE(applied("p"));
  host().nft_tells = false;
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  done(next());
  EXPECT_EQ("f", of_delivery("firewall_known"));
  EXPECT_FALSE(applied("p"));
  EXPECT_TRUE(applied("r"));
}

TEST_F(Walls, ARuleNamesNobodysAddressThatIsNotHeldAnyMore) {
  db.execute(
      "INSERT INTO access_rules (tenant_id, name, active, source_peer_id, dest_port, dest_protocol, action) "
      "SELECT tenant_id, 'web', true, id, 8443, 'tcp', 'allow' FROM peers WHERE name = 'p'");
  make_due("srv");
  settle();
  EXPECT_TRUE(walled_in("8443"));
  execute({peer_event("revoke", "acme", "p")});
  const auto push = next();
  ASSERT_TRUE(push.plan.firewall.has_value());
  EXPECT_EQ(std::string::npos, push.plan.firewall->find("8443"));
}

TEST_F(Walls, AReadingThatShowsAnotherFirewallMakesItDue) {
  wall("p");
  settle();
  host().firewall.clear();  // by hand
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  done(next());
  EXPECT_FALSE(applied("p"));
  EXPECT_TRUE(applied("q"));
  EXPECT_EQ("f", of_delivery("firewall_known"));
  EXPECT_EQ("t", of_delivery("due"));
  settle();
  EXPECT_TRUE(applied("p"));
  EXPECT_TRUE(host_has(address));
}

TEST_F(Walls, AReadingThatShowsItUnchangedWritesNothing) {
  wall("p");
  settle();
  const int told = host().firewalls;
  db.execute("UPDATE deliveries SET in_doubt = true, due = true");
  EXPECT_EQ(1, settle());
  EXPECT_EQ(told, host().firewalls);
  EXPECT_TRUE(applied("p"));
}

TEST_F(Walls, ATableThatWasChangedByHandIsPushedAgain) {
  wall("p");
  settle();
  for (const bool reading : {false, true}) {
    host().changed_by_hand = true;
    execute({provision(reading ? "s" : "r")});
    if (reading) db.execute("UPDATE deliveries SET in_doubt = true");
    done(next());
    EXPECT_EQ("f", of_delivery("firewall_known"));
    EXPECT_FALSE(applied(reading ? "s" : "r"));
    settle();
    EXPECT_FALSE(host().changed_by_hand);
    EXPECT_TRUE(applied(reading ? "s" : "r") && applied("p"));
  }
}

TEST_F(Walls, AHoldThatHasNotReachedItsPeerIsWaitedFor) {
  execute({provision("r", "s")});
  db.execute(
      "INSERT INTO holds (scope_kind, scope_id, owner, held, reason, word, level) SELECT 'subscriber', subscriber_id, "
      "'x', "
      "true, '', 'w', 'walled_garden' FROM peers WHERE name = 'r'");
  settle();
  EXPECT_FALSE(host().peers.contains(key_of("r")));
  EXPECT_FALSE(applied("r"));
  change("r", "entitlement = 'walled_garden'");  // its chunk comes
  settle();
  EXPECT_TRUE(host().peers.contains(key_of("r")));
  EXPECT_TRUE(applied("r"));
  EXPECT_NE("", host().firewall);
}

TEST_F(Walls, RemovalsThatDoNotFitInGoBeforeTheFirewallLetsTheirGardensGo) {
  wall("p");
  wall("q");
  settle();
  db.execute("UPDATE holds SET level = 'cut'");
  for (const char* peer : {"p", "q"}) {
    change(peer, "entitlement = 'suspended'", true);
    db.execute(
        "INSERT INTO removals (server_id, public_key, peer_id) SELECT server_id, public_key, id FROM peers "
        "WHERE name = '" +
        std::string(peer) + "'");
  }
  execute({provision("r")});
  ASSERT_EQ(1U, claimed(full, me, 1).size());
  const auto push = full.plan(me, server_id(), {1, 100, 50});
  ASSERT_TRUE(push && *push);
  EXPECT_EQ(1U, (*push)->plan.removals.size());
  EXPECT_FALSE((*push)->plan.firewall.has_value());
  EXPECT_TRUE((*push)->plan.peers.empty());
  done(**push);
  settle();
  EXPECT_EQ("", host().firewall);
  EXPECT_TRUE(applied("p") && applied("q") && applied("r"));
}

TEST_F(Walls, TheServersSettingsAndTheTenantsRulesAreInIt) {
  db.execute("UPDATE networks SET forbidden = '{172.16.0.0/12}'");
  db.execute(
      "UPDATE servers SET default_action = 'deny', masquerade = true, "
      R"(tunnel_only_ports = '[{"protocol":"tcp","port":9100}]')");
  db.execute(
      "INSERT INTO access_rules (tenant_id, name, active, source_peer_id, dest_port, dest_protocol, action) "
      "SELECT tenant_id, 'web', true, id, 8443, 'tcp', 'allow' FROM peers WHERE name = 'p'");
  make_due("srv");
  settle();
  for (const char* part : {"172.16.0.0/12", "9100", "8443", "masquerade"}) EXPECT_TRUE(host_has(part)) << part;
  EXPECT_TRUE(host_has(address));
  // The rule speaks of all of the tenant's peers here: one more of them changes it.
  execute({provision("r")});
  settle();
  EXPECT_TRUE(applied("r"));
  std::string theirs = host().peers[key_of("r")].peer.allowed_ips.front();
  EXPECT_TRUE(host_has(theirs.substr(0, theirs.find('/'))));
  // A rule for somebody who has no address is no rule for everybody.
  const std::string before = host().firewall;
  db.execute("INSERT INTO peers (tenant_id, name) SELECT tenant_id, 'ghost' FROM peers LIMIT 1");
  db.execute(
      "INSERT INTO access_rules (tenant_id, name, active, dest_peer_id, action) "
      "SELECT tenant_id, 'ghost', true, id, 'allow' FROM peers WHERE name = 'ghost'");
  make_due("srv");
  settle();
  EXPECT_EQ(before, host().firewall);
}

}  // namespace
}  // namespace peerwright::test
