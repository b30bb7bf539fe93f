#include "peerwright/broker/consumer.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "client.hpp"
#include "peerwright/base/log.hpp"
#include "raw_message.hpp"
#include "settings.hpp"

namespace peerwright::broker {
namespace {

using Clock = std::chrono::steady_clock;

// While the brokers are lost, poll() asks for them this often, waiting at most this long for the answer.
constexpr std::chrono::milliseconds kProbeEvery{1000};
constexpr std::chrono::milliseconds kProbeTimeout{100};
// See wake_leaders(). The bytes are half of queued.max.messages.kbytes.
constexpr std::chrono::milliseconds kWakeTimeout{50};
constexpr std::size_t kWakeAfterBytes = std::size_t{4} * 1024 * 1024;
// How long one look at a closing group lasts.
constexpr std::chrono::milliseconds kCloseStep{20};

std::vector<Partition> partitions_of(const rd_kafka_topic_partition_list_t& list) {
  std::vector<Partition> partitions;
  partitions.reserve(static_cast<std::size_t>(list.cnt));
  for (int i = 0; i < list.cnt; ++i) partitions.push_back({list.elems[i].topic, list.elems[i].partition});
  return partitions;
}

PartitionList list_of(const std::vector<Position>& positions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const Position& p : positions) {
    rd_kafka_topic_partition_list_add(list.get(), p.partition.topic.c_str(), p.partition.number)->offset = p.offset;
  }
  return list;
}

// nullopt: no partition is concerned.
std::optional<Partition> place_of(const rd_kafka_message_t& raw) {
  if (raw.rkt == nullptr) return std::nullopt;
  return Partition{rd_kafka_topic_name(raw.rkt), raw.partition};
}

Error fault_of(rd_kafka_resp_err_t code, const std::string& said) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return {"offset_out_of_range", said,
              "messages were removed before they were read, or the topic was made anew: decide where to go on",
              Retry::never};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {"partition_unknown", said, "create the topic, or correct its name", Retry::never};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return {"partition_forbidden", said, "allow this user to read and describe the topic", Retry::never};
    default:
      return {"partition_unreadable", said, "look into the broker's log; reading it again may help", Retry::later};
  }
}

class KafkaConsumer final : public Consumer {
 public:
  explicit KafkaConsumer(AssignmentListener& listener) : listener_(listener) {}
  ~KafkaConsumer() override;
  Result<void> start(const Connection& connection, const std::string& group, const std::vector<std::string>& topics);

  Result<Polled> poll(std::chrono::milliseconds timeout) override;
  void pause() override { set_paused(true); }
  void resume() override { set_paused(false); }
  Result<void> restart_at(const std::vector<Position>& positions) override;
  std::vector<Partition> assignment() const override { return assigned_; }
  void commit(const std::vector<Position>& positions) override;
  Result<Watermarks> watermarks(const Partition& partition, std::chrono::milliseconds timeout) override;
  Result<int> partition_count(const std::string& topic, std::chrono::milliseconds timeout) override;
  Result<std::string> cluster_id(std::chrono::milliseconds timeout) override;

 private:
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list, void* opaque) {
    static_cast<KafkaConsumer*>(Client::owner_of(opaque))->rebalance(what, *list);
  }
  void rebalance(rd_kafka_resp_err_t what, const rd_kafka_topic_partition_list_t& list);
  Result<void> read_from(const std::vector<Position>& positions);
  Result<void> apply();
  std::vector<Position> readable(const std::vector<Position>& positions);
  void set_paused(bool paused);
  void wake_leaders(const PartitionList& asked);
  void advance(const Partition& partition, std::int64_t next);
  RawMessage next(std::chrono::milliseconds timeout);
  Polled sign_of(const rd_kafka_message_t& raw);
  void probe_if_down();
  tl::unexpected<Error> fatal_error() const;
  void leave(Clock::time_point deadline);

  AssignmentListener& listener_;
  std::unique_ptr<Client> client_;
  std::vector<Partition> assigned_;  // by the group
  bool in_group_ = false;            // between assigned() and revoked()
  std::vector<Position> reading_;    // those of them that have a position, and what is to be handed out next
  std::size_t advanced_ = 0;         // which of them moved last
  bool paused_ = false;
  std::size_t bytes_since_wake_ = 0;
  bool closing_ = false;
  std::deque<PartitionFault> faults_;  // found here, not by librdkafka; handed out first
  Clock::time_point next_probe_;
};

Result<void> KafkaConsumer::start(const Connection& connection, const std::string& group,
                                  const std::vector<std::string>& topics) {
  auto conf = make_conf(connection, consumer_settings());
  if (!conf) return tl::unexpected(conf.error());
  if (auto ok = set(*conf, "group.id", group); !ok) return ok;
  rd_kafka_conf_set_rebalance_cb(conf->get(), &KafkaConsumer::on_rebalance);
  auto client = Client::start(RD_KAFKA_CONSUMER, std::move(*conf), std::make_shared<Link>("consumer"), this);
  if (!client) return tl::unexpected(client.error());
  client_ = std::move(*client);
  rd_kafka_poll_set_consumer(client_->raw());

  const PartitionList wanted(rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const auto& topic : topics) {
    rd_kafka_topic_partition_list_add(wanted.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const auto error = rd_kafka_subscribe(client_->raw(), wanted.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return permanent("kafka_setting_invalid", std::string("cannot subscribe: ") + rd_kafka_err2str(error),
                   "name each topic to be read once, and at least one");
}

KafkaConsumer::~KafkaConsumer() {
  if (client_ == nullptr) return;
  const auto deadline = Clock::now() + kCloseDeadline;
  closing_ = true;
  leave(deadline);
  client_->end(std::max(left_until(deadline), std::chrono::milliseconds(kCloseStep)));
}

// rd_kafka_consumer_close() may never return, so the group is left in steps that can be given up.
void KafkaConsumer::leave(Clock::time_point deadline) {
  const Queue queue(rd_kafka_queue_new(client_->raw()));
  const ErrorObject refused(rd_kafka_consumer_close_queue(client_->raw(), queue.get()));
  if (refused != nullptr) return;
  while (rd_kafka_consumer_closed(client_->raw()) == 0 && Clock::now() < deadline) {
    // As events: what was fetched and not handed out comes here too, and has no callback.
    const Event event(rd_kafka_queue_poll(queue.get(), milliseconds_of(kCloseStep)));
    if (event != nullptr && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) {
      rd_kafka_assign(client_->raw(), nullptr);
    }
  }
}

void KafkaConsumer::rebalance(rd_kafka_resp_err_t what, const rd_kafka_topic_partition_list_t& list) {
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !closing_) {
    client_->link().works();
    assigned_ = partitions_of(list);
    in_group_ = true;
    const auto started = read_from(listener_.assigned(assigned_));
    if (!started) log::error("the assigned partitions cannot be read", started.error());
    return;
  }
  // Also on an error of the group: without an answer it would wait for one for ever.
  assigned_.clear();
  in_group_ = false;
  reading_.clear();
  faults_.clear();
  if (!closing_) listener_.revoked(partitions_of(list));
  rd_kafka_assign(client_->raw(), nullptr);
}

// An offset below 0 has a special meaning to librdkafka, such as "the end": that would skip messages in silence.
std::vector<Position> KafkaConsumer::readable(const std::vector<Position>& positions) {
  std::vector<Position> chosen;
  chosen.reserve(positions.size());
  for (const Position& p : positions) {
    if (std::ranges::find(assigned_, p.partition) == assigned_.end()) continue;
    if (p.offset >= 0) {
      chosen.push_back(p);
    } else {
      faults_.push_back({p.partition, fault_of(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
                                               "offset " + std::to_string(p.offset) + " cannot exist")});
    }
  }
  return chosen;
}

Result<void> KafkaConsumer::read_from(const std::vector<Position>& positions) {
  faults_.clear();
  reading_ = readable(positions);
  return apply();
}

Result<void> KafkaConsumer::restart_at(const std::vector<Position>& positions) {
  // Between two assignments there is nothing to restart; the listener will be asked.
  if (!in_group_) return {};
  return read_from(positions);
}

// Everything that changes what is read is an assignment anew. It gives each partition a new version, and what was
// fetched under an older one is never handed out. A pause is an assignment of nothing, and not rd_kafka_pause(): that
// one, or its end, within a moment of an assignment makes librdkafka 2.0.2 forget to start the partition, for good.
Result<void> KafkaConsumer::apply() {
  const PartitionList list = list_of(paused_ ? std::vector<Position>() : reading_);
  const auto error = rd_kafka_assign(client_->raw(), list.get());
  if (error == RD_KAFKA_RESP_ERR__FATAL) return fatal_error();
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return permanent("kafka_fatal", std::string("the positions are refused: ") + rd_kafka_err2str(error),
                     "a new consumer is needed");
  }
  if (list->cnt > 0) wake_leaders(list);
  return {};
}

void KafkaConsumer::set_paused(bool paused) {
  if (std::exchange(paused_, paused) == paused || !in_group_) return;
  if (const auto applied = apply(); !applied) log::error("a pause does not begin or end", applied.error());
}

// In librdkafka 2.0.2 the thread of a broker that had nothing to fetch sleeps up to a second before it notices that it
// has now. A question to each leader, here for the ends of the log, wakes it; the answers are of no interest.
void KafkaConsumer::wake_leaders(const PartitionList& asked) {
  for (int i = 0; i < asked->cnt; ++i) asked->elems[i].offset = RD_KAFKA_OFFSET_END;
  rd_kafka_offsets_for_times(client_->raw(), asked.get(), milliseconds_of(kWakeTimeout));
  bytes_since_wake_ = 0;
}

void KafkaConsumer::advance(const Partition& partition, std::int64_t next) {
  if (advanced_ >= reading_.size() || reading_[advanced_].partition != partition) {
    const auto found = std::ranges::find(reading_, partition, &Position::partition);
    if (found == reading_.end()) return;
    advanced_ = static_cast<std::size_t>(found - reading_.begin());
  }
  reading_[advanced_].offset = next;
}

Result<Polled> KafkaConsumer::poll(std::chrono::milliseconds timeout) {
  if (client_->fatal()) return fatal_error();
  if (!faults_.empty()) {
    Polled fault = std::move(faults_.front());
    faults_.pop_front();
    return fault;
  }
  if (client_->link().down()) probe_if_down();
  const RawMessage raw = next(timeout);
  if (raw == nullptr) return Polled(Nothing{});
  if (raw->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    client_->link().works();
    Message message = copy_of(*raw);
    advance(message.partition, message.offset + 1);
    bytes_since_wake_ += message.payload.size() + message.key.size();
    return Polled(std::move(message));
  }
  if (raw->err == RD_KAFKA_RESP_ERR__FATAL) return fatal_error();
  return sign_of(*raw);
}

// After so much, the local queue may have been full, which puts the broker's thread to sleep like nothing to fetch
// does.
RawMessage KafkaConsumer::next(std::chrono::milliseconds timeout) {
  if (bytes_since_wake_ >= kWakeAfterBytes) {
    RawMessage at_hand(rd_kafka_consumer_poll(client_->raw(), 0));
    if (at_hand != nullptr) return at_hand;
    if (in_group_ && !paused_ && !reading_.empty()) wake_leaders(list_of(reading_));
  }
  return RawMessage(rd_kafka_consumer_poll(client_->raw(), milliseconds_of(timeout)));
}

Polled KafkaConsumer::sign_of(const rd_kafka_message_t& raw) {
  const auto place = place_of(raw);
  if (raw.err == RD_KAFKA_RESP_ERR__PARTITION_EOF && place) {
    client_->link().works();
    advance(*place, raw.offset);
    return EndOfPartition{{*place, raw.offset}};
  }
  const char* const text = rd_kafka_message_errstr(&raw);
  const std::string said = std::string(rd_kafka_err2name(raw.err)) + ": " + (text == nullptr ? "" : text);
  if (place) {
    // Once is enough: the end of a pause does not try it again.
    if (raw.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
      std::erase_if(reading_, [&](const Position& p) { return p.partition == *place; });
    return PartitionFault{*place, fault_of(raw.err, said)};
  }
  if (raw.err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
    log::warn("the consumer was not polled for so long that its group excludes it; it joins again", {{"error", said}});
  } else if (raw.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
    client_->link().line(3, "GROUPAUTH", said.c_str());
  } else {
    client_->link().failed(raw.err, said);
  }
  return Nothing{};
}

void KafkaConsumer::probe_if_down() {
  const auto now = Clock::now();
  if (now < next_probe_) return;
  client_->probe(kProbeTimeout);
  next_probe_ = Clock::now() + kProbeEvery;
}

tl::unexpected<Error> KafkaConsumer::fatal_error() const {
  return permanent("kafka_fatal", client_->fatal_reason(), "a new consumer is needed");
}

void KafkaConsumer::commit(const std::vector<Position>& positions) {
  if (positions.empty()) return;
  const PartitionList list = list_of(positions);
  const auto error = rd_kafka_commit(client_->raw(), list.get(), 1);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    log::debug("offsets were not committed to Kafka", {{"error", rd_kafka_err2str(error)}});
  }
}

Result<Consumer::Watermarks> KafkaConsumer::watermarks(const Partition& partition, std::chrono::milliseconds timeout) {
  Watermarks marks;
  const auto error = rd_kafka_query_watermark_offsets(client_->raw(), partition.topic.c_str(), partition.number,
                                                      &marks.low, &marks.high, milliseconds_of(timeout));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    client_->link().works();
    return marks;
  }
  return unreachable("the end of " + partition.topic + "/" + std::to_string(partition.number) +
                     " is not known: " + rd_kafka_err2str(error));
}

Result<int> KafkaConsumer::partition_count(const std::string& topic, std::chrono::milliseconds timeout) {
  const Topic handle(rd_kafka_topic_new(client_->raw(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client_->raw(), 0, handle.get(), &raw, milliseconds_of(timeout));
  const Metadata metadata(raw);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt < 1) {
    return unreachable("the partitions of " + topic + " are not known: " + rd_kafka_err2str(error));
  }
  return metadata->topics[0].partition_cnt;
}

Result<std::string> KafkaConsumer::cluster_id(std::chrono::milliseconds timeout) {
  const Text id(rd_kafka_clusterid(client_->raw(), milliseconds_of(timeout)));
  if (id == nullptr) return unreachable("no broker told the id of its cluster in time");
  return std::string(id.get());
}

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::create(const Connection& connection, const std::string& group,
                                                   const std::vector<std::string>& topics,
                                                   AssignmentListener& listener) {
  auto consumer = std::make_unique<KafkaConsumer>(listener);
  if (auto started = consumer->start(connection, group, topics); !started) return tl::unexpected(started.error());
  return consumer;
}

}  // namespace peerwright::broker
