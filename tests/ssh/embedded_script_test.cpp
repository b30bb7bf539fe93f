#include <gtest/gtest.h>

#include <fstream>

#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {
namespace {

std::string source_of(const std::string& script) {
  std::ifstream file(std::string(PEERWRIGHT_SOURCE_DIR) + "/src/ssh/scripts/" + script, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PushScriptTest, IsTheFileInTheSources) {
  const std::string text = source_of("push.sh");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(push_script(), text);
}

TEST(ObserveScriptTest, IsTheFileInTheSources) {
  const std::string text = source_of("observe.sh");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(observe_script(), text);
}

}  // namespace
}  // namespace peerwright::ssh
