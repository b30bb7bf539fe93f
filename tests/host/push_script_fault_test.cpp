// What the push script does where something fails, is cut or comes at the same time.
#include <sys/stat.h>

#include "push_script.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// Every plan that is cut short, byte by byte: one with all that a push can carry, and a reading's.
TEST_F(PushScript, WhatWasCutShortChangesNothing) {
  const auto old = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&old}), 1));
  auto next = peer({"10.0.0.3/32"}, 25, true);
  next.endpoint = "192.0.2.1:1";
  auto whole = plan({old.public_key}, {&next});
  whole.firewall = "table inet peerwright_wg0 {}\n";
  whole.interface_key = wireguard::generate_key_pair().private_key;
  secrets_.emplace_back(whole.interface_key.reveal());
  PushPlan reading;
  reading.hashed_keys = {old.public_key};
  const std::string before = state();
  const std::string file = lab_.config().string() + ".plan";
  for (const auto& [what, mode] : {std::pair{&whole, PushMode::push}, {&reading, PushMode::reading}}) {
    const Secret text = wireguard::render_push(*what);
    write_file(file, text.reveal());
    // The last byte is the newline after the end mark, and what has the end mark is whole.
    const std::size_t cuts = text.size() - 1;
    const auto outcome = lab_.run("i=0; while [ $i -lt " + std::to_string(cuts) + " ]; do head -c $i " + file + " | " +
                                  command(2, mode) + "; i=$((i + 1)); done");
    EXPECT_EQ(code(answer(outcome, 2)), "host_answer_incomplete");
    std::string refused;
    for (std::size_t i = 0; i < cuts; ++i) refused += "error plan_incomplete no end mark\nend 2 plan_incomplete\n";
    ASSERT_EQ(outcome.out, refused);
    ASSERT_EQ(state(), before);
  }
  write_file(file, "");
  const auto what = plan({old.public_key}, {&next});
  const Secret text = wireguard::render_push(what);
  expect_proven(what, answer(lab_.run(command(2), text.reveal().substr(0, text.size() - 1)), 2));
}

TEST_F(PushScript, WorksBesideTheFileWhereRunCannotBeWritten) {
  ASSERT_EQ(lab_.run("mount -o remount,ro /run").status, 0);
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  const auto what = plan({}, {&one});
  expect_proven(what, push(what, 1));
  EXPECT_EQ(lab_.run("ls -d " + lab_.config().string() + ".work*").out, "");
}

TEST_F(PushScript, ADamagedNumberIsNotTakenForNone) {
  write_file(lab_.config().string() + ".push", "");
  const auto one = peer({"10.0.0.2/32"});
  EXPECT_EQ(code(push(plan({}, {&one}), 1)), "host_storage_failed");
  EXPECT_EQ(lab_.wg_show("peers"), "");
}

TEST_F(PushScript, SaysWhatItNeeds) {
  const auto one = peer({"10.0.0.2/32"});
  const auto what = plan({}, {&one});
  const std::string config = read_file(lab_.config());
  for (const std::string& broken : {std::string(), std::string("[Peer]\n"), config + config, "[Peer]\n" + config}) {
    write_file(lab_.config(), broken);
    EXPECT_EQ(code(push(what, 1)), "host_config_missing") << broken;
  }
  std::filesystem::remove(lab_.config());
  EXPECT_EQ(code(push(what, 1)), "host_config_missing");
  EXPECT_EQ(code(read({}, 1)), "host_config_missing");
  EXPECT_EQ(read_file(lab_.config().string() + ".push"), "");
  EXPECT_EQ(lab_.wg_show("peers"), "");

  write_file(lab_.config(), config);
  ASSERT_EQ(lab_.run("ip link delete wg0").status, 0);
  EXPECT_EQ(code(push(what, 1)), "interface_missing");
  EXPECT_EQ(code(push(plan({one.public_key}, {}), 2)), "interface_missing");
  EXPECT_EQ(code(read({}, 3)), "interface_missing");
  EXPECT_EQ(read_file(lab_.config()), config);
}

TEST_F(PushScript, NamesTheToolThatIsMissing) {
  // A search path without any: the script looks in its own places first, so these have to go too.
  std::string blind = command(1);
  const std::string places = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}";
  const std::size_t at = blind.find(places);
  ASSERT_NE(at, std::string::npos);
  blind.replace(at, places.size(), "PATH=/usr/local/sbin");
  const auto got = answer(lab_.run(blind, "#plan 0 0\n#end\n"), 1);
  ASSERT_EQ(code(got), "host_tool_missing");
  EXPECT_THAT(got.error().message, testing::EndsWith(" wg"));
}

TEST_F(PushScript, ClaimsNothingWhenWgFails) {
  auto old = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&old}), 1));
  auto bad = peer({"10.0.0.3/32"}, 0, true);
  bad.allowed_ips = {"nonsense"};
  const auto got = push(plan({old.public_key}, {&bad}), 2);
  EXPECT_EQ(code(got), "wg_refused");
  EXPECT_THAT(last_.out, Not(HasSubstr("kernel")));
  EXPECT_THAT(read_file(lab_.config()), HasSubstr(old.public_key));  // the removal was not said to be saved

  // The key in the wrong place, which `wg` repeats in what it says.
  bad.allowed_ips = {"10.0.0.3/32"};
  const std::string damaged = std::string(bad.preshared_key.reveal()).substr(0, 43);
  bad.preshared_key = Secret(damaged);
  EXPECT_EQ(code(push(plan({}, {&bad}), 3)), "wg_refused");
}

TEST_F(PushScript, AReadingIsNotTakenForWholeWhenItIsCut) {
  const auto one = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  const std::string before = read_file(lab_.config());
  lab_.add_shim("wg", "/usr/bin/wg \"$@\" | sed -n 1p\nkill -9 $$\n");
  EXPECT_EQ(code(read({&one}, 2)), "host_storage_failed");
  EXPECT_EQ(code(push(plan({}, {&one}), 3)), "host_storage_failed");
  lab_.add_shim("wg", "[ \"$1\" != show ] || exit 0\nexec /usr/bin/wg \"$@\"\n");
  EXPECT_FALSE(push(plan({}, {&one}), 4));
  lab_.add_shim("sort", "exit 0\n");
  EXPECT_FALSE(read({&one}, 5));
  EXPECT_EQ(read_file(lab_.config()), before);
}

TEST_F(PushScript, AFullDiskIsSaid) {
  const auto one = peer({"10.0.0.2/32"});
  lab_.add_shim("sync", "exit 1\n");
  EXPECT_EQ(code(push(plan({}, {&one}), 1)), "host_storage_failed");
  EXPECT_EQ(lab_.wg_show("peers"), "");  // the number comes before the first change
  lab_.remove_shims();
  // Only the configuration does not fit: the number is stored and the interface changed, and yet nothing is claimed.
  const std::string before = read_file(lab_.config());
  lab_.add_shim(
      "dd", "case $2 in of=*.conf.new) head -c 40 \"${1#if=}\" >\"${2#of=}\" ;; *) exec /usr/bin/dd \"$@\" ;; esac\n");
  EXPECT_EQ(code(push(plan({}, {&one}), 2)), "host_storage_failed");
  EXPECT_EQ(read_file(lab_.config()), before);
  lab_.remove_shims();
  const auto what = plan({}, {&one});
  expect_proven(what, push(what, 3));
  // A reading whose number is not stored fences nobody off, so it tells nothing.
  lab_.add_shim("dd", "exit 1\n");
  EXPECT_EQ(code(read({&one}, 4)), "host_storage_failed");
}

TEST_F(PushScript, AReadingWhoseReaderFailsIsNone) {
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  std::int64_t number = 1;
  // Of the interface, and of the file: after all was said, before, and in the middle of it.
  for (const char* program : {"*'Of a reading'*", "*'is answered as'*"}) {
    for (const char* fault : {"/usr/bin/awk \"$@\"; exit 2", "exit 0", "/usr/bin/awk \"$@\" | head -c 20; exit 2"}) {
      lab_.add_shim("awk",
                    std::string("case \"$*\" in ") + program + ") " + fault + " ;; esac\nexec /usr/bin/awk \"$@\"\n");
      EXPECT_EQ(code(read({&one}, ++number)), "host_storage_failed") << program << fault;
      lab_.remove_shims();
    }
  }
  EXPECT_EQ(lab_.run("ls -d /run/peerwright*").out, "");
  EXPECT_EQ(code(read({&one}, ++number)), "ok");
}

TEST_F(PushScript, AKilledScriptLeavesNothingThatHindersTheNext) {
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  const auto two = peer({"10.0.0.3/32"}, 0, true);
  const auto what = plan({one.public_key}, {&two});
  const std::string config = read_file(lab_.config());
  std::int64_t number = 0;
  // The script is killed at each of its changes: the number, the removal, the addition, the file.
  for (const std::string shim :
       {"dd:case $1 in of=*.push) kill -9 $PPID; exit 1 ;; esac\nexec /usr/bin/dd \"$@\"\n",
        "dd:case $1 in of=*.push) /usr/bin/dd \"$@\"; kill -9 $PPID ;; *) exec /usr/bin/dd \"$@\" ;; esac\n",
        "dd:case $2 in of=*.conf.new) kill -9 $PPID; exit 1 ;; esac\nexec /usr/bin/dd \"$@\"\n",
        "mv:case $* in *.conf) kill -9 $PPID; exit 1 ;; esac\nexec /usr/bin/mv \"$@\"\n",
        "wg:/usr/bin/wg \"$@\"\n[ \"$1\" != addconf ] || kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)\n",
        "wg:[ \"$1\" != addconf ] || kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)\nexec /usr/bin/wg \"$@\"\n",
        "wg:[ \"$1\" != set ] || kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)\nexec /usr/bin/wg \"$@\"\n"}) {
    ASSERT_TRUE(push(plan({two.public_key}, {&one}), ++number)) << shim;
    const std::size_t colon = shim.find(':');
    lab_.add_shim(shim.substr(0, colon), shim.substr(colon + 1));
    const auto got = push(what, ++number);
    ASSERT_FALSE(got) << shim;
    EXPECT_EQ(got.error().retry, Retry::later) << shim;
    EXPECT_THAT(last_.out, Not(HasSubstr("end"))) << shim;
    lab_.remove_shims();
    EXPECT_THAT(read_file(lab_.config()), testing::StartsWith(config));
    expect_proven(what, push(what, ++number));
  }
  // The plans of the killed ones, with their preshared keys, are gone too.
  EXPECT_EQ(lab_.run("ls -d /run/peerwright*").out, "");
}

TEST_F(PushScript, WhatAKilledScriptLeftGoesAlsoWhereItsNumberIsAnothers) {
  const std::string left = "/run/peerwright.wg0.1.";  // process 1 lives
  ASSERT_EQ(
      lab_.run("mkdir -m 700 " + left + "old " + left + "young && touch -d '62 minutes ago' " + left + "old").status,
      0);
  const auto one = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  EXPECT_EQ(lab_.run("ls -d /run/peerwright*").out, left + "young\n") << "it may be at work";
}

TEST_F(PushScript, TwoAtOnceFollowEachOther) {
  const auto one = peer({"10.0.0.2/32"});
  const auto two = peer({"10.0.0.3/32"});
  const std::string gate = lab_.config().string() + ".gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  lab_.add_shim("wg", "[ \"$1\" != addconf ] || { rm " + gate + ".shut 2>/dev/null && read -r word <" + gate +
                          "; }\nexec /usr/bin/wg \"$@\"\n");
  write_file(gate + ".shut", "");
  const auto first = plan({}, {&one});
  const auto second = plan({}, {&two});
  const auto slow = lab_.start(command(1), wireguard::render_push(first).reveal());
  ASSERT_TRUE(eventually([&] { return !std::filesystem::exists(gate + ".shut"); }));
  const auto quick = lab_.start(command(2), wireguard::render_push(second).reveal());
  struct stat lock {};
  ASSERT_EQ(stat((lab_.config().string() + ".lock").c_str(), &lock), 0);
  const auto waiting = [&] {
    const std::string locks = read_file("/proc/locks");
    const std::size_t arrow = locks.find("->");
    return arrow != std::string::npos &&
           locks.find(":" + std::to_string(lock.st_ino) + " ", arrow) != std::string::npos;
  };
  ASSERT_TRUE(eventually(waiting));
  EXPECT_EQ(lab_.wg_show("peers"), "");
  write_file(gate, "go\n");
  expect_proven(first, answer(slow->wait(), 1));
  expect_proven(second, answer(quick->wait(), 2));
  const auto got = read({&one, &two}, 3);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->kernel.size(), 2U);
  EXPECT_EQ(got->file, got->kernel);
}

}  // namespace
}  // namespace peerwright::test
