// The end of a server on its host: what is taken away, what keeps it, and that it may be repeated wherever it ended.
#include <sys/stat.h>

#include "peerwright/ssh/host_files.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "push_script.hpp"

namespace peerwright::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const std::string kRetire = read_file(PEERWRIGHT_SOURCE_DIR "/src/ssh/scripts/retire.sh");

class RetireScript : public PushScript {
 protected:
  [[nodiscard]] std::string retire_command(std::int64_t number, const std::string& expected = {}) const {
    const wireguard::HostInterface where{"wg0", path_.empty() ? lab_.config().string() : path_, "", "one", expected};
    return wireguard::exec_command(where, PushMode::retire, number, kTimeoutSeconds, retire_).value();
  }
  Result<HostAnswer> retire(std::int64_t number, const PushPlan& what = {}, const std::string& expected = {}) {
    last_ = lab_.run(retire_command(number, expected), wireguard::render_push(what).reveal());
    EXPECT_THAT(last_.out + last_.err, testing::Not(HasSubstr(lab_.private_key().substr(0, 20))));
    return wireguard::parse_retired(last_.out, last_.status, number);
  }
  static PushPlan with_firewall(PushPlan what) {
    wireguard::Firewall firewall;
    firewall.interface = "wg0";
    firewall.forbidden = {"192.0.2.0/24"};
    what.firewall = wireguard::render_firewall(firewall);
    return what;
  }
  [[nodiscard]] std::string directory() const { return lab_.config().parent_path().string(); }
  [[nodiscard]] bool is_there() const {
    return lab_.run("ip link show dev wg0").status == 0 || std::filesystem::exists(lab_.config());
  }
  // Nothing but the fence and its lock; and no private key anywhere.
  void expect_gone(std::int64_t number) {
    EXPECT_NE(lab_.run("wg show wg0").status, 0);
    EXPECT_NE(lab_.run("ip link show dev wg0").status, 0);
    EXPECT_EQ(tables(), "");
    EXPECT_EQ(lab_.run("cd " + directory() + " && ls -A | grep -v '^shims$\\|^ready$'").out,
              "wg0.conf.lock\nwg0.conf.push\n");
    EXPECT_EQ(read_file(lab_.config().string() + ".push"), "one " + std::to_string(number) + "\n");
    EXPECT_EQ(lab_.run("grep -rF '" + lab_.private_key() + "' " + directory()).out, "");
    EXPECT_EQ(lab_.run("grep -rli privatekey " + directory()).out, "");
  }

  std::string retire_ = kRetire;
  std::string path_;  // of the configuration, where it is not the lab's own
};

TEST_F(RetireScript, TakesEverythingAwayAndMayBeRepeated) {
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  ASSERT_TRUE(push(with_firewall(plan({}, {&one})), 1));
  ASSERT_TRUE(push(plan({one.public_key}, {}), 2));
  ASSERT_THAT(tables(), HasSubstr("peerwright_wg0"));
  // What a script, and wg-quick with SaveConfig, may have left.
  for (const char* left : {".new", ".tmp", ".before", ".before.new"})
    write_file(lab_.config().string() + left, read_file(lab_.config()));
  write_file(nft_file().string() + ".new", "table");
  std::filesystem::create_directory(lab_.config().string() + ".work.1.abc");
  const auto key = wireguard::public_key_of(Secret(lab_.private_key())).value();
  ASSERT_TRUE(retire(3, {}, key)) << last_.out;
  expect_gone(3);
  ASSERT_TRUE(retire(4, {}, key)) << last_.out;
  expect_gone(4);

  EXPECT_EQ(code(retire(4)), "push_number_refused");
  EXPECT_EQ(code(push(plan({}, {&one}), 4)), "push_number_refused") << "the fence stays";
  EXPECT_EQ(code(push(plan({}, {&one}), 5)), "host_config_missing");
}

TEST_F(RetireScript, WhatWasCutShortChangesNothing) {
  const std::string text(wireguard::render_push(plan({std::string(43, 'A') + "="}, {})).reveal());
  const std::string before = state();
  for (std::size_t bytes = 0; bytes + 1 < text.size(); ++bytes) {
    const auto outcome = lab_.run(retire_command(1), text.substr(0, bytes));
    ASSERT_EQ(outcome.status, 10) << bytes;
  }
  EXPECT_EQ(state(), before);
}

TEST_F(RetireScript, WhoIsNotToGoKeepsTheInterface) {
  const auto kept = peer({"10.0.0.2/32"});
  const auto ours = peer({"10.0.0.3/32"});
  ASSERT_TRUE(push(plan({}, {&kept, &ours}), 1));
  const std::string before = lab_.wg_show("dump | sort") + read_file(lab_.config());
  const auto in_kernel = retire(2, plan({ours.public_key}, {}));
  EXPECT_EQ(code(in_kernel), "peers_left_on_host");
  EXPECT_THAT(in_kernel.error().message, EndsWith(" " + kept.public_key));
  EXPECT_EQ(in_kernel.error().retry, Retry::later) << "the host is read then";
  EXPECT_EQ(lab_.wg_show("dump | sort") + read_file(lab_.config()), before);

  ASSERT_EQ(lab_.run("wg set wg0 peer " + kept.public_key + " remove").status, 0);
  EXPECT_EQ(code(retire(2, plan({ours.public_key}, {}))), "peers_left_on_host") << "only the file has it";
  ASSERT_EQ(lab_.run("ip link delete wg0").status, 0);
  ASSERT_TRUE(eventually([&] { return lab_.run("wg show wg0").status != 0; }));
  EXPECT_EQ(code(retire(2, plan({ours.public_key}, {}))), "peers_left_on_host") << "and comes back with it";
  EXPECT_EQ(read_file(lab_.config()), before.substr(before.find("[Interface]")));

  EXPECT_EQ(code(retire(2, plan({ours.public_key, kept.public_key}, {}))), "ok") << "all of them are ours";
  expect_gone(2);
}

TEST_F(RetireScript, AnotherInterfaceIsSomebodyElses) {
  const std::string before = state();
  const auto other = wireguard::generate_key_pair();
  EXPECT_EQ(code(retire(1, {}, other.public_key)), "interface_key_changed");
  EXPECT_EQ(state(), before);
  ASSERT_EQ(lab_.run("ip link delete wg0").status, 0);
  EXPECT_EQ(code(retire(1, {}, other.public_key)), "interface_key_changed") << "the file's";
  EXPECT_EQ(read_file(lab_.config().string() + ".push"), "");
  write_file(lab_.config().string() + ".push", "two 7\n");
  EXPECT_EQ(code(retire(8)), "host_of_other_installation");
  EXPECT_TRUE(std::filesystem::exists(lab_.config()));
}

TEST_F(RetireScript, NotReadableIsNotAbsent) {
  lab_.add_shim("wg", "echo 'Unable to access interface: Operation not permitted' >&2\nexit 1\n");
  EXPECT_EQ(code(retire(1)), "wg_refused");
  lab_.remove_shims();
  // wg says that there is none, as where its socket is another container's; the kernel has it all the same.
  lab_.add_shim("wg", "echo 'Unable to access interface: No such device' >&2\nexit 1\n");
  EXPECT_EQ(code(retire(1)), "wg_refused");
  lab_.remove_shims();
  EXPECT_TRUE(is_there());
  const std::string saved = read_file(lab_.config());
  // A disk that is not mounted looks like this: what is not there says nothing where we never were.
  std::filesystem::remove(lab_.config());
  EXPECT_EQ(code(retire(1)), "host_config_missing");
  write_file(lab_.config().string() + ".real", saved);
  std::filesystem::create_symlink(lab_.config().string() + ".real", lab_.config());
  EXPECT_EQ(code(retire(1)), "host_step_failed") << "the key would stay where the link leads to";
  EXPECT_EQ(lab_.run("wg show wg0").status, 0);
}

TEST_F(RetireScript, SaysWhichStepFailedAndGoesOnFromThere) {
  retire_.replace(retire_.find("most_looks=50"), 13, "most_looks=1");
  ASSERT_TRUE(push(with_firewall({}), 1));
  lab_.add_shim("wg-quick", "exit 1\n");
  lab_.add_shim("ip", "exit 2\n");
  const auto stays = retire(2);
  EXPECT_EQ(code(stays), "host_step_failed");
  EXPECT_THAT(stays.error().message, HasSubstr("ip link delete dev wg0"));
  EXPECT_TRUE(std::filesystem::exists(lab_.config()));
  EXPECT_THAT(tables(), HasSubstr("peerwright_wg0")) << "no packet comes before its rules";
  lab_.remove_shims();
  retire_ = kRetire;
  lab_.add_shim("nft", "echo 'netlink: Error: Could not process rule: Operation not permitted' >&2\nexit 1\n");
  EXPECT_EQ(code(retire(3)), "nft_refused");
  lab_.add_shim("nft", "[ \"$1\" != delete ] || exit 0\nexec /usr/sbin/nft \"$@\"\n");
  EXPECT_EQ(code(retire(4)), "host_step_failed") << "it says so, and does nothing";
  lab_.remove_shims();
  lab_.add_shim("rm", "case $* in *wg0.conf*) exit 1 ;; esac\nexec /usr/bin/rm \"$@\"\n");
  EXPECT_EQ(code(retire(5)), "host_storage_failed");
  lab_.remove_shims();
  EXPECT_EQ(code(retire(6)), "ok");
  expect_gone(6);
}

TEST_F(RetireScript, AKilledOneIsRepeated) {
  const std::string kill = "kill -9 $PPID; exit 1\n";
  std::int64_t number = 1;
  ASSERT_TRUE(push(with_firewall({}), number));
  // Killed at each of its steps, in their order; all that was done before stays done.
  const std::string list = "[ \"$1\" != list ] || exec /usr/sbin/nft \"$@\"\n";
  for (const auto& [tool, first] :
       {std::pair<std::string, std::string>{"mv", ""}, {"wg-quick", ""}, {"nft", list}, {"rm", ""}}) {
    lab_.add_shim(tool, first + kill);
    EXPECT_FALSE(retire(++number)) << tool;
    EXPECT_THAT(last_.out, testing::Not(HasSubstr("absent"))) << tool;
    lab_.remove_shims();
    EXPECT_TRUE(std::filesystem::exists(lab_.config())) << "the file goes last";
  }
  ASSERT_TRUE(retire(++number)) << last_.out;
  expect_gone(number);
}

TEST_F(RetireScript, WgQuickUndoesWhatElseItDid) {
  write_file(lab_.config(),
             read_file(lab_.config()) + "PostDown = touch " + directory() + "/undone\nSaveConfig = true\n");
  ASSERT_TRUE(retire(1)) << last_.out;
  EXPECT_TRUE(std::filesystem::remove(directory() + "/undone"));
  expect_gone(1);
}

TEST_F(RetireScript, TheUnitIsDisabledAndStoppedFirst) {
  path_ = "/etc/wireguard/wg0.conf";
  ASSERT_EQ(lab_.run("mkdir -p /run/systemd/system /etc/wireguard && mount --bind " + directory() +
                     " /etc/wireguard && echo enabled >/run/enabled && echo active >/run/active")
                .status,
            0);
  const std::string reads = "echo $1 $2 >>/run/asked\ncase $1 in is-*) cat /run/${1#is-}; exit ;; esac\n";
  lab_.add_shim("systemctl", reads + "[ $1 != disable ] || echo disabled >/run/enabled\n[ $1 != stop ] || exit 1\n");
  const auto failed = retire(1);
  EXPECT_EQ(code(failed), "host_step_failed");
  EXPECT_THAT(failed.error().message, HasSubstr("systemctl stop wg-quick@wg0: see journalctl"));
  EXPECT_TRUE(is_there());
  lab_.add_shim("systemctl", reads +
                                 "[ $1 != stop ] || { wg-quick down /etc/wireguard/wg0.conf && echo inactive "
                                 ">/run/active; }\n");
  EXPECT_EQ(code(retire(2)), "ok") << last_.out;
  EXPECT_EQ(lab_.run("grep -c '^disable wg-quick@wg0$' /run/asked; grep -v ' wg-quick@wg0$' /run/asked").out, "1\n");
  expect_gone(2);
  lab_.add_shim("systemctl", "echo enabled\n");
  EXPECT_EQ(code(retire(3)), "host_step_failed") << "it says so, and does nothing";
}

}  // namespace
}  // namespace peerwright::test
