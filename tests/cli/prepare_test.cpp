#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.hpp"

// What `server prepare` says before it goes anywhere; on real hosts it is tested in tests/flow/prepare_test.cpp.
namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

class ServerPrepare : public testing::Test {
 protected:
  ServerPrepare() : key_file_(cli_.path("ssh.key")) {
    run_command({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key_file_});
  }

  Answer prepare(const std::string& server, std::vector<std::string> more = {"--dry-run"}) {
    std::vector<std::string> words{"server", "prepare", server, "--ssh.private_key_file", key_file_};
    words.insert(words.end(), more.begin(), more.end());
    return cli_.run(words);
  }
  // On a port of this machine where nobody listens.
  void register_server(const std::string& server, const json& reserved) {
    cli_.execute({event("network.set", {{"network", "net-" + server}, {"ipv4", "10.9.0.0/24"}, {"reserved", reserved}},
                        "network/net-" + server),
                  event("server.register",
                        {{"server", server},
                         {"network", "net-" + server},
                         {"ssh", {{"host", "127.0.0.1"}, {"port", 1}, {"host_key", kHostKey}}},
                         {"endpoint", "192.0.2.1:51820"}},
                        "server/" + server)});
  }

  static constexpr const char* kHostKey =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6hZrGyZfX4p8Z7rQ0mN5uC1yD3kVbW2xLsTtEoF9aY";
  CommandLine cli_;
  std::string key_file_;
};

TEST_F(ServerPrepare, NamesWhatIsNotThere) {
  const Answer answer = prepare("nowhere");
  EXPECT_EQ(answer.exit, 3);
  EXPECT_THAT(answer.err, HasSubstr("server_not_found"));
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_EQ(cli_.run({"server", "prepare"}).exit, 2);
}

TEST_F(ServerPrepare, AHostThatDoesNotAnswerIsTriedAgainLater) {
  register_server("s", {"10.9.0.1"});
  const Answer answer = prepare("s");
  EXPECT_EQ(answer.exit, 5) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("ssh_unreachable"));
  EXPECT_THAT(answer.err, HasSubstr("remedy: "));
  EXPECT_THAT(answer.out, IsEmpty());
}

TEST_F(ServerPrepare, WantsAnAddressForTheServer) {
  register_server("s", json::array());
  const Answer answer = prepare("s");
  EXPECT_EQ(answer.exit, 4);
  EXPECT_THAT(answer.err, HasSubstr("server_address_missing"));
}

TEST_F(ServerPrepare, ARetiredServerIsNoneToBePrepared) {
  register_server("s", {"10.9.0.1"});
  cli_.execute({event("server.retire", {{"server", "s"}}, "server/s")});
  const Answer answer = prepare("s");
  EXPECT_EQ(answer.exit, 4);
  EXPECT_THAT(answer.err, HasSubstr("server_retired"));
}

TEST_F(ServerPrepare, NeedsBrokersOnlyToDoIt) {
  register_server("s", {"10.9.0.1"});
  const Answer answer = prepare("s", {});
  EXPECT_EQ(answer.exit, 2);
  EXPECT_THAT(answer.err, HasSubstr("kafka.brokers"));
}

}  // namespace
}  // namespace peerwright::test
