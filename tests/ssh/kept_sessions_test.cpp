#include "peerwright/ssh/kept_sessions.hpp"

#include <gtest/gtest.h>

#include <vector>

// Which sessions are kept; the hosts do not matter, so these sessions lead nowhere.
namespace peerwright::ssh {
namespace {

class KeptSessionsTest : public ::testing::Test {
 protected:
  struct Told {
    std::vector<std::int64_t> closed;  // servers whose session was closed, in that order
    int opened_ahead = 0;
  };
  class Nowhere final : public Session {
   public:
    Nowhere(Told& told, std::int64_t server, bool broken) : told_(told), server_(server), broken_(broken) {}
    ~Nowhere() override { told_.closed.push_back(server_); }
    Nowhere(const Nowhere&) = delete;
    Nowhere& operator=(const Nowhere&) = delete;
    Result<ExecResult> exec(std::string_view, std::string_view, std::chrono::milliseconds) override {
      return ExecResult{};
    }
    void open_ahead() override { ++told_.opened_ahead; }
    [[nodiscard]] bool broken() const override { return broken_; }

   private:
    Told& told_;
    const std::int64_t server_;
    const bool broken_;
  };

  using Servers = std::vector<std::int64_t>;
  void put_back(std::int64_t server, bool broken = false) {
    kept_.put_back(server, target_, std::make_unique<Nowhere>(told_, server, broken));
  }
  // Takes the server's session and puts it back. False: none was kept.
  bool use(std::int64_t server) {
    auto session = kept_.take(server, target_);
    if (session == nullptr) return false;
    kept_.put_back(server, target_, std::move(session));
    return true;
  }

  const Target target_{"host", 22, "root", "key", {}};
  Told told_;
  KeptSessions kept_{3};
};

TEST_F(KeptSessionsTest, TheOneThatWasNotUsedForTheLongestTimeGivesWay) {
  for (const std::int64_t server : {1, 2, 3}) put_back(server);
  EXPECT_TRUE(use(1));  // now 2 waits for the longest time
  EXPECT_EQ(told_.closed, Servers{});
  put_back(4);
  EXPECT_EQ(told_.closed, (Servers{2}));
  EXPECT_TRUE(use(3));
  put_back(5);
  EXPECT_EQ(told_.closed, (Servers{2, 1}));
  EXPECT_FALSE(use(1) || use(2));
  EXPECT_TRUE(use(3) && use(4) && use(5));
}

TEST_F(KeptSessionsTest, WhatIsTakenOutDoesNotCountAndClosesNobodyAtItsReturn) {
  for (const std::int64_t server : {1, 2, 3}) put_back(server);
  auto in_use = kept_.take(2, target_);
  ASSERT_NE(in_use, nullptr);
  EXPECT_EQ(kept_.take(2, target_), nullptr) << "it has one owner";
  kept_.put_back(2, target_, std::move(in_use));
  EXPECT_EQ(told_.closed, Servers{});
  put_back(2);  // another one of the same server takes its place
  EXPECT_EQ(told_.closed, (Servers{2}));
}

TEST_F(KeptSessionsTest, OneThatLeadsElsewhereIsClosedAndABrokenOneIsNotKept) {
  const auto takes = [&](auto change) {
    put_back(1);
    Target other = target_;
    other.jump = Jump{"jump", 22, "root", "key"};
    kept_.put_back(2, other, std::make_unique<Nowhere>(told_, 2, false));
    Target direct = target_;
    change(direct);
    change(other);
    return kept_.take(1, direct) != nullptr || kept_.take(2, other) != nullptr;
  };
  EXPECT_FALSE(takes([](Target& target) { target.host = "elsewhere"; }));
  EXPECT_FALSE(takes([](Target& target) { target.port = 2222; }));
  EXPECT_FALSE(takes([](Target& target) { target.user = "wgadmin"; }));
  EXPECT_FALSE(takes([](Target& target) { target.host_key = "another"; }));
  EXPECT_FALSE(takes([](Target& target) { target.jump = Jump{"other", 22, "root", "key"}; }));
  EXPECT_FALSE(takes([](Target& target) { target.jump = Jump{"jump", 22, "root", "another"}; }));
  EXPECT_EQ(told_.closed, (Servers{1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}));
  put_back(3, true);
  EXPECT_EQ(kept_.take(3, target_), nullptr);
}

TEST_F(KeptSessionsTest, WhatIsKeptHasItsNextChannelOpenedAhead) {
  put_back(1);
  EXPECT_EQ(told_.opened_ahead, 1);
  EXPECT_TRUE(use(1));
  EXPECT_EQ(told_.opened_ahead, 2);
  put_back(2, true);
  EXPECT_EQ(told_.opened_ahead, 2);
}

}  // namespace
}  // namespace peerwright::ssh
