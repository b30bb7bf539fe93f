// A changed configuration is taken over by a running worker: on SIGHUP, and when the file changes; all or nothing.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "support/installation.hpp"

namespace peerwright::test {
namespace {

std::string content_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// As mounted files are replaced: at once.
void replace_file(const std::string& file, const std::string& text) {
  std::ofstream(file + ".new") << text;
  std::filesystem::rename(file + ".new", file);
}

TEST(Reload, ANewSourceIsBoundWithoutARestartAndABadFileChangesNothing) {
  LabHost host(1);
  Installation installation({.partitions = 1, .settings = {}});
  Process& worker = installation.start_worker("w1");
  installation.establish({network_set("net"), server_register("fra1", "net", host)});
  const auto logged = [&](const std::string& text, int times) {
    return eventually([&, text, times] {
      const std::string log = installation.log_of("w1");
      int found = 0;
      for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
      return found >= times;
    });
  };
  const auto before = peer_event("suspend", "acme", "P1").from("newcomer");
  installation.publish(before);
  EXPECT_EQ(installation.decision(before.id(), "newcomer").second, "source_not_bound");

  const std::string good = content_of(installation.config_file());
  replace_file(installation.config_file(), good + "  - {name: newcomer, tenants: ['*'], types: ['*']}\n");
  ASSERT_TRUE(logged("the configuration was taken over", 1)) << installation.log_of("w1");
  const auto after = peer_event("suspend", "acme", "P1").from("newcomer");
  installation.publish(after);
  EXPECT_EQ(installation.decision(after.id(), "newcomer").first, "accepted");

  replace_file(installation.config_file(), good + "nonsense: true\n");
  worker.signal(SIGHUP);
  ASSERT_TRUE(logged("the old one stays in force", 1)) << installation.log_of("w1");
  const auto still = peer_event("resume", "acme", "P1").from("newcomer");
  installation.publish(still);
  EXPECT_EQ(installation.decision(still.id(), "newcomer").first, "accepted");
  EXPECT_TRUE(worker.running());
}

}  // namespace
}  // namespace peerwright::test
