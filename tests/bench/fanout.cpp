// A hold on a subscriber of 10,000 peers against one on a subscriber of one: the commit that stores it, and the chunks
// that carry it on to the peers.
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "bench/bench.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/store/intake.hpp"
#include "peerwright/store/sweep.hpp"
#include "support/events.hpp"
#include "support/postgres.hpp"

namespace peerwright::bench {
namespace {

constexpr int kRounds = 21;
constexpr int kManyPeers = 10'000;
constexpr int kChunkPeers = 500;
constexpr double kAllowedMs = 10;
constexpr const char* kTopic = "bench";

class Bench {
 public:
  Bench()
      : sealer_(*Sealer::create(Secret(std::string(64, 'a')))),
        store_(db_.database(), sealer_),
        sweep_(db_.database(), &sealer_) {
    if (!store_.begin_partition(kTopic, 0, 0)) throw std::runtime_error("the partition cannot be begun");
    db_.execute("INSERT INTO tenants (name) VALUES ('acme')");
    db_.execute("INSERT INTO networks (name, net4, word) VALUES ('bench', '10.0.0.0/8', '{}')");
    db_.execute(
        "INSERT INTO servers (name, network_id, ssh_host, ssh_host_key, endpoint, max_peers, word)"
        " SELECT 'bench', id, 'h', 'k', 'h:51820', 10000000, '{}' FROM networks");
    db_.execute("INSERT INTO deliveries (server_id) SELECT id FROM servers");
    make_subscriber("one", 1);
    make_subscriber("many", kManyPeers);
    db_.execute("ANALYZE");
  }

  // Milliseconds of the batch that suspends, or resumes, the subscriber.
  double say(const std::string& verb, const std::string& subscriber) {
    const std::string payload = test::subscriber_event(verb, "acme", subscriber).text();
    store::Arrival arrival;
    arrival.topic = kTopic;
    arrival.offset = next_offset_++;
    arrival.broker_time = machine_now();
    arrival.raw = {payload, nullptr};
    auto event = events::decode(arrival.raw);
    if (!event) throw std::runtime_error(event.error().message);
    arrival.event = *std::move(event);
    const store::Cursor cursor{kTopic, 0, arrival.offset, arrival.offset + 1};
    return seconds_of([&] {
             const auto report = store_.execute(std::span(&arrival, 1), std::span(&cursor, 1));
             if (!report || report->executed != 1) throw std::runtime_error("not executed");
           }) *
           1000;
  }

  // Seconds until every peer has followed.
  double fan_out() {
    return seconds_of([&] {
      for (;;) {
        const auto step = sweep_.fan_out(kChunkPeers);
        if (!step) throw std::runtime_error(step.error().message);
        if (!step->more) return;
      }
    });
  }

  void check_suspended(std::int64_t expected) {
    if (db_.number("SELECT count(*) FROM peers WHERE entitlement = 'suspended'") != expected)
      throw std::runtime_error("the hold has not reached its peers");
  }

 private:
  void make_subscriber(const std::string& name, int peers) {
    db_.execute("INSERT INTO subscribers (tenant_id, name) SELECT id, '" + name + "' FROM tenants");
    db_.execute(
        "INSERT INTO peers (tenant_id, name, stage, entitlement, subscriber_id, server_id, network_id, address_offset,"
        " public_key, provisioned_at)"
        " SELECT s.tenant_id, '" +
        name +
        "' || g, 'provisioned', 'active', s.id, v.id, v.network_id,"
        " (SELECT coalesce(max(address_offset), 0) FROM peers) + g, '" +
        name +
        "' || g, now()"
        " FROM subscribers s, servers v, generate_series(1, " +
        std::to_string(peers) + ") g WHERE s.name = '" + name + "'");
  }

  test::TestDatabase db_;
  Sealer sealer_;
  store::IntakeStore store_;
  store::SweepStore sweep_;
  std::int64_t next_offset_ = 0;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

int fanout() {
  Bench bench;
  std::vector<double> one, many;
  for (int round = 0; round < kRounds; ++round) {
    const std::string verb = round % 2 == 0 ? "suspend" : "resume";
    one.push_back(bench.say(verb, "one"));
    many.push_back(bench.say(verb, "many"));
  }
  print({"fanout.hold_of_10000_peers_against_one_peer_and_10_ms", median(many), "ms", median(one) + kAllowedMs, 1,
         false});
  const double seconds = bench.fan_out();
  bench.check_suspended(kManyPeers + 1);
  // What a worker that pushes to every peer in the hold's own transaction would keep its locks for.
  print({"fanout.chunk_of_500_peers_against_all_at_once", seconds * 1000 * kChunkPeers / kManyPeers, "ms",
         seconds * 1000, 0.1, false});
  return 0;
}

}  // namespace peerwright::bench
