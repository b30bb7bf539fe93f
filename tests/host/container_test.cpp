// A host as containers often are: entered by an exec prefix, and with BusyBox for all tools but WireGuard's own.
#include <sys/stat.h>

#include "peerwright/ssh/host_files.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/observation.hpp"
#include "push_script.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;

class Container : public PushScript {
 protected:
  // Commands are run outside; the prefix enters the namespaces in which WireGuard is.
  [[nodiscard]] wireguard::HostInterface where() const {
    return {"wg0", lab_.config().string(), "nsenter -t " + std::to_string(lab_.pid()) + " -m -n", "one"};
  }
  static Outcome outside(const std::string& command, std::string_view input = {}) {
    return Running({"sh", "-c", command}, input).wait();
  }
  Result<HostAnswer> push_by_prefix(const PushPlan& what, std::int64_t number) {
    const auto command = wireguard::exec_command(where(), PushMode::push, number, kTimeoutSeconds, script_).value();
    return answer(outside(command, wireguard::render_push(what).reveal()), number, what.peers);
  }
  Result<wireguard::HostObservation> look() {
    const auto command = wireguard::observe_command(where(), kTimeoutSeconds, observe_script_).value();
    last_ = outside(command);
    return wireguard::parse_observation(last_.out, last_.status);
  }

  std::string observe_script_ = read_file(PEERWRIGHT_SOURCE_DIR "/src/ssh/scripts/observe.sh");
};

TEST_F(Container, AnExecPrefixLeadsAllOfAPushIntoIt) {
  ASSERT_NE(outside("wg show wg0 dump").status, 0) << "there is none outside";
  const auto one = peer({"10.0.0.2/32"}, 25, true);
  const auto what = plan({}, {&one});
  expect_proven(what, push_by_prefix(what, 1));
  EXPECT_THAT(lab_.wg_show("peers"), HasSubstr(one.public_key));
  const auto seen = look();
  ASSERT_TRUE(seen) << seen.error().message << last_.err;
  EXPECT_EQ(seen->peers.size(), 1U);
  const auto gone = plan({one.public_key}, {});
  expect_proven(gone, push_by_prefix(gone, 2));

  auto nowhere = where();
  nowhere.exec_prefix = "no-such-command";
  const auto command = wireguard::exec_command(nowhere, PushMode::push, 3, kTimeoutSeconds, script_).value();
  EXPECT_EQ(code(answer(outside(command), 3)), "host_tool_missing");
  EXPECT_THAT(last_.err, HasSubstr("no-such-command"));
}

// All that lies in the search path is BusyBox, wg and nft; and flock, which Debian's BusyBox is built without.
class BusyBox : public Container {
 protected:
  void SetUp() override {
    const auto tools = lab_.config().parent_path() / "tools";
    const std::string made =
        "mkdir " + tools.string() + " && cd " + tools.string() +
        " && for t in busybox wg nft flock; do cp \"$(command -v $t)\" $t || exit; done && for t in $(./busybox "
        "--list); do"
        " [ -e $t ] || ln -s busybox $t || exit; done && for d in /usr/sbin /usr/bin; do ./busybox mount --bind . $d ||"
        " exit; done";
    const auto outcome = lab_.run(made);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    ASSERT_THAT(lab_.run("ls --help 2>&1; readlink /proc/$$/exe").out, HasSubstr("busybox"));
    ASSERT_NE(lab_.run("mawk 1 </dev/null || dash -c true || systemctl --version").status, 0);
  }
};

TEST_F(BusyBox, CarriesOutAPushWithAllThatItMayHold) {
  const auto one = peer({"10.0.0.2/32", "fd00::2/128"}, 25, true);
  const auto two = peer({"10.0.0.3/32"});
  wireguard::Firewall firewall;
  firewall.interface = "wg0";
  firewall.forbidden = {"192.0.2.0/24"};
  PushPlan what = plan({}, {&one, &two});
  what.firewall = wireguard::render_firewall(firewall);
  const auto pushed = push(what, 1);
  expect_proven(what, pushed);
  EXPECT_TRUE(wireguard::proves_firewall(what, *pushed));
  EXPECT_THAT(read_file(lab_.config()), HasSubstr(two.public_key));

  PushPlan next = plan({two.public_key}, {});
  auto fresh = wireguard::generate_key_pair();
  secrets_.emplace_back(fresh.private_key.reveal());
  next.interface_key = std::move(fresh.private_key);
  const auto changed = push(next, 2);
  expect_proven(next, changed);
  EXPECT_TRUE(wireguard::proves_interface_key(next, *changed));
  EXPECT_EQ(code(push(next, 2)), "push_number_refused");

  const auto all = read({&one}, 3);
  ASSERT_TRUE(all) << last_.out << last_.err;
  std::vector<PeerConfig> wanted;
  wanted.push_back(clone(one));
  EXPECT_EQ(wireguard::prove_reading(wanted, *all).at(one.public_key), wireguard::fingerprint(one));
  EXPECT_EQ(last_.err, "");
}

TEST_F(BusyBox, RemovesManyInOnePush) {
  std::vector<PeerConfig> many;
  PushPlan what;
  PushPlan gone;
  for (int i = 0; i < 700; ++i) {  // more than one argument list holds
    many.push_back(peer({"10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "/32"}));
    what.peers.push_back(clone(many.back()));
    gone.removals.push_back(many.back().public_key);
  }
  expect_proven(what, push(what, 1));
  expect_proven(gone, push(gone, 2));
  EXPECT_EQ(lab_.wg_show("peers"), "");
}

TEST_F(BusyBox, KeepsTheFileAsItIs) {
  const std::string office = "[Peer]\nPublicKey = " + peer({}).public_key + "\nAllowedIPs = 10.0.0.78/32\n";
  write_file(lab_.config(), read_file(lab_.config()) + "\n" + office);
  const auto one = peer({"10.0.0.2/32"}, 25);
  const auto what = plan({}, {&one});
  expect_proven(what, push_by_prefix(what, 1));
  const std::string file = read_file(lab_.config());
  EXPECT_THAT(file, testing::EndsWith("\nPersistentKeepalive = 25\n\n" + office));
  expect_proven(what, push_by_prefix(what, 2));
  EXPECT_EQ(read_file(lab_.config()), file);
}

TEST_F(BusyBox, IsRetired) {
  PushPlan what;
  wireguard::Firewall firewall;
  firewall.interface = "wg0";
  firewall.forbidden = {"192.0.2.0/24"};
  what.firewall = wireguard::render_firewall(firewall);
  ASSERT_TRUE(push(what, 1)) << last_.out << last_.err;
  const auto stranger = peer({"10.0.0.2/32"});
  const std::string script = read_file(PEERWRIGHT_SOURCE_DIR "/src/ssh/scripts/retire.sh");
  const auto retire = [&](std::int64_t number) {
    last_ = outside(wireguard::exec_command(where(), PushMode::retire, number, kTimeoutSeconds, script).value(),
                    wireguard::render_push({}).reveal());
    return wireguard::parse_retired(last_.out, last_.status, number);
  };
  ASSERT_EQ(lab_.run("wg set wg0 peer " + stranger.public_key).status, 0);
  EXPECT_EQ(code(retire(2)), "peers_left_on_host");
  ASSERT_EQ(lab_.run("wg set wg0 peer " + stranger.public_key + " remove").status, 0);
  EXPECT_EQ(code(retire(3)), "ok") << last_.out << last_.err;
  EXPECT_NE(lab_.run("wg show wg0").status, 0);
  EXPECT_EQ(tables(), "");
  EXPECT_FALSE(std::filesystem::exists(lab_.config()));
  EXPECT_EQ(code(retire(4)), "ok");
}

TEST_F(BusyBox, IsLookedAt) {
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  ASSERT_TRUE(push(plan({}, {&one}), 7)) << last_.out << last_.err;
  const auto seen = look();
  ASSERT_TRUE(seen) << seen.error().message << last_.out << last_.err;
  EXPECT_EQ(seen->push_number, 7);
  EXPECT_EQ(seen->peers.size(), 1U);
  EXPECT_TRUE(seen->listening);
  EXPECT_EQ(seen->unit_active, "unknown");
  EXPECT_EQ(seen->file_mode, "600");
  EXPECT_EQ(seen->file_owner, "root");
  EXPECT_EQ(last_.err, "");
}

TEST_F(BusyBox, CarriesOutWhatTheDispatcherIsAskedFor) {
  const auto root = lab_.config().parent_path() / "lib";
  std::filesystem::create_directories(root / "peerwright");
  chmod((root / "peerwright").c_str(), 0755);
  for (const auto& file : ssh::host_files()) {
    write_file(root / "peerwright" / std::filesystem::path(file.path).filename(), file.content);
  }
  write_file(root / "peerwright/allowed", "wg0 " + lab_.config().string() + "\n");
  ASSERT_EQ(lab_.run("chmod -R go-w " + root.string() + " && mount --bind " + root.string() + " /usr/local/lib").status,
            0);
  auto by_words = where();
  by_words.exec_prefix.clear();
  by_words.way = wireguard::WayIn::forced;
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  const auto what = plan({}, {&one});
  const auto words = wireguard::exec_command(by_words, PushMode::push, 1, kTimeoutSeconds, script_).value();
  const std::string hand = "SSH_ORIGINAL_COMMAND='" + words + "' sh /usr/local/lib/peerwright/hand";
  expect_proven(what, answer(lab_.run(hand, wireguard::render_push(what).reveal()), 1));
}

TEST_F(BusyBox, NamesTheToolThatItLacks) {
  for (const std::string tool : {"flock", "xargs", "wg"}) {
    ASSERT_EQ(lab_.run("mv /usr/bin/" + tool + " /run/" + tool).status, 0);
    const auto got = push({}, 1);
    ASSERT_EQ(code(got), "host_tool_missing") << tool;
    EXPECT_THAT(got.error().message, testing::EndsWith(" " + tool));
    EXPECT_EQ(got.error().retry, Retry::never);
    EXPECT_THAT(got.error().remedy, HasSubstr("install"));
    ASSERT_EQ(lab_.run("mv /run/" + tool + " /usr/bin/" + tool).status, 0);
  }
}

}  // namespace
}  // namespace peerwright::test
