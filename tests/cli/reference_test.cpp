#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "command_line.hpp"
#include "peerwright/cli/main.hpp"
#include "peerwright/events/catalogue.hpp"

namespace peerwright::test {
namespace {

constexpr const char* kPages = PEERWRIGHT_SOURCE_DIR "/docs/reference/";

std::string page(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(kPages + name).rdbuf();
  return text.str();
}

TEST(ReferenceTest, ThePageOfTheCommandLineIsMadeFromIt) {
  const std::string made = cli::command_line_reference_markdown();
  if (std::getenv("PEERWRIGHT_UPDATE_DOCS") != nullptr) std::ofstream(std::string(kPages) + "command-line.md") << made;
  EXPECT_EQ(page("command-line.md"), made) << "run with PEERWRIGHT_UPDATE_DOCS=1 to write it anew";
}

// What is said, beside what is read; and what is asked of Postgres.
const std::set<std::string> kStatuses{"peer.status",   "reservation.status", "subscriber.status", "tenant.status",
                                      "server.status", "mesh.status",        "peer.usage",        "rejected"};

TEST(ReferenceTest, TheTableOfRestCallsNamesWhatThereIs) {
  CommandLine cli;
  std::set<std::string> events;
  for (const auto& row : events::catalogue()) events.insert(std::string(row.name));
  const std::string text = page("rest.md");
  const std::regex row(
      "\\| `[A-Z]+ /[^`]*` \\| (?:`([^`]*)`)? ?\\| (?:`peerwright ([a-z-]+) ([a-z-]+)`)? ?\\| `([^`]*)` \\|");
  std::size_t count = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `")) ++count;
  }
  std::set<std::pair<std::string, std::string>> commands;
  std::size_t matched = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it, ++matched) {
    const std::smatch& match = *it;
    EXPECT_TRUE(match[1].matched || match[2].matched) << match[0];
    EXPECT_TRUE(!match[1].matched || events.contains(match[1])) << match[0];
    if (match[2].matched) commands.insert({match[2], match[3]});
    const std::string answer = match[4];
    const bool relation = answer.starts_with("wireguard_");
    if (relation) {
      EXPECT_EQ(cli.db().value("SELECT to_regclass('" + answer + "') IS NOT NULL"), "t") << answer;
    } else {
      EXPECT_TRUE(kStatuses.contains(answer)) << answer;
    }
  }
  EXPECT_EQ(matched, count) << "a row of the page has another form";
  EXPECT_GE(matched, 30U);
  for (const auto& [group, name] : commands)
    EXPECT_EQ(cli.run({group, name, "--help"}).exit, 0) << group << ' ' << name;
}

}  // namespace
}  // namespace peerwright::test
