#include "kafka/support.hpp"

#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace peerwright::broker::test {
namespace {

using Clock = std::chrono::steady_clock;

const char* brokers() { return std::getenv("KAFKA_BROKERS"); }

struct DestroyClient {
  void operator()(rd_kafka_t* raw) const { rd_kafka_destroy(raw); }
};
using RawClient = std::unique_ptr<rd_kafka_t, DestroyClient>;
struct DestroyList {
  void operator()(rd_kafka_topic_partition_list_t* raw) const { rd_kafka_topic_partition_list_destroy(raw); }
};
using RawList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;

RawClient raw_client(rd_kafka_type_t type, const std::vector<std::pair<std::string, std::string>>& settings) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char why[512] = "";
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers(), why, sizeof why);
  for (const auto& [name, value] : settings) {
    EXPECT_EQ(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why), RD_KAFKA_CONF_OK) << why;
  }
  RawClient client(rd_kafka_new(type, conf, why, sizeof why));
  EXPECT_NE(client, nullptr) << why;
  return client;
}

RawList list_of(const Partition& partition, std::int64_t offset) {
  RawList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.number)->offset = offset;
  return list;
}

void expect_done(rd_kafka_queue_t* queue) {
  rd_kafka_event_t* const event = rd_kafka_queue_poll(queue, static_cast<int>(kPatience.count()));
  ASSERT_NE(event, nullptr) << "no answer to an admin request";
  EXPECT_EQ(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_event_error_string(event);
  rd_kafka_event_destroy(event);
}

void expect_ok(rd_kafka_error_t* error) {
  if (error == nullptr) return;
  ADD_FAILURE() << rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
}

}  // namespace

void KafkaTest::SetUp() {
  ASSERT_NE(brokers(), nullptr) << "KAFKA_BROKERS is not set. These tests need a real broker:\n"
                                   "  out=$(tools/kafka up) && eval \"$out\"";
}

Connection connection_to(std::string address) {
  Connection c;
  c.brokers = std::move(address);
  return c;
}

Connection connection() { return connection_to(brokers() == nullptr ? "" : brokers()); }

std::string fresh_name(std::string_view what) {
  static std::atomic<int> counter = 0;
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return std::string(what) + '-' + std::to_string(getpid()) + '-' + std::to_string(now) + '-' +
         std::to_string(counter.fetch_add(1));
}

std::string fresh_topic(std::string_view what, int partitions,
                        std::vector<std::pair<std::string, std::string>> settings) {
  std::string name = fresh_name(what);
  const auto made = create_topics(connection(), {{name, partitions, std::move(settings)}}, kPatience);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return name;
}

std::unique_ptr<Producer> producer() {
  auto made = Producer::create(connection());
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return std::move(*made);
}

void send(const std::vector<OutMessage>& messages) {
  const auto results = producer()->send(messages, kPatience);
  for (const auto& r : results) ASSERT_EQ(code_of(r), "ok") << r.error().message;
}

void send_numbers(const std::string& topic, int count) {
  std::vector<OutMessage> messages;
  messages.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) messages.push_back({topic, "", {}, std::to_string(i)});
  send(messages);
}

std::string code_of(const Result<void>& result) { return result ? "ok" : result.error().code; }

Reader::Choice Reader::all_at(std::int64_t offset) {
  return [offset](const std::vector<Partition>& partitions) {
    std::vector<Position> positions;
    positions.reserve(partitions.size());
    for (const auto& p : partitions) positions.push_back({p, offset});
    return positions;
  };
}

Reader::Choice Reader::exactly(std::vector<Position> positions) {
  return [positions = std::move(positions)](const std::vector<Partition>&) { return positions; };
}

Reader::Reader(const std::vector<std::string>& topics, Choice choice, const std::string& group, const Connection& to)
    : choice_(std::move(choice)) {
  auto made = Consumer::create(to, group, topics, *this);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  if (made) consumer = std::move(*made);
}

std::vector<Position> Reader::assigned(const std::vector<Partition>& partitions) {
  ++assigned_count;
  last_assigned = partitions;
  return choice_(partitions);
}

void Reader::revoked(const std::vector<Partition>& partitions) {
  ++revoked_count;
  last_revoked = partitions;
}

void Reader::poll(std::chrono::milliseconds timeout) {
  auto got = consumer->poll(timeout);
  if (!got) {
    errors.push_back(got.error());
  } else if (auto* message = std::get_if<Message>(&*got)) {
    messages.push_back(std::move(*message));
  } else if (auto* end = std::get_if<EndOfPartition>(&*got)) {
    ends.push_back(end->position);
  } else if (auto* fault = std::get_if<PartitionFault>(&*got)) {
    faults.push_back(std::move(*fault));
  }
}

bool Reader::poll_until(const std::function<bool()>& done, std::chrono::milliseconds patience) {
  const auto limit = Clock::now() + patience;
  while (!done()) {
    if (Clock::now() >= limit) return false;
    poll();
  }
  return true;
}

bool Reader::read_to_ends(std::size_t partitions) {
  return poll_until([&] { return ends.size() >= partitions; });
}

void Reader::clear() {
  messages.clear();
  ends.clear();
  faults.clear();
  errors.clear();
}

std::vector<std::string> Reader::payloads() const {
  std::vector<std::string> all;
  all.reserve(messages.size());
  for (const auto& m : messages) all.push_back(m.payload);
  return all;
}

std::vector<std::int64_t> Reader::offsets() const {
  std::vector<std::int64_t> all;
  all.reserve(messages.size());
  for (const auto& m : messages) all.push_back(m.offset);
  return all;
}

struct Transaction::Impl {
  RawClient client;
};

Transaction::Transaction() : impl_(std::make_unique<Impl>()) {
  impl_->client = raw_client(RD_KAFKA_PRODUCER, {{"transactional.id", fresh_name("transaction")}});
  expect_ok(rd_kafka_init_transactions(impl_->client.get(), static_cast<int>(kPatience.count())));
}
Transaction::~Transaction() = default;

void Transaction::begin() { expect_ok(rd_kafka_begin_transaction(impl_->client.get())); }

void Transaction::write(const std::string& topic, const std::string& payload) {
  rd_kafka_vu_t fields[3]{};
  fields[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  fields[0].u.cstr = topic.c_str();
  fields[1].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[1].u.mem.ptr = const_cast<char*>(payload.data());
  fields[1].u.mem.size = payload.size();
  fields[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[2].u.i = RD_KAFKA_MSG_F_COPY;
  expect_ok(rd_kafka_produceva(impl_->client.get(), fields, 3));
  EXPECT_EQ(rd_kafka_flush(impl_->client.get(), static_cast<int>(kPatience.count())), RD_KAFKA_RESP_ERR_NO_ERROR);
}

void Transaction::commit() {
  expect_ok(rd_kafka_commit_transaction(impl_->client.get(), static_cast<int>(kPatience.count())));
}

void Transaction::abort() {
  expect_ok(rd_kafka_abort_transaction(impl_->client.get(), static_cast<int>(kPatience.count())));
}

void delete_records_before(const Position& position) {
  const auto client = raw_client(RD_KAFKA_PRODUCER, {});
  rd_kafka_queue_t* const queue = rd_kafka_queue_new(client.get());
  const RawList list = list_of(position.partition, position.offset);
  rd_kafka_DeleteRecords_t* order = rd_kafka_DeleteRecords_new(list.get());
  rd_kafka_DeleteRecords(client.get(), &order, 1, nullptr, queue);
  expect_done(queue);
  rd_kafka_DeleteRecords_destroy(order);
  rd_kafka_queue_destroy(queue);
}

void delete_topic(const std::string& topic) {
  const auto client = raw_client(RD_KAFKA_PRODUCER, {});
  rd_kafka_queue_t* const queue = rd_kafka_queue_new(client.get());
  rd_kafka_DeleteTopic_t* order = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_DeleteTopics(client.get(), &order, 1, nullptr, queue);
  expect_done(queue);
  rd_kafka_DeleteTopic_destroy(order);
  rd_kafka_queue_destroy(queue);
}

std::int64_t committed(const std::string& group, const Partition& partition) {
  const auto client = raw_client(RD_KAFKA_CONSUMER, {{"group.id", group}});
  const RawList list = list_of(partition, RD_KAFKA_OFFSET_INVALID);
  EXPECT_EQ(rd_kafka_committed(client.get(), list.get(), static_cast<int>(kPatience.count())),
            RD_KAFKA_RESP_ERR_NO_ERROR);
  return list->elems[0].offset;
}

}  // namespace peerwright::broker::test
