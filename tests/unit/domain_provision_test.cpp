#include <gtest/gtest.h>

#include "domain_support.hpp"

namespace peerwright::domain {
namespace {

using Texts = std::vector<std::string>;

class Provision : public ::testing::Test {
 protected:
  Provision() { world.with_server(); }
  // A server beside the first one, in a region.
  void add(const std::string& name, const std::string& region, std::int64_t max_peers = 100,
           const std::string& network = "net") {
    world.say_now(World::server(name, network, max_peers), "ops");
    change(name, [&](Server& server) { server.region = region; });
  }
  template <typename Change>
  void change(const std::string& name, const Change& how) {
    Server server = world.server(name);
    how(server);
    world.state.load(server);
  }
  Decision in_region(const std::string& peer, const std::string& region = "north") {
    auto event = World::provision(peer);
    event.place.server.clear();
    event.place.region = region;
    return world.say_now(event);
  }
  Decision at(const std::string& peer, const std::string& address) {
    auto event = World::provision(peer);
    event.place.address = address;
    return world.say_now(event);
  }
  Decision with_sites(const std::string& peer, const Texts& sites) {
    auto event = World::provision(peer);
    event.settings.site_networks = sites;
    return world.say_now(event);
  }
  [[nodiscard]] std::string server_of(const std::string& peer) const {
    const auto id = world.peer(peer).server_id;
    return id ? world.state.server(*id)->name : std::string();
  }
  World world;
};

TEST_F(Provision, keepsAllSettings) {
  auto event = World::provision("p", "sub");
  event.type = PeerType::gateway;
  event.place.plan = "gold";
  event.settings.display_name = "Office";
  event.settings.user_id = "u-1";
  event.settings.endpoint = "198.51.100.7:51820";
  event.settings.hub_keepalive_seconds = 20;
  event.settings.dns = Texts{"10.0.0.53"};
  event.settings.mtu = 1380;
  event.settings.expires_at = std::optional(world.state.now + std::chrono::hours(1));
  event.settings.quota_bytes = 1000;
  event.settings.metadata = R"({"any": ["thing"]})";
  EXPECT_EQ(Outcome::accepted, world.say_now(event).outcome);
  const Peer& peer = world.peer("p");
  EXPECT_EQ(PeerType::gateway, peer.type);
  EXPECT_EQ("gold", peer.plan);
  EXPECT_EQ("Office", peer.display_name);
  EXPECT_EQ("u-1", peer.user_id);
  EXPECT_EQ("198.51.100.7:51820", peer.endpoint);
  EXPECT_EQ(20, peer.hub_keepalive_seconds);
  EXPECT_EQ(Texts{"10.0.0.53"}, peer.dns);
  EXPECT_EQ(1380, peer.mtu);
  EXPECT_EQ(1000, peer.quota_bytes);
  EXPECT_EQ(R"({"any": ["thing"]})", peer.metadata);
  EXPECT_EQ("billing", peer.created_by);
  EXPECT_EQ(world.state.now, peer.provisioned_at);
  ASSERT_EQ(1U, world.timers.size());
  EXPECT_EQ(TimerKind::expiry, world.timers.begin()->second.kind);
  EXPECT_EQ(peer.expires_at, world.timers.begin()->second.due_at);
  EXPECT_EQ(Outcome::unchanged, world.say_now(event).outcome);
  // What an event leaves out it does not contradict.
  auto less = World::provision("p");
  less.type = PeerType::gateway;
  EXPECT_EQ(Outcome::unchanged, world.say_now(less).outcome);
}

TEST_F(Provision, serversOfOthersAreUnknown) {
  change("srv", [](Server& server) { server.owner_tenant_id = 77; });
  const Decision foreign = world.say_now(World::provision("p"));
  expect_rejected(foreign, "unknown_server");
  auto event = World::provision("p");
  event.place.server = "nix";
  const Decision none = world.say_now(event);
  EXPECT_EQ(none.remedy, foreign.remedy);  // neither tells whether there is one
  change("srv", [](Server& server) { server.region = "north"; });
  expect_rejected(in_region("p"), "unknown_region");
  change("srv", [&](Server& server) { server.owner_tenant_id = world.tenant().id; });
  EXPECT_EQ(Outcome::accepted, world.say_now(World::provision("p")).outcome);
}

TEST_F(Provision, theStateOfTheServerDecides) {
  change("srv", [](Server& server) { server.state = ServerState::draining; });
  expect_rejected(world.say_now(World::provision("p")), "server_draining");
  change("srv", [](Server& server) { server.state = ServerState::retired; });
  expect_rejected(world.say_now(World::provision("p")), "server_retired");
  change("srv", [](Server& server) {
    server.state = ServerState::active;
    server.maintenance = true;
  });
  EXPECT_EQ(Outcome::accepted, world.say_now(World::provision("p")).outcome);
}

TEST_F(Provision, needsAPlace) {
  expect_rejected(world.say_now(World::activate("p")), "server_required");
  expect_rejected(in_region("p", "nowhere"), "unknown_region");
}

TEST_F(Provision, aRegionGivesItsLeastUsedServer) {
  add("a", "north", 10);
  add("b", "north", 4);
  add("c", "south", 100);
  change("a", [](Server& server) { server.peer_count = 3; });
  change("b", [](Server& server) { server.peer_count = 1; });
  in_region("p1");  // 3/10 against 1/4
  EXPECT_EQ("b", server_of("p1"));
  in_region("p2");  // 3/10 against 2/4
  EXPECT_EQ("a", server_of("p2"));
  change("a", [](Server& server) { server.peer_count = 5; });
  in_region("p3");  // both are used by a half: the one that was there first
  EXPECT_EQ("a", server_of("p3"));
  change("a", [](Server& server) { server.state = ServerState::draining; });
  in_region("p4");
  in_region("p5");
  EXPECT_EQ("b", server_of("p5"));
  expect_rejected(in_region("p6"), "region_full");
  change("a", [](Server& server) { server.state = ServerState::retired; });
  change("b", [](Server& server) { server.state = ServerState::retired; });
  expect_rejected(in_region("p6"), "unknown_region");
}

TEST_F(Provision, aRegionPassesOverServersThatCannotGiveWhatIsWanted) {
  world.say_now(World::network("tiny", "10.3.0.0/30"), "ops");
  add("a", "north", 1000, "tiny");
  add("b", "north", 2);
  change("b", [](Server& server) { server.peer_count = 1; });
  in_region("p1");
  in_region("p2");
  EXPECT_EQ("a", server_of("p2"));
  in_region("p3");  // no address is left in the other one's network
  EXPECT_EQ("b", server_of("p3"));
  expect_rejected(in_region("p4"), "region_full");
  change("b", [](Server& server) { server.max_peers = 1000; });
  auto asks = World::provision("p4");
  asks.place.server.clear();
  asks.place.region = "north";
  asks.place.address = "10.0.0.99";
  EXPECT_EQ(Outcome::accepted, world.say_now(asks).outcome);
  EXPECT_EQ("b", server_of("p4"));
  asks.place.peer = "p5";
  asks.public_key = "key of p5";
  asks.place.address = "10.9.0.1";
  expect_rejected(world.say_now(asks), "address_outside_network");
}

TEST_F(Provision, anAddressIsHonouredOrRefused) {
  auto network = World::network("net6", "10.6.0.0/24", "fd06::/64");
  network.reserved = {prefix("10.6.0.1")};
  world.say_now(network, "ops");
  world.say_now(World::server("six", "net6"), "ops");
  const auto ask = [&](const std::string& peer, const std::string& address) {
    auto event = World::provision(peer);
    event.place.server = "six";
    event.place.address = address;
    return world.say_now(event);
  };
  expect_rejected(ask("p", "10.7.0.9"), "address_outside_network");
  expect_rejected(ask("p", "fd07::9"), "address_outside_network");
  expect_rejected(ask("p", "no address"), "address_outside_network");
  expect_rejected(ask("p", "fd06::1:0"), "address_outside_network");  // it has no IPv4 partner
  expect_rejected(ask("p", "10.6.0.0"), "address_reserved");
  expect_rejected(ask("p", "10.6.0.255"), "address_reserved");
  expect_rejected(ask("p", "fd06::1"), "address_reserved");
  EXPECT_EQ(Outcome::accepted, ask("p", "10.6.0.9").outcome);
  EXPECT_EQ(9, world.peer("p").address_offset);
  expect_rejected(ask("q", "fd06::9"), "address_taken");
  world.state.load_use(world.network_named("net6").id, 20, AddressUse::quarantined);
  expect_rejected(ask("q", "10.6.0.20"), "address_in_quarantine");
  EXPECT_EQ(Outcome::accepted, ask("q", "fd06::a").outcome);
  EXPECT_EQ(10, world.peer("q").address_offset);
}

TEST_F(Provision, theCounterPassesAddressesThatWereAskedFor) {
  at("a", "10.0.0.3");
  at("b", "10.0.0.2");
  for (const char* name : {"c", "d", "e"}) world.say_now(World::provision(name));
  EXPECT_EQ(1, world.peer("c").address_offset);
  EXPECT_EQ(4, world.peer("d").address_offset);
  EXPECT_EQ(5, world.peer("e").address_offset);
}

TEST_F(Provision, aReleasedAddressCanBeAskedFor) {
  Network network = world.network_named();
  network.next_offset = 9;
  network.free = {4, 7, 8};
  world.state.load(network);
  at("a", "10.0.0.7");
  EXPECT_EQ((std::vector<std::int64_t>{4, 8}), world.network_named().free);
  EXPECT_EQ((std::vector<std::int64_t>{7}), world.changes.taken_offsets.at(network.id));
  EXPECT_TRUE(world.network_named().ahead.empty());
}

TEST_F(Provision, siteNetworksAreNormalised) {
  EXPECT_EQ(Outcome::accepted,
            with_sites("p", {"192.168.5.77/24", "172.16.0.0/12", "172.20.1.0/24", "192.168.5.0/24"}).outcome);
  EXPECT_EQ((Texts{"172.16.0.0/12", "192.168.5.0/24"}), world.peer("p").site_networks);
  EXPECT_EQ(Outcome::unchanged, with_sites("p", {"172.16.0.0/12", "192.168.5.1/24"}).outcome);
}

TEST_F(Provision, siteNetworksAreRefused) {
  auto network = World::network("net", "10.0.0.0/24");
  network.forbidden = {prefix("172.30.0.0/16")};
  world.say(network, word("operator-tool", 2));
  with_sites("p", {"192.168.5.0/24"});
  expect_rejected(with_sites("q", {"0.0.0.0/0"}), "prefix_too_wide");
  expect_rejected(with_sites("q", {"::/0"}), "prefix_too_wide");
  expect_rejected(with_sites("q", {"nonsense"}), "prefix_invalid");
  expect_rejected(with_sites("q", {"192.168.0.0/16"}), "prefix_taken");
  expect_rejected(with_sites("q", {"10.0.0.128/25"}), "prefix_taken");
  expect_rejected(with_sites("q", {"10.0.0.0/8"}), "prefix_taken");
  expect_rejected(with_sites("q", {"172.30.5.0/24"}), "prefix_forbidden");
  expect_rejected(with_sites("q", {"8.8.8.0/24"}), "prefix_public");
  expect_rejected(with_sites("q", {"172.0.0.0/8"}), "prefix_forbidden");
  expect_rejected(with_sites("q", {"2001:db8::/32"}), "prefix_public");
  for (const char* fine : {"172.16.1.0/24", "100.64.0.0/10", "fd12::/48", "169.254.1.0/24", "fe80::/64"}) {
    EXPECT_EQ(Outcome::accepted, with_sites(std::string("ok") + fine, {fine}).outcome) << fine;
  }
  network.allow_public = true;
  world.say(network, word("operator-tool", 3));
  EXPECT_EQ(Outcome::accepted, with_sites("q", {"8.8.8.0/24"}).outcome);
}

TEST_F(Provision, aSubscriberBelongsToTheCustomerThatWasNamedFirst) {
  const auto of = [&](const std::string& peer, const std::string& subscriber, const std::string& customer) {
    auto event = World::provision(peer, subscriber);
    event.place.customer = customer;
    return world.say_now(event);
  };
  expect_rejected(of("p", "", "cust"), "subscriber_required");
  EXPECT_EQ(Outcome::accepted, of("p", "sub", "").outcome);
  const Decision joins = of("q", "sub", "cust");
  EXPECT_EQ(Outcome::accepted, joins.outcome);
  EXPECT_TRUE(joins.fan_outs.empty());  // the customer has nothing to say about its peers
  EXPECT_EQ(world.state.customer("acme", "cust")->id, world.state.subscriber("acme", "sub")->customer_id);
  EXPECT_EQ(1, world.state.subscriber("acme", "sub")->version);
  expect_rejected(of("r", "sub", "other"), "subscriber_of_other_customer");
  EXPECT_EQ(Outcome::accepted, of("r", "sub", "cust").outcome);
  EXPECT_EQ(Outcome::accepted, of("s", "sub", "").outcome);
  EXPECT_EQ(1, world.state.subscriber("acme", "sub")->version);
}

TEST_F(Provision, aSubscriberThatJoinsAHeldCustomerIsHeld) {
  world.say_now(World::provision("p", "sub"));
  world.say_now(SubscriberHold{"acme", "", "cust", true, "unpaid", {}});
  auto event = World::provision("q", "sub");
  event.place.customer = "cust";
  const Decision joins = world.say(event, word("billing", 1000, "j"));
  EXPECT_EQ("billing/j", joins.fan_outs.at(world.state.subscriber("acme", "sub")->id));
  EXPECT_EQ(Entitlement::suspended, world.peer("q").entitlement);  // born so
  world.fan_out("sub", "x");
  EXPECT_EQ(Entitlement::suspended, world.peer("p").entitlement);
}

TEST_F(Provision, nothingIsProvisionedForARevokedSubscriberOrCustomer) {
  world.say_now(SubscriberRevoke{"acme", "sub", "", "fraud"});
  expect_rejected(world.say_now(World::provision("p", "sub")), "subscriber_revoked");
  auto reserve = World::reserve("p");
  reserve.place.subscriber = "sub";
  expect_rejected(world.say_now(reserve), "subscriber_revoked");
  world.say_now(SubscriberRevoke{"acme", "", "cust", "fraud"});
  auto event = World::provision("p", "other");
  event.place.customer = "cust";
  expect_rejected(world.say_now(event), "subscriber_revoked");
}

class Secrets : public Provision {
 protected:
  Secrets() {
    TenantSet event;
    event.tenant = "acme";
    event.recipient_key = "the tenant's";
    world.say_now(event);
    world.state.prepared.client_public_key = "a made key";
    world.state.prepared.client_key_sealed = "its private half";
    world.state.prepared.preshared_key_sealed = "sealed";
    world.state.prepared.preshared_key_hash = "hash";
  }
  static PeerProvision without_key(const std::string& peer) {
    auto event = World::provision(peer);
    event.public_key.clear();
    return event;
  }
};

TEST_F(Secrets, aPairIsMadeForAClientThatSendsNoKey) {
  EXPECT_EQ(Outcome::accepted, world.say_now(without_key("p")).outcome);
  EXPECT_EQ("a made key", world.peer("p").public_key);
  EXPECT_EQ("its private half", world.peer("p").client_key_sealed);
  world.state.prepared.client_public_key = "another made key";
  EXPECT_EQ(Outcome::unchanged, world.say_now(without_key("p")).outcome);  // it has one that was made
  world.say_now(World::provision("q"));
  EXPECT_TRUE(world.peer("q").client_key_sealed.empty());
  expect_rejected(world.say_now(without_key("q")), "peer_has_key");
}

TEST_F(Secrets, aPresharedKeyIsKept) {
  auto event = World::provision("p");
  event.settings.preshared_key = true;
  world.say_now(event);
  EXPECT_EQ("sealed", world.peer("p").preshared_key_sealed);
  EXPECT_EQ("hash", world.peer("p").preshared_key_hash);
  world.state.prepared.preshared_key_hash = "hash of another that was made";
  EXPECT_EQ(Outcome::unchanged, world.say_now(event).outcome);
  event.settings.sealed_preshared_key = "a sent one";
  expect_rejected(world.say_now(event), "peer_exists");
  world.state.prepared.preshared_key_hash = "hash";
  EXPECT_EQ(Outcome::unchanged, world.say_now(event).outcome);
}

TEST_F(Secrets, whatIsMadeNeedsSomebodyToTellItTo) {
  TenantSet none;
  none.tenant = "acme";
  world.say_now(none);
  expect_rejected(world.say_now(without_key("p")), "recipient_key_missing");
  auto event = World::provision("p");
  event.settings.preshared_key = true;
  expect_rejected(world.say_now(event), "recipient_key_missing");
  event.settings.sealed_preshared_key = "the client knows it already";
  EXPECT_EQ(Outcome::accepted, world.say_now(event).outcome);
}

TEST_F(Secrets, whatCouldNotBeOpenedOrMadeIsRefused) {
  auto event = World::provision("p");
  event.settings.preshared_key = true;
  event.settings.sealed_preshared_key = "x";
  for (const char* code : {"intake_key_missing", "sealed_value_unreadable"}) {
    world.state.prepared.refusal = code;
    expect_rejected(world.say_now(event), code);
  }
  world.state.prepared = {};
  expect_rejected(world.say_now(event), "secret_not_made");
  expect_rejected(world.say_now(without_key("p")), "secret_not_made");
}

TEST(NetworkSet, refusesPublicAndForbiddenRanges) {
  World world;
  expect_rejected(world.say_now(World::network("n", "8.8.8.0/24")), "prefix_public");
  expect_rejected(world.say_now(World::network("n", "172.0.0.0/8")), "prefix_public");
  expect_rejected(world.say_now(World::network("n", "", "2001:db8::/64")), "prefix_public");
  auto event = World::network("n", "10.0.0.0/24");
  event.forbidden = {prefix("10.0.0.0/16")};
  expect_rejected(world.say_now(event), "prefix_forbidden");
  event.forbidden = {prefix("10.1.0.0/16")};
  EXPECT_EQ(Outcome::accepted, world.say_now(event).outcome);
  EXPECT_EQ(event.forbidden, world.network_named("n").forbidden);
  auto open = World::network("o", "8.8.8.0/24");
  open.allow_public = true;
  EXPECT_EQ(Outcome::accepted, world.say_now(open).outcome);
}

TEST(NetworkSet, whatIsReservedNoMoreComesBack) {
  World world;
  auto event = World::network("n", "10.0.0.0/24");
  event.reserved = {prefix("10.0.0.2"), prefix("10.0.0.3"), prefix("10.0.0.4"), prefix("10.0.0.200")};
  world.say_now(event);
  Network network = world.network_named("n");
  network.next_offset = 50;  // so that the counter has passed all but the last
  world.state.load(network);
  world.state.load_use(network.id, 3, AddressUse::taken);  // a peer had it before it was reserved
  event.reserved = {prefix("10.0.0.4")};
  const Decision decision = world.say_now(event);
  ASSERT_EQ(1U, decision.freed.size());
  EXPECT_EQ(2, decision.freed[0].address_offset);
  EXPECT_EQ(network.id, decision.freed[0].network_id);
  EXPECT_TRUE(world.say_now(event).freed.empty());
}

}  // namespace
}  // namespace peerwright::domain
