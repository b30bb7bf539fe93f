#include "peerwright/broker/consumer.hpp"

#include <gmock/gmock.h>

#include <numeric>
#include <random>

#include "kafka/support.hpp"

namespace peerwright::broker::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class ConsumerTest : public KafkaTest {};

// Sends 40 messages of keys that spread over the partitions.
void send_spread(const std::string& topic) {
  std::vector<OutMessage> out;
  out.reserve(40);
  for (int i = 0; i < 40; ++i) out.push_back({topic, "key" + std::to_string(i), {}, std::to_string(i)});
  send(out);
}

// All that is in a topic of two partitions.
std::vector<Message> all_of(const std::string& topic) {
  Reader reader({topic});
  EXPECT_TRUE(reader.read_to_ends(2));
  return reader.messages;
}

std::int64_t count_of(const std::vector<Message>& messages, std::int32_t partition) {
  return std::ranges::count_if(messages, [&](const Message& m) { return m.partition.number == partition; });
}

TEST_F(ConsumerTest, BeginsWhereTheListenerSays) {
  const auto topic = fresh_topic("start");
  send_numbers(topic, 10);
  Reader reader({topic}, Reader::exactly({{{topic, 0}, 7}}));
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.payloads(), ElementsAre("7", "8", "9"));
  EXPECT_THAT(reader.offsets(), ElementsAre(7, 8, 9));
}

TEST_F(ConsumerTest, EndIsToldAgainAfterEachAdvance) {
  const auto topic = fresh_topic("end");
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_EQ(reader.ends[0].offset, 0);
  send_numbers(topic, 3);
  ASSERT_TRUE(reader.poll_until([&] { return !reader.ends.empty() && reader.ends.back().offset == 3; }));
  EXPECT_EQ(reader.messages.size(), 3U);
}

TEST_F(ConsumerTest, PartitionsWithoutAPositionAreAssignedButNotRead) {
  const auto topic = fresh_topic("unnamed", 2);
  send_spread(topic);
  const auto all = all_of(topic);
  ASSERT_GT(count_of(all, 0), 0);
  ASSERT_GT(count_of(all, 1), 0);

  Reader reader({topic}, Reader::exactly({{{topic, 1}, 0}}));
  ASSERT_TRUE(reader.read_to_ends());
  // A second round after both were written to again: if partition 0 were read, it would show by now.
  send_spread(topic);
  ASSERT_TRUE(reader.poll_until([&] { return reader.ends.back().offset >= 2 * count_of(all, 1); }));
  EXPECT_EQ(count_of(reader.messages, 0), 0);
  EXPECT_EQ(count_of(reader.messages, 1), 2 * count_of(all, 1));
  EXPECT_THAT(reader.consumer->assignment(), UnorderedElementsAre(Partition{topic, 0}, Partition{topic, 1}));

  reader.clear();
  ASSERT_TRUE(reader.consumer->restart_at({{{topic, 0}, 0}}).has_value());
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_EQ(count_of(reader.messages, 0), 2 * count_of(all, 0));
  EXPECT_EQ(count_of(reader.messages, 1), 0);
}

TEST_F(ConsumerTest, PositionsOfOtherPartitionsAreIgnored) {
  const auto topic = fresh_topic("foreign");
  send_numbers(topic, 2);
  Reader reader({topic}, Reader::exactly({{{topic, 0}, 1}, {{topic, 9}, 0}, {{"elsewhere", 0}, 0}}));
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.payloads(), ElementsAre("1"));
  EXPECT_THAT(reader.faults, IsEmpty());
}

TEST_F(ConsumerTest, RestartDropsWhatWasFetched) {
  constexpr int kMessages = 3000;
  constexpr int kRounds = 150;
  const auto topic = fresh_topic("restart");
  send_numbers(topic, kMessages);
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());

  std::mt19937 random(7);  // NOLINT: the same rounds in every run
  std::uniform_int_distribution<std::int64_t> place(0, kMessages - 100);
  std::uniform_int_distribution<std::size_t> length(1, 60);
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t start = place(random);
    const std::size_t wanted = length(random);
    reader.clear();
    ASSERT_TRUE(reader.consumer->restart_at({{{topic, 0}, start}}).has_value());
    ASSERT_TRUE(reader.poll_until([&] { return reader.messages.size() >= wanted; }));
    std::vector<std::int64_t> expected(wanted);
    std::iota(expected.begin(), expected.end(), start);
    ASSERT_EQ(reader.offsets(), expected) << "round " << round;
  }
}

TEST_F(ConsumerTest, RestartAtAnEarlierPositionReadsAgainUpToTheEnd) {
  const auto topic = fresh_topic("again");
  send_numbers(topic, 5);
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  reader.clear();
  ASSERT_TRUE(reader.consumer->restart_at({{{topic, 0}, 3}}).has_value());
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.offsets(), ElementsAre(3, 4));
  EXPECT_EQ(reader.ends[0].offset, 5);
}

TEST_F(ConsumerTest, PositionBeyondTheEndIsAFaultWhileTheOtherPartitionGoesOn) {
  const auto topic = fresh_topic("beyond", 2);
  send_spread(topic);
  const auto all = all_of(topic);
  Reader reader({topic}, Reader::exactly({{{topic, 0}, 1'000'000}, {{topic, 1}, 0}}));
  ASSERT_TRUE(reader.poll_until([&] { return !reader.faults.empty() && !reader.ends.empty(); }));
  EXPECT_EQ(reader.faults[0].partition, (Partition{topic, 0}));
  EXPECT_EQ(reader.faults[0].error.code, "offset_out_of_range");
  EXPECT_EQ(reader.faults[0].error.retry, Retry::never);
  EXPECT_EQ(count_of(reader.messages, 0), 0);
  EXPECT_EQ(count_of(reader.messages, 1), count_of(all, 1));
}

TEST_F(ConsumerTest, PositionThatRetentionOvertookIsAFaultUntilARestart) {
  const auto topic = fresh_topic("overtaken");
  send_numbers(topic, 10);
  delete_records_before({{topic, 0}, 6});
  Reader reader({topic});
  ASSERT_TRUE(reader.poll_until([&] { return !reader.faults.empty(); }));
  EXPECT_EQ(reader.faults[0].error.code, "offset_out_of_range");
  EXPECT_THAT(reader.messages, IsEmpty());
  const auto marks = reader.consumer->watermarks({topic, 0}, kPatience);
  ASSERT_TRUE(marks.has_value());
  EXPECT_EQ(marks->low, 6);
  EXPECT_EQ(marks->high, 10);
  ASSERT_TRUE(reader.consumer->restart_at({{{topic, 0}, marks->low}}).has_value());
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.offsets(), ElementsAre(6, 7, 8, 9));
}

TEST_F(ConsumerTest, NegativePositionIsAFaultAndNeverMeansTheEnd) {
  const auto topic = fresh_topic("negative");
  send_numbers(topic, 3);
  Reader reader({topic}, Reader::all_at(-1));
  ASSERT_TRUE(reader.poll_until([&] { return !reader.faults.empty(); }));
  EXPECT_EQ(reader.faults[0].error.code, "offset_out_of_range");
  ASSERT_TRUE(reader.consumer->restart_at({{{topic, 0}, 0}}).has_value());
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_EQ(reader.messages.size(), 3U);
}

TEST_F(ConsumerTest, UnknownTopicIsAFault) {
  Reader reader({fresh_name("nowhere")});
  ASSERT_TRUE(reader.poll_until([&] { return !reader.faults.empty(); }));
  EXPECT_EQ(reader.faults[0].error.code, "partition_unknown");
}

TEST_F(ConsumerTest, TwoMembersShareThePartitions) {
  const auto topic = fresh_topic("shared", 2);
  const auto group = fresh_name("group");
  Reader first({topic}, Reader::all_at(0), group);
  ASSERT_TRUE(first.poll_until([&] { return first.assigned_count == 1; }));
  EXPECT_EQ(first.last_assigned.size(), 2U);

  auto second = std::make_unique<Reader>(std::vector{topic}, Reader::all_at(0), group);
  ASSERT_TRUE(first.poll_until([&] {
    second->poll(10ms);
    return second->assigned_count > 0 && first.assigned_count == 2;
  }));
  EXPECT_EQ(first.revoked_count, 1);
  EXPECT_EQ(first.last_revoked.size(), 2U);
  EXPECT_EQ(first.last_assigned.size(), 1U);
  EXPECT_EQ(second->last_assigned.size(), 1U);
  EXPECT_NE(first.last_assigned, second->last_assigned);

  // It leaves at once: the other one need not wait for its session to end.
  second.reset();
  ASSERT_TRUE(first.poll_until([&] { return first.last_assigned.size() == 2; }, 15s));
  EXPECT_EQ(first.revoked_count, 2);
  EXPECT_EQ(first.consumer->assignment().size(), 2U);
}

TEST_F(ConsumerTest, MemberThatReadsNothingTakesPartInRebalances) {
  const auto topic = fresh_topic("idle", 2);
  const auto group = fresh_name("group");
  Reader idle({topic}, Reader::exactly({}), group);
  ASSERT_TRUE(idle.poll_until([&] { return idle.assigned_count == 1; }));
  Reader other({topic}, Reader::all_at(0), group);
  ASSERT_TRUE(other.poll_until([&] {
    idle.poll(10ms);
    return other.assigned_count == 1 && idle.assigned_count == 2;
  }));
  EXPECT_EQ(idle.consumer->assignment().size(), 1U);
  EXPECT_EQ(idle.revoked_count, 1);
}

TEST_F(ConsumerTest, PausedPartitionsDeliverNothingAndResumeWhereTheyStood) {
  const auto topic = fresh_topic("pause");
  send_numbers(topic, 5);
  Reader reader({topic});
  ASSERT_TRUE(reader.poll_until([&] { return reader.messages.size() == 2; }));
  reader.consumer->pause();
  Reader witness({topic});
  ASSERT_TRUE(witness.read_to_ends());  // what is paused could be read all this while
  for (int i = 0; i < 10; ++i) reader.poll(20ms);
  EXPECT_EQ(reader.messages.size(), 2U);

  // Neither does a restart lift a pause.
  ASSERT_TRUE(reader.consumer->restart_at({{{topic, 0}, 1}}).has_value());
  for (int i = 0; i < 10; ++i) reader.poll(20ms);
  EXPECT_EQ(reader.messages.size(), 2U);

  reader.consumer->resume();
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.offsets(), ElementsAre(0, 1, 1, 2, 3, 4));
}

TEST_F(ConsumerTest, AbortedTransactionsAreSkippedAndOpenOnesHoldTheEnd) {
  const auto topic = fresh_topic("transactions");
  Transaction transaction;
  transaction.begin();
  transaction.write(topic, "kept");
  transaction.commit();
  transaction.begin();
  transaction.write(topic, "dropped");
  transaction.abort();
  Reader reader({topic});
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_THAT(reader.payloads(), ElementsAre("kept"));
  EXPECT_EQ(reader.ends[0].offset, 4) << "two messages and two markers lie below the end";

  transaction.begin();
  transaction.write(topic, "later");
  const auto open = reader.consumer->watermarks({topic, 0}, kPatience);
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->high, 4) << "an open transaction is not there to be read";
  transaction.commit();
  ASSERT_TRUE(reader.poll_until([&] { return reader.ends.back().offset == 6; }));
  EXPECT_THAT(reader.payloads(), ElementsAre("kept", "later"));
}

TEST_F(ConsumerTest, CommittedPositionsAreSeenInKafka) {
  const auto topic = fresh_topic("commit");
  const auto group = fresh_name("group");
  send_numbers(topic, 3);
  Reader reader({topic}, Reader::all_at(0), group);
  ASSERT_TRUE(reader.read_to_ends());
  EXPECT_LT(committed(group, {topic, 0}), 0) << "something commits by itself";
  reader.consumer->commit({{{topic, 0}, 2}});
  EXPECT_TRUE(reader.poll_until([&] { return committed(group, {topic, 0}) == 2; }));
}

TEST_F(ConsumerTest, CountsPartitionsOfATopic) {
  const auto topic = fresh_topic("count", 3);
  Reader reader({topic});
  const auto count = reader.consumer->partition_count(topic, kPatience);
  ASSERT_TRUE(count.has_value()) << count.error().message;
  EXPECT_EQ(*count, 3);
  EXPECT_FALSE(reader.consumer->partition_count(fresh_name("nowhere"), kPatience).has_value());
}

TEST_F(ConsumerTest, KnowsItsCluster) {
  const auto topic = fresh_topic("cluster");
  Reader one({topic});
  Reader two({topic});
  const auto id = one.consumer->cluster_id(kPatience);
  ASSERT_TRUE(id.has_value());
  EXPECT_FALSE(id->empty());
  EXPECT_EQ(*id, *two.consumer->cluster_id(kPatience));
}

TEST_F(ConsumerTest, DeletedTopicIsAFault) {
  const auto topic = fresh_topic("deleted");
  send_numbers(topic, 2);
  Connection quick = connection();
  quick.properties.emplace_back("topic.metadata.refresh.interval.ms", "500");
  Reader reader({topic}, Reader::all_at(0), fresh_name("group"), quick);
  ASSERT_TRUE(reader.read_to_ends());
  delete_topic(topic);
  ASSERT_TRUE(reader.poll_until([&] { return !reader.faults.empty(); }));
  EXPECT_EQ(reader.faults[0].partition.topic, topic);
  EXPECT_EQ(reader.faults[0].error.code, "partition_unknown");
}

TEST(ConsumerWithoutBroker, AnswersNothingAndEndsInTime) {
  Reader reader({"anything"}, Reader::all_at(0), "group", connection_to("127.0.0.1:1"));
  EXPECT_FALSE(reader.poll_until([&] { return !reader.faults.empty() || !reader.errors.empty(); }, 500ms));
  const auto id = reader.consumer->cluster_id(100ms);
  ASSERT_FALSE(id.has_value());
  EXPECT_EQ(id.error().code, "kafka_unreachable");
  EXPECT_EQ(id.error().retry, Retry::later);
  EXPECT_EQ(reader.consumer->watermarks({"anything", 0}, 100ms).error().code, "kafka_unreachable");
  const auto begin = std::chrono::steady_clock::now();
  reader.consumer.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Consumer::kCloseDeadline + 2s);
}

}  // namespace
}  // namespace peerwright::broker::test
