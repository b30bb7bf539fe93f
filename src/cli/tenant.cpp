#include <array>
#include <memory>

#include "pages.hpp"

namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"TENANT", "tenant"},
                              Column{"PEERS", "peers"},
                              Column{"MAX", "max_peers"},
                              Column{"CUSTOMERS", "customers"},
                              Column{"SUBSCRIBERS", "subscribers"},
                              Column{"AWAITING", "awaiting_approval"},
                              Column{"SET", "set", true},
                              Column{"RESERVATIONS/H", "reservations_per_hour", true},
                              Column{"SUSPENSIONS", "suspensions_limit", true},
                              Column{"ACTION", "suspensions_action", true}};

constexpr View kView{"tenants", [](const Json& row) { return row.at("tenant").get<std::string>(); }, kColumns};

struct Page {
  std::string after;
  int limit = 0;
};

}  // namespace

Action setup_tenant_list(CLI::App& app) {
  const auto page = std::make_shared<Page>();
  app.add_option("--after", page->after, "Behind this one: the next page")->type_name("TENANT");
  add_limit(app, page->limit);
  return [page](const Globals& globals) {
    return print_page(globals, page->limit, kView,
                      [&](store::QueryStore& store, int most) { return store.tenants(page->after, most); });
  };
}

Action setup_tenant_show(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("tenant", *name, "The tenant")->type_name("TENANT")->required();
  return [name](const Globals& globals) {
    const Error missing{"tenant_not_found", "there is no tenant " + *name, "see `peerwright tenant list`",
                        Retry::never};
    return print_found(globals, kView, missing, [&](store::QueryStore& store) { return store.tenant(*name); });
  };
}

}  // namespace peerwright::cli
