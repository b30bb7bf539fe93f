#include <iostream>
#include <memory>

#include "event.hpp"
#include "peerwright/store/orders.hpp"
#include "rows.hpp"
#include "setup.hpp"

// Orders to the workers about messages that could not be executed.
namespace peerwright::cli {
namespace {

constexpr int kPage = 1000;  // asked for at once
constexpr View kView{
    "dead letters", [](const Json& row) { return std::to_string(row.at("id").get<std::int64_t>()); }, {}};

struct Options {
  std::vector<std::int64_t> ids;
  bool all = false;
  std::string code;
  std::string user;
  bool yes = false;
  bool dry_run = false;
};

// The ids that are open now, of one code or of any: what comes later is not meant.
Result<std::vector<std::int64_t>> snapshot(store::QueryStore& store, const std::string& code) {
  std::vector<std::int64_t> ids;
  std::int64_t after = 0;
  for (;;) {
    const auto found = store.dead_letters(after, kPage, "open");
    if (!found) return tl::unexpected(found.error());
    for (const store::DeadLetterView& letter : *found) {
      after = letter.id;
      if (code.empty() || letter.code == code) ids.push_back(letter.id);
    }
    if (found->size() < static_cast<std::size_t>(kPage)) return ids;
  }
}

void print_ids(const Globals& globals, const std::vector<std::int64_t>& ids, const char* state) {
  std::vector<Json> rows;
  for (const std::int64_t id : ids) rows.push_back({{"id", id}, {"state", state}});
  if (globals.format == Format::table || globals.format == Format::wide) {
    for (const Json& row : rows) std::cout << row.at("id") << ": " << state << '\n';
  } else {
    print_list(globals.format, kView, rows);
  }
}

// Each of them, so that a dry run refuses what the order would.
Result<void> check_open(store::QueryStore& store, const std::vector<std::int64_t>& ids) {
  for (const std::int64_t id : ids) {
    const auto found = store.dead_letter(id);
    if (!found) return tl::unexpected(found.error());
    if (!*found) {
      return permanent("dead_letter_not_found", "there is no dead letter " + std::to_string(id),
                       "see `peerwright dlq list`");
    }
    if ((*found)->view.state != "open") {
      return permanent("dead_letter_settled",
                       "the dead letter " + std::to_string(id) + " is no longer open: " + (*found)->view.state,
                       "see `peerwright dlq list --state open`");
    }
  }
  return {};
}

Exit settle(const Globals& globals, const Options& options, store::LetterOrder order) {
  if (options.ids.empty() != options.all) return usage("name dead letters by their ids, or say --all");
  const auto database = open_database(globals);
  if (!database) return database.error();
  store::QueryStore store(*database);
  std::vector<std::int64_t> ids = options.ids;
  if (options.all) {
    auto frozen = snapshot(store, options.code);
    if (!frozen) return fail(frozen.error());
    ids = *std::move(frozen);
    std::cerr << "snapshot: " << ids.size() << " open dead letters"
              << (ids.empty() ? std::string() : ", the last is " + std::to_string(ids.back())) << '\n';
  }
  const bool discards = order == store::LetterOrder::discard;
  if (options.dry_run) {
    if (const auto open = check_open(store, ids); !open) return fail(open.error());
    print_ids(globals, ids, discards ? "would be discarded" : "would be replayed");
    return Exit::ok;
  }
  const std::string question = std::to_string(ids.size()) + " dead letters are to be " +
                               (discards ? "discarded, which cannot be undone." : "executed once more.");
  if (!ids.empty() && (discards || options.all) && !confirmed(options.yes, question)) return Exit::usage;
  store::OrderStore orders(*database);
  if (const auto done = orders.settle(ids, order, own_source(options.user)); !done) return fail(done.error());
  print_ids(globals, ids, discards ? "discarded" : "replay");
  return Exit::ok;
}

Action setup_order(CLI::App& app, store::LetterOrder order) {
  const auto options = std::make_shared<Options>();
  app.add_option("ids", options->ids, "The dead letters")->type_name("ID");
  app.add_flag("--all", options->all, "All that are open now");
  app.add_option("--code", options->code, "Of those of --all, the ones with this code")->type_name("CODE");
  app.add_option("--user", options->user, "Who says it (else $USER)")->type_name("USER");
  app.add_flag("--yes", options->yes, "Do not ask; needed without a terminal");
  app.add_flag("--dry-run", options->dry_run, "Say what would be done, and do nothing");
  return [options, order](const Globals& globals) { return settle(globals, *options, order); };
}

}  // namespace

Action setup_dlq_replay(CLI::App& app) { return setup_order(app, store::LetterOrder::replay); }
Action setup_dlq_discard(CLI::App& app) { return setup_order(app, store::LetterOrder::discard); }

}  // namespace peerwright::cli
