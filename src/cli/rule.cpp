#include <array>
#include <memory>

#include "pages.hpp"

// What stands between peers and between servers: access rules, meshes and links.
namespace peerwright::cli {
namespace {

constexpr std::array kRuleColumns{
    Column{"TENANT", "tenant"}, Column{"RULE", "rule"},     Column{"PRIORITY", "priority"},
    Column{"SOURCE", "source"}, Column{"DEST", "dest"},     Column{"PROTOCOL", "protocol"},
    Column{"PORT", "port"},     Column{"ACTION", "action"}, Column{"CAUSE", "cause", true}};
constexpr View kRules{
    "rules",
    [](const Json& row) { return row.at("tenant").get<std::string>() + '/' + row.at("rule").get<std::string>(); },
    kRuleColumns};

constexpr std::array kMeshColumns{Column{"MESH", "mesh"}, Column{"ACTIVE", "active"}, Column{"MEMBERS", "members"},
                                  Column{"VERSION", "version", true}, Column{"CAUSE", "cause", true}};
constexpr View kMeshes{"meshes", [](const Json& row) { return row.at("mesh").get<std::string>(); }, kMeshColumns};

struct Page {
  std::string after;
  int limit = 0;
};

}  // namespace

Action setup_rule_list(CLI::App& app) {
  const auto filter = std::make_shared<store::SubjectFilter>();
  app.add_option("--tenant", filter->tenant, "Of this tenant")->type_name("TENANT");
  add_after(app, "TENANT/RULE", filter->after_tenant, filter->after_name);
  add_limit(app, filter->limit);
  return [filter](const Globals& globals) {
    return print_page(globals, filter->limit, kRules, [&](store::QueryStore& store, int most) {
      store::SubjectFilter page = *filter;
      page.limit = most;
      return store.rules(page);
    });
  };
}

Action setup_mesh_list(CLI::App& app) {
  const auto page = std::make_shared<Page>();
  app.add_option("--after", page->after, "Behind this one: the next page")->type_name("MESH");
  add_limit(app, page->limit);
  return [page](const Globals& globals) {
    return print_page(globals, page->limit, kMeshes,
                      [&](store::QueryStore& store, int most) { return store.meshes(page->after, most); });
  };
}

Action setup_mesh_show(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("mesh", *name, "mesh/NAME or link/NAME")->type_name("MESH")->required();
  return [name](const Globals& globals) {
    const Error missing{"mesh_not_found", "there is no mesh or link " + *name, "see `peerwright mesh list`",
                        Retry::never};
    return print_found(
        globals, kMeshes, missing, [&](store::QueryStore& store) { return store.mesh(*name); },
        [](store::QueryStore&, const store::MeshView& view, Json& row) {
          row["links"] = Json::array();
          for (const store::LinkView& link : view.links) row["links"].push_back(row_of(link));
          return Result<void>();
        });
  };
}

}  // namespace peerwright::cli
