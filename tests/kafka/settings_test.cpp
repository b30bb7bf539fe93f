#include <gmock/gmock.h>

#include "kafka/support.hpp"

namespace peerwright::broker::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Silent : AssignmentListener {
  std::vector<Position> assigned(const std::vector<Partition>&) override { return {}; }
  void revoked(const std::vector<Partition>&) override {}
};

// No broker is asked for anything here.
Error consumer_error(const Connection& connection) {
  Silent listener;
  const auto made = Consumer::create(connection, "group", {"topic"}, listener);
  EXPECT_FALSE(made.has_value());
  return made ? Error{} : made.error();
}

Error producer_error(const Connection& connection) {
  const auto made = Producer::create(connection);
  EXPECT_FALSE(made.has_value());
  return made ? Error{} : made.error();
}

class GuardedSetting : public ::testing::TestWithParam<const char*> {};

TEST_P(GuardedSetting, IsRefusedByNameWithARemedy) {
  Connection connection = connection_to("127.0.0.1:1");
  // Even the value that we set ourselves: what a promise rests on is no setting.
  connection.properties.emplace_back(GetParam(), "true");
  for (const Error& error : {consumer_error(connection), producer_error(connection)}) {
    EXPECT_EQ(error.code, "kafka_setting_invalid");
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_THAT(error.message, HasSubstr(GetParam()));
    EXPECT_THAT(error.remedy, HasSubstr(GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, GuardedSetting,
                         ::testing::Values("auto.offset.reset", "enable.auto.commit", "auto.commit.enable",
                                           "enable.auto.offset.store", "isolation.level", "enable.idempotence", "acks",
                                           "request.required.acks", "partitioner", "partition.assignment.strategy",
                                           "enable.partition.eof", "transactional.id", "group.id", "bootstrap.servers",
                                           "metadata.broker.list", "message.timeout.ms", "message.max.bytes"));

TEST(Settings, GuardedSettingIsRefusedAmongTheSecretsToo) {
  Connection connection = connection_to("127.0.0.1:1");
  connection.secret_properties.emplace_back("acks", Secret("0"));
  EXPECT_EQ(producer_error(connection).code, "kafka_setting_invalid");
}

TEST(Settings, UnknownNameAndImpossibleValueAreRefused) {
  Connection unknown = connection_to("127.0.0.1:1");
  unknown.properties.emplace_back("socket.keepalive.enabel", "true");
  EXPECT_THAT(producer_error(unknown).message, HasSubstr("socket.keepalive.enabel"));
  Connection impossible = connection_to("127.0.0.1:1");
  impossible.properties.emplace_back("security.protocol", "carrier-pigeon");
  EXPECT_THAT(producer_error(impossible).message, HasSubstr("security.protocol"));
  EXPECT_EQ(consumer_error(impossible).code, "kafka_setting_invalid");
}

TEST(Settings, SettingsThatContradictEachOtherAreRefused) {
  Connection connection = connection_to("127.0.0.1:1");
  connection.properties.emplace_back("max.in.flight", "100");  // idempotence allows 5
  EXPECT_EQ(producer_error(connection).code, "kafka_setting_invalid");
}

TEST(Settings, NoBrokerIsRefused) { EXPECT_EQ(producer_error(connection_to("")).code, "kafka_setting_invalid"); }

TEST(Settings, NoTopicIsRefused) {
  Silent listener;
  const auto made = Consumer::create(connection_to("127.0.0.1:1"), "group", {}, listener);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, "kafka_setting_invalid");
}

TEST(Settings, SecretIsNeverQuoted) {
  constexpr const char* kValue = "hunter2-in-the-clear";
  for (const char* name : {"security.protocol", "ssl.key.pem", "no.such.password"}) {
    Connection connection = connection_to("127.0.0.1:1");
    connection.properties.emplace_back("security.protocol", "ssl");  // or nobody looks at the key
    connection.secret_properties.emplace_back(name, Secret(kValue));
    const Error error = producer_error(connection);
    EXPECT_EQ(error.code, "kafka_setting_invalid") << name;
    EXPECT_THAT(error.message + error.remedy, Not(HasSubstr(kValue))) << name;
  }
}

TEST(Settings, CloneHoldsTheSame) {
  Connection connection = connection_to("a:1,b:2");
  connection.properties.emplace_back("client.id", "me");
  connection.secret_properties.emplace_back("sasl.password", Secret("s"));
  const Connection copy = connection.clone();
  EXPECT_EQ(copy.brokers, connection.brokers);
  EXPECT_EQ(copy.properties, connection.properties);
  ASSERT_EQ(copy.secret_properties.size(), 1U);
  EXPECT_EQ(copy.secret_properties[0].first, "sasl.password");
  EXPECT_TRUE(copy.secret_properties[0].second.equals(connection.secret_properties[0].second));
}

}  // namespace
}  // namespace peerwright::broker::test
