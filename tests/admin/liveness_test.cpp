#include "peerwright/admin/liveness.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerwright::admin {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Liveness, NamesTheLoopsThatStandStill) {
  Liveness liveness;
  const Liveness::Clock::time_point start{1h};
  liveness.expect("sweep", 10s, start);
  liveness.expect("intake", 5s, start);
  EXPECT_THAT(liveness.stalled(start + 5s), IsEmpty());
  EXPECT_THAT(liveness.stalled(start + 11s), ElementsAre("intake", "sweep"));
  liveness.beat("sweep", start + 9s);
  EXPECT_THAT(liveness.stalled(start + 11s), ElementsAre("intake"));
  liveness.beat("intake", start + 11s);
  EXPECT_THAT(liveness.stalled(start + 11s), IsEmpty());
}

TEST(Liveness, ALoopThatEndedIsNotMissed) {
  Liveness liveness;
  const Liveness::Clock::time_point start{1h};
  liveness.expect("intake", 5s, start);
  liveness.done("intake");
  liveness.beat("intake", start);
  EXPECT_THAT(liveness.stalled(start + 1h), IsEmpty());
}

}  // namespace
}  // namespace peerwright::admin
