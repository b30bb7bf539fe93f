#include "../src/cli/audit_topic.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

// How much of the audit topic is read where little is missing.
namespace peerwright::test {
namespace {

// One partition, with the numbers of its entries.
class FakeScan final : public broker::TopicScan {
 public:
  explicit FakeScan(std::vector<std::int64_t> numbers)
      : numbers_(std::move(numbers)), ranges_{{kLow, kLow + static_cast<std::int64_t>(numbers_.size())}} {}
  [[nodiscard]] const std::vector<Range>& ranges() const override { return ranges_; }
  Result<void> start(std::int32_t, std::int64_t offset) override {
    next_ = offset;
    return {};
  }
  Result<std::optional<broker::Message>> next(std::int32_t, std::chrono::milliseconds) override {
    ++reads;
    if (next_ >= ranges_[0].high) return std::nullopt;
    broker::Message message;
    message.offset = next_;
    const std::string zeros(64, '0');
    message.payload = nlohmann::json{
        {"chain_no", number_at(next_++)},
        {"chain_hash", zeros},
        {"at", ""},
        {"source", ""},
        {"event_id", ""},
        {"event_type", ""},
        {"key", ""},
        {"outcome", ""},
        {"code", ""}}.dump();
    return message;
  }
  [[nodiscard]] std::int64_t number_at(std::int64_t offset) const {
    return numbers_.at(static_cast<std::size_t>(offset - kLow));
  }

  static constexpr std::int64_t kLow = 7;
  int reads = 0;

 private:
  std::vector<std::int64_t> numbers_;
  std::vector<Range> ranges_;
  std::int64_t next_ = 0;
};

std::vector<std::int64_t> counted(std::int64_t most) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t number = 1; number <= most; ++number) numbers.push_back(number);
  return numbers;
}

TEST(AuditTopic, AShortOneIsReadWhole) {
  FakeScan scan(counted(500));
  EXPECT_EQ(FakeScan::kLow, cli::first_behind(scan, 0, 499).value_or(-1));
}

TEST(AuditTopic, OfALongOneTheEndAloneIsRead) {
  FakeScan scan(counted(1'000'000));
  const auto from = cli::first_behind(scan, 0, 999'990);
  ASSERT_TRUE(from.has_value());
  EXPECT_LT(900'000, *from);
  EXPECT_GT(999'990, scan.number_at(*from));
  EXPECT_GT(10, scan.reads);
  EXPECT_EQ(FakeScan::kLow, cli::first_behind(scan, 0, 0).value_or(-1));
}

// A publisher that was killed sends a batch again, and may be killed once more within it.
TEST(AuditTopic, WhatWasSentTwiceIsFoundByItsFirstTime) {
  auto numbers = counted(100'000);
  for (std::int64_t again = 98'000; again <= 99'500; ++again) numbers.push_back(again);
  FakeScan scan(numbers);
  const auto from = cli::first_behind(scan, 0, 99'700);
  ASSERT_TRUE(from.has_value());
  EXPECT_LT(0, scan.number_at(*from));
  EXPECT_GE(99'701, scan.number_at(*from));
  EXPECT_GE(99'700 + FakeScan::kLow, *from) << "entries 99'701 to 100'000 come once, before those that came twice";
}

}  // namespace
}  // namespace peerwright::test
