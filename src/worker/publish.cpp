#include "peerwright/store/publish.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "context.hpp"
#include "peerwright/base/log.hpp"
#include "peerwright/broker/producer.hpp"
#include "peerwright/events/outbound.hpp"

namespace peerwright::worker {
namespace {

constexpr const char* kLoop = "publish";

broker::OutMessage message_of(const Config& config, const store::OutboxRow& row) {
  const auto& topic = row.channel == "dead_letter" ? config.kafka.dead_letter_topic : config.kafka.status_topic;
  const events::Outbound out{row.ce_id, row.ce_type, row.key, row.body};
  return {topic, row.key, events::headers_of(out, row.time), row.body};
}

broker::OutMessage message_of(const Config& config, const store::AuditRow& row, bool stub) {
  nlohmann::ordered_json body;
  body["chain_no"] = row.chain_no;
  body["chain_hash"] = hex_of(row.chain_hash);
  body["at"] = row.time;
  body["source"] = row.source;
  body["event_id"] = row.event_id;
  body["event_type"] = row.event_type;
  body["key"] = row.key;
  body["outcome"] = row.outcome;
  body["code"] = row.code;
  // As text: whoever checks the chain needs the very bytes that were hashed.
  if (!stub) body["body"] = row.body;
  const std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const events::Outbound out{"audit/" + std::to_string(row.chain_no), "peerwright.audit.entry.v1", row.key, text};
  return {config.kafka.audit_topic, row.key, events::headers_of(out, row.time), text};
}

class Publisher {
 public:
  explicit Publisher(Context& context) : context_(context), config_(context.config()), store_(context.database) {}

  // One round; true where more may wait. After a fault the database may be another one.
  Result<bool> round() {
    auto more = try_round();
    if (!more) checked_ = false;
    return more;
  }

  void note_backlog() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_note_) return;
    next_note_ = now + kNoteInterval;
    if (const auto backlog = store_.backlog()) {
      context_.metrics.gauge("outbox_pending_rows").set(static_cast<double>(backlog->outbox_rows));
      context_.metrics.gauge("outbox_oldest_age_seconds").set(backlog->oldest_age_seconds);
    }
  }

 private:
  static constexpr std::chrono::seconds kNoteInterval{2};

  Result<bool> try_round() {
    config_ = context_.config();
    const std::chrono::milliseconds dead_after(config_->worker.dead_after_ms);
    auto mine = store_.hold_lease(context_.worker_id, dead_after);
    if (!mine) return tl::unexpected(mine.error());
    if (held_ && !*mine) context_.metrics.counter("leases_lost_total", "publisher").add();
    held_ = *mine;
    if (!held_) {
      checked_ = false;
      return false;
    }
    if (!checked_) {
      // Whoever publishes last may have gone further than this database.
      const auto own = check_tail(context_);
      if (!own) return tl::unexpected(own.error());
      checked_ = *own;
      if (!checked_) return false;  // the gate is closed
    }
    if (!producer_) {
      auto made = broker::Producer::create(context_.kafka);
      if (!made) return tl::unexpected(made.error());
      producer_ = *std::move(made);
    }
    auto linked = store_.link_audit(context_.worker_id, config_->publish.batch_rows);
    if (!linked) return tl::unexpected(linked.error());
    auto outbox = store_.outbox(config_->publish.batch_rows);
    if (!outbox) return tl::unexpected(outbox.error());
    auto audit = store_.unpublished_audit(config_->publish.batch_rows);
    if (!audit) return tl::unexpected(audit.error());
    if (outbox->empty() && audit->empty()) return false;
    return send(*outbox, *audit);
  }

  Result<bool> send(const std::vector<store::OutboxRow>& outbox, const std::vector<store::AuditRow>& audit) {
    std::vector<broker::OutMessage> messages;
    messages.reserve(outbox.size() + audit.size());
    for (const store::OutboxRow& row : outbox) messages.push_back(message_of(*config_, row));
    for (const store::AuditRow& row : audit) messages.push_back(message_of(*config_, row, false));
    const auto answers = producer_->send(messages, std::chrono::milliseconds(config_->publish.ack_timeout_ms));
    auto statuses = settle_outbox(outbox, answers);
    auto entries = settle_audit(audit, std::span(answers).subspan(outbox.size()));
    if (!statuses) return tl::unexpected(statuses.error());
    if (!entries) return tl::unexpected(entries.error());
    const auto full = static_cast<std::size_t>(config_->publish.batch_rows);
    return outbox.size() == full || audit.size() == full;
  }

  Result<void> settle_outbox(const std::vector<store::OutboxRow>& rows, std::span<const Result<void>> answers) {
    std::vector<std::int64_t> sent;
    const Error* unsent = nullptr;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (answers[i]) {
        sent.push_back(rows[i].id);
      } else if (answers[i].error().retry == Retry::later) {
        unsent = &answers[i].error();
      } else {
        log::error("a message cannot be produced and was parked", answers[i].error(),
                   {{"loop", kLoop}, {"ce_id", rows[i].ce_id}, {"ce_type", rows[i].ce_type}});
        if (auto parked = store_.park(rows[i].id, answers[i].error().code); !parked) return parked;
      }
    }
    if (!sent.empty()) {
      if (auto deleted = store_.delete_outbox(sent); !deleted) return deleted;
    }
    if (unsent != nullptr) return tl::unexpected(*unsent);
    return {};
  }

  // Published as far as the chain has no gap; an entry that is refused goes out as a stub, with its number and hash.
  Result<void> settle_audit(const std::vector<store::AuditRow>& rows, std::span<const Result<void>> answers) {
    std::int64_t published = 0;
    Result<void> outcome;
    for (std::size_t i = 0; i < rows.size() && outcome; ++i) {
      outcome = answers[i];
      if (!outcome && outcome.error().retry == Retry::never) {
        log::error("an audit entry cannot be produced; its stub goes out", outcome.error(),
                   {{"loop", kLoop}, {"chain_no", rows[i].chain_no}});
        const std::vector stub{message_of(*config_, rows[i], true)};
        outcome = producer_->send(stub, std::chrono::milliseconds(config_->publish.ack_timeout_ms)).front();
      }
      if (outcome) published = rows[i].chain_no;
    }
    if (published > 0) {
      if (auto stored = store_.audit_published(context_.worker_id, published); !stored) return stored;
    }
    return outcome;
  }

  Context& context_;
  std::shared_ptr<const Config> config_;  // of this round
  store::PublishStore store_;
  std::unique_ptr<broker::Producer> producer_;
  bool held_ = false;
  bool checked_ = false;  // since the lease was taken: the audit topic's tail is this database's
  std::chrono::steady_clock::time_point next_note_{};
};

}  // namespace

void run_publish(Context& context) {
  Publisher publisher(context);
  bool failing = false;
  while (context.may_work(kLoop)) {
    const auto more = publisher.round();
    context.beat(kLoop);
    if (!more) {
      if (!failing) log::warn("statuses wait in the outbox", more.error(), {{"loop", kLoop}});
      failing = true;
      context.pause(kLoop, kFirstRetry);
      continue;
    }
    if (failing) log::info("the outbox flows again", {{"loop", kLoop}});
    failing = false;
    publisher.note_backlog();
    if (!*more) context.publish.wait(std::chrono::milliseconds(context.config()->publish.poll_ms));
  }
}

}  // namespace peerwright::worker
