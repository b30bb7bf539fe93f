#include <array>
#include <memory>

#include "pages.hpp"

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
                              Column{"OWNER", "owner", true},
                              Column{"REGION", "region", true},
                              Column{"STATE", "state", true},
                              Column{"MAINTENANCE", "maintenance", true},
                              Column{"REMOVALS", "pending_removals", true},
                              Column{"PROVEN_AT", "proven_at", true},
                              Column{"PUSH", "push_number", true},
                              Column{"ERROR", "error_code", true}};

constexpr View kView{"servers", [](const Json& row) { return row.at("server").get<std::string>(); }, kColumns};

const std::vector<std::string> kStatuses{"active", "draining", "retired", "maintenance",
                                         "due",    "failing",  "doubt",   "proven"};

}  // namespace

Action setup_server_list(CLI::App& app) {
  const auto filter = std::make_shared<store::ServerFilter>();
  app.add_option("--tenant", filter->tenant, "That this tenant owns")->type_name("TENANT");
  app.add_option("--region", filter->region, "Of this region")->type_name("REGION");
  app.add_option("--status", filter->status, "By state, or by how far its delivery is")
      ->type_name("STATUS")
      ->check(CLI::IsMember(kStatuses));
  app.add_option("--after", filter->after, "Behind this one: the next page")->type_name("SERVER");
  add_limit(app, filter->limit);
  return [filter](const Globals& globals) {
    return print_page(globals, filter->limit, kView, [&](store::QueryStore& store, int most) {
      store::ServerFilter page = *filter;
      page.limit = most;
      return store.servers(page);
    });
  };
}

Action setup_server_show(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("server", *name, "The server")->type_name("SERVER")->required();
  return [name](const Globals& globals) {
    const Error missing{"server_not_found", "there is no server " + *name, "see `peerwright server list`",
                        Retry::never};
    return print_found(globals, kView, missing, [&](store::QueryStore& store) { return store.server(*name); });
  };
}

}  // namespace peerwright::cli
