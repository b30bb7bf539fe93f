// The classic functions, one by one: they run in the caller's transaction, say and record what they do, and refuse.
#include <gmock/gmock.h>

#include "classic_support.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ClassicFunctions : public ClassicTest {
 protected:
  std::int64_t outbox(const std::string& state) {
    return db.number(
        "SELECT count(*) FROM outbox WHERE ce_type = 'peerwright.address.status.v1' AND body::json->>'state' = '" +
        state + "'");
  }
};

TEST_F(ClassicFunctions, AnAddressIsAllocatedAnswersAgainAndComesBack) {
  register_server("srv", {{"quarantine_seconds", 3600}});
  const std::int64_t one = known("one");
  EXPECT_EQ(next(), "10.200.0.2");
  EXPECT_EQ(allocate(one), "10.200.0.2");
  EXPECT_EQ(allocate(one), "10.200.0.2") << "what it holds already";
  EXPECT_EQ(next(), "10.200.0.3");
  EXPECT_EQ(allocate(known("two"), "fd00:200::/64"), "10.200.0.3") << "either range names the network";
  EXPECT_EQ(outbox("allocated"), 2);
  const std::string held =
      "SELECT p.name FROM address_periods a JOIN peers p ON p.id = a.peer_id WHERE a.address_offset = 2 AND until_at "
      "IS ";
  EXPECT_EQ(db.value(held + "NULL"), "one");

  EXPECT_TRUE(release("10.200.0.2"));
  EXPECT_FALSE(release("10.200.0.2")) << "nobody has it any more";
  EXPECT_EQ(db.value(held + "NOT NULL"), "one");
  EXPECT_EQ(outbox("released"), 1);
  EXPECT_EQ(db.value("SELECT is_allocated FROM wg_ip_pool WHERE ip_address = '10.200.0.2'"), "t") << "it rests";
  set_clock_ahead("2 hours");
  EXPECT_EQ(db.value("SELECT is_allocated FROM wg_ip_pool WHERE ip_address = '10.200.0.2'"), "f");
  const auto entry =
      json::parse(db.value("SELECT body FROM audit WHERE event_type = 'peerwright.address.released.v1'"));
  EXPECT_EQ(entry["subject"], json({{"tenant", "acme"}, {"peer", "one"}, {"network", "net-srv"}}));
  EXPECT_EQ(entry["changes"]["addresses"][0]["address_offset"], 2);
}

TEST_F(ClassicFunctions, WhatIsRefusedSaysWhy) {
  register_server("srv", {{"ipv4", "10.200.0.0/30"}, {"ipv6", nullptr}});
  register_server("other", {{"ipv4", "10.201.0.0/24"}, {"ipv6", nullptr}, {"reserved", {"10.201.0.1"}}});
  const std::string range = "10.200.0.0/30";
  const std::int64_t live = [&] {
    execute({provision("live")});
    return of_peer("live", "id");
  }();
  const std::int64_t gone = known("gone");
  execute({peer_event("revoke", "acme", "gone")});
  const auto call = [](std::int64_t peer, const std::string& where) {
    return "SELECT wg_allocate_ip(" + std::to_string(peer) + ", '" + where + "')";
  };
  const std::string no_data = "P0002", check = "23514", invalid = "22023";
  EXPECT_EQ(refused(call(live, "10.9.0.0/24")), no_data) << "no such network";
  EXPECT_EQ(refused(call(4711, range)), no_data) << "no such peer";
  EXPECT_EQ(refused(call(known("late"), range)), no_data) << "none is free";
  EXPECT_EQ(refused(call(gone, "10.201.0.0/24")), check) << "revoked";
  EXPECT_EQ(refused(call(live, "10.201.0.0/24")), check) << "it has one elsewhere";
  EXPECT_EQ(db.value("SELECT host(wg_allocate_ip(" + std::to_string(live) + ", '" + range + "'))"), "10.200.0.2");
  EXPECT_EQ(db.value("SELECT wg_get_next_available_ip('" + range + "') IS NULL"), "t");
  EXPECT_EQ(db.value("SELECT wg_get_next_available_ip('10.9.0.0/24') IS NULL"), "t");
  EXPECT_FALSE(release("10.200.0.2")) << "a live peer has it";
  EXPECT_FALSE(release("10.200.0.1"));
  EXPECT_FALSE(release("10.9.0.1"));
  EXPECT_FALSE(release("fd00:200::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(refused("SELECT wg_init_ip_pool('10.9.0.0/24', '10.8.0.1')"), invalid);
  EXPECT_EQ(refused("SELECT wg_init_ip_pool('10.9.0.0/24', '10.9.0.255')"), invalid);
  EXPECT_EQ(refused("SELECT wg_init_ip_pool('10.9.0.0/31', '10.9.0.1')"), invalid);
  EXPECT_EQ(refused("SELECT wg_init_ip_pool('203.0.113.0/24', '203.0.113.1')"), invalid) << "public";
  EXPECT_EQ(refused("SELECT wg_init_ip_pool('fd00:9::/64', 'fd00:9::1')"), invalid);
  EXPECT_EQ(refused("SELECT wg_init_ip_pool('" + range + "', '10.200.0.2')"), "23505") << "a peer holds it";
}

TEST_F(ClassicFunctions, AnInitialisedPoolIsANetworkForServers) {
  EXPECT_EQ(db.value("SELECT wg_init_ip_pool('10.9.0.0/24', '10.9.0.1')"), "254");
  EXPECT_EQ(db.value("SELECT wg_init_ip_pool('10.9.0.0/24', '10.9.0.1/24')"), "254") << "again";
  EXPECT_EQ(db.value("SELECT count(*) FROM wg_ip_pool WHERE is_reserved"), "1");
  EXPECT_EQ(next("10.9.0.0/24"), "10.9.0.2");
  EXPECT_EQ(allocate(known("one"), "10.9.0.0/24"), "10.9.0.2");
  const TestEvent changed =
      network_set("10.9.0.0-24", {{"ipv4", "10.9.0.0/24"}, {"reserved", {"10.9.0.1", "10.9.0.3"}}});
  TestEvent four_alone = changed;
  four_alone.cloud_event["data"].erase("ipv6");
  ASSERT_TRUE(execute(intake, {&log.append(four_alone, 0, machine_now() + std::chrono::hours(1))}));
  EXPECT_EQ(decision(four_alone).first, "accepted") << "a later word than the function's own";
  EXPECT_EQ(next("10.9.0.0/24"), "10.9.0.4");
}

TEST_F(ClassicFunctions, ARollbackBurnsNothing) {
  register_server();
  const std::int64_t one = known("one");
  const std::string before = db.value("SELECT count(*) FROM audit");
  {
    Other other(db);
    other.execute("SELECT wg_allocate_ip(" + std::to_string(one) + ", '10.200.0.0/16')");
    other.execute("SELECT wg_init_ip_pool('10.9.0.0/24', '10.9.0.1')");
  }
  EXPECT_EQ(next(), "10.200.0.2");
  EXPECT_EQ(address_of("one"), "");
  EXPECT_EQ(db.value("SELECT count(*) FROM outbox WHERE ce_type LIKE '%address%'"), "0");
  EXPECT_EQ(db.value("SELECT count(*) FROM audit"), before);
  EXPECT_EQ(db.value("SELECT count(*) FROM networks WHERE name LIKE '10.9%'"), "0");
}

TEST_F(ClassicFunctions, AnAllocatedAddressStaysWithThePeerThatIsProvisioned) {
  register_server();
  const std::string held = allocate(known("one"));
  allocate(known("two"));
  execute({provision("one")});
  EXPECT_EQ(address_of("one"), held);
  EXPECT_EQ(db.number("SELECT count(*) FROM address_periods WHERE address_offset = 2"), 1);
  EXPECT_EQ(db.number("SELECT peer_count FROM servers"), 1);
  TestEvent asked = provision("two");
  asked.cloud_event["data"]["address"] = "10.200.0.9";
  execute({asked});
  ASSERT_EQ(decision(asked).first, "accepted") << decision(asked).second;
  EXPECT_EQ(address_of("two"), "10.200.0.9") << "an address that is asked for is honoured";
  EXPECT_EQ(db.value("SELECT count(*) FROM network_free WHERE address_offset = 3"), "1") << "the other comes back";
  EXPECT_FALSE(release("10.200.0.9"));
}

TEST_F(ClassicFunctions, AReservationKeepsAnAllocatedAddressToo) {
  register_server();
  const std::string held = allocate(known("one"));
  const TestEvent reserved =
      event("reservation.create", {{"tenant", "acme"}, {"peer", "one"}, {"server", "srv"}}, "acme/one");
  execute({reserved});
  ASSERT_EQ(decision(reserved).first, "accepted") << decision(reserved).second;
  EXPECT_EQ(address_of("one"), held);
}

TEST_F(ClassicFunctions, AnAllocatedAddressElsewhereComesBack) {
  register_server();
  register_server("other", {{"ipv4", "10.201.0.0/24"}, {"ipv6", nullptr}, {"reserved", {"10.201.0.1"}}});
  allocate(known("one"), "10.201.0.0/24");
  execute({provision("one")});
  EXPECT_EQ(address_of("one"), "10.200.0.2");
  EXPECT_EQ(
      db.value("SELECT count(*) FROM network_free f JOIN networks n ON n.id = f.network_id WHERE n.name = 'net-other'"),
      "1");
  EXPECT_EQ(db.value("SELECT count(*) FROM address_periods WHERE until_at IS NULL"), "1");
}

TEST_F(ClassicFunctions, ARevokedPeerGivesAnAllocatedAddressBack) {
  register_server();
  allocate(known("one"));
  execute({peer_event("revoke", "acme", "one")});
  EXPECT_EQ(address_of("one"), "");
  EXPECT_EQ(db.value("SELECT count(*) FROM network_free WHERE address_offset = 2"), "1");
}

}  // namespace
}  // namespace peerwright::test
