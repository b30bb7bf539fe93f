#include "store_support.hpp"

#include <algorithm>
#include <iterator>

#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

constexpr const char* kHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6hZrGyZfX4p8Z7rQ0mN5uC1yD3kVbW2xLsTtEoF9aY";

Sealer test_sealer() { return Sealer::create(Secret(std::string(64, 'a'))).value(); }

wireguard::HostPeer as_host_shows(const wireguard::PeerConfig& peer) {
  wireguard::HostPeer shown{peer.public_key, peer.allowed_ips, peer.keepalive_seconds};
  std::sort(shown.allowed_ips.begin(), shown.allowed_ips.end());
  return shown;
}

}  // namespace

store::Arrival arrival_of(const Message& message) {
  store::Arrival arrival;
  arrival.topic = message.topic;
  arrival.partition = message.partition;
  arrival.offset = message.offset;
  arrival.broker_time = message.broker_time;
  arrival.key = message.key;
  arrival.raw = {message.payload, nullptr};
  if (auto event = events::decode(arrival.raw)) {
    arrival.event = *std::move(event);
  } else {
    arrival.refusal = event.error();
  }
  return arrival;
}

const Message& Log::append(const TestEvent& event, std::int32_t partition, std::optional<Time> time) {
  append_text(event.text(), partition);
  messages_.back().key = event.key;
  if (time) messages_.back().broker_time = *time;
  return messages_.back();
}

const Message& Log::append_text(const std::string& text, std::int32_t partition, const std::string& key) {
  Message message;
  message.key = key;
  message.partition = partition;
  message.offset = next_[partition]++;
  message.broker_time = time_from_micros((1'760'000'000 + ++seconds_) * 1'000'000);
  message.payload = text;
  return messages_.emplace_back(std::move(message));
}

std::vector<store::Arrival> Log::batch(const std::vector<const Message*>& messages) {
  std::vector<store::Arrival> arrivals;
  for (const Message* message : messages) arrivals.push_back(arrival_of(*message));
  return arrivals;
}

std::vector<store::Cursor> Log::cursors(const std::vector<const Message*>& messages) {
  std::map<std::int32_t, store::Cursor> cursors;
  for (const Message* message : messages) {
    const auto [cursor, is_new] =
        cursors.try_emplace(message->partition, store::Cursor{kTopic, message->partition, message->offset, 0});
    cursor->second.next = message->offset + 1;
  }
  std::vector<store::Cursor> all;
  for (const auto& [partition, cursor] : cursors) all.push_back(cursor);
  return all;
}

std::optional<wireguard::HostAnswer> FakeHost::run(const store::PlannedPush& push) {
  ++runs;
  if (push.push_number <= push_number) return std::nullopt;
  push_number = push.push_number;
  for (const std::string& key : push.plan.removals) peers.erase(key);
  for (const auto& peer : push.plan.peers) peers[peer.public_key] = as_host_shows(peer);
  wireguard::HostAnswer answer;
  answer.interface_key = push.server.public_key;
  if (answer.interface_key.empty()) answer.interface_key = wireguard::generate_key_pair().public_key;
  answer.push_number = push.push_number;
  std::set<std::string> hashed(push.plan.hashed_keys.begin(), push.plan.hashed_keys.end());
  std::set<std::string> asked = hashed;
  for (const auto& peer : push.plan.peers) asked.insert(peer.public_key);
  asked.insert(push.plan.removals.begin(), push.plan.removals.end());
  std::string secrets;
  for (const auto& [key, peer] : peers) {
    const bool reading = push.mode == wireguard::PushMode::reading;
    if (reading || asked.contains(key)) answer.kernel.push_back(peer);
    if (hashed.contains(key)) secrets += key + " none\n";
  }
  answer.file = answer.kernel;
  answer.kernel_secrets_hash = answer.file_secrets_hash = sha256_hex(secrets);
  answer.file_hash = sha256_hex("file of push " + std::to_string(push_number));
  return answer;
}

wireguard::Proof FakeHost::proof(const store::PlannedPush& push, const wireguard::HostAnswer& answer) {
  return push.mode == wireguard::PushMode::reading ? wireguard::prove_reading(push.wanted, answer)
                                                   : wireguard::prove_push(push.plan, answer);
}

std::set<std::string> FakeHost::keys() const {
  std::set<std::string> all;
  for (const auto& [key, peer] : peers) all.insert(key);
  return all;
}

StoreTest::StoreTest()
    : sealer(test_sealer()),
      intake(db.database(), sealer),
      sweep(db.database(), &sealer),
      workers(db.database()),
      delivery(db.database()),
      me(workers.enlist("me").value()) {
  for (int partition = 0; partition < kPartitions; ++partition) {
    if (!intake.begin_partition(kTopic, partition, 0, kPartitions)) throw std::runtime_error("no partition");
  }
}

void StoreTest::register_server(const std::string& server, const nlohmann::json& network,
                                const nlohmann::json& settings) {
  nlohmann::json data = {{"server", server},
                         {"network", "net-" + server},
                         {"ssh", {{"host", server + ".example.net"}, {"host_key", kHostKey}}},
                         {"endpoint", "192.0.2.10:51820"},
                         {"max_peers", 20000}};
  data.update(settings);
  const TestEvent registered = event("server.register", data, "server/" + server);
  TestEvent range = network_set("net-" + server, network);
  nlohmann::json& members = range.cloud_event["data"];
  for (auto it = members.begin(); it != members.end();) it = it->is_null() ? members.erase(it) : std::next(it);
  execute({range, registered});
  ASSERT_EQ("accepted", decision(registered).first);
}

std::string StoreTest::key_pair() { return wireguard::generate_key_pair().public_key; }

TestEvent StoreTest::provision(const std::string& peer, const std::string& subscriber, const std::string& server) {
  const std::string key = wireguard::generate_key_pair().public_key;
  keys_[peer] = key;
  return peer_provision("acme", peer, server, key, subscriber);
}

store::BatchReport StoreTest::execute(const std::vector<TestEvent>& events, std::int32_t partition) {
  std::vector<const Message*> messages;
  for (const TestEvent& event : events) messages.push_back(&log.append(event, partition));
  auto report = execute(intake, messages);
  if (!report) {
    ADD_FAILURE() << report.error().code << ": " << report.error().message;
    return {};
  }
  return *report;
}

Result<store::BatchReport> StoreTest::execute(store::IntakeStore& store, const std::vector<const Message*>& messages) {
  const auto batch = Log::batch(messages);
  const auto cursors = Log::cursors(messages);
  return store.execute(batch, cursors);
}

std::pair<std::string, std::string> StoreTest::decision(const TestEvent& event) {
  const auto rows =
      db.rows("SELECT outcome, code FROM audit WHERE event_id = '" + event.id() + "' ORDER BY id DESC LIMIT 1");
  if (rows.empty()) return {"none", ""};
  return {rows[0][0], rows[0][1]};
}

std::string StoreTest::entitlement(const std::string& peer) {
  return db.value("SELECT entitlement FROM peers WHERE name = '" + peer + "'");
}

std::int64_t StoreTest::of_peer(const std::string& peer, const std::string& column) {
  return db.number("SELECT " + column + " FROM peers WHERE name = '" + peer + "'");
}

std::string StoreTest::of_delivery(const std::string& column, const std::string& server) {
  return db.value("SELECT d." + column + " FROM deliveries d JOIN servers s ON s.id = d.server_id WHERE s.name = '" +
                  server + "'");
}

domain::Id StoreTest::server_id(const std::string& server) {
  return db.number("SELECT id FROM servers WHERE name = '" + server + "'");
}

std::set<std::string> StoreTest::removal_keys() {
  std::set<std::string> keys;
  for (const auto& row : db.rows("SELECT public_key FROM removals")) keys.insert(row[0]);
  return keys;
}

void StoreTest::fan_out() {
  for (bool more = true; more;) {
    const auto step = sweep.fan_out(100);
    ASSERT_TRUE(step.has_value()) << step.error().message;
    more = step->more;
  }
}

void StoreTest::sweep_all() {
  for (bool more = true; more;) {
    const auto wider = sweep.wider_fan_out(100);
    ASSERT_TRUE(wider.has_value()) << wider.error().message;
    const auto step = sweep.fan_out(100);
    ASSERT_TRUE(step.has_value()) << step.error().message;
    more = wider->found || step->found;
  }
}

void StoreTest::caught_up(int partitions) {
  const auto now = intake.clock();
  ASSERT_TRUE(now.has_value());
  std::vector<store::CaughtUp> marks;
  for (const auto& row : db.rows("SELECT partition, next_offset FROM intake")) {
    const int partition = std::stoi(row[0]);
    if (partition < partitions) marks.push_back({kTopic, partition, std::stoll(row[1]), *now});
  }
  ASSERT_TRUE(intake.note_caught_up(marks, {{kTopic, kPartitions}}).has_value());
}

std::size_t StoreTest::run_timers(std::chrono::milliseconds margin) {
  const auto step = sweep.timers({{kTopic}, margin}, 100);
  if (!step) {
    ADD_FAILURE() << step.error().code << ": " << step.error().message;
    return 0;
  }
  return step->peers;
}

void StoreTest::set_clock_ahead(const std::string& interval) {
  db.execute("UPDATE installation SET clock_offset = '" + interval + "'");
}

std::vector<domain::Id> StoreTest::claimed(store::DeliveryStore& store, const std::string& worker, int most) {
  std::vector<domain::Id> all;
  for (const bool failing : {false, true}) {
    const auto servers = store.claim(worker, all, most, kDeadAfter, failing);
    if (!servers) throw std::runtime_error(servers.error().message);
    all.insert(all.end(), servers->begin(), servers->end());
  }
  return all;
}

int StoreTest::deliver(store::DeliveryStore& store, const std::string& worker, FakeHost& fake, int most) {
  for (int pushes = 0; pushes < most;) {
    const auto servers = claimed(store, worker, 10);
    if (servers.empty()) return pushes;
    for (const domain::Id server : servers) {
      const auto push = store.plan(worker, server, kLimits);
      if (!push) ADD_FAILURE() << push.error().message;
      if (!push || !*push) continue;
      ++pushes;
      const auto answer = fake.run(**push);
      if (!answer) {
        ADD_FAILURE() << "the host refuses push " << (*push)->push_number;
        return pushes;
      }
      const auto finished = store.finish(worker, **push, *answer, FakeHost::proof(**push, *answer));
      if (!finished) ADD_FAILURE() << finished.error().message;
    }
  }
  ADD_FAILURE() << "the delivery never comes to rest";
  return most;
}

store::PlannedPush StoreTest::planned(store::DeliveryStore& store, const std::string& worker) {
  const auto servers = claimed(store, worker, 1);
  if (servers.size() != 1) throw std::runtime_error("one server was to be claimed");
  auto push = store.plan(worker, servers.front(), kLimits);
  if (!push || !*push) throw std::runtime_error("nothing is to be pushed");
  return **std::move(push);
}

void StoreTest::silence(const std::string& worker) {
  db.execute("UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = '" + worker + "'");
}

bool StoreTest::waiting_for_locks(int count) {
  return eventually([&] {
    return db.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "wait_event_type = 'Lock'") >= count;
  });
}

}  // namespace peerwright::test
