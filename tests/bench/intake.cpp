// The batch transaction against one transaction an event: same events, same tables, same machine, in turns.
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "bench/bench.hpp"
#include "bench/per_event_worker.hpp"
#include "peerwright/base/seal.hpp"
#include "support/events.hpp"
#include "support/postgres.hpp"

namespace peerwright::bench {
namespace {

constexpr int kRounds = 5;
constexpr int kBatchEvents = 500;
constexpr int kBatchesPerRound = 10;
constexpr int kSinglesPerRound = 1000;
constexpr const char* kTopic = "bench";

struct Message {
  std::string payload;
  std::string peer, subscriber, public_key;
};

Message message(int number) {
  Message m;
  m.peer = "P" + std::to_string(number);
  m.subscriber = "S" + std::to_string(number / 4);
  m.public_key = test::make_client_keys().public_key;
  m.payload = test::peer_provision("acme", m.peer, "bench", m.public_key, m.subscriber).text();
  return m;
}

class Bench {
 public:
  Bench()
      : sealer_(*Sealer::create(Secret(std::string(64, 'a')))), store_(db_.database(), sealer_), single_(db_.dsn()) {
    if (!store_.begin_partition(kTopic, 0, 0)) throw std::runtime_error("the partition cannot be begun");
    db_.execute("INSERT INTO tenants (name) VALUES ('acme')");
    db_.execute("INSERT INTO networks (name, net4, net6, word) VALUES ('bench', '10.0.0.0/8', 'fd00::/64', '{}')");
    db_.execute(
        "INSERT INTO servers (name, network_id, ssh_host, ssh_host_key, endpoint, max_peers, word)"
        " SELECT 'bench', id, 'h', 'k', 'h:51820', 10000000, '{}' FROM networks");
    db_.execute("INSERT INTO deliveries (server_id) SELECT id FROM servers");
  }

  double batches_per_second() {
    const auto messages = make(kBatchEvents * kBatchesPerRound);
    const double seconds = seconds_of([&] {
      for (int batch = 0; batch < kBatchesPerRound; ++batch) {
        std::vector<store::Arrival> arrivals;
        for (int i = 0; i < kBatchEvents; ++i) {
          arrivals.push_back(arrival(messages[static_cast<std::size_t>(batch * kBatchEvents + i)]));
        }
        const store::Cursor cursor{kTopic, 0, arrivals.front().offset, arrivals.back().offset + 1};
        const auto report = store_.execute(arrivals, std::span(&cursor, 1));
        if (!report) throw std::runtime_error(report.error().message);
        if (report->results.size() != 1 || report->executed != kBatchEvents) throw std::runtime_error("not executed");
      }
    });
    return static_cast<double>(messages.size()) / seconds;
  }

  double singles_per_second() {
    const auto messages = make(kSinglesPerRound);
    const double seconds = seconds_of([&] {
      for (const Message& m : messages) single_.execute(arrival(m), m.peer, m.subscriber, "bench", m.public_key);
    });
    return static_cast<double>(messages.size()) / seconds;
  }

  // Both ways must have done the same work.
  void check(std::int64_t expected) {
    for (const char* table : {"peers", "inbox", "audit", "outbox", "address_periods"}) {
      if (db_.number(std::string("SELECT count(*) FROM ") + table) != expected) {
        throw std::runtime_error(std::string("rows are missing in ") + table);
      }
    }
  }

 private:
  std::vector<Message> make(int count) {
    std::vector<Message> messages;
    for (int i = 0; i < count; ++i) messages.push_back(message(next_peer_++));
    return messages;
  }
  // Decoding belongs to both sides' work.
  store::Arrival arrival(const Message& m) {
    store::Arrival a;
    a.topic = kTopic;
    a.offset = next_offset_++;
    a.broker_time = machine_now();
    a.raw = {m.payload, nullptr};
    auto event = events::decode(a.raw);
    if (!event) throw std::runtime_error(event.error().message);
    a.event = *std::move(event);
    return a;
  }

  test::TestDatabase db_;
  Sealer sealer_;
  store::IntakeStore store_;
  PerEventWorker single_;
  int next_peer_ = 0;
  std::int64_t next_offset_ = 0;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

int intake() {
  Bench bench;
  std::vector<double> batch, single;
  bench.batches_per_second();  // warm-up
  bench.singles_per_second();
  for (int round = 0; round < kRounds; ++round) {
    batch.push_back(bench.batches_per_second());
    single.push_back(bench.singles_per_second());
  }
  bench.check((kRounds + 1) * (kBatchEvents * kBatchesPerRound + kSinglesPerRound));
  print({"intake.batch_against_one_transaction_an_event", median(batch), "events/s", median(single), 10, true});
  return 0;
}

}  // namespace peerwright::bench
