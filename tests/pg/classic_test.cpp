#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <regex>
#include <sstream>
#include <thread>

#include "peerwright/domain/rules.hpp"
#include "peerwright/events/outbound.hpp"
#include "store_support.hpp"

// The tables and functions that others may query, as docs/reference/tables.md and statuses.md say them.
namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kRange = "10.200.0.0/16";

std::string page(const std::string& name) {
  std::ifstream file(PEERWRIGHT_SOURCE_DIR "/docs/reference/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The cells of a line of a table, without the marks of code.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    cell.erase(0, cell.find_first_not_of(" `"));
    cell.erase(cell.find_last_not_of(" `") + 1);
    cells.push_back(cell);
  }
  return cells;
}

// The rows of the tables below a heading.
std::vector<std::vector<std::string>> rows_below(const std::string& text, const std::string& heading) {
  std::vector<std::vector<std::string>> rows;
  const std::size_t begin = text.find("\n" + heading + '\n');
  std::istringstream in(begin == std::string::npos ? "" : text.substr(begin + heading.size() + 2));
  for (std::string line; std::getline(in, line) && !line.starts_with("## ");) {
    if (line.starts_with("| `")) rows.push_back(cells_of(line));
  }
  return rows;
}

class Questions : public StoreTest {
 protected:
  // What Postgres says of the relation: "name type", in order.
  std::vector<std::string> columns(const std::string& relation) {
    std::vector<std::string> all;
    for (const auto& row : db.rows("SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute WHERE "
                                   "attrelid = '" +
                                   relation + "'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum")) {
      all.push_back(row[0]);
    }
    return all;
  }
  // A peer that somebody has named and nobody provisioned; its id.
  std::int64_t known(const std::string& peer) {
    execute({peer_event("resume", "acme", peer)});
    return of_peer(peer, "id");
  }
  std::string allocate(std::int64_t peer_id, const std::string& range = kRange) {
    return db.value("SELECT host(wg_allocate_ip(" + std::to_string(peer_id) + ", '" + range + "'))");
  }
  bool release(const std::string& address) { return db.value("SELECT wg_release_ip('" + address + "')") == "t"; }
  std::string next(const std::string& range = kRange) {
    return db.value("SELECT host(wg_get_next_available_ip('" + range + "'))");
  }
  std::string address_of(const std::string& peer) {
    return db.value("SELECT host(assigned_ip) FROM wg_peers WHERE peer = '" + peer + "'");
  }
  // The SQLSTATE of a refusal; empty where the statement was done.
  std::string refused(const std::string& sql) {
    try {
      db.execute(sql);
      return {};
    } catch (const pqxx::sql_error& error) {
      return error.sqlstate();
    }
  }
  std::int64_t outbox(const std::string& state) {
    return db.number(
        "SELECT count(*) FROM outbox WHERE ce_type = 'peerwright.address.status.v1' AND body::json->>'state' = '" +
        state + "'");
  }
};

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

class Classic : public Questions {
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

TEST_F(Classic, ColumnsAreAsTheReferenceSays) {
  const std::string text = page("tables.md");
  for (const char* relation : {"wg_peers", "wg_server_config", "wg_connection_log", "wg_ip_pool", "wg_access_rules",
                               "wireguard_servers", "wireguard_peers", "wireguard_server_stats"}) {
    std::vector<std::string> said;
    for (const auto& row : rows_below(text, std::string("## ") + relation)) said.push_back(row[0] + ' ' + row[1]);
    EXPECT_EQ(said, columns(relation)) << relation;
  }
}

TEST_F(Classic, NamesAndTypesThatOperatorsRelyOn) {
  const auto begins_with = [&](const char* relation, std::vector<std::string> wanted) {
    const auto all = columns(relation);
    std::vector<std::string> found;
    std::ranges::copy_if(all, std::back_inserter(found),
                         [&](const std::string& column) { return std::ranges::find(wanted, column) != wanted.end(); });
    std::ranges::sort(found);
    std::ranges::sort(wanted);
    EXPECT_EQ(found, wanted) << relation;
  };
  begins_with("wg_peers", {"id bigint", "tenant_id bigint", "user_id bigint", "name text", "peer_type text",
                           "public_key text", "preshared_key_hash text", "allowed_ips text[]", "assigned_ip inet",
                           "endpoint text", "enabled boolean", "revoked_at timestamp with time zone",
                           "last_handshake_at timestamp with time zone", "created_at timestamp with time zone"});
  begins_with("wg_server_config", {"private_key_encrypted text", "public_key text", "listen_port integer",
                                   "address inet", "network_cidr cidr", "post_up text", "post_down text"});
  begins_with("wg_connection_log", {"peer_id bigint", "event_type text", "remote_endpoint text", "rx_bytes bigint",
                                    "tx_bytes bigint", "created_at timestamp with time zone"});
  begins_with("wg_ip_pool", {"network_cidr cidr", "ip_address inet", "is_allocated boolean", "is_reserved boolean"});
  begins_with("wg_access_rules", {"source_peer_id bigint", "dest_peer_id bigint", "dest_port integer",
                                  "dest_protocol text", "action text", "priority integer"});
}

TEST_F(Classic, TheQueriesOfTheReferenceRunOnWhatCameIn) {
  register_server("srv", {{"ipv4", "10.200.0.0/28"}, {"ipv6", nullptr}});
  execute({provision("a"), provision("b"), provision("c"), peer_event("suspend", "acme", "c")});
  db.execute(
      "INSERT INTO peer_runtime (peer_id, last_handshake_at) SELECT id, now() - interval '5 minutes' FROM peers "
      "WHERE name IN ('a', 'c')");
  db.execute(
      "INSERT INTO wg_connection_log (peer_id, event_type, rx_bytes, tx_bytes, created_at) "
      "SELECT id, 'data_transfer', 10, 5, now() - i * interval '10 hours' FROM peers, generate_series(0, 3) AS i "
      "WHERE name = 'a'");
  const std::string text = page("tables.md");
  std::vector<std::string> queries;
  const std::regex block("```sql\n([^`]*);\n```");
  for (std::sregex_iterator it(text.begin(), text.end(), block), end; it != end; ++it) queries.push_back((*it)[1]);
  ASSERT_EQ(queries.size(), 3U);

  const auto enabled =
      db.rows("SELECT name, host(assigned_ip), extract(epoch FROM idle)::bigint / 60 FROM (" + queries[0] + ") AS q");
  EXPECT_THAT(enabled, ElementsAre(ElementsAre("a", "10.200.0.2", "5"), ElementsAre("b", "10.200.0.3", "")));
  EXPECT_THAT(db.rows("SELECT name, rx_bytes, tx_bytes, total_bytes FROM (" + queries[1] + ") AS q"),
              ElementsAre(ElementsAre("a", "30", "15", "45")));
  EXPECT_EQ(db.value(queries[2]), "10") << "14 addresses without the server's and those of three peers";
}

TEST_F(Classic, APeerIsShownAsItIs) {
  register_server("srv", json::object(), {{"dns", {"10.200.0.1"}}});
  TestEvent provisioned = provision("gate", "S-1");
  provisioned.cloud_event["data"].update({{"type", "gateway"},
                                          {"user_id", "4711"},
                                          {"name", "The gate"},
                                          {"customer", "C-1"},
                                          {"site_networks", {"192.168.7.0/24"}},
                                          {"endpoint", "gate.example.net:51820"}});
  execute({provisioned});
  ASSERT_EQ(decision(provisioned).first, "accepted");
  EXPECT_THAT(
      db.rows("SELECT user_id, name, peer_type, public_key, allowed_ips, assigned_ip, endpoint, enabled, revoked_at "
              "FROM wg_peers"),
      ElementsAre(ElementsAre("4711", "The gate", "gateway", key_of("gate"),
                              "{10.200.0.2/32,fd00:200::2/128,192.168.7.0/24}", "10.200.0.2", "gate.example.net:51820",
                              "t", "")));
  EXPECT_THAT(
      db.rows("SELECT customer_id, subscriber_id, status, peer_ipv4, peer_ipv6, created_by FROM wireguard_peers"),
      ElementsAre(ElementsAre("C-1", "S-1", "ACTIVE", "10.200.0.2", "fd00:200::2", "billing")));
  EXPECT_THAT(db.rows("SELECT address, network_cidr, listen_port FROM wg_server_config"),
              ElementsAre(ElementsAre("10.200.0.1/16", kRange, "51820")));
  EXPECT_THAT(db.rows("SELECT name, current_peers, server_ipv4, dns_servers FROM wireguard_servers"),
              ElementsAre(ElementsAre("srv", "1", kRange, "{10.200.0.1}")));
  EXPECT_THAT(db.rows("SELECT name, total_peers, active_peers, online_peers FROM wireguard_server_stats"),
              ElementsAre(ElementsAre("srv", "1", "1", "0")));
  execute({peer_event("revoke", "acme", "gate")});
  EXPECT_EQ(db.value("SELECT enabled::text || (revoked_at IS NOT NULL)::text FROM wg_peers"), "falsetrue");
}

TEST_F(Classic, StatusesAreAsTheReferenceSays) {
  register_server();
  execute({provision("a")});
  const std::string text = page("statuses.md");
  const auto peers = rows_below(text, "## Of peers: `wireguard_peers.status`");
  ASSERT_EQ(peers.size(), 6U);
  for (const auto& row : peers) {
    const std::string stage = row[0] == "reserved" || row[0] == "revoked" ? row[0] : "provisioned";
    db.execute("UPDATE peers SET stage = '" + stage + "', entitlement = '" + row[0] + "', reserved_until = now()");
    EXPECT_EQ(db.value("SELECT status FROM wireguard_peers"), row[1]) << row[0];
  }
  const auto servers = rows_below(text, "## Of servers: `wireguard_servers.status`");
  ASSERT_EQ(servers.size(), 5U);
  for (std::size_t i = 0; i < servers.size(); ++i) {
    // With all that stands below it: the first line that fits counts.
    const auto any = [&](const char* state) {
      return std::any_of(servers.begin() + static_cast<std::ptrdiff_t>(i), servers.end(),
                         [&](const auto& row) { return row[0] == state; });
    };
    const std::string state = any("retired") ? "retired" : any("draining") ? "draining" : "active";
    db.execute("UPDATE servers SET state = '" + state + "', maintenance = " + (any("maintenance") ? "true" : "false"));
    db.execute(std::string("UPDATE deliveries SET error_code = '") + (any("failing") ? "ssh_unreachable" : "") + "'");
    EXPECT_EQ(db.value("SELECT status FROM wireguard_servers"), servers[i][1]) << servers[i][0];
  }
}

TEST_F(Classic, TheClassicLineIsAsTheReferenceSays) {
  const auto rows =
      rows_below(page("statuses.md"), "## The classic line of a router: `classic.state` of `peer.status`");
  ASSERT_EQ(rows.size(), 6U);
  for (const auto& row : rows) {
    domain::Peer peer;
    peer.tenant = "acme";
    peer.name = "router";
    peer.entitlement = domain::entitlement_from(row[0]).value();
    peer.stage = row[0] == "reserved" ? domain::Stage::reserved : domain::Stage::provisioned;
    if (row[0] == "reserved") peer.reservation = domain::Reservation::reserved;
    peer.server_id = 1;
    peer.generation = row[1] == "none" ? 0 : 2;
    peer.applied_generation = row[1] == "applied" ? 2 : 1;
    peer.delivery_error = row[1] == "failed" ? "wg_refused" : "";
    events::PeerContext context;
    context.connectivity = row[2];
    if (row[2] != "never") context.connected_at = time_from_micros(1);
    const json body = json::parse(events::peer_status(peer, context).body);
    EXPECT_EQ(body.value("/classic/state"_json_pointer, ""), row[3]) << body.dump();
  }
}

TEST_F(Classic, AnAddressIsAllocatedAnswersAgainAndComesBack) {
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

TEST_F(Classic, WhatIsRefusedSaysWhy) {
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

TEST_F(Classic, AnInitialisedPoolIsANetworkForServers) {
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

TEST_F(Classic, ARollbackBurnsNothing) {
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

TEST_F(Classic, AnAllocatedAddressStaysWithThePeerThatIsProvisioned) {
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

TEST_F(Classic, AReservationKeepsAnAllocatedAddressToo) {
  register_server();
  const std::string held = allocate(known("one"));
  const TestEvent reserved =
      event("reservation.create", {{"tenant", "acme"}, {"peer", "one"}, {"server", "srv"}}, "acme/one");
  execute({reserved});
  ASSERT_EQ(decision(reserved).first, "accepted") << decision(reserved).second;
  EXPECT_EQ(address_of("one"), held);
}

TEST_F(Classic, AnAllocatedAddressElsewhereComesBack) {
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

TEST_F(Classic, ARevokedPeerGivesAnAllocatedAddressBack) {
  register_server();
  allocate(known("one"));
  execute({peer_event("revoke", "acme", "one")});
  EXPECT_EQ(address_of("one"), "");
  EXPECT_EQ(db.value("SELECT count(*) FROM network_free WHERE address_offset = 2"), "1");
}

TEST_F(Classic, BothWaysGiveTheAddressThatTheDomainWouldGive) {
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

TEST_F(Classic, TwoAtOnceNeverGetOneAddress) {
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
