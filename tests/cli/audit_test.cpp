#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command_line.hpp"
#include "peerwright/store/publish.hpp"
#include "peerwright/store/workers.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class AuditTest : public testing::Test {
 protected:
  AuditTest() {
    cli_.execute(usual_events());
    store::PublishStore publisher(cli_.db().database());
    const std::string worker = store::WorkerStore(cli_.db().database()).enlist("publisher").value();
    EXPECT_TRUE(publisher.hold_lease(worker, std::chrono::minutes(1)).value());
    EXPECT_EQ(publisher.link_audit(worker, 100).value(), usual_events().size());
  }
  json verify(int exit) {
    const Answer answer = cli_.run({"audit", "verify", "-o", "json"});
    EXPECT_EQ(answer.exit, exit) << answer.err;
    EXPECT_EQ(answer.err.find("audit_chain_broken") != std::string::npos, exit != 0);
    return json::parse(answer.out);
  }
  CommandLine cli_;
};

TEST_F(AuditTest, AnIntactChainIsIntact) {
  EXPECT_EQ(verify(0), json({{"intact", true}, {"rows", usual_events().size()}, {"broken_at", nullptr}}));
}

TEST_F(AuditTest, AChangedRowIsFound) {
  cli_.db().execute("UPDATE audit SET outcome = 'unchanged' WHERE chain_no = 3");
  EXPECT_EQ(verify(6)["broken_at"], 3);
}

TEST_F(AuditTest, AMissingRowIsFound) {
  cli_.db().execute("DELETE FROM audit WHERE chain_no = 2");
  EXPECT_EQ(verify(6)["intact"], false);
}

TEST_F(AuditTest, AMissingEndIsFound) {
  const auto last = static_cast<std::int64_t>(usual_events().size());
  cli_.db().execute("DELETE FROM audit WHERE chain_no = " + std::to_string(last));
  EXPECT_EQ(verify(6)["broken_at"], last);
}

}  // namespace
}  // namespace peerwright::test
