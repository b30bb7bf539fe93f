#include "peerwright/broker/scan.hpp"

#include <algorithm>

#include "client.hpp"
#include "settings.hpp"

namespace peerwright::broker {
namespace {

using Clock = std::chrono::steady_clock;

Message copy_of(const rd_kafka_message_t& raw, const std::string& topic) {
  Message message;
  message.partition = {topic, raw.partition};
  message.offset = raw.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&raw, &type);
  message.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp;
  message.has_key = raw.key != nullptr;
  if (raw.key != nullptr) message.key.assign(static_cast<const char*>(raw.key), raw.key_len);
  if (raw.payload != nullptr) message.payload.assign(static_cast<const char*>(raw.payload), raw.len);
  return message;
}

tl::unexpected<Error> unreadable(const std::string& topic, rd_kafka_resp_err_t error) {
  return transient("partition_unreadable", "topic " + topic + ": " + rd_kafka_err2str(error),
                   "allow this user to read and describe the topic, and look into the broker's log");
}

class KafkaScan final : public TopicScan {
 public:
  KafkaScan(std::unique_ptr<Client> client, std::string name)
      : client_(std::move(client)),
        name_(std::move(name)),
        topic_(rd_kafka_topic_new(client_->raw(), name_.c_str(), nullptr)) {}
  ~KafkaScan() override {
    for (std::size_t i = 0; i < started_.size(); ++i) stop(static_cast<std::int32_t>(i));
    topic_.reset();
  }
  KafkaScan(const KafkaScan&) = delete;
  KafkaScan& operator=(const KafkaScan&) = delete;

  Result<void> look(std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    const rd_kafka_metadata_t* answer = nullptr;
    const auto asked = rd_kafka_metadata(client_->raw(), 0, topic_.get(), &answer, milliseconds_of(timeout));
    if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return unreachable(rd_kafka_err2str(asked));
    const Metadata owned(answer);
    if (answer->topic_cnt != 1) return unreachable("the brokers say nothing of topic " + name_);
    const rd_kafka_metadata_topic_t& said = answer->topics[0];
    if (said.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      return transient("kafka_topic_missing", "there is no topic " + name_, "create the topic, or correct its name");
    }
    if (said.err != RD_KAFKA_RESP_ERR_NO_ERROR) return unreadable(name_, said.err);
    for (std::int32_t partition = 0; partition < said.partition_cnt; ++partition) {
      Range range;
      const auto error = rd_kafka_query_watermark_offsets(client_->raw(), name_.c_str(), partition, &range.low,
                                                          &range.high, milliseconds_of(left_until(deadline)));
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unreachable(rd_kafka_err2str(error));
      ranges_.push_back(range);
    }
    started_.resize(ranges_.size());
    return {};
  }

  [[nodiscard]] const std::vector<Range>& ranges() const override { return ranges_; }

  Result<void> start(std::int32_t partition, std::int64_t offset) override {
    stop(partition);
    if (rd_kafka_consume_start(topic_.get(), partition, offset) != 0) return unreadable(name_, rd_kafka_last_error());
    started_.at(static_cast<std::size_t>(partition)) = true;
    return {};
  }

  Result<std::optional<Message>> next(std::int32_t partition, std::chrono::milliseconds timeout) override {
    const RawMessage raw(rd_kafka_consume(topic_.get(), partition, milliseconds_of(timeout)));
    if (raw == nullptr) return unreachable("topic " + name_ + " gave nothing in time");
    if (raw->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return std::nullopt;
    if (raw->err != RD_KAFKA_RESP_ERR_NO_ERROR) return unreadable(name_, raw->err);
    if (raw->offset >= ranges_.at(static_cast<std::size_t>(partition)).high) return std::nullopt;
    return copy_of(*raw, name_);
  }

 private:
  void stop(std::int32_t partition) {
    const auto place = static_cast<std::size_t>(partition);
    if (started_.at(place)) rd_kafka_consume_stop(topic_.get(), partition);
    started_[place] = false;
  }

  std::unique_ptr<Client> client_;
  std::string name_;
  Topic topic_;
  std::vector<Range> ranges_;
  std::vector<bool> started_;
};

}  // namespace

Result<std::unique_ptr<TopicScan>> TopicScan::open(const Connection& connection, const std::string& topic,
                                                   std::chrono::milliseconds timeout) {
  auto conf = make_conf(connection, consumer_settings());
  if (!conf) return tl::unexpected(conf.error());
  auto client = Client::start(RD_KAFKA_CONSUMER, std::move(*conf), std::make_shared<Link>("topic reader"), nullptr);
  if (!client) return tl::unexpected(client.error());
  auto scan = std::make_unique<KafkaScan>(*std::move(client), topic);
  if (auto looked = scan->look(timeout); !looked) return tl::unexpected(looked.error());
  return scan;
}

namespace {

Result<std::optional<Message>> last_of(TopicScan& scan, std::int32_t partition, std::chrono::milliseconds timeout) {
  const TopicScan::Range range = scan.ranges().at(static_cast<std::size_t>(partition));
  std::optional<Message> found;
  // What stands last may be a transaction's marker, which is no message.
  for (std::int64_t back = 1, from = range.high; !found && from > range.low; back *= 16) {
    from = std::max(range.low, range.high - back);
    if (auto started = scan.start(partition, from); !started) return tl::unexpected(started.error());
    for (;;) {
      auto message = scan.next(partition, timeout);
      if (!message) return tl::unexpected(message.error());
      if (!*message) break;
      found = *std::move(message);
      if (found->offset + 1 == range.high) break;
    }
  }
  return found;
}

}  // namespace

Result<std::vector<Ends>> end_messages(const Connection& connection, const std::string& topic,
                                       std::chrono::milliseconds timeout) {
  auto scan = TopicScan::open(connection, topic, timeout);
  if (!scan) return tl::unexpected(scan.error());
  std::vector<Ends> all;
  for (std::size_t i = 0; i < (*scan)->ranges().size(); ++i) {
    const auto partition = static_cast<std::int32_t>(i);
    auto last = last_of(**scan, partition, timeout);
    if (!last) return tl::unexpected(last.error());
    if (!*last) continue;
    if (auto started = (*scan)->start(partition, (*scan)->ranges()[i].low); !started) {
      return tl::unexpected(started.error());
    }
    auto first = (*scan)->next(partition, timeout);
    if (!first) return tl::unexpected(first.error());
    all.push_back({*first ? **std::move(first) : **last, **std::move(last)});
  }
  return all;
}

}  // namespace peerwright::broker
