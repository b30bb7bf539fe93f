#include <array>
#include <memory>

#include "pages.hpp"

// Customers and subscribers: whom billing suspends.
namespace peerwright::cli {
namespace {

constexpr int kMostSubscribers = 1000;  // that are shown with their customer

constexpr std::array kCustomerColumns{Column{"TENANT", "tenant"},           Column{"CUSTOMER", "customer"},
                                      Column{"ENTITLEMENT", "entitlement"}, Column{"LEVEL", "level"},
                                      Column{"SUBSCRIBERS", "subscribers"}, Column{"PEERS", "peers"},
                                      Column{"NEXT", "next", true},         Column{"RELEASED_AT", "released_at", true}};
constexpr std::array kSubscriberColumns{Column{"TENANT", "tenant"},     Column{"SUBSCRIBER", "subscriber"},
                                        Column{"CUSTOMER", "customer"}, Column{"ENTITLEMENT", "entitlement"},
                                        Column{"LEVEL", "level"},       Column{"PEERS", "peers"},
                                        Column{"NEXT", "next", true},   Column{"RELEASED_AT", "released_at", true}};

std::string name_with(const Json& row, const char* member) {
  return row.at("tenant").get<std::string>() + '/' + row.at(member).get<std::string>();
}
constexpr View kCustomers{"customers", [](const Json& row) { return name_with(row, "customer"); }, kCustomerColumns};
constexpr View kSubscribers{"subscribers", [](const Json& row) { return name_with(row, "subscriber"); },
                            kSubscriberColumns};

void add_holds(const store::SubjectView& view, Json& row) {
  row["holds"] = Json::array();
  for (const domain::Hold& hold : view.holds) row["holds"].push_back(row_of(hold));
}

Result<void> add_subscribers(store::QueryStore& store, const store::SubjectView& customer, Json& row) {
  store::SubjectFilter filter;
  filter.tenant = customer.tenant;
  filter.customer = customer.customer;
  filter.limit = kMostSubscribers;
  const auto found = store.subscribers(filter);
  if (!found) return tl::unexpected(found.error());
  row["its_subscribers"] = Json::array();
  for (const store::SubjectView& view : *found) row["its_subscribers"].push_back(view.subscriber);
  return {};
}

std::shared_ptr<store::SubjectFilter> add_filter(CLI::App& app, const char* what) {
  const auto filter = std::make_shared<store::SubjectFilter>();
  app.add_option("--tenant", filter->tenant, "Of this tenant")->type_name("TENANT");
  add_after(app, what, filter->after_tenant, filter->after_name);
  add_limit(app, filter->limit);
  return filter;
}

store::SubjectFilter page_of(const store::SubjectFilter& filter, int most) {
  store::SubjectFilter page = filter;
  page.limit = most;
  return page;
}

}  // namespace

Action setup_customer_list(CLI::App& app) {
  const auto filter = add_filter(app, "TENANT/CUSTOMER");
  return [filter](const Globals& globals) {
    return print_page(globals, filter->limit, kCustomers,
                      [&](store::QueryStore& store, int most) { return store.customers(page_of(*filter, most)); });
  };
}

Action setup_subscriber_list(CLI::App& app) {
  const auto filter = add_filter(app, "TENANT/SUBSCRIBER");
  app.add_option("--customer", filter->customer, "Of customers of this name")->type_name("CUSTOMER");
  return [filter](const Globals& globals) {
    return print_page(globals, filter->limit, kSubscribers,
                      [&](store::QueryStore& store, int most) { return store.subscribers(page_of(*filter, most)); });
  };
}

Action setup_customer_show(CLI::App& app) {
  const auto text = std::make_shared<std::string>();
  app.add_option("customer", *text, "The customer")->type_name("TENANT/CUSTOMER")->required();
  return [text](const Globals& globals) {
    const auto name = peer_name_from(*text);
    if (!name) return usage("a customer is named as TENANT/CUSTOMER");
    const Error missing{"customer_not_found", "there is no customer " + *text, "see `peerwright customer list`",
                        Retry::never};
    return print_found(
        globals, kCustomers, missing,
        [&](store::QueryStore& store) { return store.customer(name->first, name->second); },
        [](store::QueryStore& store, const store::SubjectView& view, Json& row) {
          add_holds(view, row);
          return add_subscribers(store, view, row);
        });
  };
}

Action setup_subscriber_show(CLI::App& app) {
  const auto text = std::make_shared<std::string>();
  app.add_option("subscriber", *text, "The subscriber")->type_name("TENANT/SUBSCRIBER")->required();
  return [text](const Globals& globals) {
    const auto name = peer_name_from(*text);
    if (!name) return usage("a subscriber is named as TENANT/SUBSCRIBER");
    const Error missing{"subscriber_not_found", "there is no subscriber " + *text, "see `peerwright subscriber list`",
                        Retry::never};
    return print_found(
        globals, kSubscribers, missing,
        [&](store::QueryStore& store) { return store.subscriber(name->first, name->second); },
        [](store::QueryStore&, const store::SubjectView& view, Json& row) {
          add_holds(view, row);
          return Result<void>();
        });
  };
}

}  // namespace peerwright::cli
