#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "own_sshd.hpp"
#include "peerwright/ssh/session.hpp"

// The channel of the next command, opened ahead on a session that is kept. What it saves is shown by the trace of a
// push (tests/flow/distance_test.cpp), here that it does no harm.
namespace peerwright::ssh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::OwnSshd;

constexpr seconds kAmple{30};

class AheadTest : public ::testing::Test {
 protected:
  explicit AheadTest(const std::string& config = "") : sshd_({{"ed25519"}, "LogLevel DEBUG2\n" + config}) {}

  [[nodiscard]] std::unique_ptr<Session> connected() const {
    auto session = Session::connect(sshd_.target(), sshd_.client_key(), {kAmple, kAmple});
    if (!session) throw std::runtime_error(session.error().code + ": " + session.error().message);
    return std::move(*session);
  }
  static int count(const OwnSshd& sshd, const std::string& text) {
    const std::string log = sshd.log();
    int found = 0;
    for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
    return found;
  }
  // How often the host was asked for a channel.
  static int channels(const OwnSshd& sshd) { return count(sshd, "server_input_channel_open: ctype session"); }
  static bool come(const OwnSshd& sshd, int number) {
    return eventually([&] { return channels(sshd) == number; });
  }
  bool logs(const std::string& text) const {
    return eventually([&] { return sshd_.log().find(text) != std::string::npos; });
  }
  static std::string said(Session& session, const std::string& command, const std::string& input = {}) {
    const auto result = session.exec(command, input, kAmple);
    return result ? result->out : result.error().code + ": " + result.error().message;
  }

  OwnSshd sshd_;
};

TEST_F(AheadTest, TheHostIsAskedWithoutAWaitAndTheNextCommandTakesThatChannel) {
  const auto session = connected();
  EXPECT_EQ(said(*session, "cat", "one"), "one");
  EXPECT_EQ(channels(sshd_), 1);
  session->open_ahead();
  EXPECT_TRUE(come(sshd_, 2)) << "it was left to the next command";
  session->open_ahead();  // there is one
  EXPECT_EQ(said(*session, "cat", "two"), "two");
  EXPECT_EQ(channels(sshd_), 2);
  EXPECT_EQ(said(*session, "cat", "three"), "three") << "where none was opened ahead";
  EXPECT_EQ(channels(sshd_), 3);
  EXPECT_FALSE(session->broken());
}

TEST_F(AheadTest, ASessionThroughAJumpHostHasItsOwnOpenedAheadToo) {
  const OwnSshd host({{"ed25519"}, "LogLevel DEBUG2", sshd_.client_public_key()});
  Target target = host.target();
  target.jump = Jump{"127.0.0.1", sshd_.target().port, sshd_.target().user, sshd_.target().host_key};
  const auto session = Session::connect(target, sshd_.client_key(), {kAmple, kAmple});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(said(**session, "cat", "one"), "one");
  (*session)->open_ahead();
  EXPECT_TRUE(come(host, 2));
  EXPECT_FALSE((*session)->broken());
  EXPECT_EQ(said(**session, "cat", "two"), "two");
  EXPECT_EQ(channels(host), 2);
}

class OneSessionTest : public AheadTest {
 protected:
  OneSessionTest() : AheadTest("MaxSessions 1") {}
};

// It takes the end of the last command's channel and the request for the next one in one go, and refuses the latter.
TEST_F(OneSessionTest, WhereItIsRefusedTheCommandAsksForAnotherAndNothingIsAskedAheadAgain) {
  const auto session = connected();
  constexpr int kMost = 100;
  int commands = 0;
  const auto run = [&] {
    EXPECT_EQ(said(*session, "cat", "input"), "input");
    session->open_ahead();
    ++commands;
    return eventually([&] { return count(sshd_, "Close session:") == commands; });
  };
  const auto refused = [&] { return count(sshd_, "no more sessions"); };
  while (commands < kMost && refused() == 0) ASSERT_TRUE(run());
  ASSERT_EQ(refused(), 1);
  EXPECT_FALSE(session->broken()) << "nothing was run, and nothing is wrong";
  const int before = channels(sshd_);
  for (int more = 1; more <= 3; ++more) {
    ASSERT_TRUE(run());
    EXPECT_EQ(channels(sshd_), before + more);
  }
  EXPECT_EQ(refused(), 1);
}

class AliveTest : public AheadTest {
 protected:
  AliveTest() : AheadTest("ClientAliveInterval 1\nClientAliveCountMax 100") {}
};

// sshd asks on a channel that stands whether anybody is there.
TEST_F(AliveTest, WhatTheHostAsksOnItMeanwhileIsAnswered) {
  const auto session = connected();
  EXPECT_EQ(said(*session, "cat", "one"), "one");
  session->open_ahead();
  ASSERT_TRUE(logs("keepalive@openssh.com"));
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(said(*session, "cat", "again"), "again");
    session->open_ahead();
  }
  EXPECT_FALSE(session->broken());
}

TEST_F(AheadTest, AHostThatFellSilentMeanwhileLeavesTheCommandInDoubt) {
  const auto session = connected();
  const pid_t host = static_cast<pid_t>(std::stol(said(*session, "echo $PPID")));
  session->open_ahead();
  ASSERT_TRUE(come(sshd_, 2));
  ASSERT_TRUE(eventually([&] {  // it waits: its answer is sent
    std::ifstream stat("/proc/" + std::to_string(host) + "/stat");
    std::string number, name, state;
    return stat >> number >> name >> state && state == "S";
  }));
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  const auto result = session->exec("true", "", milliseconds(500));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "ssh_in_doubt") << "the command was sent";
  EXPECT_TRUE(session->broken());
  ::kill(host, SIGKILL);
}

TEST_F(AheadTest, AnEndOfTheConnectionIsNoticedAndNothingIsSent) {
  const auto session = connected();
  const pid_t host = static_cast<pid_t>(std::stol(said(*session, "echo $PPID")));
  session->open_ahead();
  ASSERT_EQ(::kill(host, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return session->broken(); }));
  const auto result = session->exec("true", "", kAmple);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "ssh_channel_failed");
}

TEST_F(AheadTest, ASessionTakesNoMoreDescriptorsThanItSays) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const OwnSshd host({{"ed25519"}, "", sshd_.client_public_key()});
  Target target = host.target();
  target.jump = Jump{"127.0.0.1", sshd_.target().port, sshd_.target().user, sshd_.target().host_key};
  const auto before = open_files();
  std::vector<std::unique_ptr<Session>> sessions;
  for (int count = 1; count <= 4; ++count) {
    auto session = Session::connect(target, sshd_.client_key(), {kAmple, kAmple});
    ASSERT_TRUE(session) << session.error().message;
    EXPECT_EQ(said(**session, "cat", "one"), "one");
    (*session)->open_ahead();
    sessions.push_back(std::move(*session));
    EXPECT_EQ(open_files() - before, count * static_cast<std::ptrdiff_t>(kMostDescriptors));
  }
}

}  // namespace
}  // namespace peerwright::ssh
