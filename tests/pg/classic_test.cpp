// The classic tables show what came in, by the names and with the words of the reference.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "classic_support.hpp"
#include "peerwright/events/outbound.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;

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

class Classic : public ClassicTest {
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

}  // namespace
}  // namespace peerwright::test
