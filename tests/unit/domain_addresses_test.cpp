#include <gtest/gtest.h>

#include <random>
#include <set>

#include "domain_support.hpp"

// Random lives of peers on two small networks: never do two of them hold one address, nothing that is reserved is
// handed out, every count is the number of what it counts, and in the end no address is lost.
namespace peerwright::domain {
namespace {

constexpr int kLives = 400;
constexpr int kSteps = 120;
constexpr std::uint32_t kFirstSeed = 20260207;
constexpr int kQuarantineSeconds = 600;

using Address = std::pair<Id, std::int64_t>;  // network, offset

class Life {
 public:
  explicit Life(std::uint32_t seed) : random_(seed) {
    set_network("net", "10.0.0.0/28", {1, 5});
    set_network("far", "10.8.0.0/29", {});
    for (const auto& [name, network] : std::map<std::string, std::string>{{"a", "net"}, {"b", "net"}, {"c", "far"}}) {
      say(World::server(name, network, 9));
      Server server = world_.server(name);
      server.region = "north";
      world_.state.load(server);
    }
    TenantSet many;
    many.tenant = "acme";
    many.reservations_per_hour = 1000;
    say(many);
  }

  void run() {
    for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) {
      step();
      check();
    }
    end();
  }

 private:
  int pick(int of) { return std::uniform_int_distribution<int>(0, of - 1)(random_); }
  bool chance(int of) { return pick(of) == 0; }

  template <typename Event>
  void say(const Event& event) {
    const std::map<Id, Address> before = held();
    const Decision decision = world_.say_now(event);
    absorb(decision);
    for (const auto& [peer, address] : held()) {
      const auto had = before.find(peer);
      if (had != before.end() && had->second == address) continue;
      const Network& network = *world_.state.network(address.first);
      EXPECT_TRUE(std::find(network.reserved.begin(), network.reserved.end(), address.second) == network.reserved.end())
          << "a reserved address was handed out";
      EXPECT_TRUE(address.second > 0 && address.second < offsets_of(network));
    }
  }

  void step() {
    const std::string peer = "p" + std::to_string(pick(14));
    switch (pick(9)) {
      case 0:
      case 1:
        return say(provision(peer));
      case 2:
        return say(reserve(peer));
      case 3:
        return say(World::activate(peer));
      case 4:
        return say(PeerMove{"acme", peer, chance(3) ? "" : server(), chance(3) ? "north" : ""});
      case 5:
        return say(World::revoke(peer + (chance(2) ? "" : "x")));
      case 6:
        return wait();
      case 7:
        return chance(2) ? prove() : reset_reserved();
      default:
        return say(PeerRotateKey{"acme", peer, "key " + std::to_string(++keys_), chance(2) ? 0 : 60});
    }
  }

  std::string server() { return std::string(1, "abc"[pick(3)]); }

  PeerProvision provision(const std::string& peer) {
    auto event = World::provision(peer);
    event.public_key = "key " + std::to_string(++keys_);
    event.place = place(peer);
    return event;
  }
  ReservationCreate reserve(const std::string& peer) {
    auto event = World::reserve(peer, 900);
    event.place = place(peer);
    return event;
  }
  Placement place(const std::string& peer) {
    Placement wanted = World::place(peer);
    wanted.server = chance(3) ? "" : server();
    if (wanted.server.empty()) wanted.region = "north";
    if (chance(3)) wanted.address = (chance(3) ? "10.8.0." : "10.0.0.") + std::to_string(pick(16));
    if (chance(3)) wanted.plan = chance(2) ? "gold" : "tin";
    return wanted;
  }

  void set_network(const std::string& name, const std::string& range, const std::set<int>& reserved) {
    auto event = World::network(name, range);
    for (const int offset : reserved) event.reserved.push_back(event.net4->at(offset).value());
    event.quarantine_seconds = kQuarantineSeconds;
    say(event);
  }
  void reset_reserved() { set_network("net", "10.0.0.0/28", {1 + pick(14), 1 + pick(14)}); }

  // The store's part: removal rows, rest and release of addresses.
  void absorb(const Decision& decision) {
    for (const FreedAddress& freed : decision.freed) release({freed.network_id, freed.address_offset});
    for (const Removal& removal : decision.removals) {
      const auto row = rows_.find({removal.server_id, removal.public_key});
      if (row != rows_.end()) {
        if (row->second.network_id) release({*row->second.network_id, *row->second.address_offset});
        rows_.erase(row);
      }
      if (removal.wanted_gone) rows_.insert({{removal.server_id, removal.public_key}, removal});
    }
  }
  void release(const Address& address) {
    const Network& network = *world_.state.network(address.first);
    if (std::count(network.free.begin(), network.free.end(), address.second) > 0) return;
    world_.state.load_use(address.first, address.second, AddressUse::quarantined);
    resting_.emplace(address, world_.state.now + std::chrono::seconds(kQuarantineSeconds));
  }
  void prove() {
    for (const auto& [key, row] : std::exchange(rows_, {})) {
      if (row.network_id) release({*row.network_id, *row.address_offset});
    }
    for (const std::string& name : world_.peer_names()) {
      Peer peer = world_.peer(name);
      if (peer.stage != Stage::revoked || !peer.address_offset) continue;
      release({*peer.network_id, *peer.address_offset});
      peer.address_offset.reset();
      world_.state.load(peer);
    }
  }
  void wait() {
    world_.pass(pick(1000));
    for (const auto& [key, timer] : std::map(world_.timers)) {
      if (*timer.due_at > world_.state.now) continue;
      const Decision decision = decide_timer(timer, world_.state);
      world_.take(decision);
      absorb(decision);
    }
    for (const auto& [address, until] : std::map(resting_)) {
      if (until > world_.state.now) continue;
      resting_.erase(address);
      world_.state.load_use(address.first, address.second, AddressUse::free);
      Network network = *world_.state.network(address.first);
      network.free.push_back(address.second);
      world_.state.load(network);
    }
  }

  [[nodiscard]] std::map<Id, Address> held() const {
    std::map<Id, Address> all;
    for (const std::string& name : world_.peer_names()) {
      const Peer& peer = world_.peer(name);
      if (peer.address_offset) all[peer.id] = {*peer.network_id, *peer.address_offset};
    }
    return all;
  }

  void check() {
    std::set<Address> seen;
    const auto only_here = [&](const Address& address) {
      EXPECT_TRUE(seen.insert(address).second) << "the offset " << address.second << " is in two hands";
    };
    for (const auto& [peer, address] : held()) only_here(address);
    for (const auto& [key, row] : rows_) {
      if (row.network_id) only_here({*row.network_id, *row.address_offset});
    }
    for (const auto& [address, until] : resting_) only_here(address);
    for (const char* name : {"net", "far"}) {
      for (const std::int64_t offset : world_.network_named(name).free) {
        only_here({world_.network_named(name).id, offset});
      }
    }
    check_counts();
  }

  void check_counts() {
    std::map<Id, std::int64_t> on_server;
    std::map<std::string, std::int64_t> of_plan;
    std::int64_t all = 0;
    for (const std::string& name : world_.peer_names()) {
      const Peer& peer = world_.peer(name);
      if (peer.stage != Stage::reserved && peer.stage != Stage::provisioned) continue;
      ++all;
      ++on_server[*peer.server_id];
      if (!peer.plan.empty()) ++of_plan[peer.plan];
      EXPECT_TRUE(peer.network_id == world_.state.server(*peer.server_id)->network_id && peer.address_offset);
    }
    EXPECT_EQ(all, world_.tenant().peer_count);
    for (const auto& [plan, limit] : world_.tenant().plans) EXPECT_EQ(of_plan[plan], limit.peer_count) << plan;
    for (const char* name : {"a", "b", "c"}) {
      const Server& server = world_.server(name);
      EXPECT_EQ(on_server[server.id], server.peer_count) << name;
      EXPECT_LE(server.peer_count, server.max_peers);
    }
  }

  // Everybody goes, everything rests: all addresses can be had again.
  void end() {
    for (const std::string& name : std::vector(world_.peer_names())) say(World::revoke(name));
    prove();
    world_.pass(10 * kQuarantineSeconds);
    wait();
    check();
    EXPECT_TRUE(world_.timers.empty());
    for (const char* name : {"net", "far"}) {
      Network network = world_.network_named(name);
      const std::int64_t usable = offsets_of(network) - 1 - static_cast<std::int64_t>(network.reserved.size());
      std::set<std::int64_t> had;
      while (const auto offset = take_offset(network)) had.insert(*offset);
      EXPECT_EQ(usable, static_cast<std::int64_t>(had.size())) << name;
    }
  }

  std::mt19937 random_;
  World world_;
  int keys_ = 0;
  std::map<std::pair<Id, std::string>, Removal> rows_;
  std::map<Address, Time> resting_;
};

TEST(AddressLives, noAddressIsHeldTwiceOrLost) {
  for (std::uint32_t seed = kFirstSeed; seed < kFirstSeed + kLives; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life(seed).run();
    if (HasFailure()) return;
  }
}

TEST(TakeOffset, passesReservedOnesAndThoseGivenAhead) {
  Network network;
  network.net4 = prefix("10.0.0.0/29");  // 1 to 6
  network.reserved = {1, 4};
  network.ahead = {2, 5};
  EXPECT_EQ(3, take_offset(network));
  EXPECT_EQ(6, take_offset(network));
  EXPECT_EQ(std::nullopt, take_offset(network));
  network.free = {4, 2, 5};
  EXPECT_EQ(2, take_offset(network));  // the reserved one is not handed out
  EXPECT_EQ(5, take_offset(network));
  EXPECT_EQ(std::nullopt, take_offset(network));
}

}  // namespace
}  // namespace peerwright::domain
