#include "peerwright/broker/admin.hpp"

#include <gmock/gmock.h>

#include "kafka/support.hpp"

namespace peerwright::broker::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class AdminTest : public KafkaTest {};

TEST_F(AdminTest, CreatesWhatIsMissingAndLeavesTheRest) {
  const auto one = fresh_name("one");
  const auto two = fresh_name("two");
  ASSERT_TRUE(create_topics(connection(), {{one, 3, {}}}, kPatience).has_value());
  ASSERT_TRUE(create_topics(connection(), {{one, 5, {}}, {two, 1, {}}}, kPatience).has_value());
  Reader reader({one, two});
  ASSERT_TRUE(reader.read_to_ends(4));
  EXPECT_EQ(reader.last_assigned.size(), 4U);
}

TEST_F(AdminTest, ImpossibleTopicsAreRefusedByName) {
  for (const NewTopic& topic : {NewTopic{"no spaces", 1, {}}, NewTopic{fresh_name("nothing"), 0, {}},
                                NewTopic{fresh_name("setting"), 1, {{"no.such.setting", "1"}}}}) {
    const auto refused = create_topics(connection(), {topic}, kPatience);
    ASSERT_FALSE(refused.has_value()) << topic.name;
    EXPECT_EQ(refused.error().code, "kafka_topic_refused");
    EXPECT_THAT(refused.error().message, HasSubstr(topic.name));
  }
}

TEST(AdminWithoutBroker, SaysThatNobodyAnswers) {
  const auto answer = create_topics(connection_to("127.0.0.1:1"), {{"topic", 1, {}}}, 300ms);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, "kafka_unreachable");
  EXPECT_EQ(answer.error().retry, Retry::later);
}

TEST(DevBroker, CarriesMessagesToAGroup) {
  auto broker = DevBroker::start({{"events", 3, {}}, {"status", 1, {}}});
  ASSERT_TRUE(broker.has_value()) << broker.error().message;
  const Connection connection = connection_to((*broker)->brokers());
  auto producer = Producer::create(connection);
  ASSERT_TRUE(producer.has_value());
  const std::vector<OutMessage> out{{"events", "a", {{"ce_id", "1"}}, "first"}, {"events", "a", {}, "second"}};
  for (const auto& sent : (*producer)->send(out, kPatience)) EXPECT_EQ(code_of(sent), "ok");

  Reader reader({"events"}, Reader::all_at(0), "group", connection);
  ASSERT_TRUE(reader.read_to_ends(3));
  EXPECT_EQ(reader.last_assigned.size(), 3U);
  EXPECT_THAT(reader.payloads(), ElementsAre("first", "second"));
  EXPECT_EQ(reader.messages[0].headers, out[0].headers);
  EXPECT_EQ(reader.messages[0].partition, reader.messages[1].partition);

  reader.clear();
  for (const auto& sent : (*producer)->send({out.begin(), 1}, kPatience)) EXPECT_EQ(code_of(sent), "ok");
  ASSERT_TRUE(reader.poll_until([&] { return reader.messages.size() == 1; }));
  EXPECT_TRUE(reader.consumer->cluster_id(kPatience).has_value());
  const auto marks = reader.consumer->watermarks(reader.messages[0].partition, kPatience);
  ASSERT_TRUE(marks.has_value());
  EXPECT_EQ(marks->high, 3);
}

TEST(DevBroker, ImpossibleTopicIsAnError) {
  const auto broker = DevBroker::start({{"twice", 1, {}}, {"twice", 1, {}}});
  ASSERT_FALSE(broker.has_value());
  EXPECT_EQ(broker.error().code, "dev_broker_failed");
}

}  // namespace
}  // namespace peerwright::broker::test
