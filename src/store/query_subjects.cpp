#include <algorithm>

#include "changes.hpp"
#include "peerwright/domain/rules.hpp"
#include "query_parts.hpp"

// Tenants, customers, subscribers, networks, rules and meshes; who held an address.
namespace peerwright::store {
namespace {

constexpr int kTenantColumns = 16;  // of the fragments in subjects.sql
constexpr int kNetworkColumns = 10;
constexpr int kRuleColumns = 11;

std::vector<TenantView> tenant_views(Tx& tx, const std::string& after, int limit, const std::string& name) {
  std::vector<TenantView> views;
  for (const auto& row : tx.run("query_tenants", after, limit, name)) {
    TenantView view;
    view.tenant = tenant_from(row);
    RowReader more(row, kTenantColumns);
    view.customers = more.number();
    view.subscribers = more.number();
    view.awaiting = more.number();
    views.push_back(std::move(view));
  }
  return views;
}

SubjectView subject_view(const pqxx::row& row) {
  RowReader read(row);
  SubjectView view;
  view.tenant = read.text();
  view.customer = read.text();
  view.subscriber = read.text();
  view.id = read.number();
  view.version = read.number();
  view.revoked = read.flag();
  view.released_at = read.maybe_time();
  view.subscribers = read.number();
  view.peers = read.number();
  return view;
}

// With the holds of them all in one look.
std::vector<SubjectView> subject_views(Tx& tx, const pqxx::result& rows, domain::ScopeKind kind) {
  std::vector<SubjectView> views;
  Ids ids;
  for (const auto& row : rows) {
    views.push_back(subject_view(row));
    ids.push_back(views.back().id);
  }
  normalise(ids);
  domain::State state;
  const bool customers = kind == domain::ScopeKind::customer;
  load_holds(tx, customers ? ids : Ids(), customers ? Ids() : ids, {}, state);
  for (SubjectView& view : views) {
    for (const domain::Hold* hold : state.holds_of({kind, view.id})) view.holds.push_back(*hold);
  }
  return views;
}

std::vector<SubjectView> customer_views(Tx& tx, const SubjectFilter& filter, const std::string& name) {
  const auto rows =
      tx.run("query_customers", filter.tenant, filter.after_tenant, filter.after_name, filter.limit, name);
  return subject_views(tx, rows, domain::ScopeKind::customer);
}

std::vector<SubjectView> subscriber_views(Tx& tx, const SubjectFilter& filter, const std::string& name) {
  const auto rows = tx.run("query_subscribers", filter.tenant, filter.after_tenant, filter.after_name, filter.limit,
                           name, filter.customer);
  return subject_views(tx, rows, domain::ScopeKind::subscriber);
}

std::vector<NetworkView> network_views(Tx& tx, const std::string& after, int limit, const std::string& name) {
  std::vector<NetworkView> views;
  for (const auto& row : tx.run("query_networks", after, limit, name)) {
    NetworkView view;
    view.network = network_from(row);
    RowReader more(row, kNetworkColumns);
    view.held = more.number();
    view.resting = more.number();
    const std::int64_t released = more.number();
    const std::int64_t passed = more.number();
    view.servers = more.number();
    const domain::Network& network = view.network;
    const std::int64_t offsets = domain::offsets_of(network);  // offset 0 is never handed out
    const auto kept = std::count_if(network.reserved.begin(), network.reserved.end(),
                                    [&](std::int64_t offset) { return offset > 0 && offset < offsets; });
    view.addresses = std::max<std::int64_t>(0, offsets - 1 - kept);
    view.free = std::max<std::int64_t>(0, offsets - network.next_offset - passed) + released;
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<MeshView> mesh_views(Tx& tx, const std::string& after, int limit, const std::string& name) {
  std::vector<MeshView> views;
  for (const auto& row : tx.run("query_meshes", after, limit, name)) views.push_back({mesh_from(row), {}});
  return views;
}

void add_links(Tx& tx, MeshView& view) {
  for (const auto& row : tx.run("query_links", view.mesh.id)) {
    RowReader read(row);
    LinkView link;
    link.server = read.text();
    link.other = read.text();
    link.endpoint = read.text();
    link.allowed_ips = read.list();
    link.has_key = read.flag();
    link.wanted = read.flag();
    link.applied = read.flag();
    view.links.push_back(std::move(link));
  }
}

template <typename View>
std::optional<View> first(std::vector<View> views) {
  if (views.empty()) return std::nullopt;
  return std::move(views.front());
}

// The filter for one thing of a tenant.
SubjectFilter only(const std::string& tenant) {
  SubjectFilter filter;
  filter.tenant = tenant;
  filter.limit = 1;
  return filter;
}

}  // namespace

Result<std::vector<TenantView>> QueryStore::tenants(const std::string& after, int limit) {
  return impl_->read<std::vector<TenantView>>([&](Tx& tx) { return tenant_views(tx, after, limit, ""); });
}

Result<std::optional<TenantView>> QueryStore::tenant(const std::string& name) {
  using Answer = std::optional<TenantView>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    Answer view = first(tenant_views(tx, "", 1, name));
    if (!view) return view;
    domain::State state;
    state.load(view->tenant);
    load_plans(tx, {view->tenant.id}, state);
    view->tenant = *state.tenant(view->tenant.id);
    return view;
  });
}

Result<std::vector<SubjectView>> QueryStore::customers(const SubjectFilter& filter) {
  return impl_->read<std::vector<SubjectView>>([&](Tx& tx) { return customer_views(tx, filter, ""); });
}

Result<std::optional<SubjectView>> QueryStore::customer(const std::string& tenant, const std::string& name) {
  return impl_->read<std::optional<SubjectView>>([&](Tx& tx) { return first(customer_views(tx, only(tenant), name)); });
}

Result<std::vector<SubjectView>> QueryStore::subscribers(const SubjectFilter& filter) {
  return impl_->read<std::vector<SubjectView>>([&](Tx& tx) { return subscriber_views(tx, filter, ""); });
}

Result<std::optional<SubjectView>> QueryStore::subscriber(const std::string& tenant, const std::string& name) {
  return impl_->read<std::optional<SubjectView>>(
      [&](Tx& tx) { return first(subscriber_views(tx, only(tenant), name)); });
}

Result<std::vector<NetworkView>> QueryStore::networks(const std::string& after, int limit) {
  return impl_->read<std::vector<NetworkView>>([&](Tx& tx) { return network_views(tx, after, limit, ""); });
}

Result<std::optional<NetworkView>> QueryStore::network(const std::string& name) {
  return impl_->read<std::optional<NetworkView>>([&](Tx& tx) { return first(network_views(tx, "", 1, name)); });
}

Result<std::vector<RuleView>> QueryStore::rules(const SubjectFilter& filter) {
  using Answer = std::vector<RuleView>;
  return impl_->read<Answer>([&](Tx& tx) {
    Answer views;
    for (const auto& row : tx.run("query_rules", filter.tenant, filter.after_tenant, filter.after_name, filter.limit)) {
      RowReader names(row, kRuleColumns);
      RuleView view;
      view.rule = rule_from(row);
      view.tenant = names.text();
      view.source = names.text();
      view.dest = names.text();
      views.push_back(std::move(view));
    }
    return views;
  });
}

Result<std::vector<MeshView>> QueryStore::meshes(const std::string& after, int limit) {
  return impl_->read<std::vector<MeshView>>([&](Tx& tx) { return mesh_views(tx, after, limit, ""); });
}

Result<std::optional<MeshView>> QueryStore::mesh(const std::string& name) {
  using Answer = std::optional<MeshView>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    Answer view = first(mesh_views(tx, "", 1, name));
    if (view) add_links(tx, *view);
    return view;
  });
}

Result<std::vector<HolderView>> QueryStore::holders(const wireguard::Prefix& address, std::optional<Time> at) {
  using Answer = std::vector<HolderView>;
  return impl_->read<Answer>([&](Tx& tx) {
    const auto micros = at ? std::optional<std::int64_t>(micros_of(*at)) : std::nullopt;
    Answer views;
    for (const auto& row : tx.run("query_holders", address.text(), micros)) {
      RowReader read(row);
      HolderView view;
      view.tenant = read.text();
      view.peer = read.text();
      view.network = read.text();
      view.from = read.time();
      view.until = read.maybe_time();
      views.push_back(std::move(view));
    }
    return views;
  });
}

}  // namespace peerwright::store
