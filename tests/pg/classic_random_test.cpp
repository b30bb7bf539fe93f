// Intake and the classic functions give the addresses that the domain would give, in whatever order they are asked.
#include <cstdlib>
#include <random>
#include <sstream>
#include <thread>

#include "classic_support.hpp"
#include "peerwright/domain/rules.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

// Random interleavings of both ways to an address.
class Interleaving {
 public:
  explicit Interleaving(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }

 private:
  std::mt19937 random_;
};

// The network as the database has it, in the words of the domain.
domain::Network network_now(TestDatabase& db) {
  const auto row =
      db.rows("SELECT id, array_to_string(reserved, ' '), next_offset FROM networks WHERE name = 'net-srv'")[0];
  domain::Network network;
  network.id = std::stoll(row[0]);
  network.net4 = wireguard::Prefix::parse("10.200.0.0/28").value();
  std::istringstream reserved(row[1]);
  for (std::int64_t offset = 0; reserved >> offset;) network.reserved.push_back(offset);
  network.next_offset = std::stoll(row[2]);
  for (const auto& free : db.rows("SELECT address_offset FROM network_free WHERE network_id = " + row[0] +
                                  " AND available_at <= clock_now() ORDER BY available_at, address_offset")) {
    network.free.push_back(std::stoll(free[0]));
  }
  for (const auto& ahead :
       db.rows("SELECT address_offset FROM peers WHERE network_id = " + row[0] + " AND address_offset >= " + row[2] +
               " UNION SELECT address_offset FROM network_free WHERE network_id = " + row[0] +
               " AND address_offset >= " + row[2] + " ORDER BY 1")) {
    network.ahead.push_back(std::stoll(ahead[0]));
  }
  return network;
}

class ClassicRandom : public ClassicTest {
 protected:
  static std::string text_of(std::optional<std::int64_t> offset) {
    return offset ? "10.200.0." + std::to_string(*offset) : "";
  }
  // One of them is as good as another; the next one to be taken stands in the answer.
  void step(Interleaving& random, int number) {
    domain::Network network = network_now(db);
    const std::string expected = text_of(domain::take_offset(network));
    EXPECT_EQ(next("10.200.0.0/28"), expected);
    const std::string name = "p" + std::to_string(number);
    const std::size_t kind = random.below(7);
    steps_ += "\n" + name + " kind " + std::to_string(kind) + " expects " + expected;
    switch (kind) {
      case 0:
      case 1: {
        const TestEvent provisioned = provision(name);
        execute({provisioned});
        EXPECT_EQ(address_of(name), expected) << decision(provisioned).second;
        if (!expected.empty()) provisioned_.push_back(name);
        return;
      }
      case 2: {
        const std::int64_t id = known(name);
        const std::string call = "wg_allocate_ip(" + std::to_string(id) + ", '10.200.0.0/28')";
        if (expected.empty()) {
          EXPECT_EQ(refused("SELECT " + call), "P0002");
        } else {
          EXPECT_EQ(db.value("SELECT host(" + call + ")"), expected);
          allocated_.push_back(name);
        }
        return;
      }
      case 3: {
        const TestEvent asked = event("reservation.create",
                                      {{"tenant", "acme"},
                                       {"peer", name},
                                       {"server", "srv"},
                                       {"address", "10.200.0." + std::to_string(2 + random.below(13))}},
                                      "acme/" + name);
        execute({asked});
        steps_ += " asked " + asked.cloud_event["data"]["address"].get<std::string>() + ' ' + decision(asked).first +
                  ' ' + decision(asked).second;
        return;
      }
      case 4:
        if (provisioned_.empty()) return;
        execute({peer_event("revoke", "acme", take(provisioned_, random))});
        if (random.below(2) == 0) deliver(delivery, me, host);
        return;
      case 5: {
        if (allocated_.empty()) return;
        const std::string one = take(allocated_, random);
        if (random.below(2) == 0) {
          EXPECT_TRUE(release(address_of(one)));
        } else {
          const std::string held = address_of(one);
          execute({provision(one)});
          EXPECT_EQ(address_of(one), held);
          provisioned_.push_back(one);
        }
        return;
      }
      default:
        change_network(random);
    }
  }
  void change_network(Interleaving& random) {
    json reserved = {"10.200.0.1"};
    if (random.below(2) == 0) reserved.push_back("10.200.0." + std::to_string(2 + random.below(12)));
    steps_ += " reserves " + reserved.dump();
    TestEvent set = network_set("net-srv", {{"ipv4", "10.200.0.0/28"}, {"reserved", reserved}});
    set.cloud_event["data"].erase("ipv6");
    execute({set});
    EXPECT_EQ(decision(set).first, "accepted") << decision(set).second;
  }
  std::string take(std::vector<std::string>& names, Interleaving& random) {
    const auto at = names.begin() + static_cast<std::ptrdiff_t>(random.below(names.size()));
    std::string name = *at;
    steps_ += " of " + name;
    names.erase(at);
    return name;
  }
  // Nobody shares an address, none is both held and free, and who holds what is on record.
  void expect_sound() {
    EXPECT_EQ(
        db.value("SELECT count(*) FROM (SELECT address_offset FROM peers WHERE address_offset IS NOT NULL GROUP BY 1 "
                 "HAVING count(*) > 1) x"),
        "0");
    EXPECT_EQ(db.value("SELECT count(*) FROM network_free f JOIN peers p USING (network_id, address_offset)"), "0");
    EXPECT_EQ(
        db.value(
            "SELECT count(*) FROM peers p FULL JOIN (SELECT * FROM address_periods WHERE until_at IS NULL) a "
            "ON a.peer_id = p.id AND a.address_offset = p.address_offset "
            "WHERE (p.address_offset IS NOT NULL OR a.peer_id IS NOT NULL) AND (a.peer_id IS NULL OR p.id IS NULL)"),
        "0");
  }

  std::string steps_;  // what was done, for a failure's message
  std::vector<std::string> provisioned_;
  std::vector<std::string> allocated_;
};

TEST_F(ClassicRandom, BothWaysGiveTheAddressThatTheDomainWouldGive) {
  register_server("srv", {{"ipv4", "10.200.0.0/28"}, {"ipv6", nullptr}});
  execute({event("tenant.set", {{"tenant", "acme"}, {"reservations_per_hour", 1000}}, "acme")});
  const char* again = std::getenv("PEERWRIGHT_TEST_SEED");
  const unsigned seed = again != nullptr ? static_cast<unsigned>(std::stoul(again)) : std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Interleaving random(seed);
  for (int number = 0; number < 120 && !HasFailure(); ++number) {
    step(random, number);
    expect_sound();
    EXPECT_FALSE(HasFailure()) << steps_;
  }
}

TEST_F(ClassicRandom, TwoAtOnceNeverGetOneAddress) {
  constexpr int kEach = 12;
  register_server();
  std::vector<std::int64_t> ids;
  for (int i = 0; i < kEach; ++i) ids.push_back(known("sql-" + std::to_string(i)));
  std::thread sql([&] {
    pqxx::connection connection(db.dsn());
    for (const std::int64_t id : ids) {
      pqxx::work work(connection);
      work.exec("SELECT wg_allocate_ip(" + std::to_string(id) + ", '10.200.0.0/16')");
      work.commit();
    }
  });
  for (int i = 0; i < kEach; ++i) execute({provision("event-" + std::to_string(i))});
  sql.join();
  EXPECT_EQ(db.value("SELECT count(DISTINCT address_offset) FROM peers"), std::to_string(2 * kEach));
  EXPECT_EQ(db.value("SELECT max(address_offset) FROM peers"), std::to_string(2 * kEach + 1)) << "none was burnt";
  expect_sound();
}

}  // namespace
}  // namespace peerwright::test
