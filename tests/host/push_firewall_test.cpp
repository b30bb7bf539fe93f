// What the push script does with the firewall and the interface's key.
#include <sys/stat.h>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "push_script.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using wireguard::Firewall;
using wireguard::firewall_hash;
using wireguard::proves_firewall;
using wireguard::proves_interface_key;
using wireguard::RuleAction;
using wireguard::RuleProtocol;

std::string forbidding(std::vector<std::string> prefixes) {
  Firewall firewall;
  firewall.interface = "wg0";
  firewall.forbidden = std::move(prefixes);
  return render_firewall(firewall);
}

PushPlan loading(std::string text) {
  PushPlan plan;
  plan.firewall = std::move(text);
  return plan;
}

TEST_F(PushScript, LoadsReplacesAndRemovesTheFirewall) {
  ASSERT_EQ(lab_.run("nft add table inet another").status, 0);
  const auto first = loading(forbidding({"192.0.2.0/24"}));
  auto got = push(first, 1);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(proves_firewall(first, *got));
  EXPECT_EQ(read_file(nft_file()), *first.firewall);
  EXPECT_THAT(tables(), HasSubstr("elements = { 192.0.2.0/24 }"));

  const auto second = loading(forbidding({"198.51.100.0/24", "2001:db8::/32"}));
  got = push(second, 2);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(proves_firewall(second, *got));
  EXPECT_FALSE(proves_firewall(first, *got));
  EXPECT_THAT(tables(), Not(HasSubstr("192.0.2.0/24")));

  // A push that says nothing of it leaves it, and a reading tells of it.
  const auto one = peer({"10.0.0.2/32"});
  const std::string before = tables();
  ASSERT_TRUE(push(plan({}, {&one}), 3));
  EXPECT_EQ(tables(), before);
  got = read({}, 4);
  ASSERT_TRUE(got);
  EXPECT_TRUE(proves_firewall(second, *got));

  const auto none = loading("");
  got = push(none, 5);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(proves_firewall(none, *got));
  EXPECT_FALSE(std::filesystem::exists(nft_file()));
  EXPECT_EQ(tables(), "table inet another {\n}\n");
  ASSERT_TRUE(push(none, 6));
}

TEST_F(PushScript, ARefusedFirewallLeavesTheOldOne) {
  const auto first = loading(forbidding({"192.0.2.0/24"}));
  ASSERT_TRUE(push(first, 1));
  const std::string before = tables();
  auto next = loading(forbidding({"198.51.100.0/24", "nonsense"}));
  const auto one = peer({"10.0.0.2/32"});
  next.peers.push_back(clone(one));
  const auto got = push(next, 2);
  ASSERT_EQ(code(got), "nft_refused");
  EXPECT_EQ(got.error().retry, Retry::never);
  EXPECT_THAT(got.error().message, HasSubstr("rror"));
  EXPECT_EQ(tables(), before);
  EXPECT_EQ(read_file(nft_file()), *first.firewall);
  EXPECT_EQ(lab_.wg_show("peers"), "");  // no peer comes without its rules
}

TEST_F(PushScript, ARefusedFirewallKeepsNoRemovalBack) {
  const auto gone = peer({"10.0.0.2/32"}), stays = peer({"10.0.0.3/32"}), comes = peer({"10.0.0.4/32"});
  auto keys = wireguard::generate_key_pair();
  secrets_.emplace_back(keys.private_key.reveal());
  std::int64_t number = 0;
  for (const std::string shim : {"exit 1", "[ \"$1\" != list ] || exit 1\nexec /usr/sbin/nft \"$@\""}) {
    ASSERT_TRUE(push(plan({}, {&gone, &stays}), ++number));
    lab_.add_shim("nft", "echo 'Operation not permitted (you must be root)' >&2\n" + shim + "\n");
    auto what = plan({gone.public_key}, {&comes});
    what.firewall = forbidding({"192.0.2.0/24"});
    what.interface_key = keys.private_key.clone();
    const bool only_list = shim != "exit 1";
    if (only_list) what = plan({gone.public_key}, {});
    if (only_list) what.firewall = "";
    EXPECT_EQ(code(push(what, ++number)), "nft_refused") << last_.out;
    EXPECT_EQ(lab_.wg_show("peers"), stays.public_key + "\n");
    EXPECT_THAT(read_file(lab_.config()), Not(HasSubstr(gone.public_key)));
    EXPECT_THAT(read_file(lab_.config()), HasSubstr(stays.public_key));
    EXPECT_THAT(read_file(lab_.config()), Not(HasSubstr(comes.public_key)));
    EXPECT_THAT(read_file(lab_.config()), HasSubstr(lab_.private_key()));

    // Nothing that carries no firewall cares; of what stands there nothing is known.
    const auto next = plan({stays.public_key}, {&comes});
    auto got = push(next, ++number);
    expect_proven(next, got);
    EXPECT_EQ(got->firewall_loaded, wireguard::kUnreadableHash);
    got = read({&comes}, ++number);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->firewall_state, wireguard::kUnreadableHash);
    EXPECT_FALSE(proves_firewall(loading(""), *got));
    lab_.remove_shims();
    ASSERT_TRUE(push(plan({comes.public_key}, {}), ++number));
  }
}

TEST_F(PushScript, TellsAFirewallThatWasChangedByHand) {
  const auto what = loading(forbidding({"192.0.2.0/24"}));
  const auto fresh = push(what, 1);
  ASSERT_TRUE(fresh);
  ASSERT_EQ(lab_.run("nft add element inet peerwright_wg0 forbidden4 '{ 198.51.100.1 }'").status, 0);
  auto got = read({}, 2);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->firewall_loaded, fresh->firewall_loaded);
  EXPECT_NE(got->firewall_state, fresh->firewall_state);
  ASSERT_TRUE(push(what, 3));
  got = read({}, 4);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->firewall_state, fresh->firewall_state);

  // The saved text, with its mark left as it was.
  ASSERT_EQ(lab_.run("sed -i s/192.0.2.0/192.0.3.0/ " + nft_file().string()).status, 0);
  got = read({}, 5);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->firewall_file, sha256_hex(read_file(nft_file())));
  EXPECT_FALSE(proves_firewall(what, *got));
  got = push(what, 6);
  ASSERT_TRUE(got);
  EXPECT_TRUE(proves_firewall(what, *got));

  ASSERT_EQ(lab_.run("nft flush ruleset").status, 0);
  got = read({}, 7);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->firewall_loaded + got->firewall_state, "");
  // As at boot.
  ASSERT_EQ(lab_.run("nft -f " + nft_file().string()).status, 0);
  got = read({}, 8);
  ASSERT_TRUE(got);
  EXPECT_TRUE(proves_firewall(what, *got));
  EXPECT_EQ(got->firewall_state, fresh->firewall_state);
}

TEST_F(PushScript, TheSameFirewallIsNotWrittenAgain) {
  const auto what = loading(forbidding({"192.0.2.0/24"}));
  ASSERT_TRUE(push(what, 1));
  struct stat before {};
  ASSERT_EQ(stat(nft_file().c_str(), &before), 0);
  ASSERT_TRUE(push(what, 2));
  struct stat after {};
  ASSERT_EQ(stat(nft_file().c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode & 07777U, 0600U);
}

TEST_F(PushScript, NeedsNftOnlyForAFirewall) {
  // A search path of copies, without nft.
  ASSERT_EQ(lab_.run("mkdir /run/bin && for d in /usr/sbin /usr/bin /sbin /bin; do ln -s $d/* /run/bin/ 2>/dev/null; "
                     "done; rm /run/bin/nft")
                .status,
            0);
  const std::string places = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}";
  ASSERT_NE(script_.find(places), std::string::npos);
  const std::string whole = script_;
  std::string blind = script_;
  blind.replace(blind.find(places), places.size(), "PATH=/run/bin");
  script_ = blind;
  const auto one = peer({"10.0.0.2/32"});
  const auto what = plan({}, {&one});
  expect_proven(what, push(what, 1));
  EXPECT_EQ(code(push(loading(""), 2)), "ok");
  auto got = read({&one}, 3);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->firewall_loaded + got->firewall_state + got->firewall_file, "");
  const auto text = forbidding({"192.0.2.0/24"});
  EXPECT_EQ(code(push(loading(text), 4)), "host_tool_missing");
  EXPECT_THAT(last_.out, HasSubstr("host_tool_missing nft"));

  script_ = whole;
  ASSERT_TRUE(push(loading(text), 5));
  script_ = blind;
  EXPECT_EQ(code(push(loading(""), 6)), "host_tool_missing");
}

TEST_F(PushScript, AKilledScriptLeavesOneFirewallOrTheOther) {
  const auto first = loading(forbidding({"192.0.2.0/24"}));
  const auto second = loading(forbidding({"198.51.100.0/24"}));
  std::int64_t number = 0;
  for (const std::string shim : {"nft:/usr/sbin/nft \"$@\"\n[ \"$1\" != -f ] || kill -9 $PPID\n",
                                 "nft:[ \"$1\" != -f ] || kill -9 $PPID\nexec /usr/sbin/nft \"$@\"\n",
                                 "mv:case $* in *.nft) kill -9 $PPID; exit 1 ;; esac\nexec /usr/bin/mv \"$@\"\n"}) {
    ASSERT_TRUE(push(first, ++number)) << shim;
    const std::size_t colon = shim.find(':');
    lab_.add_shim(shim.substr(0, colon), shim.substr(colon + 1));
    EXPECT_FALSE(push(second, ++number)) << shim;
    lab_.remove_shims();
    EXPECT_EQ(read_file(nft_file()), *first.firewall) << shim;
    const auto got = push(second, ++number);
    ASSERT_TRUE(got) << shim;
    EXPECT_TRUE(proves_firewall(second, *got)) << shim;
    EXPECT_FALSE(std::filesystem::exists(nft_file().string() + ".new")) << shim;
  }
}

TEST_F(PushScript, ChangesTheInterfacesKey) {
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  const std::string old = wireguard::public_key_of(Secret(lab_.private_key())).value();
  auto keys = wireguard::generate_key_pair();
  secrets_.emplace_back(keys.private_key.reveal());
  PushPlan what;
  what.interface_key = keys.private_key.clone();
  const auto change = [&](std::int64_t number) {
    return answer(lab_.run(command(number, PushMode::push, "one", old), wireguard::render_push(what).reveal()), number);
  };
  std::string wanted = read_file(lab_.config());
  const std::size_t at = wanted.find(lab_.private_key());
  wanted.replace(at, lab_.private_key().size(), keys.private_key.reveal());
  auto got = change(2);
  ASSERT_TRUE(got) << got.error().message << last_.err;
  EXPECT_TRUE(proves_interface_key(what, *got));
  EXPECT_EQ(lab_.wg_show("public-key"), keys.public_key + "\n");
  EXPECT_EQ(read_file(lab_.config()), wanted);
  EXPECT_EQ(lab_.wg_show("peers"), one.public_key + "\n");
  // Again, as after an answer that got lost: the host has the new key already.
  got = change(3);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(read_file(lab_.config()), wanted);

  // Not on another interface, and not where the file could not keep it.
  what.interface_key = wireguard::generate_key_pair().private_key;
  secrets_.emplace_back(what.interface_key.reveal());
  EXPECT_EQ(code(change(4)), "interface_key_changed");
  EXPECT_EQ(lab_.wg_show("public-key"), keys.public_key + "\n");
  ASSERT_EQ(lab_.run("sed -i /^PrivateKey/d " + lab_.config().string()).status, 0);
  what.interface_key = keys.private_key.clone();
  EXPECT_EQ(code(change(4)), "host_config_missing");
  got = read({}, 4);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->interface_key, keys.public_key);
  EXPECT_EQ(got->file_interface_key, "");
  EXPECT_EQ(lab_.run("ls -d /run/peerwright*").out, "");
}

TEST_F(PushScript, TakesAnEndpointThatThePlanNames) {
  auto one = peer({"10.0.0.2/32"});
  one.endpoint = "192.0.2.7:1000";
  const auto what = plan({}, {&one});
  expect_proven(what, push(what, 1));
  EXPECT_EQ(lab_.wg_show("endpoints"), one.public_key + "\t192.0.2.7:1000\n");
  EXPECT_THAT(read_file(lab_.config()), HasSubstr("\nEndpoint = 192.0.2.7:1000\n"));
  // Without one, both keep what they have.
  one.endpoint = "";
  const auto silent = plan({}, {&one});
  expect_proven(silent, push(silent, 2));
  EXPECT_THAT(read_file(lab_.config()), HasSubstr("\nEndpoint = 192.0.2.7:1000\n"));
  one.endpoint = "[2001:db8::7]:1001";
  ASSERT_TRUE(push(plan({}, {&one}), 3));
  EXPECT_EQ(lab_.wg_show("endpoints"), one.public_key + "\t[2001:db8::7]:1001\n");
  EXPECT_THAT(read_file(lab_.config()), HasSubstr("\nEndpoint = [2001:db8::7]:1001\n"));
  EXPECT_THAT(read_file(lab_.config()), Not(HasSubstr("192.0.2.7")));
}

}  // namespace
}  // namespace peerwright::test
