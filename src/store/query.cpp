#include "peerwright/store/query.hpp"

#include "changes.hpp"
#include "query_parts.hpp"
#include "sealed.hpp"

// Peers and servers.
namespace peerwright::store {
namespace {

std::vector<PeerView> peer_views(Tx& tx, const pqxx::result& rows) {
  constexpr int kNetworkId = 7;  // of peer_columns
  domain::State state;
  Ids networks;
  for (const auto& row : rows) {
    if (const auto network = maybe_int_at(row, kNetworkId)) networks.push_back(*network);
  }
  normalise(networks);
  load_networks(tx, networks, state);
  std::vector<PeerView> views;
  for (const auto& row : rows) {
    PeerView view;
    view.peer = peer_from(row, state);
    RowReader names(row, kPeerColumns);
    view.peer.tenant = names.text();
    view.peer.subscriber = names.text();
    view.server = names.text();
    view.customer = names.text();
    view.region = names.text();
    const domain::Network* network = view.peer.network_id ? state.network(*view.peer.network_id) : nullptr;
    if (network != nullptr) {
      view.network = network->name;
      view.addresses = domain::addresses_of(view.peer, *network);
    }
    views.push_back(std::move(view));
  }
  return views;
}

DeliveryView delivery_view(RowReader& read) {
  DeliveryView delivery;
  delivery.due = read.flag();
  delivery.urgent = read.flag();
  delivery.due_since = read.maybe_time();
  delivery.next_attempt_at = read.maybe_time();
  delivery.attempts = read.number();
  delivery.error_code = read.text();
  delivery.error_message = read.text();
  delivery.push_number = read.number();
  delivery.in_doubt = read.flag();
  delivery.proven_at = read.maybe_time();
  delivery.worker = read.text();
  delivery.pending = read.number();
  delivery.failed = read.number();
  delivery.removals = read.number();
  return delivery;
}

std::vector<ServerView> server_views(Tx& tx, const ServerFilter& filter, const std::string& name) {
  std::vector<ServerView> views;
  for (const auto& row :
       tx.run("query_servers", filter.after, filter.limit, name, filter.region, filter.tenant, filter.status)) {
    ServerView view;
    view.server = server_from(row);
    RowReader more(row, kServerColumns);
    view.network = more.text();
    view.owner = more.text();
    view.delivery = delivery_view(more);
    views.push_back(std::move(view));
  }
  return views;
}

std::optional<ServerView> server_view(Tx& tx, const std::string& name) {
  ServerFilter one;
  one.limit = 1;
  auto views = name.empty() ? std::vector<ServerView>() : server_views(tx, one, name);
  return views.empty() ? std::nullopt : std::optional(std::move(views.front()));
}

std::optional<RuntimeView> runtime_of(Tx& tx, domain::Id peer_id) {
  const auto rows = tx.run("query_runtime", peer_id);
  if (rows.empty()) return std::nullopt;
  const auto row = rows[0];
  RowReader read(row);
  RuntimeView view;
  view.connectivity = read.text();
  view.since = read.maybe_time();
  view.last_handshake_at = read.maybe_time();
  view.endpoint = read.text();
  view.rx_bytes = read.number();
  view.tx_bytes = read.number();
  return view;
}

// What stands around a peer, beside what its own row says.
void look_around(Tx& tx, PeerDetail& detail) {
  const domain::Peer& peer = detail.view.peer;
  const std::int64_t subscriber = peer.subscriber_id.value_or(0);
  for (const auto& row : tx.run("query_holds", peer.id, subscriber)) detail.holds.push_back(hold_from(row));
  for (const auto& row : tx.run("query_timers", peer.id, subscriber)) {
    const auto kind = domain::timer_kind_from(text_at(row, 0));
    if (kind) detail.timers.push_back({*kind, time_from_micros(int_at(row, 1))});
  }
  detail.runtime = runtime_of(tx, peer.id);
  detail.tenant_dns = list_of(text_at(tx.run("query_tenant_dns", peer.tenant_id)[0], 0));
  if (peer.subscriber_id) detail.fanning_out = bool_at(tx.run("query_fanning_out", subscriber)[0], 0);
  detail.server = server_view(tx, detail.view.server);
}

}  // namespace

Result<Secret> preshared_key_of(const domain::Peer& peer, const Sealer& sealer) {
  if (peer.preshared_key_sealed.empty()) return Secret();
  return open_column(&sealer, peer.preshared_key_sealed, preshared_key_place(peer));
}

Result<Secret> private_key_of(const domain::Server& server, const Sealer& sealer) {
  if (server.private_key_sealed.empty()) return Secret();
  return open_column(&sealer, server.private_key_sealed, server_key_place(server));
}

QueryStore::QueryStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
QueryStore::~QueryStore() = default;

Result<std::vector<PeerView>> QueryStore::peers(const PeerFilter& filter) {
  return impl_->read<std::vector<PeerView>>([&](Tx& tx) {
    const std::string entitlement = filter.entitlement ? domain::name_of(*filter.entitlement) : "";
    const std::string delivery = filter.delivery ? domain::name_of(*filter.delivery) : "";
    const std::string type = filter.type ? domain::name_of(*filter.type) : "";
    return peer_views(tx, tx.run("query_peers", filter.after_tenant, filter.after_peer, filter.tenant,
                                 filter.subscriber, filter.server, entitlement, delivery, filter.limit, filter.customer,
                                 filter.plan, type, filter.region));
  });
}

Result<std::optional<PeerDetail>> QueryStore::peer(const std::string& tenant, const std::string& name) {
  using Answer = std::optional<PeerDetail>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    auto views = peer_views(tx, tx.run("query_peer", tenant, name));
    if (views.empty()) return std::nullopt;
    PeerDetail detail;
    detail.view = std::move(views.front());
    look_around(tx, detail);
    return detail;
  });
}

Result<std::vector<ServerView>> QueryStore::servers(const ServerFilter& filter) {
  return impl_->read<std::vector<ServerView>>([&](Tx& tx) { return server_views(tx, filter, ""); });
}

Result<std::optional<ServerDetail>> QueryStore::server(const std::string& name) {
  using Answer = std::optional<ServerDetail>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    auto view = server_view(tx, name);
    if (!view) return std::nullopt;
    ServerDetail detail;
    detail.view = *std::move(view);
    for (const auto& row : tx.run("query_peer_counts", detail.view.server.id)) {
      detail.by_entitlement[text_at(row, 0)] += int_at(row, 2);
      detail.by_delivery[text_at(row, 1)] += int_at(row, 2);
    }
    for (const auto& row : tx.run("query_foreign", detail.view.server.id, kMostForeign)) {
      RowReader read(row);
      ForeignView foreign;
      foreign.public_key = read.text();
      foreign.allowed_ips = read.list();
      foreign.state = read.text();
      foreign.since = read.time();
      detail.foreign.push_back(std::move(foreign));
    }
    return detail;
  });
}

}  // namespace peerwright::store
