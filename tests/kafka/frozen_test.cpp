#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "kafka/support.hpp"

namespace peerwright::broker::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A broker of its own, for others must not stand still with it.
class FrozenBroker {
 public:
  FrozenBroker() {
    std::string path = "/tmp/peerwright-frozen.XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return;
    dir_ = path;
    const std::string out = tool("up");
    const auto start = out.find("KAFKA_BROKERS=");
    if (start == std::string::npos) return;
    brokers_ = out.substr(start + 14, out.find('\n', start) - start - 14);
  }
  ~FrozenBroker() {
    tool("down");
    std::filesystem::remove_all(dir_);
  }
  FrozenBroker(const FrozenBroker&) = delete;
  FrozenBroker& operator=(const FrozenBroker&) = delete;
  [[nodiscard]] const std::string& brokers() const { return brokers_; }
  void freeze() { tool("freeze"); }
  void thaw() { tool("thaw"); }

 private:
  std::string tool(const std::string& command) const {
    const std::string line =
        "PEERWRIGHT_KAFKA_DIR=" + dir_ + " '" + std::string(PEERWRIGHT_SOURCE_DIR) + "/tools/kafka' " + command;
    std::string out;
    FILE* const pipe = popen(line.c_str(), "r");  // NOLINT(cert-env33-c): a script of ours, without foreign text
    if (pipe == nullptr) return out;
    std::array<char, 256> part{};
    while (fgets(part.data(), part.size(), pipe) != nullptr) out += part.data();
    EXPECT_EQ(pclose(pipe), 0) << line;
    return out;
  }
  std::string dir_;
  std::string brokers_;
};

std::vector<std::string> codes_of(const std::vector<Result<void>>& results) {
  std::vector<std::string> codes;
  codes.reserve(results.size());
  for (const auto& r : results) codes.push_back(code_of(r));
  return codes;
}

TEST(FrozenBrokerTest, CostsTimeAndNothingElse) {
  FrozenBroker broker;
  ASSERT_FALSE(broker.brokers().empty()) << "tools/kafka up failed";
  const Connection connection = connection_to(broker.brokers());
  ASSERT_TRUE(create_topics(connection, {{"topic", 1, {}}}, kPatience).has_value());
  auto producer = Producer::create(connection);
  ASSERT_TRUE(producer.has_value());
  const std::vector<OutMessage> before{{"topic", "k", {}, "before"}};
  const std::vector<OutMessage> during{{"topic", "k", {}, "during"}, {"topic", "j", {}, "during"}};
  ASSERT_THAT(codes_of((*producer)->send(before, kPatience)), Each("ok"));
  Reader stays({"topic"}, Reader::all_at(0), "stays", connection);
  ASSERT_TRUE(stays.read_to_ends());
  auto leaves = std::make_unique<Reader>(std::vector<std::string>{"topic"}, Reader::all_at(0), "leaves", connection);
  ASSERT_TRUE(leaves->read_to_ends());

  broker.freeze();
  auto begin = Clock::now();
  EXPECT_THAT(codes_of((*producer)->send(during, 500ms)), Each("kafka_unreachable"));
  EXPECT_LT(Clock::now() - begin, 5s);
  EXPECT_THAT(codes_of((*producer)->send(during, 500ms)), Each("kafka_unreachable"));
  begin = Clock::now();
  leaves.reset();
  EXPECT_LT(Clock::now() - begin, Consumer::kCloseDeadline + 3s);
  for (int i = 0; i < 5; ++i) stays.poll();
  EXPECT_EQ(stays.messages.size(), 1U);

  broker.thaw();
  const std::vector<OutMessage> after{{"topic", "k", {}, "after"}};
  EXPECT_THAT(codes_of((*producer)->send(after, kPatience)), Each("ok"));
  ASSERT_TRUE(stays.poll_until([&] { return !stays.messages.empty() && stays.messages.back().payload == "after"; }));
  EXPECT_THAT(stays.errors, ElementsAre());
  EXPECT_THAT(stays.faults, ElementsAre());
}

}  // namespace
}  // namespace peerwright::broker::test
