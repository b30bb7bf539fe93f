#include "peerwright/store/query.hpp"

#include <cstdlib>

#include "changes.hpp"
#include "db.hpp"

namespace peerwright::store {
namespace {

constexpr int kTenantName = 20;  // columns of query_peers behind those of lock_peers
constexpr int kSubscriberName = 21;
constexpr int kServerName = 22;
constexpr int kNetworkName = 19;  // columns of query_servers behind the server's own
constexpr int kDelivery = 20;
constexpr int kSealed = 11;  // of query_dead_letter

std::optional<Time> maybe_time_at(const pqxx::row& row, int column) {
  const auto micros = maybe_int_at(row, column);
  return micros ? std::optional(time_from_micros(*micros)) : std::nullopt;
}

std::vector<std::string> list_at(const pqxx::row& row, int column) {
  std::vector<std::string> items;
  const std::string joined = text_at(row, column);
  for (std::size_t begin = 0; begin < joined.size();) {
    const std::size_t end = std::min(joined.find(',', begin), joined.size());
    items.push_back(joined.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

std::string bytes_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

std::vector<PeerView> peer_views(Tx& tx, const pqxx::result& rows) {
  domain::State state;
  Ids networks;
  for (const auto& row : rows) {
    if (const auto network = maybe_int_at(row, 7)) networks.push_back(*network);
  }
  normalise(networks);
  load_networks(tx, networks, state);
  std::vector<PeerView> views;
  for (const auto& row : rows) {
    PeerView view;
    view.peer = peer_from(row, state);
    view.peer.tenant = text_at(row, kTenantName);
    view.peer.subscriber = text_at(row, kSubscriberName);
    view.server = text_at(row, kServerName);
    const domain::Network* network = view.peer.network_id ? state.network(*view.peer.network_id) : nullptr;
    if (network != nullptr) {
      view.network = network->name;
      view.addresses = domain::addresses_of(view.peer, *network);
    }
    views.push_back(std::move(view));
  }
  return views;
}

DeliveryView delivery_view(const pqxx::row& row) {
  DeliveryView delivery;
  int column = kDelivery;
  delivery.due = bool_at(row, column++);
  delivery.urgent = bool_at(row, column++);
  delivery.due_since = maybe_time_at(row, column++);
  delivery.next_attempt_at = maybe_time_at(row, column++);
  delivery.attempts = int_at(row, column++);
  delivery.error_code = text_at(row, column++);
  delivery.error_message = text_at(row, column++);
  delivery.push_number = int_at(row, column++);
  delivery.in_doubt = bool_at(row, column++);
  delivery.proven_at = maybe_time_at(row, column++);
  delivery.worker = text_at(row, column++);
  delivery.pending = int_at(row, column++);
  delivery.failed = int_at(row, column++);
  delivery.removals = int_at(row, column++);
  return delivery;
}

ServerView server_view(const pqxx::row& row) {
  ServerView view;
  domain::Server& server = view.server;
  int column = 0;
  server.id = int_at(row, column++);
  server.name = text_at(row, column++);
  server.ssh_host = text_at(row, column++);
  server.ssh_port = static_cast<int>(int_at(row, column++));
  server.ssh_user = text_at(row, column++);
  server.ssh_host_key = text_at(row, column++);
  server.exec_prefix = text_at(row, column++);
  server.interface = text_at(row, column++);
  server.config_path = text_at(row, column++);
  server.public_key = text_at(row, column++);
  server.endpoint = text_at(row, column++);
  server.mtu = static_cast<int>(int_at(row, column++));
  server.dns = list_at(row, column++);
  server.keepalive_seconds = static_cast<int>(int_at(row, column++));
  server.max_peers = int_at(row, column++);
  server.peer_count = int_at(row, column++);
  server.generation = int_at(row, column++);
  server.version = int_at(row, column++);
  server.word = domain::word_from(text_at(row, column++));
  view.network = text_at(row, kNetworkName);
  view.delivery = delivery_view(row);
  return view;
}

std::vector<ServerView> server_views(Tx& tx, const std::string& after, int limit, const std::string& name) {
  std::vector<ServerView> views;
  for (const auto& row : tx.run("query_servers", after, limit, name)) views.push_back(server_view(row));
  return views;
}

DeadLetterView dead_letter_view(const pqxx::row& row) {
  DeadLetterView view;
  view.id = int_at(row, 0);
  view.topic = text_at(row, 1);
  view.partition = int_at(row, 2);
  view.offset = int_at(row, 3);
  view.broker_time = time_from_micros(int_at(row, 4));
  view.stored_at = time_from_micros(int_at(row, 5));
  view.source = text_at(row, 6);
  view.event_id = text_at(row, 7);
  view.event_type = text_at(row, 8);
  view.code = text_at(row, 9);
  view.message = text_at(row, 10);
  return view;
}

std::optional<AuditView> decision_of(Tx& tx, const std::string& source, const std::string& event_id) {
  const auto rows = tx.run("query_decision", source, event_id);
  if (rows.empty()) return std::nullopt;
  const auto row = rows[0];
  return AuditView{time_from_micros(int_at(row, 0)),
                   text_at(row, 1),
                   text_at(row, 2),
                   text_at(row, 3),
                   text_at(row, 4),
                   text_at(row, 5),
                   text_at(row, 6),
                   text_at(row, 7),
                   maybe_int_at(row, 8)};
}

std::vector<domain::Hold> holds_of(Tx& tx, const domain::Peer& peer) {
  std::vector<domain::Hold> holds;
  for (const auto& row : tx.run("query_holds", peer.id, peer.subscriber_id.value_or(0))) {
    const auto kind = text_at(row, 0) == "peer" ? domain::ScopeKind::peer : domain::ScopeKind::subscriber;
    holds.push_back(domain::Hold{{kind, int_at(row, 1)},
                                 text_at(row, 2),
                                 bool_at(row, 3),
                                 text_at(row, 4),
                                 domain::word_from(text_at(row, 5)).value_or(domain::Word{})});
  }
  return holds;
}

}  // namespace

struct QueryStore::Impl {
  explicit Impl(const Database& database) : db(database, "query") {}

  template <typename Answer, typename Body>
  Result<Answer> read(Body&& body) {
    return db.transact([&](Tx& tx) -> Result<Answer> {
      tx.run("query_read_only");
      return body(tx);
    });
  }

  Db db;
};

QueryStore::QueryStore(const Database& database) : impl_(std::make_unique<Impl>(database)) {}
QueryStore::~QueryStore() = default;

Result<std::vector<PeerView>> QueryStore::peers(const PeerFilter& filter) {
  return impl_->read<std::vector<PeerView>>([&](Tx& tx) {
    const std::string entitlement = filter.entitlement ? domain::name_of(*filter.entitlement) : "";
    const std::string delivery = filter.delivery ? domain::name_of(*filter.delivery) : "";
    return peer_views(tx, tx.run("query_peers", filter.after_tenant, filter.after_peer, filter.tenant,
                                 filter.subscriber, filter.server, entitlement, delivery, filter.limit));
  });
}

Result<std::optional<PeerDetail>> QueryStore::peer(const std::string& tenant, const std::string& name) {
  using Answer = std::optional<PeerDetail>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    auto views = peer_views(tx, tx.run("query_peer", tenant, name));
    if (views.empty()) return std::nullopt;
    PeerDetail detail;
    detail.view = std::move(views.front());
    const domain::Peer& peer = detail.view.peer;
    detail.holds = holds_of(tx, peer);
    if (peer.subscriber_id) detail.fanning_out = bool_at(tx.run("query_fanning_out", *peer.subscriber_id)[0], 0);
    if (!detail.view.server.empty()) {
      auto servers = server_views(tx, "", 1, detail.view.server);
      if (!servers.empty()) detail.server = std::move(servers.front());
    }
    return detail;
  });
}

Result<std::vector<ServerView>> QueryStore::servers(const std::string& after, int limit) {
  return impl_->read<std::vector<ServerView>>([&](Tx& tx) { return server_views(tx, after, limit, ""); });
}

Result<std::optional<ServerDetail>> QueryStore::server(const std::string& name) {
  using Answer = std::optional<ServerDetail>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    auto views = name.empty() ? std::vector<ServerView>() : server_views(tx, "", 1, name);
    if (views.empty()) return std::nullopt;
    ServerDetail detail;
    detail.view = std::move(views.front());
    for (const auto& row : tx.run("query_peer_counts", detail.view.server.id)) {
      detail.by_entitlement[text_at(row, 0)] += int_at(row, 2);
      detail.by_delivery[text_at(row, 1)] += int_at(row, 2);
    }
    return detail;
  });
}

Result<std::vector<DeadLetterView>> QueryStore::dead_letters(std::int64_t after_id, int limit) {
  using Answer = std::vector<DeadLetterView>;
  return impl_->read<Answer>([&](Tx& tx) {
    Answer views;
    for (const auto& row : tx.run("query_dead_letters", after_id, limit)) views.push_back(dead_letter_view(row));
    return views;
  });
}

Result<std::optional<DeadLetterDetail>> QueryStore::dead_letter(std::int64_t id) {
  using Answer = std::optional<DeadLetterDetail>;
  return impl_->read<Answer>([&](Tx& tx) -> Answer {
    const auto rows = tx.run("query_dead_letter", id);
    if (rows.empty()) return std::nullopt;
    DeadLetterDetail detail;
    detail.view = dead_letter_view(rows[0]);
    detail.sealed = bytes_of_hex(text_at(rows[0], kSealed));
    detail.place = "dead_letters/" + detail.view.topic + '/' + std::to_string(detail.view.partition) + '/' +
                   std::to_string(detail.view.offset);
    return detail;
  });
}

Result<std::optional<AuditView>> QueryStore::decision(const std::string& source, const std::string& event_id) {
  return impl_->read<std::optional<AuditView>>([&](Tx& tx) { return decision_of(tx, source, event_id); });
}

Result<std::int64_t> QueryStore::audit_chain_length() {
  return impl_->read<std::int64_t>([](Tx& tx) { return int_at(tx.run("query_audit_head")[0], 0); });
}

Result<std::int64_t> QueryStore::last_dead_letter_id() {
  return impl_->read<std::int64_t>([](Tx& tx) { return int_at(tx.run("query_last_dead_letter")[0], 0); });
}

Result<Fate> QueryStore::fate(const std::string& source, const std::string& event_id, std::int64_t dead_letters_seen) {
  return impl_->read<Fate>([&](Tx& tx) {
    Fate fate;
    fate.decision = decision_of(tx, source, event_id);
    const auto hashes = tx.run("query_inbox_hash", source, event_id);
    if (!hashes.empty()) fate.payload_hash = bytes_of_hex(text_at(hashes[0], 0));
    const auto letters = tx.run("query_dead_letter_of", source, event_id, dead_letters_seen);
    if (!letters.empty()) fate.dead_letter = dead_letter_view(letters[0]);
    return fate;
  });
}

Result<Progress> QueryStore::progress(const domain::Refs& refs) {
  return impl_->read<Progress>([&](Tx& tx) {
    Progress progress;
    const bool of_peers = !refs.peer.empty() || !refs.subscriber.empty();
    if (!of_peers && refs.server.empty()) return progress;
    const auto rows = of_peers ? tx.run("query_progress_peers", refs.tenant, refs.peer, refs.subscriber)
                               : tx.run("query_progress_server", refs.server);
    if (rows.empty()) return progress;
    progress.concerned = int_at(rows[0], 0);
    progress.open = int_at(rows[0], 1);
    progress.proven_at = maybe_time_at(rows[0], 2);
    progress.failed = int_at(rows[0], 4);
    progress.failed_code = text_at(rows[0], 5);
    progress.failing_server = progress.open > 0 ? text_at(rows[0], 3) : "";
    if (refs.peer.empty() && of_peers) {
      progress.fanning_out = bool_at(tx.run("query_progress_fan_out", refs.tenant, refs.subscriber)[0], 0);
    }
    if (!progress.failing_server.empty()) {
      const auto error = tx.run("query_delivery_error", progress.failing_server);
      progress.error_code = text_at(error[0], 0);
      progress.error_message = text_at(error[0], 1);
    }
    return progress;
  });
}

}  // namespace peerwright::store
