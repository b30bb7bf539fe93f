#include <algorithm>
#include <array>

#include "peerwright/store/migrator.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"VERSION", "version"}, Column{"NAME", "name"}, Column{"APPLIED", "applied"},
                              Column{"APPLIED_AT", "applied_at", true}, Column{"CHECKSUM", "checksum", true}};

constexpr View kView{"migrations to apply", [](const Json& row) { return row.at("name").get<std::string>(); },
                     kColumns};

std::vector<Json> rows_of(const std::vector<store::Migration>& migrations) {
  std::vector<Json> rows;
  for (const store::Migration& migration : migrations) {
    Json row{{"version", migration.version},
             {"name", migration.name},
             {"applied", migration.applied},
             {"checksum", migration.checksum}};
    row["applied_at"] = migration.applied_at.empty() ? Json() : Json(migration.applied_at);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Action setup_migrate_up(CLI::App&) {
  return [](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    auto applied = store::migrate_up(*database);
    if (!applied) return fail(applied.error());
    for (store::Migration& migration : *applied) migration.applied = true;
    print_list(globals.format, kView, rows_of(*applied));
    return Exit::ok;
  };
}

Action setup_migrate_status(CLI::App&) {
  return [](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    const auto known = store::migration_status(*database);
    if (!known) return fail(known.error());
    print_list(globals.format, kView, rows_of(*known));
    return std::ranges::all_of(*known, &store::Migration::applied) ? Exit::ok : Exit::differences;
  };
}

}  // namespace peerwright::cli
