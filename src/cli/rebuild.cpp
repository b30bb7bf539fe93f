#include <memory>

#include "audit_topic.hpp"
#include "event.hpp"
#include "peerwright/store/workers.hpp"
#include "rows.hpp"

// A database out of nothing but the audit topic.
namespace peerwright::cli {
namespace {

struct Options {
  bool from_audit = false;
  std::string user;
};

Exit rebuild(const Globals& globals, const Options& options) {
  if (!options.from_audit) return usage("say what to rebuild from: --from-audit");
  const auto config = configuration(globals, {"kafka", "postgres"});
  if (!config) return config.error();
  const auto database = database_of(*config);
  if (!database) return database.error();
  const auto kafka = kafka_of(*config);
  if (!kafka) return kafka.error();
  if (auto ready = store::WorkerStore(*database).check_schema(); !ready) return fail(ready.error());
  store::RecoverStore store(*database);
  const auto begin = store.head();
  if (!begin) return fail(begin.error());
  auto topic = AuditTopic::open(*kafka, config->kafka.audit_topic, begin->chain_no);
  if (!topic) return fail(topic.error());
  if (auto empty = store.check_empty(); !empty) return fail(empty.error());
  if (auto begun = store.begin("rebuilding"); !begun) return fail(begun.error());
  const auto folded = fold_all(*topic, store);
  if (!folded) return fail(folded.error());
  const auto digest = store::state_digest(*database);
  if (!digest) return fail(digest.error());
  const auto head = store.head();
  if (!head) return fail(head.error());
  const auto resumed = store.resume(config->kafka.event_topics, own_source(options.user), true);
  if (!resumed) return fail(resumed.error());
  print_resumed(globals, *folded, *head, *resumed, store::digest_of(*digest));
  return Exit::ok;
}

constexpr Column kColumns[] = {{"TABLE", "table"}, {"ROWS", "rows"}, {"SUM", "sum"}};
constexpr View kTables{"tables", [](const Json& row) { return row.at("table").get<std::string>(); }, kColumns};

}  // namespace

Action setup_rebuild(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_flag("--from-audit", options->from_audit, "Out of the audit topic, from its beginning");
  app.add_option("--user", options->user, "Who says it (else $USER)")->type_name("USER");
  return [options](const Globals& globals) { return rebuild(globals, *options); };
}

Action setup_audit_digest(CLI::App&) {
  return [](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    const auto tables = store::state_digest(*database);
    if (!tables) return fail(tables.error());
    std::vector<Json> rows;
    for (const store::TableDigest& table : *tables) {
      rows.push_back({{"table", table.table}, {"rows", table.rows}, {"sum", table.sum}});
    }
    rows.push_back({{"table", "all"}, {"rows", nullptr}, {"sum", store::digest_of(*tables)}});
    print_list(globals.format, kTables, rows);
    return Exit::ok;
  };
}

}  // namespace peerwright::cli
