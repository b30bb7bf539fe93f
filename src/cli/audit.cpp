#include <array>
#include <iostream>
#include <memory>

#include "peerwright/store/publish.hpp"
#include "peerwright/store/query.hpp"
#include "rows.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

std::string event_of(const Json& row) {
  return row.at("source").get<std::string>() + '/' + row.at("event_id").get<std::string>();
}
constexpr View kDecision{"decisions", event_of, {}};
constexpr View kReport{
    "chains", [](const Json& row) { return std::string(row.at("intact").get<bool>() ? "intact" : "broken"); }, {}};

struct EventName {
  std::string source;
  std::string id;
};

}  // namespace

Action setup_audit_show(CLI::App& app) {
  const auto event = std::make_shared<EventName>();
  app.add_option("--source", event->source, "The event's source")->type_name("SOURCE")->required();
  app.add_option("--id", event->id, "The event's id")->type_name("ID")->required();
  return [event](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    const auto found = store::QueryStore(*database).decision(event->source, event->id);
    if (!found) return fail(found.error());
    if (!*found) {
      return fail({"decision_not_found", "no event of this source and id was decided",
                   "it may not have been read yet, or be a dead letter: see `peerwright dlq list`", Retry::never});
    }
    print_one(globals.format, kDecision, row_of(**found));
    return Exit::ok;
  };
}

Action setup_audit_verify(CLI::App&) {
  return [](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    // First, for rows are only added: the chain must be at least as long when it is walked.
    const auto length = store::QueryStore(*database).audit_chain_length();
    if (!length) return fail(length.error());
    const auto report = store::verify_audit(*database);
    if (!report) return fail(report.error());
    const bool short_of_rows = report->broken_at == 0 && report->rows < *length;
    const std::int64_t broken_at = short_of_rows ? report->rows + 1 : report->broken_at;
    const bool intact = broken_at == 0;
    print_one(globals.format, kReport,
              Json{{"intact", intact}, {"rows", report->rows}, {"broken_at", intact ? Json() : Json(broken_at)}});
    if (intact) return Exit::ok;
    std::cerr << "peerwright: audit_chain_broken: the row with chain number " << broken_at
              << (short_of_rows ? " is missing\n" : " does not fit\n")
              << "  remedy: compare it with the audit topic, which holds the rows as they were published\n";
    return Exit::differences;
  };
}

}  // namespace peerwright::cli
