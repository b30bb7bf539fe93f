#include <array>
#include <memory>

#include "pages.hpp"

namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"TENANT", "tenant"},
                              Column{"PEER", "peer"},
                              Column{"SUBSCRIBER", "subscriber"},
                              Column{"SERVER", "server"},
                              Column{"ENTITLEMENT", "entitlement"},
                              Column{"DELIVERY", "delivery"},
                              Column{"ADDRESSES", "addresses"},
                              Column{"CUSTOMER", "customer", true},
                              Column{"TYPE", "type", true},
                              Column{"PLAN", "plan", true},
                              Column{"REGION", "region", true},
                              Column{"ADOPTED", "adopted", true},
                              Column{"PUBLIC_KEY", "public_key", true},
                              Column{"CHANGED_AT", "changed_at", true},
                              Column{"CAUSE", "cause", true}};

constexpr View kView{
    "peers",
    [](const Json& row) { return row.at("tenant").get<std::string>() + '/' + row.at("peer").get<std::string>(); },
    kColumns};

constexpr std::array kDeliveries{domain::Delivery::none, domain::Delivery::pending, domain::Delivery::applied,
                                 domain::Delivery::failed};

// --status means what a peer may do or how far that has got.
std::string read_status(const std::string& text, store::PeerFilter& filter) {
  filter.entitlement = domain::entitlement_from(text);
  filter.delivery.reset();
  for (const domain::Delivery delivery : kDeliveries) {
    if (text == name_of(delivery)) filter.delivery = delivery;
  }
  if (filter.entitlement || filter.delivery) return {};
  return "expects unprovisioned, reserved, active, walled_garden, suspended, expired, revoked, or none, pending, "
         "applied, failed";
}

std::string read_type(const std::string& text, store::PeerFilter& filter) {
  filter.type = domain::peer_type_from(text);
  return filter.type ? "" : "expects client, service or gateway";
}

void read_with(CLI::Option* option, std::string (*read)(const std::string&, store::PeerFilter&),
               const std::shared_ptr<store::PeerFilter>& filter) {
  option->check([read, filter](const std::string& text) { return read(text, *filter); });
}

}  // namespace

Action setup_peer_list(CLI::App& app) {
  const auto filter = std::make_shared<store::PeerFilter>();
  const auto raw = std::make_shared<std::array<std::string, 2>>();
  app.add_option("--tenant", filter->tenant, "Of this tenant")->type_name("TENANT");
  app.add_option("--customer", filter->customer, "Of customers of this name")->type_name("CUSTOMER");
  app.add_option("--server", filter->server, "On this server")->type_name("SERVER");
  app.add_option("--subscriber", filter->subscriber, "Of subscribers of this name")->type_name("SUBSCRIBER");
  read_with(app.add_option("--status", (*raw)[0], "By entitlement or delivery")->type_name("STATUS"), read_status,
            filter);
  read_with(app.add_option("--type", (*raw)[1], "client, service or gateway")->type_name("TYPE"), read_type, filter);
  app.add_option("--plan", filter->plan, "Of this plan")->type_name("PLAN");
  app.add_option("--region", filter->region, "On servers of this region")->type_name("REGION");
  add_after(app, "TENANT/PEER", filter->after_tenant, filter->after_peer);
  add_limit(app, filter->limit);
  return [filter, raw](const Globals& globals) {
    return print_page(globals, filter->limit, kView, [&](store::QueryStore& store, int most) {
      store::PeerFilter page = *filter;
      page.limit = most;
      return store.peers(page);
    });
  };
}

Action setup_peer_show(CLI::App& app) {
  const auto text = std::make_shared<std::string>();
  app.add_option("peer", *text, "The peer")->type_name("TENANT/PEER")->required();
  return [text](const Globals& globals) {
    auto detail = find_peer(globals, *text);
    if (!detail) return detail.error();
    print_one(globals.format, kView, row_of(*detail));
    return Exit::ok;
  };
}

Or<store::PeerDetail> find_peer(const Globals& globals, const std::string& text) {
  const auto name = peer_name_from(text);
  if (!name) return exit_with(usage("a peer is named as TENANT/PEER"));
  const auto database = open_database(globals);
  if (!database) return exit_with(database.error());
  auto found = store::QueryStore(*database).peer(name->first, name->second);
  if (!found) return exit_with(fail(found.error()));
  if (std::optional<store::PeerDetail> detail = *std::move(found)) return *std::move(detail);
  return exit_with(fail({"peer_not_found", "there is no peer " + text, "see `peerwright peer list`", Retry::never}));
}

}  // namespace peerwright::cli
