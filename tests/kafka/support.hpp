#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/broker/admin.hpp"
#include "peerwright/broker/consumer.hpp"
#include "peerwright/broker/producer.hpp"

namespace peerwright::broker::test {

inline constexpr std::chrono::milliseconds kPatience{30000};  // for what must happen; far longer than it takes

// Needs a real broker, named by KAFKA_BROKERS.
class KafkaTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

Connection connection();                        // to KAFKA_BROKERS
Connection connection_to(std::string brokers);  // to another one
std::string fresh_name(std::string_view what);  // unique across runs
std::string fresh_topic(std::string_view what, int partitions = 1,
                        std::vector<std::pair<std::string, std::string>> settings = {});

std::unique_ptr<Producer> producer();
// Sends and fails the test unless all are acknowledged.
void send(const std::vector<OutMessage>& messages);
// `count` messages "0", "1", ... without a key, into a topic of one partition.
void send_numbers(const std::string& topic, int count);
std::string code_of(const Result<void>& result);  // "ok" for success

// A consumer and everything that it told.
class Reader : public AssignmentListener {
 public:
  using Choice = std::function<std::vector<Position>(const std::vector<Partition>&)>;
  static Choice all_at(std::int64_t offset);
  static Choice exactly(std::vector<Position> positions);

  explicit Reader(const std::vector<std::string>& topics, Choice choice = all_at(0),
                  const std::string& group = fresh_name("group"), const Connection& to = connection());

  std::vector<Position> assigned(const std::vector<Partition>& partitions) override;
  void revoked(const std::vector<Partition>& partitions) override;

  // Polls once and files what came.
  void poll(std::chrono::milliseconds timeout = std::chrono::milliseconds(50));
  // Polls until `done`; false when that takes longer than `patience`.
  bool poll_until(const std::function<bool()>& done, std::chrono::milliseconds patience = kPatience);
  // Polls until the ends of that many partitions were told since the last clear().
  bool read_to_ends(std::size_t partitions = 1);
  void clear();
  [[nodiscard]] std::vector<std::string> payloads() const;
  [[nodiscard]] std::vector<std::int64_t> offsets() const;

  std::vector<Message> messages;
  std::vector<Position> ends;
  std::vector<PartitionFault> faults;
  std::vector<Error> errors;
  int assigned_count = 0;
  int revoked_count = 0;
  std::vector<Partition> last_assigned;
  std::vector<Partition> last_revoked;

 private:
  Choice choice_;

 public:
  std::unique_ptr<Consumer> consumer;  // last: it ends before what its listener touches
};

// librdkafka by itself, for what the room does not offer.
class Transaction {
 public:
  Transaction();
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void begin();
  void write(const std::string& topic, const std::string& payload);  // and waits for its acknowledgement
  void commit();
  void abort();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
void delete_records_before(const Position& position);
void delete_topic(const std::string& topic);
// The offset that the group committed to Kafka; -1001 when there is none.
std::int64_t committed(const std::string& group, const Partition& partition);

}  // namespace peerwright::broker::test
