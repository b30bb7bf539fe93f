#include <array>
#include <memory>

#include "peerwright/store/query.hpp"
#include "rows.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"SERVER", "server"},
                              Column{"NETWORK", "network"},
                              Column{"ENDPOINT", "endpoint"},
                              Column{"PEERS", "peers"},
                              Column{"MAX", "max_peers"},
                              Column{"DELIVERY", "delivery"},
                              Column{"PENDING", "pending_peers"},
                              Column{"FAILED", "failed_peers"},
                              Column{"REMOVALS", "pending_removals", true},
                              Column{"PROVEN_AT", "proven_at", true},
                              Column{"PUSH", "push_number", true},
                              Column{"ERROR", "error_code", true}};

constexpr View kView{"servers", [](const Json& row) { return row.at("server").get<std::string>(); }, kColumns};

struct Page {
  std::string after;
  int limit = 0;
};

}  // namespace

Action setup_server_list(CLI::App& app) {
  const auto page = std::make_shared<Page>();
  app.add_option("--after", page->after, "Behind this one: the next page")->type_name("SERVER");
  add_limit(app, page->limit);
  return [page](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    const auto found = store::QueryStore(*database).servers(page->after, page->limit + 1);
    if (!found) return fail(found.error());
    std::vector<Json> rows;
    for (const store::ServerView& server : *found) rows.push_back(row_of(server));
    end_page(rows, page->limit, kView);
    print_list(globals.format, kView, rows);
    return Exit::ok;
  };
}

Action setup_server_show(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("server", *name, "The server")->type_name("SERVER")->required();
  return [name](const Globals& globals) {
    const auto database = open_database(globals);
    if (!database) return database.error();
    const auto found = store::QueryStore(*database).server(*name);
    if (!found) return fail(found.error());
    if (!*found) {
      return fail({"server_not_found", "there is no server " + *name, "see `peerwright server list`", Retry::never});
    }
    print_one(globals.format, kView, row_of(**found));
    return Exit::ok;
  };
}

}  // namespace peerwright::cli
