#include <filesystem>
#include <fstream>
#include <random>

#include "peerwright/store/orders.hpp"
#include "recover_support.hpp"

// A database is the same when it is made anew out of its audit.
namespace peerwright::test {
namespace {

using nlohmann::json;

std::vector<json> examples() {
  std::vector<std::filesystem::path> paths;
  const std::filesystem::path directory(std::string(PEERWRIGHT_SOURCE_DIR) + "/schemas/examples/valid");
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<json> all;
  for (const auto& path : paths) all.push_back(json::parse(std::ifstream(path)));
  return all;
}

// Every type of event, with names and values exchanged for those of one small installation, so that they meet.
class Stream {
 public:
  explicit Stream(unsigned seed) : random_(seed), suffix_('-' + std::to_string(seed)) {
    for (const json& example : examples()) examples_[example["type"]].push_back(example);
  }

  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_); }

  TestEvent next() {
    static const std::vector<std::string> kFrequent{"peer.provision", "peer.update", "peer.rotate_key", "peer.move",
                                                    "reservation.create"};
    const auto& of_type =
        below(2) == 0 ? examples_.at("peerwright." + kFrequent[below(kFrequent.size())] + ".v1")
                      : std::next(examples_.begin(), static_cast<std::ptrdiff_t>(below(examples_.size())))->second;
    const json& example = of_type[below(of_type.size())];
    json data = example.value("data", json::object());
    change(data);
    if (data.contains("make_key") || data.contains("make_preshared_key")) {
      data.erase("make_key");
      data.erase("make_preshared_key");
      if (!data.contains("ttl_seconds") && !data.contains("region")) data["public_key"] = a_key();
    }
    data.erase("preshared_key");
    std::string type = example["type"];
    type = type.substr(std::string("peerwright.").size());
    type = type.substr(0, type.size() - std::string(".v1").size());
    if (type == "peer.provision" && below(2) == 0) data["public_key"] = a_key();
    if (type == "peer.rotate_key") data["public_key"] = fresh_key();
    TestEvent made = event(type, data, data.value("tenant", std::string("acme")));
    if (below(5) == 0) made.from("security");
    if (below(6) == 0) made.with_sequence(std::nullopt);
    return made;
  }

 private:
  static const std::map<std::string, std::vector<std::string>>& pools() {
    static const std::vector<std::string> peers{"P1", "P2", "P3", "P4", "P5", "P6"};
    static const std::map<std::string, std::vector<std::string>> all{
        {"tenant", {"acme", "beta"}},
        {"owner", {"acme", "gamma"}},
        {"peer", peers},
        {"source_peer", peers},
        {"dest_peer", peers},
        {"subscriber", {"S1", "S2"}},
        {"customer", {"C1", "C2"}},
        {"server", {"srv", "alt", "third"}},
        {"network", {"net-srv", "net-alt", "net-third"}},
        {"region", {"r1"}},
        {"rule", {"R1", "R2"}},
        {"mesh", {"M1"}},
        {"link", {"L1"}},
        {"ipv4", {"10.30.0.0/24"}},
        {"ipv6", {"fd30::/64"}},
        {"address", {"10.30.0.7", "10.30.0.8", "10.31.0.9"}}};
    return all;
  }
  std::string a_key() {
    if (keys_.size() < 40 && below(3) != 0) keys_.push_back(fresh_key());
    return keys_.empty() ? keys_.emplace_back(fresh_key()) : keys_[below(keys_.size())];
  }
  std::string fresh_key() {
    std::string bytes;
    for (int i = 0; i < 42; ++i) bytes += "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[below(26)];
    return bytes + "A=";
  }
  void change(json& value, const std::string& name = {}) {
    if (value.is_object() || value.is_array()) {
      for (auto& [member, inner] : value.items()) change(inner, value.is_object() ? member : name);
    } else if (const auto pool = pools().find(name); pool != pools().end() && value.is_string()) {
      value = pool->second[below(pool->second.size())];
      // What was revoked in one history is new in the next.
      if (name.ends_with("peer") || name == "subscriber" || name == "customer") {
        value = value.get<std::string>() + suffix_;
      }
    } else if (name == "limit") {
      value = 1 + below(2);  // of suspensions: soon reached
    } else if (name == "public_key") {
      value = a_key();
    } else if (name.ends_with("_seconds") && value.is_number_integer() && name != "keepalive_seconds" &&
               below(2) == 0) {
      value = 60;
    } else if (name == "reserved" || name == "forbidden" || name == "site_networks") {
      if (value.is_string() && name == "reserved") value = "10.30.0." + std::to_string(1 + below(3));
    }
  }

  std::mt19937 random_;
  std::string suffix_;
  std::map<std::string, std::vector<json>> examples_;  // by type
  std::vector<std::string> keys_;
};

class Recover : public RecoverTest {
 protected:
  // As execute(), with the keys that intake makes before the transaction.
  store::BatchReport execute_prepared(const std::vector<TestEvent>& events, std::int32_t partition) {
    std::vector<const Message*> messages;
    for (const TestEvent& event : events) messages.push_back(&log.append(event, partition));
    auto arrivals = Log::batch(messages);
    for (store::Arrival& arrival : arrivals) {
      if (!arrival.event || arrival.event->envelope.type.find("server.rotate_key") == std::string::npos) continue;
      arrival.prepared.server_public_key = key_pair();
      arrival.prepared.server_key_sealed = "c2VhbGVk";
    }
    const auto report = intake.execute(arrivals, Log::cursors(messages));
    EXPECT_TRUE(report.has_value()) << report.error().code << ": " << report.error().message;
    return report.value_or(store::BatchReport{});
  }

  // What the topic got of the first `most` entries, where the commit that linked them was lost: a replica took over.
  std::vector<store::PublishedAudit> published_and_lost(int most) {
    const auto head = db.rows("SELECT chain_no, encode(chain_hash, 'hex') FROM audit_head")[0];
    store::PublishStore publish(db.database());
    EXPECT_TRUE(publish.hold_lease(me, kDeadAfter).value_or(false));
    EXPECT_EQ(most, publish.link_audit(me, most).value_or(0));
    std::vector<store::PublishedAudit> all;
    auto rows = publish.unpublished_audit(kMost);
    for (store::AuditRow& row : *rows) {
      if (row.chain_no > std::stoll(head[0])) all.push_back({std::move(row), true});
    }
    db.execute("UPDATE audit SET chain_no = NULL, chain_hash = NULL WHERE chain_no > " + head[0]);
    db.execute("UPDATE audit_head SET chain_no = " + head[0] + ", chain_hash = decode('" + head[1] + "', 'hex')");
    return all;
  }
};

// Provisioned, moved, held, rotated, observed to be gone: told apart, for their failures are easier to read.
TEST_F(Recover, MakesASmallInstallationAnew) {
  record_installation();
  register_server("srv", {{"quarantine_seconds", 3600}});
  register_server("alt", {{"ipv4", "10.201.0.0/16"}, {"ipv6", "fd00:201::/64"}, {"reserved", nullptr}});
  execute({provision("A", "S1"), provision("B", "S1"), provision("C")});
  deliver_a_little(3);
  execute({subscriber_event("suspend", "acme", "S1"), peer_event("suspend", "acme", "nobody-yet"),
           event("peer.move", {{"tenant", "acme"}, {"peer", "C"}, {"server", "alt"}}, "acme/C"),
           peer_event("revoke", "acme", "B")});
  sweep_all();
  deliver_a_little(4);
  db.execute("SELECT wg_allocate_ip((SELECT id FROM peers WHERE name = 'nobody-yet'), '10.201.0.0/16')");
  db.execute("SELECT wg_init_ip_pool('10.77.0.0/24', '10.77.0.1')");
  db.execute("SELECT wg_allocate_ip((SELECT id FROM peers WHERE name = 'nobody-yet'), '10.201.0.0/16')");
  db.execute("SELECT wg_release_ip((SELECT assigned_ip FROM wg_peers WHERE peer = 'nobody-yet'))");
  const std::vector broken{&log.append_text("{}"), &log.append_text(R"({"specversion":"1.0","id":"x","source":"billing",
    "type":"peerwright.peer.teleport.v1","data":{"tenant":"acme","peer":"A"}})")};
  ASSERT_TRUE(execute(intake, broken).has_value());
  ASSERT_EQ(2, db.number("SELECT count(*) FROM dead_letters"));
  const auto letter = db.number("SELECT id FROM dead_letters WHERE NOT kept");
  ASSERT_TRUE(store::OrderStore(db.database()).settle({letter}, store::LetterOrder::discard, "ann").has_value());
  ASSERT_LT(0, db.number("SELECT count(*) FROM network_free"));

  TestDatabase made;
  fold(made, entries());
  expect_equal(db, made);
  EXPECT_EQ(db.value("SELECT id FROM installation"), made.value("SELECT id FROM installation"));
  const auto chain = store::verify_audit(made.database());
  ASSERT_TRUE(chain.has_value());
  EXPECT_EQ(0, chain->broken_at);
  // The last batch holds nothing but what was put away. It is not read again, for what was discarded stays so.
  EXPECT_EQ(db.number("SELECT next_offset FROM intake WHERE partition = 0"),
            made.number("SELECT next_offset FROM intake WHERE partition = 0"));
}

// A replica that took over has a decision, its place in the chain not, and the next decisions too.
TEST_F(Recover, WhatTheDatabaseDecidedSinceIsNotUndone) {
  record_installation();
  register_server("srv");
  execute({provision("A", "S1")});
  (void)entries();  // all linked
  execute({peer_event("suspend", "acme", "A")});
  execute({peer_event("resume", "acme", "A"), provision("B", "S1"), provision("C", "S1")});
  const auto before = store::state_digest(db.database());
  const auto peers = db.number("SELECT peer_count FROM servers WHERE name = 'srv'");
  fold(db, published_and_lost(1));
  EXPECT_EQ("active", entitlement("A"));
  EXPECT_EQ(peers, db.number("SELECT peer_count FROM servers WHERE name = 'srv'"));
  EXPECT_EQ(store::digest_of(*before), store::digest_of(*store::state_digest(db.database())));
  EXPECT_EQ(3, db.number("SELECT count(*) FROM audit WHERE chain_no IS NULL"));
  (void)entries();
  const auto chain = store::verify_audit(db.database());
  ASSERT_TRUE(chain.has_value());
  EXPECT_EQ(0, chain->broken_at);
}

// A batch was executed on the backup before the stop was seen: its peer has the id that the lost one had.
TEST_F(Recover, TwoPeersAreNotMadeOne) {
  record_installation();
  register_server("srv");
  execute({provision("A")});
  const auto first = entries();
  TestDatabase restored;  // a backup of this moment
  fold(restored, first);
  execute({provision("lost")});
  const auto lost_id = db.value("SELECT id FROM peers WHERE name = 'lost'");
  restored.execute("INSERT INTO peers (id, tenant_id, name) OVERRIDING SYSTEM VALUE SELECT " + lost_id +
                   ", id, 'other' FROM tenants");
  const auto all = entries();
  const auto folded = store::RecoverStore(restored.database()).fold(std::span(all).subspan(first.size()));
  ASSERT_FALSE(folded.has_value());
  EXPECT_EQ("database_diverged", folded.error().code);
  EXPECT_THAT(folded.error().message, testing::HasSubstr("lost"));
  EXPECT_EQ("", restored.value("SELECT public_key FROM peers WHERE name = 'other'"));
}

// Whoever writes with SQL was quicker than the stop.
TEST_F(Recover, AnAddressThatWasGivenSinceIsNamed) {
  record_installation();
  register_server("srv");
  execute({peer_event("suspend", "acme", "X"), peer_event("suspend", "acme", "Y")});
  const auto first = entries();
  TestDatabase restored;
  fold(restored, first);
  const auto allocate = [](TestDatabase& in, const std::string& peer) {
    return in.value("SELECT wg_allocate_ip((SELECT id FROM peers WHERE name = '" + peer + "'), net4) FROM networks");
  };
  const auto address = allocate(db, "X");
  ASSERT_EQ(address, allocate(restored, "Y"));
  const auto all = entries();
  const auto folded = store::RecoverStore(restored.database()).fold(std::span(all).subspan(first.size()));
  ASSERT_FALSE(folded.has_value());
  EXPECT_EQ("database_diverged", folded.error().code);
  EXPECT_THAT(folded.error().message, testing::HasSubstr("entry " + std::to_string(all.back().row.chain_no)));
  EXPECT_THAT(folded.error().message, testing::HasSubstr(address));
}

// Nothing can be said of a database whose audit topic is gone.
TEST_F(Recover, AnEmptyTopicIsNoAnswerWhereEntriesWerePublished) {
  register_server("srv");
  store::HaltStore halt(db.database());
  const auto unpublished = halt.judge({});
  ASSERT_TRUE(unpublished.has_value());
  EXPECT_FALSE(unpublished->has_value());
  const auto all = entries();
  ASSERT_TRUE(store::PublishStore(db.database()).audit_published(me, all.back().row.chain_no).has_value());
  const auto judged = halt.judge({});
  ASSERT_TRUE(judged.has_value() && judged->has_value());
  EXPECT_EQ("audit_topic_empty", (*judged)->code);
  store::RecoverStore recover(db.database());
  ASSERT_TRUE(recover.publish_anew().has_value());
  EXPECT_EQ(all.size(), entries().size());
  EXPECT_FALSE(halt.judge({})->has_value());
}

TEST_F(Recover, SaysHowManyRemovalsAreToBeProven) {
  record_installation();
  register_server("srv");
  execute({provision("A"), provision("B")});
  deliver_a_little(3);
  execute({peer_event("revoke", "acme", "B"), peer_event("suspend", "acme", "A")});
  deliver_a_little(3);
  ASSERT_EQ(0, db.number("SELECT count(*) FROM removals"));
  const auto resumed = store::RecoverStore(db.database()).resume({kTopic}, "me", false);
  ASSERT_TRUE(resumed.has_value());
  EXPECT_EQ(2, resumed->removals);
  EXPECT_EQ(2, db.number("SELECT count(*) FROM removals"));
}

// Whatever is said, in whatever order, with fan-outs, timers, proofs and other clocks in between.
TEST_F(Recover, MakesAnyHistoryAnew) {
  record_installation();
  register_server("srv",
                  {{"ipv4", "10.30.0.0/24"}, {"ipv6", "fd30::/64"}, {"reserved", nullptr}, {"quarantine_seconds", 60}},
                  {{"region", "r1"}});
  register_server("alt", {{"ipv4", "10.31.0.0/24"}, {"ipv6", "fd31::/64"}, {"reserved", nullptr}}, {{"region", "r1"}});
  std::set<std::pair<std::string, std::string>> seen;  // type and outcome
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Stream stream(seed);
    for (int batch = 0; batch < 25; ++batch) {
      std::vector<TestEvent> events;
      for (std::size_t i = 1 + stream.below(12); i > 0; --i) events.push_back(stream.next());
      if (stream.below(4) == 0) events.push_back(events.front());  // repeated
      const auto report = execute_prepared(events, static_cast<std::int32_t>(stream.below(3)));
      for (const auto& [result, count] : report.results) seen.insert(result);
      if (stream.below(2) == 0) sweep_all();
      if (stream.below(2) == 0) deliver_a_little(2);
      if (stream.below(6) == 0) set_clock_ahead(std::to_string(seed * 100 + static_cast<unsigned>(batch)) + " seconds");
      if (stream.below(3) == 0) {
        caught_up();
        run_timers();
      }
    }
  }
  // Approval is seldom waited for by chance.
  const json limit = {{"limit", 1}, {"window_seconds", 3600}, {"action", "approve"}};
  for (const auto& one :
       {event("tenant.set", {{"tenant", "delta"}, {"mass_suspension", limit}}, "delta"),
        subscriber_event("suspend", "delta", "S1"), subscriber_event("suspend", "delta", "S2"),
        event("tenant.approve", {{"tenant", "delta"}, {"subscriber", "S2"}, {"approved", true}}, "delta")}) {
    for (const auto& [result, count] : execute({one}).results) seen.insert(result);
  }
  // What the guard holds is read from a host, and no part of what is made anew.
  db.execute("UPDATE servers SET guard_held = 1 WHERE name = 'srv'");
  for (const auto& [result, count] : execute({event("server.approve", {{"server", "srv"}}, "server/srv")}).results) {
    seen.insert(result);
  }
  std::set<std::string> accepted;
  for (const auto& [type, outcome] : seen) {
    if (outcome != "rejected") accepted.insert(type);
  }
  EXPECT_EQ(events::catalogue().size(), accepted.size()) << testing::PrintToString(accepted);

  TestDatabase made;
  fold(made, entries(), 137);
  expect_equal(db, made);
}

}  // namespace
}  // namespace peerwright::test
