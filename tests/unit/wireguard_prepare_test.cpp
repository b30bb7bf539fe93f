#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peerwright/wireguard/prepare.hpp"

namespace peerwright::wireguard {
namespace {

constexpr const char* kKey = "kuZKPJJm4LFYqcLJ9SVLrKxNSRjKBHxHQHyxBFTlkWs=";

PreparePlan plan() {
  PreparePlan made;
  made.addresses = {Prefix::parse("10.20.0.1/16").value()};
  made.listen_port = 51820;
  return made;
}

std::string code(const Result<Prepared>& got) { return got ? "ok" : got.error().code; }

TEST(PrepareTest, ThePlanSaysWhatIsSetAndEnds) {
  EXPECT_EQ(render_prepare(plan())->reveal(), "#prepare\naddress 10.20.0.1/16\nport 51820\nforward 4\n#end\n");
  auto full = plan();
  full.addresses.push_back(Prefix::parse("fd20::1/64").value());
  full.mtu = 1420;
  full.expected_keys = {kKey};
  full.private_key = Secret("private");
  full.files = {{"/usr/local/lib/peerwright/hand", 0755, "#!/bin/sh\n\n#end\n"}};
  EXPECT_EQ(render_prepare(full)->reveal(),
            "#prepare\naddress 10.20.0.1/16\naddress fd20::1/64\nport 51820\nmtu 1420\nforward 4\nforward 6\nexpect " +
                std::string(kKey) +
                "\nfile 755 /usr/local/lib/peerwright/hand\n>#!/bin/sh\n>\n>#end\nkey private\n#end\n");
}

TEST(PrepareTest, AFileThatCannotBeSaidIsRefused) {
  for (const InstalledFile& file : {InstalledFile{"relative", 0644, "a\n"},
                                    {"/with space", 0644, "a\n"},
                                    {"/no-end", 0644, "a"},
                                    {"/nul", 0644, std::string("a\0\n", 3)}}) {
    auto bad = plan();
    bad.files = {file};
    ASSERT_FALSE(render_prepare(bad)) << file.path;
    EXPECT_EQ(render_prepare(bad).error().code, "host_setting_invalid");
  }
}

TEST(PrepareTest, TheCommandNamesTheMode) {
  const HostInterface where{"wg0", "/etc/wireguard/wg0.conf", "sudo -n", "one", ""};
  EXPECT_EQ(prepare_command(where, PrepareMode::look, 9, "SCRIPT").value(),
            "sudo -n timeout -k 5 9 sh -c 'SCRIPT' peerwright wg0 /etc/wireguard/wg0.conf look one");
  EXPECT_THAT(prepare_command(where, PrepareMode::prepare, 9, "SCRIPT").value(), testing::EndsWith(" prepare one"));
  EXPECT_FALSE(prepare_command({"wg0", "/etc/wireguard/wg0.conf", "", "", ""}, PrepareMode::look, 9, "SCRIPT"));
}

TEST(PrepareTest, AnAnswerIsWholeOrNone) {
  const std::string whole =
      "ok mkdir /etc/wireguard\nskipped systemctl enable: NOT DONE\nkey " + std::string(kKey) + " -\nend ok 2\n";
  const auto got = parse_prepared(whole, 0);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->interface_key, kKey);
  EXPECT_EQ(got->file_key, "");
  EXPECT_FALSE(got->changes());
  ASSERT_EQ(got->steps.size(), 2U);
  EXPECT_EQ(got->steps[1].what, "systemctl enable: NOT DONE");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(code(parse_prepared(whole.substr(0, size), 0)), "host_answer_incomplete") << size;
  }
  EXPECT_EQ(code(parse_prepared(whole, std::nullopt)), "host_answer_incomplete");
  EXPECT_TRUE(parse_prepared("would a\nkey - -\nend ok 1\n", 0)->changes());
  EXPECT_TRUE(parse_prepared("did a\nkey - -\nend ok 1\n", 0)->changes());
}

TEST(PrepareTest, ARefusalIsToldAndWhatWasDoneBefore) {
  const std::string output = "did mkdir /etc/wireguard\nerror host_step_failed bring wg0 up\nend host_step_failed\n";
  const auto got = parse_prepared(output, 26);
  ASSERT_EQ(code(got), "host_step_failed");
  EXPECT_THAT(got.error().message, testing::EndsWith(" bring wg0 up"));
  ASSERT_EQ(steps_in(output).size(), 1U);
  EXPECT_EQ(code(parse_prepared(output, 25)), "host_answer_incomplete") << "the exit status is another code's";
  EXPECT_EQ(code(parse_prepared("error host_not_root 1000\nend host_not_root\n", 24)), "host_not_root");
  EXPECT_EQ(code(parse_prepared("error host_key_missing wg0\nend host_key_missing\n", 25)), "host_key_missing");
  EXPECT_EQ(code(parse_prepared("", 124)), "host_timeout");
}

}  // namespace
}  // namespace peerwright::wireguard
