#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include "own_sshd.hpp"
#include "peerwright/ssh/session.hpp"

// Sessions through a jump host: two real sshd, of which the second one is reached by way of the first.
namespace peerwright::ssh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::OwnSshd;

constexpr seconds kAmple{30};
constexpr seconds kSlack{3};  // of a busy machine, over a deadline

class JumpTest : public ::testing::Test {
 protected:
  explicit JumpTest(const std::string& jump_config = "")
      : jump_({{"ed25519", "rsa", "ecdsa"}, "LogLevel DEBUG2\n" + jump_config}),
        host_({{"ed25519", "rsa", "ecdsa"}, "LogLevel DEBUG2", jump_.client_public_key()}) {}

  [[nodiscard]] Target target(const std::string& jump_key = "ed25519", const std::string& host_key = "ed25519") const {
    Target target = host_.target(host_key);
    const Target jump = jump_.target(jump_key);
    target.jump = Jump{jump.host, jump.port, jump.user, jump.host_key};
    return target;
  }
  [[nodiscard]] auto connect(const Target& to, milliseconds most = kAmple) const {
    return Session::connect(to, jump_.client_key(), {most, kAmple});
  }
  [[nodiscard]] std::unique_ptr<Session> connected() const {
    auto session = connect(target());
    if (!session) throw std::runtime_error(session.error().code + ": " + session.error().message);
    return std::move(*session);
  }
  static pid_t server_of(Session& session) {
    const auto result = session.exec("echo $PPID", "", kAmple);
    if (!result || result->exit_status != 0) throw std::runtime_error("no answer from the session");
    return static_cast<pid_t>(std::stol(result->out));
  }
  template <typename Value>
  static std::string code(const Result<Value>& result) {
    return result ? "fine" : result.error().code;
  }
  // Processes of the connections to the jump host; the last one holds the forwarding.
  void signal_jump(int number) const {
    for (const pid_t pid : jump_.connections()) {
      std::ifstream children("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
      for (pid_t child = 0; children >> child;) ::kill(child, number);
      ::kill(pid, number);
    }
  }

  OwnSshd jump_;
  OwnSshd host_;
};

TEST_F(JumpTest, RunsCommandsOnTheHostBehindIt) {
  const auto session = connected();
  const auto first = session->exec("cat; echo \"$SSH_CONNECTION\" >&2; exit 3", "hello", kAmple);
  ASSERT_EQ(code(first), "fine") << first.error().message;
  EXPECT_EQ(first->out, "hello");
  EXPECT_EQ(first->exit_status, 3);
  EXPECT_THAT(first->err, HasSubstr(" " + std::to_string(host_.target().port) + "\n"));
  EXPECT_EQ(session->exec("echo again", "", kAmple)->out, "again\n");
  EXPECT_FALSE(session->broken());
  EXPECT_THAT(jump_.log(), HasSubstr("direct-tcpip"));
}

TEST_F(JumpTest, MuchGoesBothWaysAtOnce) {
  const auto session = connected();
  std::string input(std::size_t{5} * 1024 * 1024 + 17, '\0');
  std::uint32_t state = 1;
  for (char& byte : input) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  const auto result = session->exec("cat", input, kAmple);
  ASSERT_EQ(code(result), "fine") << result.error().message;
  EXPECT_TRUE(result->out == input) << result->out.size() << " bytes came back of " << input.size();
}

TEST_F(JumpTest, EveryTypeOfPinnedKeyWorksOnBoth) {
  for (const std::string type : {"ed25519", "rsa", "ecdsa"}) {
    auto session = connect(target(type, type));
    ASSERT_EQ(code(session), "fine") << type << ": " << session.error().message;
    EXPECT_EQ((*session)->exec("echo hello", "", kAmple)->out, "hello\n") << type;
  }
}

TEST_F(JumpTest, AnotherKeyOfTheJumpHostEndsItThere) {
  Target wrong = target();
  wrong.jump->host_key = jump_.make_key("another", "ed25519");
  const auto session = connect(wrong);
  ASSERT_EQ(code(session), "ssh_host_key_changed");
  EXPECT_EQ(session.error().retry, Retry::never);
  EXPECT_THAT(session.error().message, HasSubstr("the jump host 127.0.0.1"));
  ASSERT_TRUE(eventually([&] { return jump_.log().find("Connection closed by 127.0.0.1") != std::string::npos; }));
  EXPECT_THAT(jump_.log(), Not(HasSubstr("userauth-request")));
  EXPECT_THAT(host_.log(), Not(HasSubstr("Connection from"))) << "nobody came as far";
  wrong.jump->host_key = "no key";
  const auto unreadable = connect(wrong);
  EXPECT_EQ(code(unreadable), "ssh_host_key_invalid");
  EXPECT_THAT(unreadable.error().message, HasSubstr("jump host"));
}

TEST_F(JumpTest, AnotherKeyOfTheHostBehindItEndsItBeforeAnyLogin) {
  for (const std::string type : {"ed25519", "rsa"}) {
    Target wrong = target();
    wrong.host_key = host_.make_key("another_" + type, type);
    const auto session = connect(wrong);
    ASSERT_EQ(code(session), "ssh_host_key_changed");
    EXPECT_THAT(session.error().message, ::testing::StartsWith("127.0.0.1 port " + std::to_string(wrong.port) + " "));
    EXPECT_THAT(host_.log(), HasSubstr("Connection from"));
    EXPECT_THAT(host_.log(), Not(HasSubstr("userauth-request")));
  }
  (void)connected();
  EXPECT_TRUE(eventually([&] { return host_.log().find("userauth-request") != std::string::npos; }));
}

TEST_F(JumpTest, ALoginThatIsRefusedSaysByWhom) {
  jump_.make_key("stranger", "ed25519");
  const auto at_jump = Session::connect(target(), jump_.key("stranger"), {kAmple, kAmple});
  ASSERT_EQ(code(at_jump), "ssh_login_refused");
  EXPECT_THAT(at_jump.error().message, HasSubstr("the jump host"));
  const OwnSshd other({{"ed25519"}, ""});  // does not know our key
  Target further = target();
  further.port = other.target().port;
  further.host_key = other.target().host_key;
  const auto at_host = connect(further);
  ASSERT_EQ(code(at_host), "ssh_login_refused");
  EXPECT_THAT(at_host.error().message, ::testing::StartsWith("127.0.0.1 port " + std::to_string(further.port)));
}

TEST_F(JumpTest, SaysWhichOfTheTwoIsNotReached) {
  Target nobody = target();
  {
    const OwnSshd gone({{"ed25519"}, ""});
    nobody.port = gone.target().port;
  }
  const auto behind = connect(nobody);
  ASSERT_EQ(code(behind), "ssh_unreachable");
  EXPECT_THAT(behind.error().message, HasSubstr("does not reach 127.0.0.1 port " + std::to_string(nobody.port)));
  Target no_jump = target();
  no_jump.jump->port = nobody.port;
  const auto at_jump = connect(no_jump);
  ASSERT_EQ(code(at_jump), "ssh_unreachable");
  EXPECT_THAT(at_jump.error().message, HasSubstr("the jump host 127.0.0.1 port " + std::to_string(nobody.port)));
}

TEST_F(JumpTest, AnEndOfTheConnectionToTheJumpHostLeavesACommandInDoubt) {
  const auto session = connected();
  auto result = std::async(std::launch::async, [&] { return session->exec("echo runs >&2; sleep 60", "", kAmple); });
  ASSERT_TRUE(eventually([&] { return host_.log().find("Starting session: command") != std::string::npos; }));
  signal_jump(SIGKILL);
  EXPECT_EQ(code(result.get()), "ssh_in_doubt");
  EXPECT_TRUE(session->broken());
  EXPECT_EQ(code(session->exec("echo again", "", kAmple)), "ssh_channel_failed");
}

TEST_F(JumpTest, AnIdleSessionNoticesTheEndOfEitherConnection) {
  const auto one = connected();
  const pid_t host = server_of(*one);
  EXPECT_FALSE(one->broken());
  ASSERT_EQ(::kill(host, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return one->broken(); }));
  EXPECT_EQ(code(one->exec("true", "", kAmple)), "ssh_channel_failed");
  const auto other = connected();
  EXPECT_FALSE(other->broken());
  signal_jump(SIGKILL);
  EXPECT_TRUE(eventually([&] { return other->broken(); }));
  EXPECT_EQ(code(other->exec("true", "", kAmple)), "ssh_channel_failed");
}

TEST_F(JumpTest, AFrozenJumpHostHoldsNobodyPastADeadline) {
  const auto session = connected();
  signal_jump(SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(code(session->exec("cat", std::string(std::size_t{32} * 1024 * 1024, 'x'), seconds(1))),
            "ssh_channel_failed");
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(1) + kSlack);
  signal_jump(SIGKILL);
}

TEST_F(JumpTest, AFrozenHostBehindItHoldsNoWritePastItsDeadline) {
  const auto session = connected();
  const pid_t host = server_of(*session);
  auto result = std::async(std::launch::async, [&] {
    return session->exec("sleep 60", std::string(std::size_t{64} * 1024 * 1024, 'x'), seconds(2));
  });
  ASSERT_TRUE(eventually([&] {  // the second one
    const std::string log = host_.log();
    return log.find("Starting session: command") != log.rfind("Starting session: command");
  }));
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(code(result.get()), "ssh_in_doubt");
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(2) + kSlack);
  ::kill(host, SIGKILL);
}

TEST_F(JumpTest, SessionsThatWaitCostNoThreads) {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
  };
  const auto before = threads();
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 8; ++i) sessions.push_back(connected());
  EXPECT_EQ(threads(), before);
  for (const auto& session : sessions) EXPECT_EQ(session->exec("echo $$", "", kAmple)->exit_status, 0);
}

class ClosedJumpTest : public JumpTest {
 protected:
  ClosedJumpTest() : JumpTest("AllowTcpForwarding no") {}
};

TEST_F(ClosedJumpTest, AJumpHostThatForwardsNothingIsSaid) {
  const auto session = connect(target());
  ASSERT_EQ(code(session), "ssh_jump_refused");
  EXPECT_EQ(session.error().retry, Retry::never);
  EXPECT_THAT(session.error().remedy, HasSubstr("AllowTcpForwarding"));
}

// --- many at once ---

constexpr const char* kFewAtOnce = "MaxStartups 3:100:3";

// How many of `count` sessions come about that are connected at the same time.
int connect_at_once(const Target& target, const Secret& key, int count, const std::vector<ConnectGate*>& gates) {
  std::vector<std::future<std::string>> made;
  for (int i = 0; i < count; ++i) {
    ConnectGate* gate = gates.empty() ? nullptr : gates[static_cast<std::size_t>(i) % gates.size()];
    made.push_back(std::async(std::launch::async, [&target, &key, gate] {
      const auto session = Session::connect(target, key, {kAmple, kAmple}, gate);
      return session ? std::string() : session.error().message;
    }));
  }
  int good = 0;
  for (auto& one : made) {
    const std::string why = one.get();
    EXPECT_EQ(why, "");
    good += why.empty() ? 1 : 0;
  }
  return good;
}

TEST(ConnectionStormTest, TwelveServersOnAHostThatTakesThreeAtATimeAllGetIn) {
  const OwnSshd sshd({{"ed25519"}, kFewAtOnce});
  ConnectGate gate;  // lets four in: some are turned away, and come again
  EXPECT_EQ(connect_at_once(sshd.target(), sshd.client_key(), 12, {&gate}), 12);
}

TEST(ConnectionStormTest, WorkersThatKnowNothingOfEachOtherGetInToo) {
  const OwnSshd sshd({{"ed25519"}, kFewAtOnce});
  ConnectGate one, other;
  EXPECT_EQ(connect_at_once(sshd.target(), sshd.client_key(), 12, {&one, &other}), 12);
  EXPECT_THAT(sshd.log(), HasSubstr("MaxStartups")) << "somebody was turned away, or this shows nothing";
}

TEST(ConnectionStormTest, AJumpHostIsNotStormedEither) {
  const OwnSshd jump({{"ed25519"}, kFewAtOnce});
  const OwnSshd host({{"ed25519"}, kFewAtOnce, jump.client_public_key()});
  Target target = host.target();
  target.jump = Jump{"127.0.0.1", jump.target().port, jump.target().user, jump.target().host_key};
  ConnectGate gate;
  EXPECT_EQ(connect_at_once(target, jump.client_key(), 12, {&gate}), 12);
}

TEST(ConnectionStormTest, AnSshdThatTakesNobodyIsGivenUpInTime) {
  const OwnSshd sshd({{"ed25519"}, "MaxStartups 1:100:1\nLoginGraceTime 60"});
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(sshd.target().port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(silent, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(eventually([&] { return !sshd.connections().empty(); }));
  const auto start = std::chrono::steady_clock::now();
  const auto session = Session::connect(sshd.target(), sshd.client_key(), {milliseconds(600), kAmple});
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().code, "ssh_unreachable");
  EXPECT_THAT(session.error().remedy, HasSubstr("MaxStartups"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(600) + kSlack);
  ::close(silent);
}

TEST(ConnectGateTest, LetsOnlySoManyInForEachHost) {
  ConnectGate gate;
  gate.set_most(2);
  auto first = gate.enter("a", milliseconds(0));
  auto second = gate.enter("a", milliseconds(0));
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(gate.enter("a", milliseconds(10)));
  EXPECT_TRUE(gate.enter("b", milliseconds(0))) << "another host";
  auto waiting = std::async(std::launch::async, [&] { return gate.enter("a", kAmple).has_value(); });
  first.reset();
  EXPECT_TRUE(waiting.get());
  gate.set_most(1);
  EXPECT_FALSE(gate.enter("a", milliseconds(10)));
  second.reset();
  EXPECT_TRUE(gate.enter("a", milliseconds(0)));
}

}  // namespace
}  // namespace peerwright::ssh
