// The dispatcher that a login by sudo or a forced command leads to, and the scripts that it carries out.
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "peerwright/ssh/host_files.hpp"
#include "peerwright/ssh/session.hpp"
#include "peerwright/wireguard/observation.hpp"
#include "push_script.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using wireguard::WayIn;

// A host on which the scripts lie, in a /usr/local/lib of its own that the test sees too.
class HandScript : public PushScript {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(outside());
    const std::string root = std::string(ssh::kHostDirectory).substr(0, ssh::kHostDirectory.rfind('/'));
    ASSERT_EQ(lab_.run("mount --bind " + outside().string() + " " + root).status, 0);
    make_directory(seen_from_outside(ssh::kHostDirectory), ssh::kHostDirectoryMode);
    for (const auto& file : ssh::host_files()) put(file.path, file.content, file.mode);
    allow("wg0 " + lab_.config().string() + "\n");
  }

  [[nodiscard]] std::filesystem::path outside() const { return lab_.config().parent_path() / "lib"; }
  [[nodiscard]] std::filesystem::path seen_from_outside(std::string_view path) const {
    return outside() / std::filesystem::path(path).lexically_relative("/usr/local/lib");
  }
  static void make_directory(const std::filesystem::path& path, int mode) {
    std::filesystem::create_directories(path);
    ASSERT_EQ(chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
  }
  void put(std::string_view path, std::string_view text, int mode = 0644) const {
    const auto place = seen_from_outside(path);
    std::filesystem::remove(place);
    write_file(place, text);
    ASSERT_EQ(chmod(place.c_str(), static_cast<mode_t>(mode)), 0);
  }
  void allow(std::string_view lines) const { put(ssh::kHostAllowedFile, lines); }
  void disallow() const { std::filesystem::remove(seen_from_outside(ssh::kHostAllowedFile)); }
  [[nodiscard]] static std::string push_file() { return ssh::host_files()[0].path; }

  [[nodiscard]] wireguard::HostInterface where(WayIn way) const {
    return {"wg0", lab_.config().string(), "", "one", {}, way};
  }
  // What a worker would ask for, as words without `sudo -n` and the path.
  [[nodiscard]] std::string words(std::int64_t number, PushMode mode = PushMode::push) const {
    return wireguard::exec_command(where(WayIn::forced), mode, number, kTimeoutSeconds, ssh::push_script()).value();
  }
  [[nodiscard]] std::string look_words() const {
    return wireguard::observe_command(where(WayIn::forced), kTimeoutSeconds, ssh::observe_script()).value();
  }

  // As sshd runs a forced command, and as sudo runs one. `words` is one shell word.
  Outcome forced(const std::string& words, std::string_view input = "#plan 0 0\n#end\n") const {
    return lab_.run("SSH_ORIGINAL_COMMAND='" + words + "' " + std::string(wireguard::kHandCommand), input);
  }
  Outcome by_sudo(const std::string& words, std::string_view input = "#plan 0 0\n#end\n") const {
    return lab_.run(std::string(wireguard::kHandCommand) + " " + words, input);
  }

  std::string code_of(const Outcome& outcome, std::int64_t number = 1) { return code(answer(outcome, number)); }
};

TEST_F(HandScript, CarriesOutAPushAndALookByWordsAlone) {
  const auto one = peer({"10.0.0.2/32"}, 25, true);
  const auto what = plan({}, {&one});
  expect_proven(what, answer(forced(words(1), wireguard::render_push(what).reveal()), 1));
  const auto gone = plan({one.public_key}, {});
  expect_proven(gone, answer(by_sudo(words(2), wireguard::render_push(gone).reveal()), 2));
  EXPECT_EQ(code_of(by_sudo(words(2)), 2), "push_number_refused");
  EXPECT_EQ(code_of(forced(words(3, PushMode::reading)), 3), "ok");
  const std::string key = wireguard::public_key_of(Secret(lab_.private_key())).value();
  EXPECT_EQ(code_of(forced(words(4) + " " + key), 4), "ok") << "with the key of the interface";

  for (const auto& look : {forced(look_words(), ""), by_sudo(look_words(), "")}) {
    const auto seen = wireguard::parse_observation(look.out, look.status);
    ASSERT_TRUE(seen) << seen.error().message << look.err;
    EXPECT_TRUE(seen->listening);
  }
}

TEST_F(HandScript, CarriesOutTheEndOfAServer) {
  const std::string key = wireguard::public_key_of(Secret(lab_.private_key())).value();
  const auto retire = [&](std::int64_t number, const std::string& expected) {
    auto place = where(WayIn::forced);
    place.expected_key = expected;
    return wireguard::exec_command(place, PushMode::retire, number, kTimeoutSeconds, ssh::retire_script()).value();
  };
  for (const std::string& odd : {retire(1, key) + " x", retire(1, "") + " x", retire(1, "") + " " + key.substr(1)}) {
    EXPECT_EQ(code_of(forced(odd)), "host_command_refused") << odd;
  }
  const auto cut = forced(retire(1, key), "");
  EXPECT_EQ(code_of(cut), "host_answer_incomplete");
  EXPECT_EQ(forced(retire(1, key)).out, "absent interface firewall config\nend 1 ok 0 0\n");
  EXPECT_FALSE(std::filesystem::exists(lab_.config()));
  EXPECT_EQ(by_sudo(retire(2, "")).out, "absent interface firewall config\nend 2 ok 0 0\n");
}

TEST_F(HandScript, TheSudoWaysCommandIsThatOfTheForcedWayBehindOnePath) {
  const auto command =
      wireguard::exec_command(where(WayIn::sudo), PushMode::push, 1, kTimeoutSeconds, ssh::push_script()).value();
  EXPECT_EQ(command, "sudo -n /usr/local/lib/peerwright/hand " + words(1));
  EXPECT_EQ(command.find_first_of("'\"\\$`;|&<>()\n*?[]{}~#!"), std::string::npos) << "plain words";
}

TEST_F(HandScript, TakesNoWordOfAnotherForm) {
  const auto replaced = [this](std::size_t place, const std::string& by) {
    std::istringstream in(words(1));
    std::string all, word;
    for (std::size_t i = 0; in >> word; ++i) all += (i > 0 ? " " : "") + (i == place ? by : word);
    return all;
  };
  const std::string hash(64, 'a');
  std::vector<std::string> refused = {"",
                                      " ",
                                      "id",
                                      "sh",
                                      "sh -c id",
                                      "push",
                                      "observe",
                                      "observe " + hash,
                                      "bash -i",
                                      "/bin/sh",
                                      words(1) + " x y",
                                      words(1) + "\nid",
                                      words(1) + ";id",
                                      words(1) + " $(id)",
                                      words(1) + "`id`",
                                      look_words() + " x"};
  const std::vector<std::vector<std::string>> bad_words = {
      {"pull", "Push", "../push"},
      {"", "abc", std::string(64, 'g'), std::string(64, 'A'), hash + "a", "../" + std::string(61, 'a')},
      {"0", "-1", "3601", "99999", "1s", "010", "0x10", "infinity"},
      {"wg/0", "-wg", ".", "..", "sixteen-letters0", "wg@0", "*"},
      {"wg0.conf", "/", "/etc/", "/etc//wg0.conf", "/etc/../wg0.conf", "/etc/..", "/etc/./wg0.conf", "/a:b", "-/a",
       "/" + std::string(512, 'a')},
      {"a/b", "a.b", "*", std::string(65, 'a')},
      {"0", "-1", "01", "1.5", "1e3", "9999999999999999999", "x"},
      {"pushing", "read", "PUSH", "-"},
  };
  for (std::size_t place = 0; place < bad_words.size(); ++place) {
    for (const auto& word : bad_words[place]) refused.push_back(replaced(place, word));
  }
  for (const std::string& key : {std::string("x"), std::string(43, 'A') + "A", std::string(42, 'A') + "=",
                                 std::string(44, 'A') + "=", std::string(42, 'A') + "@="}) {
    refused.push_back(words(1) + " " + key);
  }
  const std::string before = state();
  for (const auto& command : refused) {
    const auto outcome = forced(command);
    ASSERT_EQ(outcome.status, 23) << command << '\n' << outcome.out << outcome.err;
    ASSERT_THAT(outcome.out, HasSubstr("host_command_refused\n")) << command;
    ASSERT_EQ(outcome.err, "") << command;
  }
  EXPECT_EQ(state(), before);
  // The same words as arguments, where no shell comes before.
  for (const auto& words : std::vector<std::vector<std::string>>{{"sh", "-c", "id"},
                                                                 {"push"},
                                                                 {"observe", hash, "10", "wg0", "/etc/a\nb"},
                                                                 {"observe", hash, "10", "a b", "/a"}}) {
    std::vector<std::string> command = {"nsenter", "-t", std::to_string(lab_.pid()),
                                        "-m",      "-n", std::string(wireguard::kHandCommand)};
    command.insert(command.end(), words.begin(), words.end());
    EXPECT_EQ(Running(command, "").wait().status, 23) << words.back();
  }
  EXPECT_EQ(code_of(forced(replaced(3, "wg@0"))), "host_command_refused") << "the worker understands the refusal";
}

TEST_F(HandScript, RunsNoFileButAnUnchangedOneOfRootsAlone) {
  const std::string text(ssh::push_script());
  const auto file = seen_from_outside(push_file());
  const auto directory = file.parent_path();
  const std::string before = state();
  const auto refused = [&](const std::string& what) {
    EXPECT_EQ(code_of(forced(words(1))), "host_script_outdated") << what;
    EXPECT_THAT(last_.out, Not(HasSubstr("RAN"))) << what;
    EXPECT_EQ(state(), before) << what;
    put(push_file(), text);
    make_directory(directory, ssh::kHostDirectoryMode);
    EXPECT_EQ(chown(directory.c_str(), 0, 0), 0);
  };
  put(push_file(), "echo RAN\n" + text);
  refused("changed");
  std::filesystem::remove(file);
  refused("missing");
  for (const int mode : {0664, 0646, 0777}) {
    chmod(file.c_str(), static_cast<mode_t>(mode));
    refused("others may write");
  }
  ASSERT_EQ(chown(file.c_str(), 65534, 0), 0);
  refused("somebody else's");
  std::filesystem::rename(file, file.string() + ".real");
  std::filesystem::create_symlink(push_file() + ".real", file);
  refused("a link");
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  refused("a directory");
  chmod(directory.c_str(), 0775);
  refused("others may add files");
  ASSERT_EQ(chown(directory.c_str(), 65534, 0), 0);
  refused("somebody else's directory");
  EXPECT_EQ(code_of(forced(words(1))), "ok");
}

TEST_F(HandScript, TouchesNoOtherInterfaceThanTheAllowedOnes) {
  const auto refused = [this](const char* why) {
    EXPECT_EQ(code_of(forced(words(1))), "host_command_refused") << why;
    EXPECT_THAT(last_.out, HasSubstr("/usr/local/lib/peerwright/allowed")) << why;
  };
  disallow();
  refused("without the file it is the path that wg-quick goes by");
  const auto usual = by_sudo("push " + std::string(64, 'a') + " 10 wg7 /etc/wireguard/wg7.conf one 1 push");
  EXPECT_EQ(code_of(usual), "host_script_outdated") << "allowed, and there is no such script";
  const std::string path = lab_.config().string();
  for (const std::string& lines : {std::string(), "wg1 " + path + "\n", "wg0 " + path + ".old\n", std::string("wg0\n"),
                                   "wg0 " + path + " more\n", "# wg0 " + path + "\n", "* " + path + "\n"}) {
    allow(lines);
    refused(lines.c_str());
  }
  allow("wg1 /etc/wireguard/wg1.conf\n  wg0   " + path);
  EXPECT_EQ(code_of(forced(words(1))), "ok") << "without its newline";
  allow("wg0 " + path + "\n");
  chmod(seen_from_outside(ssh::kHostAllowedFile).c_str(), 0666);
  refused("others may write to it");
  disallow();
  std::filesystem::create_symlink("/dev/null", seen_from_outside(ssh::kHostAllowedFile));
  refused("a link");
}

TEST_F(HandScript, NothingOfTheEnvironmentChangesWhatRuns) {
  const std::string bad = (lab_.config().parent_path() / "bad").string();
  ASSERT_EQ(lab_.run("mkdir " + bad +
                     " && for t in wg sh env stat sha256sum timeout awk id flock; do printf '#!/bin/sh\\n"
                     "echo RAN >>" +
                     bad + "/ran\\n' >" + bad + "/$t && chmod 755 " + bad + "/$t; done && echo 'echo RAN >>" + bad +
                     "/ran' >" + bad + "/rc")
                .status,
            0);
  const auto outcome = lab_.run("PATH=" + bad + ":$PATH ENV=" + bad + "/rc BASH_ENV=" + bad +
                                    "/rc IFS=/ TMPDIR=" + bad + " number=9 home=" + bad + " SSH_ORIGINAL_COMMAND='" +
                                    words(1) + "' " + std::string(wireguard::kHandCommand),
                                "#plan 0 0\n#end\n");
  EXPECT_EQ(code_of(outcome), "ok") << outcome.out << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(bad + "/ran"));
}

// sudo takes what the login knows out of the environment; who carries the worker is not removed all the same.
TEST_F(HandScript, KnowsBehindSudoWhenceTheWorkerComes) {
  const auto carrier = peer({"10.77.0.9/32"});
  const auto other = peer({"10.77.0.8/32"});
  ASSERT_EQ(lab_.run("ip link set wg0 up && ip route add 10.77.0.0/16 dev wg0").status, 0);
  ASSERT_TRUE(push(plan({}, {&carrier, &other}), 1));
  const auto remove = [&](const PeerConfig& whom, const std::string& before, std::int64_t number) {
    const std::string way = before + " " + std::string(wireguard::kHandCommand) + " " + words(number) + "; exit $?";
    return answer(lab_.run(way, wireguard::render_push(plan({whom.public_key}, {})).reveal()), number);
  };
  const std::string came = "export SSH_CONNECTION='10.77.0.9 40000 10.77.0.1 22'; ";
  EXPECT_EQ(code(remove(carrier, came + "sudo -n", 2)), "own_way_cut") << last_.err;
  EXPECT_EQ(code(remove(carrier, came + "sh -c 'unset SSH_CONNECTION; \"$@\"; exit $?' sh sudo -n", 2)), "own_way_cut");
  EXPECT_EQ(code(remove(other, came + "sudo -n", 2)), "ok");
  const std::string odd = "export SSH_CONNECTION='10.77.0.9 $(touch /run/ran) 10.77.0.1 22'; ";
  EXPECT_EQ(code(remove(carrier, odd + "sudo -n", 3)), "ok") << "what is none is nobody's";
  EXPECT_NE(lab_.run("ls /run/ran").status, 0);
}

TEST_F(HandScript, IsForRootAlone) {
  const auto outcome = lab_.run("SSH_ORIGINAL_COMMAND='" + words(1) + "' setpriv --reuid 65534 --clear-groups " +
                                std::string(wireguard::kHandCommand));
  EXPECT_EQ(code_of(outcome), "host_command_refused");
  EXPECT_THAT(outcome.out, HasSubstr("root"));
}

TEST_F(HandScript, EndsWhatTakesTooLong) {
  lab_.add_shim("wg", "exec sleep 60\n");
  std::string hasty = words(1);
  hasty.replace(hasty.find(" 60 "), 4, " 1 ");
  EXPECT_EQ(code_of(forced(hasty)), "host_timeout");
}

}  // namespace
}  // namespace peerwright::test
