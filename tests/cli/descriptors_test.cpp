#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "command_line.hpp"

// How many files a worker may open, as it starts. Neither brokers nor hosts are needed for that.
namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class DescriptorsTest : public testing::Test {
 protected:
  // Starts a worker with a soft limit of 64 files and that hard one, until it runs.
  void start(int hard, const std::string& roles) {
    const std::string limited = "ulimit -Sn 64; ulimit -Hn " + std::to_string(hard) + "; exec \"$@\"";
    worker_ = std::make_unique<Process>(
        std::vector<std::string>{"sh", "-c", limited, "sh", PEERWRIGHT_BINARY, "run", "--config", cli_.config_file(),
                                 "--set", "roles=" + roles, "--set", "kafka.brokers=127.0.0.1:1", "--set",
                                 "ssh.private_key_file=" + cli_.path("key"), "--set", "admin.listen=127.0.0.1:0"},
        std::map<std::string, std::string>{}, log_);
    ASSERT_TRUE(eventually([&] { return text_of(log_).find("the worker runs") != std::string::npos; }))
        << text_of(log_);
  }
  static std::string text_of(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  // The soft and the hard one, as the kernel has them.
  [[nodiscard]] std::pair<int, int> limits() const {
    const std::string all = text_of("/proc/" + std::to_string(worker_->pid()) + "/limits"), name = "Max open files";
    std::istringstream numbers(all.substr(all.find(name) + name.size()));
    std::pair<int, int> found;
    numbers >> found.first >> found.second;
    return found;
  }

  CommandLine cli_;
  const std::string log_ = cli_.path("log");
  std::unique_ptr<Process> worker_;
};

TEST_F(DescriptorsTest, TheSoftLimitIsRaisedToTheHardOne) {
  start(5000, "deliver, observe");
  EXPECT_EQ(limits(), std::pair(5000, 5000));
  EXPECT_THAT(text_of(log_), Not(HasSubstr("descriptors_few")));
}

TEST_F(DescriptorsTest, AHardLimitThatIsTooLowForAllSessionsIsSaidWithItsRemedy) {
  start(1024, "deliver, observe");
  EXPECT_EQ(limits(), std::pair(1024, 1024));
  EXPECT_THAT(text_of(log_), HasSubstr("descriptors_few"));
  EXPECT_THAT(text_of(log_), HasSubstr("LimitNOFILE"));
}

TEST_F(DescriptorsTest, AWorkerThatGoesToNoHostNeedsFew) {
  start(1024, "sweep");
  EXPECT_THAT(text_of(log_), Not(HasSubstr("descriptors_few")));
}

}  // namespace
}  // namespace peerwright::test
