#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "host_lab.hpp"
#include "peerwright/wireguard/key.hpp"
#include "peerwright/wireguard/prepare.hpp"

namespace peerwright::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using wireguard::Prefix;
using wireguard::Prepared;
using wireguard::PrepareMode;
using wireguard::PreparePlan;

constexpr int kTimeoutSeconds = 60;
constexpr const char* kInstallation = "one";

// The script that makes a server out of a host, on a host of its own for each test.
class PrepareScript : public testing::Test {
 protected:
  PrepareScript() {
    sh("mount -t tmpfs -o mode=755 tmpfs /etc/sysctl.d && echo 0 >/proc/sys/net/ipv4/ip_forward && "
       "echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
  }

  void sh(const std::string& command) const { ASSERT_EQ(lab_.run(command).status, 0) << command; }
  void make_bare() const {
    sh("rm -f " + config() + " && ip link delete wg0 && while [ -e /run/wireguard/wg0.sock ]; do sleep 0.02; done");
  }
  [[nodiscard]] std::string config() const { return lab_.config().string(); }

  [[nodiscard]] PreparePlan plan(const Secret& key = {}, std::vector<std::string> expected = {}) const {
    PreparePlan made;
    made.addresses = {Prefix::parse("10.80.0.1/24").value(), Prefix::parse("fd80::1/64").value()};
    made.listen_port = 51820;
    made.mtu = 1380;
    made.expected_keys = std::move(expected);
    made.private_key = key.clone();
    return made;
  }

  [[nodiscard]] std::string command(PrepareMode mode) const {
    return wireguard::prepare_command({"wg0", path_.empty() ? config() : path_, "", kInstallation, ""}, mode,
                                      kTimeoutSeconds, script_)
        .value();
  }

  // What the script said has no secret in it, whatever it was.
  Result<Prepared> run(const PreparePlan& what, PrepareMode mode = PrepareMode::prepare) {
    const Outcome outcome = lab_.run(command(mode), wireguard::render_prepare(what)->reveal());
    for (const std::string& secret : {lab_.private_key(), std::string(what.private_key.reveal())}) {
      if (secret.empty()) continue;
      EXPECT_THAT(outcome.out, Not(HasSubstr(secret.substr(0, 20))));
      EXPECT_THAT(outcome.err, Not(HasSubstr(secret.substr(0, 20))));
    }
    EXPECT_EQ(outcome.err, "");
    return wireguard::parse_prepared(outcome.out, outcome.status);
  }
  static std::string code(const Result<Prepared>& got) { return got ? "ok" : got.error().code; }

  static std::vector<std::string> in_state(const Result<Prepared>& got, const std::string& state) {
    std::vector<std::string> all;
    if (!got) return {got.error().code + ": " + got.error().message};
    for (const auto& step : got->steps) {
      if (step.state == state) all.push_back(step.what);
    }
    return all;
  }

  // All that a preparation could change.
  [[nodiscard]] std::string state() const {
    return lab_.run(
                   "wg show wg0 dump 2>&1; ip -o link show dev wg0 2>&1; ip -o address show dev wg0 2>&1; "
                   "ls -l /etc/sysctl.d " +
                   lab_.config().parent_path().string() +
                   "; cat /etc/sysctl.d/* /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding 2>&1; "
                   "nft list ruleset")
               .out +
           read_file(lab_.config());
  }
  [[nodiscard]] std::string out_of(const std::string& shell_command) const { return lab_.run(shell_command).out; }

  HostLab lab_;
  std::string script_ = read_file(PEERWRIGHT_SOURCE_DIR "/src/ssh/scripts/prepare.sh");
  std::string path_;  // of the configuration, where it is not the lab's own
};

TEST_F(PrepareScript, MakesAServerOutOfABareHost) {
  make_bare();
  const auto pair = wireguard::generate_key_pair();
  const std::string before = state();
  const auto looked = run(plan({}, {pair.public_key}), PrepareMode::look);
  ASSERT_TRUE(looked) << looked.error().message;
  EXPECT_TRUE(looked->changes());
  EXPECT_EQ(looked->interface_key + looked->file_key, "");
  EXPECT_THAT(in_state(looked, "would"), Contains("bring wg0 up"));
  EXPECT_EQ(state(), before);

  const auto done = run(plan(pair.private_key, {pair.public_key}));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->interface_key, pair.public_key);
  EXPECT_EQ(done->file_key, pair.public_key);
  const std::string directory = lab_.config().parent_path().string();
  EXPECT_EQ(read_file(lab_.config()),
            "[Interface]\nPrivateKey = " + std::string(pair.private_key.reveal()) +
                "\nAddress = 10.80.0.1/24, fd80::1/64\nListenPort = 51820\nMTU = 1380\nPreUp = test ! -e " + directory +
                "/peerwright-%i.nft || nft -f " + directory + "/peerwright-%i.nft\n");
  EXPECT_EQ(out_of("stat -c '%a %U' " + config()), "600 root\n");
  EXPECT_EQ(lab_.wg_show("public-key"), pair.public_key + "\n");
  EXPECT_EQ(lab_.wg_show("listen-port"), "51820\n");
  EXPECT_THAT(out_of("ip link show dev wg0"), testing::AllOf(HasSubstr(",UP"), HasSubstr("mtu 1380")));
  EXPECT_THAT(out_of("ip -o address show dev wg0"),
              testing::AllOf(HasSubstr("inet 10.80.0.1/24 "), HasSubstr("inet6 fd80::1/64 ")));
  EXPECT_EQ(out_of("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"), "1\n1\n");
  EXPECT_EQ(out_of("cat /etc/sysctl.d/99-zz-peerwright-wg0.conf"),
            "net/ipv4/ip_forward = 1\nnet/ipv6/conf/all/forwarding = 1\n");
  EXPECT_THAT(in_state(done, "skipped"), ElementsAre(HasSubstr("systemctl enable wg-quick@wg0: NOT DONE")));

  const std::string after = state();
  const auto again = run(plan({}, {pair.public_key}));  // its key is there
  EXPECT_THAT(in_state(again, "did"), IsEmpty());
  EXPECT_EQ(state(), after);
  const auto still = run(plan({}, {pair.public_key}), PrepareMode::look);
  EXPECT_THAT(in_state(still, "would"), IsEmpty());
}

TEST_F(PrepareScript, AnInterruptedPlanChangesNothing) {
  make_bare();
  const auto pair = wireguard::generate_key_pair();
  const auto text = wireguard::render_prepare(plan(pair.private_key));
  const std::string file = (lab_.config().parent_path() / "plan").string();
  write_file(file, text->reveal());
  const std::string before = state();
  // Without its last newline it is whole. A status other than the first refusal's ends the loop.
  const std::string most = std::to_string(text->reveal().size() - 2);
  const auto cut = lab_.run("for n in $(seq 0 " + most + "); do head -c $n " + file + " | " +
                            command(PrepareMode::prepare) + " >/dev/null; [ $? = 10 ] || exit 3; done");
  EXPECT_EQ(cut.status, 0);
  EXPECT_EQ(state(), before);
}

TEST_F(PrepareScript, ARunningInterfaceIsChangedInPlaceAndItsPeersNotAtAll) {
  const LabMachine client(lab_, 1);
  const auto other = wireguard::generate_key_pair();
  sh("wg set wg0 peer " + client.public_key() +
     " allowed-ips 10.80.0.2/32 && ip address add 10.80.0.1/16 dev wg0 && "
     "ip link set wg0 mtu 1300 up");
  client.join("10.80.0.2/32", "10.80.0.1/32");
  ASSERT_TRUE(client.pings("10.80.0.1"));
  const std::string peers =
      "\n[Peer]\n# the first\nPublicKey = " + client.public_key() +
      "\nAllowedIPs = 10.80.0.2/32\n\n[Peer]\nAllowedIPs=10.80.0.3\r\n  PublicKey = " + other.public_key +
      "\nPresharedKey = " + std::string(other.private_key.reveal()) + "\n";
  write_file(lab_.config(),
             "# by hand\n[Interface]\nAddress = 10.80.0.1/16, 192.0.2.1/32, FD80:0:0::1/64\nPrivateKey = " +
                 lab_.private_key() + "\nListenPort = 51820 # the usual\nTable = off\n" + peers);
  sh("chmod 644 " + config());
  const std::string index = out_of("cat /sys/class/net/wg0/ifindex; ip -o link show dev wg0 | cut -d: -f1");
  const std::string handshake = lab_.wg_show("latest-handshakes");
  auto what = plan();
  what.listen_port = 51999;
  const auto done = run(what);
  ASSERT_TRUE(done) << done.error().message;
  const std::string directory = lab_.config().parent_path().string();
  EXPECT_EQ(read_file(lab_.config()), "# by hand\n[Interface]\nAddress = 10.80.0.1/24\nMTU = 1380\nPreUp = test ! -e " +
                                          directory + "/peerwright-%i.nft || nft -f " + directory +
                                          "/peerwright-%i.nft\nAddress = 192.0.2.1/32, FD80:0:0::1/64\nPrivateKey = " +
                                          lab_.private_key() + "\nListenPort = 51999\nTable = off\n" + peers);
  EXPECT_EQ(out_of("stat -c %a " + config()), "600\n");
  EXPECT_EQ(lab_.wg_show("listen-port"), "51999\n");
  EXPECT_THAT(out_of("ip -o link show dev wg0"), HasSubstr(" mtu 1380 "));
  EXPECT_THAT(out_of("ip -o address show dev wg0"),
              testing::AllOf(HasSubstr("inet 10.80.0.1/24 "), Not(HasSubstr("10.80.0.1/16"))));
  EXPECT_EQ(out_of("cat /sys/class/net/wg0/ifindex; ip -o link show dev wg0 | cut -d: -f1"), index);
  EXPECT_EQ(lab_.wg_show("latest-handshakes"), handshake);
  EXPECT_TRUE(client
                  .run("wg set wg0 peer " + wireguard::public_key_of(Secret(lab_.private_key())).value() +
                       " endpoint 172.31.1.1:51999")
                  .status == 0);
  EXPECT_TRUE(client.pings("10.80.0.1"));
  EXPECT_EQ(lab_.wg_show("latest-handshakes"), handshake) << "the session went on";
  EXPECT_THAT(in_state(run(what), "did"), IsEmpty());
}

TEST_F(PrepareScript, AConfigurationThatItChangesIsKeptAsItStood) {
  const std::string kept = config() + ".before", first = read_file(lab_.config());
  ASSERT_NE(first, "");
  EXPECT_THAT(in_state(run(plan(), PrepareMode::look), "would"), Contains(HasSubstr("write " + config())));
  EXPECT_EQ(read_file(kept), "") << "to look changes nothing";
  ASSERT_TRUE(run(plan()));
  const std::string second = read_file(lab_.config());
  ASSERT_NE(second, first);
  EXPECT_EQ(read_file(kept), first);
  EXPECT_EQ(out_of("stat -c '%a %U' " + kept), "600 root\n");
  EXPECT_THAT(in_state(run(plan()), "did"), IsEmpty());
  EXPECT_EQ(read_file(kept), first) << "nothing was changed";
  auto other = plan();
  other.listen_port = 51999;
  ASSERT_TRUE(run(other));
  EXPECT_EQ(read_file(kept), second);

  sh("rm " + config() + " " + kept);  // nothing to keep
  ASSERT_TRUE(run(plan()));
  EXPECT_EQ(read_file(kept), "");
}

TEST_F(PrepareScript, WhateverFailsTheConfigurationIsTheOldOneOrTheNewOne) {
  const std::string before = read_file(lab_.config());
  const std::string into = "case $(readlink /proc/$$/fd/1) in *";  // what cat is to write
  const std::pair<const char*, std::string> faults[] = {
      {"cat", into + "/wg0.conf.before.new) head -c 20 ;; *) exec /usr/bin/cat \"$@\" ;; esac\n"},
      {"cat", into + "/wg0.conf.new) head -c 20 ;; *) exec /usr/bin/cat \"$@\" ;; esac\n"},
      {"sync", "exit 1\n"},
      {"mv", "case $* in */wg0.conf.before) exit 1 ;; esac\nexec /usr/bin/mv \"$@\"\n"},
      {"mv", "case $* in */wg0.conf) exit 1 ;; esac\nexec /usr/bin/mv \"$@\"\n"},
      {"mv", "case $* in */wg0.conf) kill -9 $PPID ;; esac\nexec sleep 1\n"}};
  for (const auto& [tool, script] : faults) {
    SCOPED_TRACE(script);
    lab_.add_shim(tool, script);
    EXPECT_NE(lab_.run(command(PrepareMode::prepare), wireguard::render_prepare(plan())->reveal()).status, 0);
    EXPECT_EQ(read_file(lab_.config()), before);
    lab_.remove_shims();
  }
  ASSERT_TRUE(run(plan()));
  EXPECT_NE(read_file(lab_.config()), before);
  EXPECT_EQ(read_file(config() + ".before"), before);
  EXPECT_EQ(out_of("ls " + lab_.config().parent_path().string() + " | grep new"), "") << "a half-written file stays";
}

TEST_F(PrepareScript, KeepsTheKeyOfTheHostAndRefusesAnother) {
  const auto pair = wireguard::generate_key_pair();
  const std::string before = state();
  EXPECT_EQ(code(run(plan(pair.private_key, {pair.public_key}))), "interface_key_changed");
  EXPECT_EQ(code(run(plan({}, {pair.public_key}), PrepareMode::look)), "interface_key_changed");
  const std::string own = wireguard::public_key_of(Secret(lab_.private_key())).value();
  sh("rm -f " + config() + ".lock");
  EXPECT_EQ(state(), before);
  sh("rm " + config());  // the interface has it still
  const auto done = run(plan(pair.private_key, {own, pair.public_key}));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->interface_key, own);
  EXPECT_EQ(done->file_key, own);
  EXPECT_THAT(read_file(lab_.config()), HasSubstr("PrivateKey = " + lab_.private_key() + "\n"));
}

TEST_F(PrepareScript, AHostOfAnotherInstallationIsNotTouched) {
  auto what = plan();
  what.listen_port = 51999;
  for (const auto& [mark, refusal] :
       {std::pair("two 7\n", "host_of_other_installation"), std::pair("", "host_storage_failed")}) {
    write_file(config() + ".push", mark);
    sh(": >>" + config() + ".lock");
    const std::string before = state();
    EXPECT_EQ(code(run(what, PrepareMode::look)), refusal);
    EXPECT_EQ(code(run(what)), refusal);
    EXPECT_EQ(state(), before);
  }
  write_file(config() + ".push", std::string(kInstallation) + " 7\n");
  EXPECT_EQ(code(run(what)), "ok");
}

TEST_F(PrepareScript, AHostWithoutAKeyNeedsTheRightOne) {
  make_bare();
  const auto pair = wireguard::generate_key_pair();
  EXPECT_EQ(code(run(plan({}, {pair.public_key}))), "host_key_missing");
  EXPECT_EQ(code(run(plan(wireguard::generate_key_pair().private_key, {pair.public_key}))), "interface_key_changed");
  EXPECT_EQ(read_file(lab_.config()), "");
  EXPECT_EQ(lab_.run("wg show wg0 public-key").status, 1);
}

TEST_F(PrepareScript, RefusesAFileThatDoesNotBeginWithItsOneInterface) {
  for (const std::string head : {"", "[Peer]\n", "[Interface]\n[Interface]\n", "[Peer]\n[Interface]\n"}) {
    write_file(lab_.config(), head);
    EXPECT_EQ(code(run(plan())), "host_config_missing") << head;
    EXPECT_EQ(read_file(lab_.config()), head);
  }
}

TEST_F(PrepareScript, NamesMissingTools) {
  sh("mount --bind /dev/null $(command -v nft) && mount --bind /dev/null $(command -v wg)");
  const auto got = run(plan());
  ASSERT_EQ(code(got), "host_tool_missing");
  EXPECT_THAT(got.error().message, testing::EndsWith(" wg nft"));
  EXPECT_THAT(got.error().remedy, HasSubstr("apt-get install wireguard-tools nftables"));
}

TEST_F(PrepareScript, InstallsFiles) {
  const std::string directory = (lab_.config().parent_path() / "lib").string();
  auto what = plan();
  what.files = {
      {directory + "/one.sh", 0755, "#!/bin/sh\n# end marks and files of its own:\n#end\nfile 600 /x\n\n>x\n"},
      {directory + "/two", 0644, "two\n"}};
  const auto done = run(what);
  EXPECT_THAT(in_state(done, "did"), Contains("install -m 755 " + directory + "/one.sh"));
  for (const auto& file : what.files) EXPECT_EQ(read_file(file.path), file.content);
  EXPECT_EQ(out_of("stat -c '%a %U %G' " + directory + " " + directory + "/*"),
            "755 root root\n755 root root\n644 root root\n");
  sh("echo changed >>" + directory + "/two && chmod 777 " + directory + "/one.sh");
  EXPECT_THAT(in_state(run(what, PrepareMode::look), "would"),
              ElementsAre("install -m 755 " + directory + "/one.sh", "install -m 644 " + directory + "/two"));
  EXPECT_EQ(in_state(run(what), "did").size(), 2U);
  EXPECT_EQ(read_file(directory + "/two"), "two\n");
  EXPECT_THAT(in_state(run(what), "did"), IsEmpty());
}

TEST_F(PrepareScript, EnablesTheUnitWhereSystemdRuns) {
  make_bare();
  path_ = "/etc/wireguard/wg0.conf";
  const std::string directory = lab_.config().parent_path().string();
  sh("mkdir -p /run/systemd/system /etc/wireguard && mount --bind " + directory + " /etc/wireguard");
  lab_.add_shim(
      "systemctl",
      "case $1 in is-enabled) cat /run/enabled ;; enable) echo enabled >/run/enabled ;; "
      "is-active) test -e /run/active ;; start) wg-quick up /etc/wireguard/wg0.conf && : >/run/active ;; esac");
  const auto done = run(plan(wireguard::generate_key_pair().private_key));
  EXPECT_THAT(in_state(done, "did"), Contains("systemctl enable wg-quick@wg0"));
  EXPECT_THAT(in_state(done, "skipped"), IsEmpty());
  EXPECT_EQ(out_of("cat /run/enabled"), "enabled\n");
  sh("rm /run/active");  // as it is where somebody brought the interface up by hand
  EXPECT_THAT(in_state(run(plan()), "skipped"), ElementsAre(HasSubstr("systemctl start wg-quick@wg0: NOT DONE")));
  lab_.add_shim("systemctl", "[ $1 = enable ]");  // it says so, and does nothing
  const auto lied = run(plan());
  ASSERT_EQ(code(lied), "host_step_failed");
  EXPECT_THAT(lied.error().message, HasSubstr("systemctl enable wg-quick@wg0: was done, and does not hold"));
}

TEST_F(PrepareScript, NeverRunsBesideAPush) {
  script_.replace(script_.find("lock_seconds=20"), 15, "lock_seconds=1");
  const auto holder = lab_.start("exec flock " + config() + ".lock sleep 600");
  ASSERT_TRUE(eventually([&] { return lab_.run("flock -n " + config() + ".lock true").status != 0; }));
  const std::string before = state();
  EXPECT_EQ(code(run(plan())), "host_busy");
  EXPECT_EQ(state(), before);
}

// What is read last counts after a reboot: Debian's 99-sysctl.conf stands behind any 99-p.
TEST_F(PrepareScript, ForwardingOutlivesAReboot) {
  sh("mkdir -p /run/systemd/system && printf 'net.ipv4.ip_forward=0\n' >/etc/sysctl.d/99-sysctl.conf && "
     "printf '# by hand\nnet/ipv4/ip_forward = 1\n' >/etc/sysctl.d/99-peerwright-wg0.conf");
  lab_.add_shim("systemctl", "echo enabled");
  EXPECT_THAT(in_state(run(plan(), PrepareMode::look), "would"), Contains("rm /etc/sysctl.d/99-peerwright-wg0.conf"));
  const auto done = run(plan());
  EXPECT_EQ(out_of("ls /etc/sysctl.d"), "99-sysctl.conf\n99-zz-peerwright-wg0.conf\n");
  EXPECT_EQ(out_of("cat /etc/sysctl.d/99-zz-peerwright-wg0.conf"),
            "# by hand\nnet/ipv4/ip_forward = 1\nnet/ipv6/conf/all/forwarding = 1\n");
  EXPECT_THAT(in_state(done, "skipped"), Not(Contains(HasSubstr("forward"))));
  EXPECT_THAT(in_state(run(plan()), "did"), IsEmpty());

  sh("printf ' -net.ipv4.ip_forward = 0 \nnet.ipv6.conf.all.forwarding = 1\n' >/etc/sysctl.d/zzz.conf");
  for (const PrepareMode mode : {PrepareMode::look, PrepareMode::prepare}) {
    EXPECT_THAT(in_state(run(plan(), mode), "skipped"),
                Contains("sysctl net/ipv4/ip_forward=1 after a reboot: NOT DONE, /etc/sysctl.d/zzz.conf sets it to 0"));
  }
}

TEST_F(PrepareScript, AHostKeepsItsDefaultRouteFromRouterAdvertisements) {
  sh("ip link add eth9 type veth peer name eth8 && ip link set eth9 up && ip link set eth8 up && "
     "echo 1 >/proc/sys/net/ipv6/conf/eth9/accept_ra && ip -6 route add default via fe80::1 dev eth9 proto ra");
  const auto done = run(plan());
  EXPECT_THAT(in_state(done, "did"), Contains("sysctl net/ipv6/conf/eth9/accept_ra=2"));
  EXPECT_EQ(out_of("cat /proc/sys/net/ipv6/conf/eth9/accept_ra"), "2\n");
  EXPECT_THAT(out_of("cat /etc/sysctl.d/99-zz-peerwright-wg0.conf"), HasSubstr("net/ipv6/conf/eth9/accept_ra = 2\n"));
  EXPECT_THAT(in_state(run(plan()), "did"), IsEmpty());
}

}  // namespace
}  // namespace peerwright::test
