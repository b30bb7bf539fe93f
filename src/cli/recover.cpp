#include <algorithm>
#include <iostream>
#include <memory>
#include <thread>

#include "audit_topic.hpp"
#include "event.hpp"

// A restored backup catches up.
namespace peerwright::cli {
namespace {

// Until every worker has seen the stop, and what it had begun is done.
constexpr std::chrono::seconds kWorkersStop{2};

struct Options {
  bool yes = false;
  bool dry_run = false;
  std::string user;
};

std::int64_t last_of(const std::vector<store::AuditRow>& tail) {
  std::int64_t last = 0;
  for (const store::AuditRow& row : tail) last = std::max(last, row.chain_no);
  return last;
}

Exit carry_out(const Globals& globals, const Options& options, const Config& config, const store::Database& database,
               AuditTopic& topic) {
  store::RecoverStore store(database);
  if (auto begun = store.begin("recovering"); !begun) return fail(begun.error());
  std::this_thread::sleep_for(kWorkersStop);
  const auto folded = fold_all(topic, store);
  if (!folded) return fail(folded.error());
  const auto digest = store::state_digest(database);
  if (!digest) return fail(digest.error());
  const auto head = store.head();
  if (!head) return fail(head.error());
  if (topic.tail().empty()) {
    if (auto anew = store.publish_anew(); !anew) return fail(anew.error());
  }
  const auto resumed = store.resume(config.kafka.event_topics, own_source(options.user), false);
  if (!resumed) return fail(resumed.error());
  print_resumed(globals, *folded, *head, *resumed, store::digest_of(*digest));
  return Exit::ok;
}

Exit recover(const Globals& globals, const Options& options) {
  const auto config = configuration(globals, {"kafka", "postgres"});
  if (!config) return config.error();
  const auto database = database_of(*config);
  if (!database) return database.error();
  const auto kafka = kafka_of(*config);
  if (!kafka) return kafka.error();
  const auto head = store::RecoverStore(*database).head();
  if (!head) return fail(head.error());
  auto topic = AuditTopic::open(*kafka, config->kafka.audit_topic, head->chain_no);
  if (!topic) return fail(topic.error());
  const auto verdict = store::HaltStore(*database).judge(topic->tail());
  if (!verdict) return fail(verdict.error());
  if (*verdict && (*verdict)->code == "audit_forked") return fail(**verdict);
  const std::int64_t missing = std::max<std::int64_t>(0, last_of(topic->tail()) - head->chain_no);
  std::cerr << "the database's audit ends with entry " << head->chain_no << ", the topic's goes " << missing
            << " entries further\n";
  const bool emptied = topic->tail().empty() && head->chain_no > 0;
  if (emptied) std::cerr << "the topic is empty: what the database knows is published there once more\n";
  if (options.dry_run) return Exit::ok;
  const std::string question = std::to_string(missing) +
                               " entries are to be folded in, all proofs forgotten, and the push numbers of the hosts "
                               "taken over. No worker may run on another copy of this database.";
  if (!confirmed(options.yes, question)) return Exit::usage;
  return carry_out(globals, options, *config, *database, *topic);
}

}  // namespace

Action setup_recover(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("--user", options->user, "Who says it (else $USER)")->type_name("USER");
  app.add_flag("--yes", options->yes, "Do not ask; needed without a terminal");
  app.add_flag("--dry-run", options->dry_run, "Say how far the database is behind, and do nothing");
  return [options](const Globals& globals) { return recover(globals, *options); };
}

}  // namespace peerwright::cli
