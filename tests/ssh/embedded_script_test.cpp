#include <gtest/gtest.h>

#include <fstream>

#include "peerwright/base/seal.hpp"
#include "peerwright/ssh/host_files.hpp"
#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {
namespace {

std::string source_of(const std::string& script) {
  std::ifstream file(std::string(PEERWRIGHT_SOURCE_DIR) + "/src/ssh/scripts/" + script, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PushScriptTest, IsTheFileInTheSourcesWithItsPrograms) {
  std::string text = source_of("push.sh");
  ASSERT_FALSE(text.empty());
  for (const char* program : {"shared", "sections", "judge", "file", "merge", "list"}) {
    const std::string name = "push_" + std::string(program) + ".awk";
    const std::string awk = source_of(name);
    ASSERT_FALSE(awk.empty()) << name;
    EXPECT_EQ(awk.find('\''), std::string::npos) << name << " stands between single quotes in the script";
    const auto place = text.find("\n@" + name + "@'\n");
    ASSERT_NE(place, std::string::npos) << name;
    text.replace(place + 1, name.size() + 2, awk);
  }
  EXPECT_EQ(push_script(), text);
}

TEST(PrepareScriptTest, IsTheFileInTheSources) {
  const std::string text = source_of("prepare.sh");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(prepare_script(), text);
}

TEST(ObserveScriptTest, IsTheFileInTheSources) {
  const std::string text = source_of("observe.sh");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(observe_script(), text);
}

TEST(HostFilesTest, AreTheDispatcherAndTheScriptsThatItCarriesOutEachNamedByItsHash) {
  const auto files = host_files();
  ASSERT_EQ(files.size(), 4U);
  EXPECT_EQ(files[0].path, "/usr/local/lib/peerwright/push-" + sha256_hex(push_script()) + ".sh");
  EXPECT_EQ(files[0].content, push_script());
  EXPECT_EQ(files[1].path, "/usr/local/lib/peerwright/observe-" + sha256_hex(observe_script()) + ".sh");
  EXPECT_EQ(files[1].content, observe_script());
  EXPECT_EQ(files[2].path, "/usr/local/lib/peerwright/retire-" + sha256_hex(retire_script()) + ".sh");
  EXPECT_EQ(files[2].content, source_of("retire.sh"));
  EXPECT_EQ(files[3].path, "/usr/local/lib/peerwright/hand");
  EXPECT_EQ(files[3].content, source_of("hand.sh"));
  EXPECT_EQ(files[3].mode, 0755);
  EXPECT_EQ(files[0].mode, 0644);
}

}  // namespace
}  // namespace peerwright::ssh
