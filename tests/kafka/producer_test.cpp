#include "peerwright/broker/producer.hpp"

#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <map>

#include "kafka/support.hpp"

namespace peerwright::broker::test {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

class ProducerTest : public KafkaTest {};

std::vector<std::string> codes_of(const std::vector<Result<void>>& results) {
  std::vector<std::string> codes;
  codes.reserve(results.size());
  for (const auto& r : results) codes.push_back(code_of(r));
  return codes;
}

TEST_F(ProducerTest, KeyHeadersAndBytesArriveAsTheyWereSent) {
  const auto topic = fresh_topic("bytes", 1, {{"message.timestamp.type", "LogAppendTime"}});
  std::string every_byte(256, '\0');
  for (std::size_t i = 0; i < every_byte.size(); ++i) every_byte[i] = static_cast<char>(i);
  const Headers headers{{"ce_id", "1"}, {"binary", every_byte}, {"empty", ""}, {"ce_id", "twice"}};
  send({{topic, every_byte, headers, every_byte + every_byte}, {topic, "", {}, ""}});

  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  ASSERT_EQ(reader.messages.size(), 2U);
  const Message& full = reader.messages[0];
  EXPECT_EQ(full.partition, (Partition{topic, 0}));
  EXPECT_EQ(full.offset, 0);
  EXPECT_TRUE(full.has_key);
  EXPECT_EQ(full.key, every_byte);
  EXPECT_EQ(full.payload, every_byte + every_byte);
  EXPECT_EQ(full.headers, headers);
  EXPECT_GT(full.timestamp_ms, 0);
  EXPECT_FALSE(reader.messages[1].has_key);
  EXPECT_EQ(reader.messages[1].payload, "");
  EXPECT_TRUE(reader.messages[1].headers.empty());
}

TEST_F(ProducerTest, TenMegabytesArrive) {
  constexpr std::size_t kSize = 10'000'000;
  const auto topic = fresh_topic("large");
  std::string large(kSize, '\0');
  for (std::size_t i = 0; i < kSize; ++i) large[i] = static_cast<char>(i * 31);
  send({{topic, "k", {}, "before"}, {topic, "k", {}, large}, {topic, "k", {}, "after"}});
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  ASSERT_EQ(reader.messages.size(), 3U);
  EXPECT_EQ(reader.messages[0].payload, "before");
  EXPECT_TRUE(reader.messages[1].payload == large);
  EXPECT_EQ(reader.messages[2].payload, "after");
}

TEST_F(ProducerTest, EachKeyKeepsItsOrder) {
  constexpr int kKeys = 50;
  constexpr int kEach = 400;
  const auto topic = fresh_topic("order", 3);
  std::vector<OutMessage> out;
  for (int i = 0; i < kEach; ++i) {
    for (int k = 0; k < kKeys; ++k) out.push_back({topic, std::to_string(k), {}, std::to_string(i)});
  }
  send(out);
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends(3));
  ASSERT_EQ(reader.messages.size(), out.size());
  std::map<std::string, int> next;
  for (const Message& m : reader.messages) ASSERT_EQ(m.payload, std::to_string(next[m.key]++)) << "key " << m.key;
}

// Kafka's own hash, written down independently of librdkafka's.
std::uint32_t murmur2(const std::string& key) {
  constexpr std::uint32_t kFactor = 0x5bd1e995;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(key[i])); };
  std::uint32_t hash = 0x9747b28cU ^ static_cast<std::uint32_t>(key.size());
  const std::size_t whole = key.size() / 4 * 4;
  for (std::size_t i = 0; i < whole; i += 4) {
    std::uint32_t word = byte(i) | byte(i + 1) << 8U | byte(i + 2) << 16U | byte(i + 3) << 24U;
    word *= kFactor;
    word ^= word >> 24U;
    hash = hash * kFactor ^ word * kFactor;
  }
  if (key.size() > whole) {
    for (std::size_t i = key.size(); i-- > whole;) hash ^= byte(i) << (8 * (i - whole));
    hash *= kFactor;
  }
  hash ^= hash >> 13U;
  hash *= kFactor;
  return hash ^ hash >> 15U;
}

TEST_F(ProducerTest, KeysLandWhereAJavaProducerPutsThem) {
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);

  constexpr int kPartitions = 7;
  const auto topic = fresh_topic("murmur", kPartitions);
  std::vector<OutMessage> out;
  out.reserve(203);
  out = {{topic, "21", {}, ""}, {topic, "foobar", {}, ""}, {topic, "a", {}, ""}};
  for (int i = 0; i < 200; ++i) out.push_back({topic, "tenant/subscriber-" + std::to_string(i), {}, ""});
  send(out);
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends(kPartitions));
  ASSERT_EQ(reader.messages.size(), out.size());
  for (const Message& m : reader.messages) {
    EXPECT_EQ(static_cast<std::uint32_t>(m.partition.number), (murmur2(m.key) & 0x7fffffffU) % kPartitions) << m.key;
  }
}

TEST_F(ProducerTest, MessageOverTheLimitIsRefusedAndItsKeyWaits) {
  const auto topic = fresh_topic("refused");
  const std::string huge(std::size_t{13} * 1024 * 1024, 'x');
  const auto results = producer()->send(std::vector<OutMessage>{{topic, "a", {}, "a1"},
                                                                {topic, "b", {}, huge},
                                                                {topic, "b", {}, "b2"},
                                                                {topic, "", {}, huge},
                                                                {topic, "a", {}, "a2"},
                                                                {topic, "", {}, "free"}},
                                        kPatience);
  EXPECT_THAT(codes_of(results),
              ElementsAre("ok", "kafka_message_refused", "kafka_unsent", "kafka_message_refused", "ok", "ok"));
  EXPECT_EQ(results[1].error().retry, Retry::never);
  EXPECT_EQ(results[2].error().retry, Retry::later);
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.payloads(), ElementsAre("a1", "a2", "free"));
}

TEST_F(ProducerTest, OnlyTheMessageOverTheTopicsLimitIsRefusedNotItsBatch) {
  const auto topic = fresh_topic("batch", 1, {{"max.message.bytes", "20000"}});
  std::vector<OutMessage> out;
  out.reserve(20);
  for (int i = 0; i < 20; ++i) out.push_back({topic, std::to_string(i), {}, std::string(100, 's')});
  out[10].payload = std::string(50'000, 'l');
  const auto results = producer()->send(out, kPatience);
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(code_of(results[i]), i == 10 ? "kafka_message_refused" : "ok") << i;
  }
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_EQ(reader.messages.size(), out.size() - 1);
}

TEST_F(ProducerTest, MissingTopicIsToldAtTheDeadlineAndKnownOnceItExists) {
  const auto known = fresh_topic("known");
  const auto later = fresh_name("later");
  const auto one = producer();
  const std::vector<OutMessage> out{{known, "k", {}, "x"}, {later, "k", {}, "y"}, {later, "k", {}, "z"}};
  const auto results = one->send(out, 1500ms);
  EXPECT_THAT(codes_of(results), ElementsAre("ok", "kafka_topic_missing", "kafka_unsent"));
  EXPECT_EQ(results[1].error().retry, Retry::later);
  ASSERT_TRUE(create_topics(connection(), {{later, 1, {}}}, kPatience).has_value());
  EXPECT_THAT(codes_of(one->send(out, kPatience)), ElementsAre("ok", "ok", "ok"));
}

TEST_F(ProducerTest, MoreThanTheQueueHoldsIsSentInOneCall) {
  const auto topic = fresh_topic("much", 2);
  std::vector<OutMessage> out;
  out.reserve(120'000);
  for (int i = 0; i < 120'000; ++i) out.push_back({topic, std::to_string(i % 1000), {}, "m"});
  send(out);
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends(2));
  EXPECT_EQ(reader.messages.size(), out.size());
}

TEST_F(ProducerTest, NothingToSendIsNothing) { EXPECT_TRUE(producer()->send({}, kPatience).empty()); }

// A broker whose answers are made up; only librdkafka's own can be told to.
class LyingBroker {
 public:
  LyingBroker() : owner_(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nullptr, 0)) {
    cluster_ = rd_kafka_mock_cluster_new(owner_, 1);
    rd_kafka_mock_topic_create(cluster_, "topic", 1, 1);
  }
  ~LyingBroker() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }
  LyingBroker(const LyingBroker&) = delete;
  LyingBroker& operator=(const LyingBroker&) = delete;
  [[nodiscard]] Connection connection() const { return connection_to(rd_kafka_mock_cluster_bootstraps(cluster_)); }
  void answer_next_produce(rd_kafka_resp_err_t error) {
    constexpr std::int16_t kProduce = 0;
    rd_kafka_mock_push_request_errors(cluster_, kProduce, 1, error);
  }

 private:
  rd_kafka_t* owner_;
  rd_kafka_mock_cluster_t* cluster_;
};

TEST(ProducerWithLyingBroker, IsReplacedAfterAFatalError) {
  LyingBroker broker;
  auto made = Producer::create(broker.connection());
  ASSERT_TRUE(made.has_value());
  const std::vector<OutMessage> out{{"topic", "k", {}, "x"}};
  ASSERT_THAT(codes_of((*made)->send(out, kPatience)), ElementsAre("ok"));
  broker.answer_next_produce(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
  EXPECT_THAT(codes_of((*made)->send(out, kPatience)), ElementsAre("kafka_unreachable"));
  EXPECT_THAT(codes_of((*made)->send(out, kPatience)), ElementsAre("ok"));
}

TEST(ProducerWithLyingBroker, MissingPermissionIsNoFaultOfTheMessage) {
  LyingBroker broker;
  auto made = Producer::create(broker.connection());
  ASSERT_TRUE(made.has_value());
  broker.answer_next_produce(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const std::vector<OutMessage> out{{"topic", "k", {}, "x"}};
  const auto results = (*made)->send(out, kPatience);
  EXPECT_THAT(codes_of(results), ElementsAre("kafka_unreachable"));
  EXPECT_EQ(results[0].error().retry, Retry::later);
}

TEST(ProducerWithoutBroker, GivesUpAtTheDeadline) {
  auto made = Producer::create(connection_to("127.0.0.1:1"));
  ASSERT_TRUE(made.has_value());
  const std::vector<OutMessage> out{{"topic", "k", {}, "1"}, {"topic", "k", {}, "2"}, {"topic", "j", {}, "3"}};
  for (int round = 0; round < 2; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const auto results = (*made)->send(out, 300ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
    EXPECT_THAT(codes_of(results), ElementsAre("kafka_unreachable", "kafka_unsent", "kafka_unreachable"));
    EXPECT_EQ(results[0].error().retry, Retry::later);
  }
}

}  // namespace
}  // namespace peerwright::broker::test
