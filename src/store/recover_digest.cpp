#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "db.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/store/recover.hpp"

// Everything that is decided is in the digest, unless it is named here: a new table or column is in by itself.
namespace peerwright::store {
namespace {

struct LeftOut {
  std::string_view table;
  std::string_view column;  // empty: all of it
  std::string_view why;
};
constexpr auto kLeftOut = std::to_array<LeftOut>({
    {"workers", "", "who runs"},
    {"leases", "", "who runs"},
    {"schema_migrations", "", "of the program"},
    {"audit", "", "bound by its own chain"},
    {"audit_head", "", "bound by its own chain"},
    {"outbox", "", "on its way"},
    {"deliveries", "", "proofs and attempts: hosts are read anew; but see kSpecials"},
    {"peer_runtime", "", "observed"},
    {"server_runtime", "", "observed"},
    {"wg_connection_log", "", "observed"},
    {"intake", "", "a batch of repetitions moves on without an entry"},
    {"intake_topics", "", "asked of the brokers"},
    {"installation", "kafka_cluster_id", "asked of the brokers"},
    {"installation", "clock_offset", "of a test or a rehearsal"},
    {"installation", "halted_code", "whether it works"},
    {"installation", "halted_message", "whether it works"},
    {"installation", "halted_at", "whether it works"},
    {"installation", "recorded", "of the audit"},
    {"tenants", "version", "counts what was said"},
    {"customers", "version", "counts what was said"},
    {"subscribers", "version", "counts what was said"},
    {"servers", "version", "counts what was said"},
    {"servers", "generation", "counts the database's own plans"},
    {"servers", "guard_held", "read from the host"},
    {"servers", "guard_code", "read from the host"},
    {"servers", "guard_digest", "read from the host"},
    {"foreign_peers", "", "read from the host, and forgotten with it, also what an operator keeps"},
    {"peers", "version", "counts what was said"},
    {"peers", "generation", "counts the database's own plans"},
    {"peers", "applied_generation", "proof"},
    {"peers", "proven", "proof"},
    {"peers", "delivery_error", "proof"},
    {"meshes", "version", "counts what was said"},
    {"node_links", "id", "named by its ends"},
    {"node_links", "resolved", "proof"},
    {"node_links", "resolve", "proof"},
    {"node_links", "generation", "counts the database's own plans"},
    {"node_links", "applied_generation", "proof"},
    {"node_links", "proven", "proof"},
    {"node_links", "refused_generation", "proof"},
    {"site_prefixes", "link_id", "named by its ends"},
    {"removals", "created_at", "since when it is tried"},
    {"used_keys", "at", "since when it is known"},
    {"fan_outs", "started_at", "since when it runs"},
    {"wider_fan_outs", "started_at", "since when it runs"},
    {"dead_letters", "id", "named by its place"},
    {"dead_letters", "code", "changes with every attempt"},
    {"dead_letters", "message", "changes with every attempt"},
    {"dead_letters", "kept", "changes with every attempt"},
    {"dead_letters", "state", "compared below"},
    {"dead_letters", "created_at", "of the row"},
    {"dead_letters", "settled_at", "of the row"},
});

// Beside the columns, and which rows.
struct Special {
  std::string_view table, more, where;
};
constexpr auto kSpecials = std::to_array<Special>({
    {"site_prefixes", ", (SELECT (l.mesh_id, l.server_id, l.other)::text FROM node_links l WHERE l.id = t.link_id)",
     ""},
    {"dead_letters", ", state IN ('open', 'replay')", ""},
    // Imports that wait for their hosts. What a policy asks for is asked for by the next look, without an entry.
    {"deliveries", ", import_tenant_id, import_cause",
     "WHERE import_tenant_id IS NOT NULL AND import_cause NOT LIKE 'observe/%'"},
    // An entry that is to go stands until that is proven.
    {"node_links", "", "WHERE wanted"},
    // Found again by observation.
    {"timers", "", "WHERE kind <> 'quota'"},
    // The row of a key that its peer has there still goes and comes with proofs; one of a key that it has left is
    // decided.
    {"removals", "",
     "WHERE NOT EXISTS (SELECT FROM peers p WHERE p.id = t.peer_id AND p.server_id = t.server_id "
     "AND t.public_key IN (p.public_key, p.staged_key))"},
});

bool left_out(std::string_view table, std::string_view column) {
  return std::ranges::any_of(
      kLeftOut, [&](const LeftOut& row) { return row.table == table && (row.column.empty() || row.column == column); });
}

std::string query_of(const std::string& table, const std::string& columns) {
  std::string more, where;
  for (const Special& special : kSpecials) {
    if (special.table != table) continue;
    more = special.more;
    where = special.where;
  }
  // Two halves of each row's hash, added up: the order of the rows is no matter.
  return "SELECT count(*), coalesce(sum(('x' || substr(h, 1, 15))::bit(60)::bigint::numeric), 0) || '-' || "
         "coalesce(sum(('x' || substr(h, 17, 15))::bit(60)::bigint::numeric), 0) FROM (SELECT md5(ROW(" +
         columns + more + ")::text) AS h FROM " + table + " t " + where + ") r";
}

}  // namespace

Result<std::vector<TableDigest>> state_digest(const Database& database) {
  Db db(database, "digest");
  return db.transact([&](Tx& tx) -> Result<std::vector<TableDigest>> {
    tx.raw("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    tx.raw("SET LOCAL statement_timeout = 0");
    std::map<std::string, std::string> columns{{"deliveries", "t.server_id"}};
    for (const auto& row : tx.run("digest_columns")) {
      const std::string table = text_at(row, 0);
      if (left_out(table, text_at(row, 1))) continue;
      std::string& list = columns[table];
      list += (list.empty() ? "t." : ", t.") + text_at(row, 1);
    }
    std::vector<TableDigest> all;
    for (const auto& [table, list] : columns) {
      const auto row = tx.raw(query_of(table, list))[0];
      all.push_back({table, int_at(row, 0), text_at(row, 1)});
    }
    return all;
  });
}

std::string digest_of(const std::vector<TableDigest>& tables) {
  std::string text;
  for (const TableDigest& table : tables) {
    text += table.table + ' ' + std::to_string(table.rows) + ' ' + table.sum + '\n';
  }
  return sha256_hex(text);
}

}  // namespace peerwright::store
