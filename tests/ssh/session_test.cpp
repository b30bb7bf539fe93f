#include "peerwright/ssh/session.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <thread>

#include "own_sshd.hpp"

// Everything here talks to a real sshd, which each suite or test starts for itself.
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

class SessionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { sshd_ = std::make_unique<OwnSshd>(); }
  static void TearDownTestSuite() { sshd_.reset(); }
  void TearDown() override {
    for (const pid_t pid : strays_) ::kill(pid, SIGKILL);
  }

  static Timeouts patient() { return {kAmple, kAmple}; }

  static std::unique_ptr<Session> connected(const OwnSshd& sshd = *sshd_) {
    auto session = Session::connect(sshd.target(), sshd.client_key(), patient());
    if (!session) throw std::runtime_error(session.error().code + ": " + session.error().message);
    return std::move(*session);
  }

  // A command that says it runs by writing its process id to a file, and then stays.
  std::string running(const std::string& command) const {
    return "echo $$ > " + marker() + ".new; mv " + marker() + ".new " + marker() + "; exec " + command;
  }
  std::string marker() const {
    return (sshd_->directory() / ::testing::UnitTest::GetInstance()->current_test_info()->name()).string();
  }
  void await_running() {
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(marker()); }));
    pid_t pid = 0;
    std::ifstream(marker()) >> pid;
    ASSERT_GT(pid, 1);
    strays_.push_back(pid);
  }

  // The process that serves the session on the host.
  static pid_t server_of(Session& session) {
    const auto result = session.exec("echo $PPID", "", kAmple);
    if (!result || result->exit_status != 0) throw std::runtime_error("no answer from the session");
    return static_cast<pid_t>(std::stol(result->out));
  }

  static std::string error_code(const Result<std::unique_ptr<Session>>& result) {
    return result ? "connected" : result.error().code;
  }
  static std::string error_code(const Result<ExecResult>& result) { return result ? "ended" : result.error().code; }

  static std::unique_ptr<OwnSshd> sshd_;
  std::vector<pid_t> strays_;
};

std::unique_ptr<OwnSshd> SessionTest::sshd_;

std::string much_text(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : text) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return text;
}

class Stopwatch {
 public:
  [[nodiscard]] std::chrono::steady_clock::duration elapsed() const {
    return std::chrono::steady_clock::now() - start_;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// --- commands ---

TEST_F(SessionTest, RunsACommandAndTellsItsOutputAndStatus) {
  const auto session = connected();
  const auto fine = session->exec("echo out; echo err >&2", "", kAmple);
  ASSERT_EQ(error_code(fine), "ended");
  EXPECT_EQ(fine->exit_status, 0);
  EXPECT_EQ(fine->out, "out\n");
  EXPECT_EQ(fine->err, "err\n");

  const auto failing = session->exec("exit 3", "", kAmple);
  ASSERT_EQ(error_code(failing), "ended");
  EXPECT_EQ(failing->exit_status, 3);
  EXPECT_EQ(failing->out, "");
  EXPECT_FALSE(session->broken());
}

TEST_F(SessionTest, WritesMuchAndReadsMuchAtOnce) {
  const auto session = connected();
  const std::string input = much_text(6U * 1024 * 1024 + 17);
  const auto result = session->exec("cat", input, kAmple);
  ASSERT_EQ(error_code(result), "ended");
  EXPECT_EQ(result->exit_status, 0);
  EXPECT_TRUE(result->out == input) << result->out.size() << " bytes came back of " << input.size();
}

TEST_F(SessionTest, ACommandReadsTheEndOfItsInput) {
  const auto session = connected();
  for (const std::size_t size : {0U, 1U, 32768U, 32769U}) {
    const auto result = session->exec("wc -c", much_text(size), kAmple);
    ASSERT_EQ(error_code(result), "ended");
    EXPECT_EQ(std::stoul(result->out), size);
  }
}

TEST_F(SessionTest, ACommandMayEndWithoutReadingItsInput) {
  const auto session = connected();
  for (int round = 0; round < 12; ++round) {  // more than MaxSessions allows, if a channel stayed open
    const auto result = session->exec("exit 7", much_text(4U * 1024 * 1024), kAmple);
    ASSERT_EQ(error_code(result), "ended") << round << ": " << result.error().message;
    EXPECT_EQ(result->exit_status, 7);
  }
  EXPECT_FALSE(session->broken());
}

TEST_F(SessionTest, ACommandMayTakeLongerThanTheConnection) {
  auto session = Session::connect(sshd_->target(), sshd_->client_key(), {seconds(4), milliseconds(300)});
  ASSERT_EQ(error_code(session), "connected");
  const auto result = (*session)->exec("sleep 5; echo late", "", kAmple);
  ASSERT_EQ(error_code(result), "ended") << result.error().message;
  EXPECT_EQ(result->out, "late\n");
}

TEST_F(SessionTest, ErrorOutputIsBoundedAndTheSessionLivesOn) {
  const auto session = connected();
  const auto result = session->exec("head -c 3000000 /dev/zero | tr '\\0' e >&2; echo done", "", kAmple);
  ASSERT_EQ(error_code(result), "ended");
  EXPECT_TRUE(result->err == std::string(kMaxErrorOutputBytes, 'e')) << result->err.size();
  EXPECT_EQ(result->out, "done\n");
  EXPECT_FALSE(session->broken());
}

TEST_F(SessionTest, OutputUpToTheLimitIsKept) {
  const auto session = connected();
  const auto result = session->exec("head -c " + std::to_string(kMaxOutputBytes) + " /dev/zero", "", kAmple);
  ASSERT_EQ(error_code(result), "ended");
  EXPECT_EQ(result->out.size(), kMaxOutputBytes);
}

TEST_F(SessionTest, AFloodOfOutputIsInDoubt) {
  for (const std::string& command :
       {"head -c " + std::to_string(kMaxOutputBytes + 1) + " /dev/zero", std::string("yes")}) {
    const auto session = connected();
    const auto result = session->exec(command, "", kAmple);
    ASSERT_EQ(error_code(result), "ssh_in_doubt");
    EXPECT_THAT(result.error().message, HasSubstr(std::to_string(kMaxOutputBytes)));
    EXPECT_TRUE(session->broken());
  }
}

TEST_F(SessionTest, AKilledCommandHasNoExitStatus) {
  const auto session = connected();
  const auto result = session->exec("echo before; kill -9 $$", "", kAmple);
  ASSERT_EQ(error_code(result), "ended");
  EXPECT_EQ(result->exit_status, std::nullopt);
  EXPECT_EQ(result->out, "before\n");
  EXPECT_FALSE(session->broken());
}

TEST_F(SessionTest, ACutCommandTextIsNeverRun) {
  const auto session = connected();
  using namespace std::string_view_literals;
  const auto result = session->exec("echo a\0echo b"sv, "", kAmple);
  EXPECT_EQ(error_code(result), "ssh_channel_failed");
}

// --- broken connections ---

TEST_F(SessionTest, ACutConnectionLeavesTheCommandInDoubt) {
  const auto session = connected();
  const pid_t host = server_of(*session);
  auto result =
      std::async(std::launch::async, [&] { return session->exec(running("sleep 60"), "secret input", kAmple); });
  await_running();
  ASSERT_EQ(::kill(host, SIGKILL), 0);

  const auto ended = result.get();
  ASSERT_EQ(error_code(ended), "ssh_in_doubt");
  EXPECT_EQ(ended.error().retry, Retry::later);
  EXPECT_FALSE(ended.error().remedy.empty());
  EXPECT_THAT(ended.error().message + ended.error().remedy, Not(HasSubstr("secret input")));
  EXPECT_TRUE(session->broken());
  EXPECT_EQ(error_code(session->exec("echo again", "", kAmple)), "ssh_channel_failed");
}

TEST_F(SessionTest, AnIdleSessionNoticesItsEnd) {
  const auto session = connected();
  const pid_t host = server_of(*session);
  EXPECT_FALSE(session->broken());
  ASSERT_EQ(::kill(host, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return session->broken(); }));
  EXPECT_EQ(error_code(session->exec("true", "", kAmple)), "ssh_channel_failed");
}

TEST_F(SessionTest, ADeadlineLeavesTheCommandInDoubt) {
  const auto session = connected();
  const Stopwatch watch;
  const auto result = session->exec(running("sleep 60"), "", seconds(1));
  EXPECT_EQ(error_code(result), "ssh_in_doubt");
  EXPECT_GE(watch.elapsed(), seconds(1));
  EXPECT_LT(watch.elapsed(), seconds(1) + kSlack);
  EXPECT_TRUE(session->broken());
  await_running();
}

TEST_F(SessionTest, AFrozenHostDoesNotHoldARunningCommandPastItsDeadline) {
  const auto session = connected();
  const pid_t host = server_of(*session);
  const Stopwatch watch;
  auto result = std::async(std::launch::async, [&] { return session->exec(running("sleep 60"), "", seconds(3)); });
  await_running();
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  EXPECT_EQ(error_code(result.get()), "ssh_in_doubt");
  EXPECT_LT(watch.elapsed(), seconds(3) + kSlack);
  EXPECT_TRUE(session->broken());
  ::kill(host, SIGKILL);
}

TEST_F(SessionTest, AFrozenHostDoesNotHoldAWritePastItsDeadline) {
  const auto session = connected();
  const pid_t host = server_of(*session);
  const std::string input = much_text(64U * 1024 * 1024);  // more than every buffer on the way
  const Stopwatch watch;
  auto result = std::async(std::launch::async, [&] {
    return session->exec(running("sh -c 'cat > /dev/null; sleep 60'"), input, seconds(3));
  });
  await_running();  // so bytes are on the way
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  EXPECT_EQ(error_code(result.get()), "ssh_in_doubt");
  EXPECT_LT(watch.elapsed(), seconds(3) + kSlack);
  ::kill(host, SIGKILL);
}

TEST_F(SessionTest, AFrozenHostOpensNoChannelAndRunsNothing) {
  const auto session = connected();
  const pid_t host = server_of(*session);
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  const Stopwatch watch;
  EXPECT_EQ(error_code(session->exec("true", "", milliseconds(500))), "ssh_channel_failed");
  EXPECT_LT(watch.elapsed(), milliseconds(500) + kSlack);
  EXPECT_TRUE(session->broken());
  ::kill(host, SIGKILL);
}

TEST_F(SessionTest, AFrozenHostIsNotWaitedForAsLongAsACommandMayTake) {
  const OwnSshd sshd;
  auto connected = Session::connect(sshd.target(), sshd.client_key(), {seconds(3), kAmple});
  ASSERT_TRUE(connected.has_value()) << connected.error().message;
  const auto session = std::move(*connected);
  const pid_t host = server_of(*session);
  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  auto result = std::async(std::launch::async, [&] { return session->exec("true", "", 20 * kAmple); });
  const bool given_up = result.wait_for(kAmple) == std::future_status::ready;
  ::kill(host, SIGKILL);
  ASSERT_TRUE(given_up);
  EXPECT_EQ(error_code(result.get()), "ssh_channel_failed");
}

TEST(SessionLimitTest, AHostThatGrantsNoChannelRunsNothing) {
  const OwnSshd sshd({{"ed25519"}, "MaxSessions 0"});
  auto session = Session::connect(sshd.target(), sshd.client_key(), {kAmple, kAmple});
  ASSERT_TRUE(session.has_value()) << session.error().message;
  const auto result = (*session)->exec("true", "", kAmple);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, "ssh_channel_failed");
  EXPECT_EQ(result.error().retry, Retry::later);
}

// --- connecting ---

TEST_F(SessionTest, EveryTypeOfPinnedKeyWorks) {
  const OwnSshd sshd({{"ed25519", "rsa", "ecdsa"}, ""});
  for (const std::string type : {"ed25519", "rsa", "ecdsa"}) {
    auto session = Session::connect(sshd.target(type), sshd.client_key(), patient());
    ASSERT_EQ(error_code(session), "connected") << type << ": " << session.error().message;
    EXPECT_EQ((*session)->exec("echo hello", "", kAmple)->out, "hello\n") << type;
  }
}

TEST_F(SessionTest, AnotherHostKeyEndsTheConnectionBeforeAnyLogin) {
  const OwnSshd sshd({{"ed25519", "rsa"}, "LogLevel DEBUG2"});
  Target target = sshd.target();
  target.host_key = sshd.make_key("another", "ed25519");
  const auto session = Session::connect(target, sshd.client_key(), patient());
  ASSERT_EQ(error_code(session), "ssh_host_key_changed");
  EXPECT_EQ(session.error().retry, Retry::never);
  ASSERT_TRUE(eventually([&] { return sshd.log().find("Connection closed by 127.0.0.1") != std::string::npos; }));
  EXPECT_THAT(sshd.log(), HasSubstr("KEX done"));
  EXPECT_THAT(sshd.log(), Not(HasSubstr("userauth-request")));

  // The same log does show a login where there is one.
  (void)connected(sshd);
  EXPECT_TRUE(eventually([&] { return sshd.log().find("userauth-request") != std::string::npos; }));
}

TEST_F(SessionTest, AHostWithoutAKeyOfThePinnedTypeIsAnotherHost) {
  const OwnSshd sshd({{"ed25519"}, "LogLevel DEBUG2"});
  Target target = sshd.target();
  target.host_key = sshd.make_key("another", "rsa");
  const auto session = Session::connect(target, sshd.client_key(), patient());
  EXPECT_EQ(error_code(session), "ssh_host_key_changed");
  EXPECT_THAT(sshd.log(), Not(HasSubstr("userauth-request")));
}

TEST_F(SessionTest, AnUnknownKeyIsRefused) {
  sshd_->make_key("stranger", "ed25519");
  const auto session = Session::connect(sshd_->target(), sshd_->key("stranger"), patient());
  ASSERT_EQ(error_code(session), "ssh_login_refused");
  EXPECT_EQ(session.error().retry, Retry::never);
  EXPECT_FALSE(session.error().remedy.empty());
}

TEST_F(SessionTest, AnUnreadablePrivateKeyIsSaidWithoutItsContent) {
  const std::string marked = "-----BEGIN OPENSSH PRIVATE KEY-----\nMARKEDMARKED\n-----END OPENSSH PRIVATE KEY-----\n";
  const auto session = Session::connect(sshd_->target(), Secret(marked), patient());
  ASSERT_EQ(error_code(session), "ssh_key_invalid");
  EXPECT_EQ(session.error().retry, Retry::never);
  EXPECT_THAT(session.error().message + session.error().remedy, Not(HasSubstr("MARKED")));
  EXPECT_EQ(error_code(Session::connect(sshd_->target(), Secret(), patient())), "ssh_key_invalid");
  const Secret only_public(sshd_->make_key("public_only", "ed25519"));
  EXPECT_EQ(error_code(Session::connect(sshd_->target(), only_public, patient())), "ssh_key_invalid");
}

TEST_F(SessionTest, AnEncryptedPrivateKeyAsksNobody) {
  sshd_->make_key("encrypted", "ed25519", "a passphrase");
  EXPECT_EQ(error_code(Session::connect(sshd_->target(), sshd_->key("encrypted"), patient())), "ssh_key_invalid");
}

TEST_F(SessionTest, APrivateKeyWithoutItsLastNewlineWorks) {
  const Secret whole = sshd_->client_key();
  std::string_view text = whole.reveal();
  text.remove_suffix(1);
  EXPECT_EQ(error_code(Session::connect(sshd_->target(), Secret(text), patient())), "connected");
}

TEST_F(SessionTest, ATextThatIsNoHostKeyIsSaid) {
  const std::string good = sshd_->target("ed25519").host_key;
  const std::string base64 = good.substr(good.find(' ') + 1);
  for (const std::string& text : {std::string(), std::string("ssh-ed25519"), std::string("ssh-ed25519 AAAA"),
                                  "ssh-rsa " + base64, "ssh-dss " + base64, base64}) {
    Target target = sshd_->target();
    target.host_key = text;
    const auto session = Session::connect(target, sshd_->client_key(), patient());
    ASSERT_EQ(error_code(session), "ssh_host_key_invalid") << text;
    EXPECT_EQ(session.error().retry, Retry::never);
  }
}

TEST_F(SessionTest, NobodyListening) {
  Target target = sshd_->target();
  {
    const OwnSshd gone({{"ed25519"}, ""});
    target.port = gone.target().port;
  }
  const auto session = Session::connect(target, sshd_->client_key(), patient());
  ASSERT_EQ(error_code(session), "ssh_unreachable");
  EXPECT_EQ(session.error().retry, Retry::later);
  EXPECT_THAT(session.error().message, HasSubstr("Connection refused"));
}

TEST_F(SessionTest, ANameIsResolvedAndEachOfItsAddressesTried) {
  Target target = sshd_->target();
  target.host = "localhost";  // often ::1 first, where this sshd does not listen
  EXPECT_EQ(error_code(Session::connect(target, sshd_->client_key(), patient())), "connected");
  target.host = "no-such-name.invalid";
  EXPECT_EQ(error_code(Session::connect(target, sshd_->client_key(), patient())), "ssh_unreachable");
}

TEST_F(SessionTest, AHostThatSaysNothingCostsTheConnectTimeoutAndNoMore) {
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 1), 0);
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  Target target = sshd_->target();
  target.port = ntohs(address.sin_port);
  const Stopwatch watch;
  const auto session = Session::connect(target, sshd_->client_key(), {milliseconds(500), kAmple});
  EXPECT_EQ(error_code(session), "ssh_unreachable");
  EXPECT_GE(watch.elapsed(), milliseconds(500));
  EXPECT_LT(watch.elapsed(), milliseconds(500) + kSlack);
  ::close(silent);
}

// --- side by side ---

TEST(SessionsTest, SessionsInThreadsDoNotDisturbEachOther) {
  constexpr int kSessions = 8;
  constexpr int kCommands = 20;
  const OwnSshd sshd({{"ed25519"}, "MaxStartups 100"});
  std::vector<std::future<int>> counts;
  for (int number = 0; number < kSessions; ++number) {
    counts.push_back(std::async(std::launch::async, [&sshd, number] {
      const auto session = Session::connect(sshd.target(), sshd.client_key(), {kAmple, kAmple});
      int right = 0;
      for (int round = 0; session && round < kCommands; ++round) {
        const std::string words = std::to_string(number) + " " + std::to_string(round) + "\n";
        const auto result = (*session)->exec("cat; exit " + std::to_string(round), words, kAmple);
        if (result && result->out == words && result->exit_status == round) ++right;
      }
      return right;
    }));
  }
  for (auto& count : counts) EXPECT_EQ(count.get(), kCommands);
}

}  // namespace
}  // namespace peerwright::ssh
