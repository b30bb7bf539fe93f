// The real server on a real port, asked by a real client.
#include "peerwright/admin/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <future>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace peerwright::admin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class AdminServer : public testing::Test {
 protected:
  void SetUp() override {
    auto started = Server::start("127.0.0.1:0", pages());
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
  }
  Pages pages() {
    return {metrics_, liveness_, [this] {
              const std::lock_guard lock(mutex_);
              if (throws_) throw std::runtime_error("no");
              return reasons_;
            }};
  }
  httplib::Result get(const std::string& path) { return httplib::Client("127.0.0.1", server_->port()).Get(path); }
  static nlohmann::json json(const httplib::Result& result) { return nlohmann::json::parse(result->body); }

  Metrics metrics_{"1.2.3"};
  Liveness liveness_;
  std::mutex mutex_;
  std::vector<std::string> reasons_;
  bool throws_ = false;
  std::unique_ptr<Server> server_;
};

TEST_F(AdminServer, LivesWhileItsLoopsComeRound) {
  liveness_.expect("intake", 1h);
  auto good = get("/livez");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 200);
  EXPECT_EQ(good->get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(json(good), nlohmann::json::parse(R"({"live":true,"stalled":[]})"));

  liveness_.expect("deliver", 1s, Liveness::Clock::now() - 2s);
  auto bad = get("/livez");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->status, 503);
  EXPECT_EQ(json(bad), nlohmann::json::parse(R"({"live":false,"stalled":["deliver"]})"));
}

TEST_F(AdminServer, IsReadyWithoutReasonsAgainst) {
  auto ready = get("/readyz");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->status, 200);
  EXPECT_EQ(json(ready)["ready"], true);
  {
    const std::lock_guard lock(mutex_);
    reasons_ = {"database: not reached", "schema: \xff"};
  }
  auto waiting = get("/readyz");
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->status, 503);
  EXPECT_EQ(json(waiting)["reasons"][0], "database: not reached");
}

TEST_F(AdminServer, TellsItsMetrics) {
  metrics_.counter("rebalances_total").add(3);
  auto result = get("/metrics");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_THAT(result->get_header_value("Content-Type"), testing::StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(result->body, HasSubstr("peerwright_rebalances_total 3\n"));
}

TEST_F(AdminServer, AnswersNothingElse) {
  for (const char* path : {"/", "/metrics/", "/../etc/passwd"}) {
    auto result = get(path);
    ASSERT_TRUE(result) << path;
    EXPECT_EQ(result->status, 404) << path;
  }
  httplib::Client client("127.0.0.1", server_->port());
  auto large = client.Post("/livez", std::string(Server::kMaxRequestBytes + 1, 'x'), "text/plain");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->status, 413);
}

TEST_F(AdminServer, AnExceptionIsAnAnswerToo) {
  {
    const std::lock_guard lock(mutex_);
    throws_ = true;
  }
  auto result = get("/readyz");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 503);
  EXPECT_TRUE(get("/livez"));
}

TEST_F(AdminServer, ServesManyAtOnce) {
  constexpr std::size_t kClients = 20;
  std::vector<std::future<int>> answers;
  answers.reserve(kClients);
  for (std::size_t i = 0; i < kClients; ++i) {
    answers.push_back(std::async(std::launch::async, [this] {
      auto result = get("/livez");
      return result ? result->status : 0;
    }));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get(), 200);
}

TEST_F(AdminServer, AClientThatSaysNothingIsCutOff) {
  // Both threads are taken by silent connections; the probe behind them is answered once they are cut off.
  std::vector<int> silent;
  for (std::size_t i = 0; i < Server::kThreads; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(server_->port()));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    silent.push_back(fd);
  }
  httplib::Client client("127.0.0.1", server_->port());
  client.set_read_timeout(30);
  auto result = client.Get("/livez");
  for (const int fd : silent) close(fd);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
}

TEST_F(AdminServer, APortThatIsTakenIsAnError) {
  auto second = Server::start("127.0.0.1:" + std::to_string(server_->port()), pages());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "admin_listen_failed");
  EXPECT_EQ(second.error().retry, Retry::never);
  auto nonsense = Server::start("127.0.0.1", pages());
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, "address_invalid");
}

TEST_F(AdminServer, StopsForGoodAndFreesItsPort) {
  const int port = server_->port();
  ASSERT_TRUE(get("/livez"));
  server_->stop();
  server_->stop();
  EXPECT_FALSE(httplib::Client("127.0.0.1", port).Get("/livez"));
  auto again = Server::start("127.0.0.1:" + std::to_string(port), pages());
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(AdminServer, StopRightAfterStartEnds) {
  for (int i = 0; i < 50; ++i) {
    auto started = Server::start("127.0.0.1:0", pages());
    ASSERT_TRUE(started);
    (*started)->stop();
  }
}

TEST_F(AdminServer, HasFewThreads) {
  const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
  ASSERT_TRUE(get("/livez"));  // who answers has all its threads
  const auto before = threads();
  auto second = Server::start("127.0.0.1:0", pages());
  ASSERT_TRUE(second);
  ASSERT_TRUE(httplib::Client("127.0.0.1", (*second)->port()).Get("/livez"));
  EXPECT_EQ(static_cast<std::size_t>(threads() - before), 1 + Server::kThreads);  // one listens
}

}  // namespace
}  // namespace peerwright::admin
