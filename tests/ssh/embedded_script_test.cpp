#include <gtest/gtest.h>

#include <fstream>

#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {
namespace {

TEST(PushScriptTest, IsTheFileInTheSources) {
  std::ifstream file(std::string(PEERWRIGHT_SOURCE_DIR) + "/src/ssh/scripts/push.sh", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(push_script(), text);
}

}  // namespace
}  // namespace peerwright::ssh
