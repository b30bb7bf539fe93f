#include <cstdlib>

#include "query_parts.hpp"

// Dead letters, decisions, and what became of an event.
namespace peerwright::store {
namespace {

constexpr int kSealed = 13;  // of query_dead_letter

std::string bytes_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

std::optional<Time> maybe_time(const pqxx::row& row, int column) { return RowReader(row, column).maybe_time(); }

DeadLetterView dead_letter_view(const pqxx::row& row) {
  RowReader read(row);
  DeadLetterView view;
  view.id = read.number();
  view.topic = read.text();
  view.partition = read.number();
  view.offset = read.number();
  view.broker_time = read.time();
  view.stored_at = read.time();
  view.source = read.text();
  view.event_id = read.text();
  view.event_type = read.text();
  view.code = read.text();
  view.message = read.text();
  view.state = read.text();
  view.kept = read.flag();
  return view;
}

std::optional<AuditView> decision_of(Tx& tx, const std::string& source, const std::string& event_id) {
  const auto rows = tx.run("query_decision", source, event_id);
  if (rows.empty()) return std::nullopt;
  const auto row = rows[0];
  RowReader read(row);
  AuditView view;
  view.at = read.time();
  view.source = read.text();
  view.event_id = read.text();
  view.event_type = read.text();
  view.key = read.text();
  view.outcome = read.text();
  view.code = read.text();
  view.body = read.text();
  view.chain_no = read.maybe_number();
  return view;
}

}  // namespace

Result<std::vector<DeadLetterView>> QueryStore::dead_letters(std::int64_t after_id, int limit,
                                                             const std::string& state) {
  using Answer = std::vector<DeadLetterView>;
  return impl_->read<Answer>([&](Tx& tx) {
    Answer views;
    for (const auto& row : tx.run("query_dead_letters", after_id, limit, state)) views.push_back(dead_letter_view(row));
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
    const bool of_peers = !refs.peer.empty() || !refs.subscriber.empty() || !refs.customer.empty();
    if (!of_peers && refs.server.empty()) return progress;
    const auto rows = of_peers ? tx.run("query_progress_peers", refs.tenant, refs.peer, refs.subscriber, refs.customer)
                               : tx.run("query_progress_server", refs.server);
    if (rows.empty()) return progress;
    progress.concerned = int_at(rows[0], 0);
    progress.open = int_at(rows[0], 1);
    progress.proven_at = maybe_time(rows[0], 2);
    progress.failed = int_at(rows[0], 4);
    progress.failed_code = text_at(rows[0], 5);
    progress.held = int_at(rows[0], 6);
    progress.failing_server = progress.open > 0 ? text_at(rows[0], 3) : "";
    if (refs.peer.empty() && of_peers) {
      const auto fanning = tx.run("query_progress_fan_out", refs.tenant, refs.subscriber, refs.customer);
      progress.fanning_out = bool_at(fanning[0], 0);
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
