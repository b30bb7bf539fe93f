// Workers that are killed at named points, again and again, while events stream in, some twice and some out of order:
// nothing is lost, nothing is done twice, the last word wins, the hosts equal the database.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <random>
#include <set>

#include "support/installation.hpp"

namespace peerwright::test {
namespace {

constexpr int kKills = 50;
constexpr int kEvents = 2000;
constexpr int kPeers = 240;
constexpr int kSubscribers = 60;
constexpr int kReorderWindow = 6;
constexpr const char* kPoints[] = {
    "intake.commit.before", "intake.commit.after", "deliver.commit.before",  "deliver.commit.after",
    "deliver.exec.before",  "deliver.exec.after",  "publish.commit.before",  "publish.commit.after",
    "sweep.commit.before",  "sweep.commit.after",  "heartbeat.commit.after",
};

// What the events say, kept by the test in the plainest way: the highest sequence of each register wins.
struct Oracle {
  struct Word {
    std::int64_t sequence = 0;
    bool held = false;
  };
  std::map<std::string, std::map<std::string, Word>> holds;  // subject -> source
  std::set<std::string> revoked;
  void say(const std::string& subject, const TestEvent& event, bool held) {
    Word& word = holds[subject][event.cloud_event["source"]];
    const std::int64_t sequence = std::stoll(event.cloud_event["sequence"].get<std::string>());
    if (sequence > word.sequence) word = {sequence, held};
  }
  [[nodiscard]] bool held(const std::string& subject) const {
    const auto found = holds.find(subject);
    return found != holds.end() &&
           std::any_of(found->second.begin(), found->second.end(), [](const auto& e) { return e.second.held; });
  }
};

class Story {
 public:
  explicit Story(unsigned seed) : random_(seed) {
    for (int i = 0; i < kPeers; ++i) keys_.push_back(make_client_keys().public_key);
    for (int i = 0; i < kPeers; ++i) events_.push_back(provision(i));
    while (events_.size() < kEvents) events_.push_back(change());
    // Provisions come throughout, each peer's before or after the first words on it.
    std::shuffle(events_.begin(), events_.begin() + kEvents / 2, random_);
    for (std::size_t i = 0; i + kReorderWindow < events_.size(); i += kReorderWindow) {
      std::shuffle(events_.begin() + static_cast<long>(i), events_.begin() + static_cast<long>(i + kReorderWindow),
                   random_);
    }
  }

  [[nodiscard]] const std::vector<TestEvent>& events() const { return events_; }
  [[nodiscard]] bool may_use(int peer) const {
    return !oracle_.revoked.contains(name(peer)) && !oracle_.held(name(peer)) && !oracle_.held(subscriber(peer));
  }
  [[nodiscard]] const std::string& key(int peer) const { return keys_[static_cast<std::size_t>(peer)]; }
  static std::string server(int peer) { return peer % 2 == 0 ? "fra1" : "muc1"; }

  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

 private:
  static std::string name(int peer) { return "P" + std::to_string(peer); }
  static std::string subscriber(int peer) { return "S" + std::to_string(peer % kSubscribers); }
  TestEvent provision(int peer) {
    return peer_provision("acme", name(peer), server(peer), key(peer), subscriber(peer));
  }
  TestEvent change() {
    const int peer = pick(kPeers);
    const int what = pick(100);
    const std::string source = pick(4) == 0 ? "security" : "billing";
    const bool held = pick(3) == 0;
    if (what < 3) {
      oracle_.revoked.insert(name(peer));
      return peer_event("revoke", "acme", name(peer), subscriber(peer)).from(source);
    }
    if (what < 25) {
      auto event = subscriber_event(held ? "suspend" : "resume", "acme", subscriber(peer)).from(source);
      oracle_.say(subscriber(peer), event, held);
      return event;
    }
    auto event = peer_event(held ? "suspend" : "resume", "acme", name(peer), subscriber(peer)).from(source);
    oracle_.say(name(peer), event, held);
    return event;
  }

  std::mt19937 random_;
  std::vector<std::string> keys_;
  std::vector<TestEvent> events_;
  Oracle oracle_;
};

// The events of one round, a tenth of them twice.
std::vector<TestEvent> portion(Story& story, std::size_t round) {
  const std::size_t size = story.events().size() / kKills;
  std::vector<TestEvent> events;
  for (std::size_t i = round * size; i < (round + 1) * size; ++i) {
    events.push_back(story.events()[i]);
    if (story.pick(10) == 0)
      events.push_back(
          story.events()[i - static_cast<std::size_t>(story.pick(static_cast<int>(std::min<std::size_t>(i, 30)) + 1))]);
  }
  return events;
}

// Versions of each peer's statuses: every one is there, and no first appearance comes before that of an older one.
void expect_statuses_complete(Installation& installation) {
  std::map<std::string, std::vector<std::int64_t>> versions;
  std::set<std::string> seen;
  for (const auto& said : installation.read_topic("status")) {
    if (said.type != "peerwright.peer.status.v1" || !seen.insert(said.id).second) continue;
    versions[said.body["peer"]].push_back(said.body["version"]);
  }
  for (const auto& row : installation.db().rows("SELECT name, version FROM peers WHERE version > 0")) {
    std::vector<std::int64_t> expected;
    for (std::int64_t v = 1; v <= std::stoll(row[1]); ++v) expected.push_back(v);
    EXPECT_EQ(versions[row[0]], expected) << "statuses of " << row[0];
  }
}

TEST(Crash, FiftyKillsDuringTwoThousandEventsLoseNothingAndDoNothingTwice) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  Story story(seed);
  LabHost fra(1), muc(2);
  Installation installation(
      {.partitions = 4,
       .settings = {{"kafka.properties", "{session.timeout.ms: 1500, heartbeat.interval.ms: 300}"},
                    {"worker.dead_after_ms", "1000"},
                    {"deliver.retry_max_ms", "300"},
                    {"sweep.chunk_peers", "2"},
                    {"intake.batch_messages", "40"}}});
  installation.start_worker("first");
  installation.establish({network_set("net1"), network_set("net2"), server_register("fra1", "net1", fra),
                          server_register("muc1", "net2", muc)});
  installation.kill_worker("first");
  int killed = 0;
  for (int round = 0; round < kKills; ++round) {
    const std::string point = kPoints[static_cast<std::size_t>(round) % std::size(kPoints)];
    const std::string name = "w" + std::to_string(round);
    Process& doomed =
        installation.start_worker(name, {{"PEERWRIGHT_CRASH_AT", point + ":" + std::to_string(1 + story.pick(6))}});
    installation.publish(portion(story, static_cast<std::size_t>(round)));
    // A point that this worker's share of the work never reached: then it is killed where it stands.
    if (!doomed.wait(std::chrono::seconds(12)))
      installation.kill_worker(name);
    else
      EXPECT_EQ(doomed.wait(std::chrono::seconds(0)), 128 + SIGKILL) << installation.log_of(name);
    ++killed;
  }
  EXPECT_EQ(killed, kKills);
  installation.start_worker("last1");
  installation.start_worker("last2");
  ASSERT_TRUE(installation.wait_settled(std::chrono::seconds(120))) << installation.unsettled();

  TestDatabase& db = installation.db();
  // One decision for each event that was ever sent, and none besides.
  EXPECT_EQ(db.number("SELECT count(*) FROM audit WHERE source <> 'peerwright'"), kEvents + 4);
  EXPECT_EQ(db.number("SELECT count(DISTINCT (source, event_id)) FROM audit WHERE source <> 'peerwright'"),
            kEvents + 4);
  EXPECT_EQ(db.number("SELECT count(*) FROM dead_letters"), 0);
  // The last word wins, and the hosts equal the database.
  std::map<std::string, std::set<std::string>> expected, wanted;
  for (int peer = 0; peer < kPeers; ++peer) {
    if (story.may_use(peer)) expected[Story::server(peer)].insert(story.key(peer));
  }
  for (const auto& [server, host] : {std::pair("fra1", &fra), std::pair("muc1", &muc)}) {
    const auto peers = wanted_peers(db, server);
    for (const auto& [key, addresses] : peers) wanted[server].insert(key);
    EXPECT_EQ(host->kernel_peers(), peers) << server;
    EXPECT_EQ(host->file_peers(), peers) << server;
  }
  EXPECT_EQ(wanted, expected);
  EXPECT_GT(expected["fra1"].size(), 10U);
  // No address is held twice.
  EXPECT_EQ(db.number("SELECT count(*) FROM (SELECT network_id, address_offset FROM peers WHERE address_offset IS NOT "
                      "NULL GROUP BY 1, 2 HAVING count(*) > 1) twice"),
            0);
  EXPECT_EQ(db.number("SELECT count(*) FROM peers p JOIN network_free f USING (network_id, address_offset)"), 0);
  expect_statuses_complete(installation);
  EXPECT_EQ(installation.cli({"audit", "verify"}).exit_status, 0);
}

}  // namespace
}  // namespace peerwright::test
