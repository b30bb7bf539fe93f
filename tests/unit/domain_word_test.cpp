#include <gtest/gtest.h>

#include <limits>
#include <tuple>
#include <vector>

#include "peerwright/domain/retry.hpp"
#include "peerwright/domain/word.hpp"

namespace peerwright::domain {
namespace {

using std::chrono::milliseconds;

Word said(const std::string& source, std::optional<std::int64_t> sequence, std::int64_t offset,
          const std::string& id = {}) {
  return {source, id.empty() ? "at-" + std::to_string(offset) : id, sequence, {time_from_micros(1000), 0, offset}};
}

TEST(DomainWord, ofOneSourceAreOrderedBySequenceWhereverTheyStood) {
  EXPECT_EQ(Order::newer, order_of(said("billing", 2, 1), said("billing", 1, 9)));
  EXPECT_EQ(Order::older, order_of(said("billing", 1, 9), said("billing", 2, 1)));
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(Order::newer, order_of(said("billing", most, 1), said("billing", most - 1, 9)));
  EXPECT_EQ(Order::newer, order_of(said("billing", 10, 1), said("billing", 9, 2)));  // as numbers, not as text
}

TEST(DomainWord, aSequenceUsedAgainIsRefusedUnlessItIsTheSameWord) {
  EXPECT_EQ(Order::sequence_reused, order_of(said("billing", 5, 2, "b"), said("billing", 5, 1, "a")));
  EXPECT_EQ(Order::older, order_of(said("billing", 5, 2, "a"), said("billing", 5, 1, "a")));
}

TEST(DomainWord, withoutASequenceNeverOverrulesOneOfItsSource) {
  EXPECT_EQ(Order::sequence_required, order_of(said("billing", std::nullopt, 9), said("billing", 1, 1)));
}

TEST(DomainWord, withASequenceOverrulesOneOfItsSourceThatHasNone) {
  EXPECT_EQ(Order::newer, order_of(said("billing", 1, 1), said("billing", std::nullopt, 9)));
}

TEST(DomainWord, withoutSequencesAreOrderedByTheirPlaces) {
  const auto at = [](std::int64_t micros, std::int32_t partition, std::int64_t offset) {
    return Word{"billing", "x", std::nullopt, {time_from_micros(micros), partition, offset}};
  };
  // Ascending: the broker's time weighs most, then the partition, then the offset.
  const std::vector<Word> ascending = {at(1, 9, 9), at(2, 0, 9), at(2, 1, 0), at(2, 1, 1)};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(i > j ? Order::newer : Order::older, order_of(ascending[i], ascending[j])) << i << " to " << j;
    }
  }
}

TEST(DomainWord, ofDifferentOwnersAreOrderedByTheirPlacesWhateverTheirSequences) {
  EXPECT_EQ(Order::newer, order_of(said("billing", 1, 2), said("security", 100, 1)));
  EXPECT_EQ(Order::older, order_of(said("billing", 100, 1), said("security", 1, 2)));
  EXPECT_EQ(Order::newer, order_of(said("billing", std::nullopt, 2), said("security", 7, 1)));
  EXPECT_EQ(Order::newer, order_of(said("billing", 7, 2), said("security", 7, 1)));  // no sequence is used twice here
}

TEST(DomainWord, operatorsAreOneOwner) {
  EXPECT_EQ("operator", owner_of("peerwright-cli/alice"));
  EXPECT_EQ("operator", owner_of("peerwright-cli/bob"));
  EXPECT_EQ("billing", owner_of("billing"));
  EXPECT_EQ("peerwright-client/alice", owner_of("peerwright-client/alice"));
  EXPECT_EQ(Order::newer, order_of(said("peerwright-cli/alice", 2, 1), said("peerwright-cli/bob", 1, 9)));
  EXPECT_EQ(Order::older, order_of(said("peerwright-cli/alice", 1, 9), said("peerwright-cli/bob", 2, 1)));
}

TEST(DomainWord, isReadBackAsItWasWritten) {
  for (const Word& word : {said("billing", 7, 3), said("billing", std::nullopt, 3), said("billing", 0, 0),
                           Word{"a \"quoted\" \\ source\n",
                                "\xC3\xA9",
                                std::numeric_limits<std::int64_t>::max(),
                                {time_from_micros(1'700'000'000'123'456), 31, 1LL << 60}}}) {
    const std::string text = text_of(word);
    EXPECT_EQ(std::string::npos, text.find('\n')) << text;
    const auto read = word_from(text);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_EQ(word, *read) << text;
  }
}

TEST(DomainWord, isNotReadFromWhatIsNone) {
  for (const char* text : {"", "null", "[]", "7", "\"billing\"", "{", "{\"source\":\"billing\"", "{\"source\":7}"}) {
    EXPECT_FALSE(word_from(text).has_value()) << text;
  }
}

TEST(RetryDelay, liesBetweenNothingAndTheDoubledBase) {
  for (const auto& [failures, bound] : {std::pair{1, 100}, {2, 200}, {3, 400}, {4, 800}}) {
    EXPECT_EQ(milliseconds(1), retry_delay(failures, milliseconds(100), milliseconds(10'000), 0.0));
    EXPECT_EQ(milliseconds(bound / 2), retry_delay(failures, milliseconds(100), milliseconds(10'000), 0.5));
    const auto longest = retry_delay(failures, milliseconds(100), milliseconds(10'000), 0.999999);
    EXPECT_LE(longest, milliseconds(bound));
    EXPECT_GE(longest, milliseconds(bound - 1));
  }
}

TEST(RetryDelay, isNeverLongerThanItsLimitHoweverOftenItFailed) {
  for (const int failures : {8, 31, 32, 63, 64, 1000, std::numeric_limits<int>::max()}) {
    EXPECT_EQ(milliseconds(5'000), retry_delay(failures, milliseconds(100), milliseconds(10'000), 0.5)) << failures;
    EXPECT_LE(retry_delay(failures, milliseconds(100), milliseconds(10'000), 0.999999), milliseconds(10'000));
  }
}

TEST(RetryDelay, isAtLeastOneMillisecond) {
  for (const int failures : {1, 5}) {
    EXPECT_EQ(milliseconds(1), retry_delay(failures, milliseconds(1), milliseconds(1), 0.0));
    EXPECT_EQ(milliseconds(1), retry_delay(failures, milliseconds(1), milliseconds(1), 0.999999));
  }
}

// Billing said 5, then an operator spoke, then billing's 4 comes late.
TEST(WordOrder, aWordBehindItsOwnersLastStaysBehindWhoeverSpokeInBetween) {
  const auto word = [](const char* source, std::optional<std::int64_t> sequence, int offset) {
    return Word{source, "id-" + std::to_string(offset), sequence, {Time(), 0, offset}};
  };
  const Word fifth = following(word("billing", 5, 1), std::nullopt);
  const Word operators = following(word("peerwright-cli/ann", 100, 2), fifth);
  EXPECT_EQ(Order::older, order_of(word("billing", 4, 3), operators));
  EXPECT_EQ(Order::older, order_of(word("billing", 5, 3), operators));
  EXPECT_EQ(Order::sequence_required, order_of(word("billing", std::nullopt, 3), operators));
  EXPECT_EQ(Order::newer, order_of(word("billing", 6, 3), operators));
  EXPECT_EQ(Order::newer, order_of(word("security", 1, 3), operators));
  const Word sixth = following(word("billing", 6, 3), operators);
  EXPECT_EQ(Order::older, order_of(word("peerwright-cli/bob", 99, 4), sixth));
  EXPECT_EQ(sixth, word_from(text_of(sixth)));
}

}  // namespace
}  // namespace peerwright::domain
