// What the push script does on a real WireGuard interface.
#include "push_script.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using wireguard::fingerprint;

TEST_F(PushScript, AddsChangesAndRemoves) {
  auto one = peer({"10.0.0.2/32", "fd00::2/128"}, 25, true);
  auto two = peer({"10.0.0.3/32"});
  const auto first = plan({}, {&one, &two});
  expect_proven(first, push(first, 1));

  one.preshared_key = Secret();  // cleared, not kept
  one.keepalive_seconds = 0;
  one.allowed_ips = {"10.0.0.9/32"};  // replaced, not added to
  const auto second = plan({two.public_key}, {&one});
  const auto got = push(second, 2);
  expect_proven(second, got);
  EXPECT_EQ(got->interface_key, wireguard::public_key_of(Secret(lab_.private_key())).value());
  EXPECT_EQ(got->file_hash, sha256_hex(read_file(lab_.config())));
  EXPECT_EQ(lab_.wg_show("peers"), one.public_key + "\n");
  EXPECT_THAT(read_file(lab_.config()), Not(HasSubstr("PresharedKey")));
}

TEST_F(PushScript, MovesPrefixesBetweenPeersOfThePlan) {
  auto one = peer({"10.0.0.2/32"});
  auto two = peer({"10.0.0.3/32"});
  ASSERT_TRUE(push(plan({}, {&one, &two}), 1));
  std::swap(one.allowed_ips, two.allowed_ips);
  const auto swapped = plan({}, {&one, &two});
  expect_proven(swapped, push(swapped, 2));
  const auto heir = peer({"10.0.0.2/32"});
  const auto inherited = plan({two.public_key}, {&heir});
  expect_proven(inherited, push(inherited, 3));
}

TEST_F(PushScript, APeerMayHaveNoPrefix) {
  auto bare = peer({});
  const auto what = plan({}, {&bare});
  expect_proven(what, push(what, 1));
  bare.allowed_ips = {"10.0.0.2/32"};
  const auto dressed = plan({}, {&bare});
  expect_proven(dressed, push(dressed, 2));
  expect_proven(what, push(what, 3));
}

TEST_F(PushScript, TakesOnlyGreaterNumbers) {
  const auto one = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&one}), 41));
  const std::string before = state();
  for (const std::int64_t number : {1, 40, 41}) {
    const auto got = push(plan({one.public_key}, {}), number);
    ASSERT_EQ(code(got), "push_number_refused");
    EXPECT_THAT(got.error().message, testing::EndsWith(" 41"));
    EXPECT_EQ(code(read({}, number)), "push_number_refused");
  }
  EXPECT_EQ(state(), before);
  constexpr std::int64_t kGreatest = INT64_MAX;
  EXPECT_TRUE(push(plan({one.public_key}, {}), kGreatest));
  EXPECT_EQ(code(push(plan({}, {&one}), kGreatest - 1)), "push_number_refused");
}

TEST_F(PushScript, ServesOneInstallation) {
  const auto one = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  const std::string before = state();
  const auto text = wireguard::render_push(plan({one.public_key}, {}));
  EXPECT_EQ(code(answer(lab_.run(command(2, PushMode::push, "two"), text.reveal()), 2)), "host_of_other_installation");
  EXPECT_EQ(state(), before);
}

TEST_F(PushScript, KeepsTheHeadOfTheFileAndItsMode) {
  const std::string head = "# by hand\n\n[interface]\t# odd, but legal\r\n  privatekey=" + lab_.private_key() +
                           "\nPostUp = echo '[Peer' \"%i\" \\ $x\n\n# the last word \xc3\xa9\n";
  write_file(lab_.config(), head);
  const auto one = peer({"10.0.0.2/32"}, 25, true);
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  EXPECT_EQ(read_file(lab_.config()), head + "\n[Peer]\nPublicKey = " + one.public_key +
                                          "\nPresharedKey = " + std::string(one.preshared_key.reveal()) +
                                          "\nAllowedIPs = 10.0.0.2/32\nPersistentKeepalive = 25\n");
  ASSERT_TRUE(push(plan({one.public_key}, {}), 2));
  EXPECT_EQ(read_file(lab_.config()), head + "\n");
  ASSERT_TRUE(push(plan({}, {&one}), 3));
  EXPECT_THAT(read_file(lab_.config()), testing::StartsWith(head + "\n[Peer]\n"));
  struct stat status {};
  ASSERT_EQ(stat(lab_.config().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(PushScript, KeepsEndpointsOfTheFileAndTakesNoneFromTheInterface) {
  const auto one = peer({"10.0.0.2/32"});
  const auto two = peer({"10.0.0.3/32"});
  write_file(lab_.config(), read_file(lab_.config()) + "[Peer]\nEndpoint = vpn.example.org:51820\nPublicKey=" +
                                one.public_key + "\nAllowedIPs = 10.0.0.2\n");
  ASSERT_EQ(lab_.run("wg set wg0 peer " + one.public_key + " allowed-ips 10.0.0.2/32 peer " + two.public_key +
                     " endpoint 192.0.2.7:1000")
                .status,
            0);
  ASSERT_TRUE(push(plan({}, {&two}), 1));
  const std::string text = read_file(lab_.config());
  EXPECT_THAT(text, HasSubstr("PublicKey = " + one.public_key +
                              "\nAllowedIPs = 10.0.0.2/32\nEndpoint = vpn.example.org:51820\n"));
  EXPECT_THAT(text, Not(HasSubstr("192.0.2.7")));
}

TEST_F(PushScript, APeerLosesWhatItsPlanDoesNotSay) {
  const auto one = peer({"10.0.0.2/32", "10.0.0.3/32"}, 25, true);
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  std::int64_t number = 1;
  const PeerConfig bare{one.public_key, {"10.0.0.2/32"}, 0, Secret()};
  const PeerConfig alive{one.public_key, {"10.0.0.3/32"}, 30, Secret()};
  const PeerConfig secret{one.public_key, {"10.0.0.2/32"}, 0, one.preshared_key.clone()};
  for (const PeerConfig* now : {&alive, &secret, &alive, &one, &secret, &bare, &one, &bare}) {
    const auto what = plan({}, {now});
    expect_proven(what, push(what, ++number));
  }
  // Where it cannot be taken away, nothing is claimed.
  ASSERT_TRUE(push(plan({}, {&one}), ++number));
  lab_.add_shim("wg", "[ \"$1\" != set ] || exit 1\nexec /usr/bin/wg \"$@\"\n");
  EXPECT_NE(code(push(plan({}, {&bare}), ++number)), "ok");
}

TEST_F(PushScript, WritesNothingWhereNothingDiffers) {
  const auto one = peer({"10.0.0.2/32"}, 25, true);
  const auto what = plan({}, {&one});
  ASSERT_TRUE(push(what, 1));
  struct stat before {};
  ASSERT_EQ(stat(lab_.config().c_str(), &before), 0);
  expect_proven(what, push(what, 2));
  struct stat after {};
  ASSERT_EQ(stat(lab_.config().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST_F(PushScript, KeepsPeersThatOnlyTheFileHas) {
  // An interface that came up empty must not empty the file, which may be all that knows of a peer added by hand.
  const std::string by_hand = "[Peer]\n# the office\nPublicKey = " + peer({}).public_key +
                              "\nAllowedIPs = 10.0.0.77/32\nEndpoint = 192.0.2.1:51820\n";
  write_file(lab_.config(), read_file(lab_.config()) + "\n" + by_hand);
  const auto one = peer({"10.0.0.2/32"});
  const auto first = plan({}, {&one});
  expect_proven(first, push(first, 1));
  EXPECT_THAT(read_file(lab_.config()), HasSubstr(by_hand));
  const std::string file = read_file(lab_.config());
  expect_proven(first, push(first, 2));
  EXPECT_EQ(read_file(lab_.config()), file) << "the same push again writes something else";
}

TEST_F(PushScript, SectionsThatPeopleWroteAreReadAsWgDoes) {
  const auto one = peer({"10.0.0.2/32"});
  const auto two = peer({"10.0.0.3/32"});
  ASSERT_TRUE(push(plan({}, {&one, &two}), 1));
  const std::string head = read_file(lab_.config()).substr(0, read_file(lab_.config()).find("[Peer]"));
  const std::string twice = peer({}).public_key;  // of a section's keys the last one counts
  const std::string first = "[Peer]\n\nPublicKey = " + one.public_key + "\n\nAllowedIPs = 10.0.0.2/32\n\n";
  const std::string lower =
      "[Peer]\nPublicKey = " + two.public_key + "\nAllowedIPs = 10.0.0.3/32\nendpoint = vpn.example.org:51820\n\n";
  const std::string office = "[Peer]\nPublicKey = " + peer({}).public_key + "\nAllowedIPs = 10.0.0.78/32\n";
  write_file(lab_.config(), head + first + lower + "[Peer]\nPublicKey = " + peer({}).public_key +
                                "\nPublicKey = " + twice + "\nAllowedIPs = 10.0.0.77/32\n\n" + office);
  ASSERT_TRUE(push(plan({twice}, {}), 2));
  const std::string file = read_file(lab_.config());
  EXPECT_THAT(file, Not(HasSubstr(twice))) << "it would be back at the next boot";
  EXPECT_THAT(file, HasSubstr("\nAllowedIPs = 10.0.0.3/32\nendpoint = vpn.example.org:51820\n"));
  EXPECT_THAT(file, testing::EndsWith("\n\n" + office));
  EXPECT_THAT(file, Not(HasSubstr("\n\n\n")));
  EXPECT_THAT(file, Not(HasSubstr("[Peer]\n\n")));
}

TEST_F(PushScript, CommentsStayWithTheirPeers) {
  const auto alice = peer({"10.0.0.2/32"});
  const auto bob = peer({"10.0.0.3/32"});
  ASSERT_TRUE(push(plan({}, {&alice, &bob}), 1));
  const std::string head = read_file(lab_.config()).substr(0, read_file(lab_.config()).find("[Peer]"));
  const std::string absent = "### Client carol\n# twice\n[Peer]\n# within\nPublicKey = " + peer({}).public_key +
                             "\nAllowedIPs = 10.0.0.66/32\n# the last\n";
  write_file(lab_.config(), head + "# the peers\n\n### Client bob\n[Peer]\nPublicKey = " + bob.public_key +
                                "\n# a laptop\nAllowedIPs = 10.0.0.3/32\n### Client alice\n[Peer]\nPublicKey = " +
                                alice.public_key + "\nAllowedIPs = 10.0.0.2/32\n\n" + absent);
  const auto dave = peer({"10.0.0.4/32"});
  ASSERT_TRUE(push(plan({}, {&dave}), 2));
  const std::string file = read_file(lab_.config());
  EXPECT_THAT(file, testing::StartsWith(head + "# the peers\n\n"));
  EXPECT_THAT(file, HasSubstr("\n### Client alice\n[Peer]\nPublicKey = " + alice.public_key));
  EXPECT_THAT(file, HasSubstr("\n### Client bob\n# a laptop\n[Peer]\nPublicKey = " + bob.public_key));
  EXPECT_THAT(file, HasSubstr("\n\n[Peer]\nPublicKey = " + dave.public_key));
  EXPECT_THAT(file, testing::EndsWith("\n\n" + absent));
  ASSERT_TRUE(push(plan({}, {&dave}), 3));
  EXPECT_EQ(read_file(lab_.config()), file);
  ASSERT_TRUE(push(plan({bob.public_key}, {}), 4));
  EXPECT_THAT(read_file(lab_.config()), Not(HasSubstr("bob")));
}

TEST_F(PushScript, LeavesAnotherInterfaceAlone) {
  const std::string before = state();
  const auto one = peer({"10.0.0.2/32"});
  const std::string other = wireguard::generate_key_pair().public_key;
  const auto text = wireguard::render_push(plan({}, {&one}));
  EXPECT_EQ(code(answer(lab_.run(command(1, PushMode::push, "one", other), text.reveal()), 1)),
            "interface_key_changed");
  EXPECT_EQ(state(), before);
  const std::string own = wireguard::public_key_of(Secret(lab_.private_key())).value();
  EXPECT_EQ(code(answer(lab_.run(command(1, PushMode::push, "one", own), text.reveal()), 1)), "ok");
}

TEST_F(PushScript, RefusesPrefixesOfPeersOutsideThePlan) {
  const auto other = peer({"10.0.0.2/32", "fd00::2/128"});
  ASSERT_TRUE(push(plan({}, {&other}), 1));
  const std::string before = state();
  const auto one = peer({"10.0.0.3/32", "fd00::2/128"});
  const auto got = push(plan({}, {&one}), 2);
  ASSERT_EQ(code(got), "prefix_taken_on_host");
  EXPECT_THAT(got.error().message, HasSubstr(other.public_key + " fd00::2/128"));
  EXPECT_EQ(state(), before);
  const auto wider = peer({"10.0.0.0/24"});  // overlaps, and takes nothing away
  EXPECT_TRUE(push(plan({}, {&wider}), 2));
}

TEST_F(PushScript, AReadingShowsAllAndChangesNothing) {
  const auto one = peer({"10.0.0.2/32"}, 25, true);
  const auto two = peer({"10.0.0.3/32"});
  const auto lost = peer({"10.0.0.4/32"});
  ASSERT_TRUE(push(plan({}, {&one, &two, &lost}), 1));
  const auto stranger = peer({"10.0.0.5/32"});
  ASSERT_EQ(lab_.run("wg set wg0 peer " + stranger.public_key + " allowed-ips 10.0.0.5/32 peer " + lost.public_key +
                     " remove")
                .status,
            0);
  const std::string file = read_file(lab_.config());
  const std::string kernel = lab_.wg_show("dump | sort");
  const auto got = read({&one, &two, &lost}, 2);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(read_file(lab_.config()), file);
  EXPECT_EQ(lab_.wg_show("dump | sort"), kernel);
  EXPECT_EQ(read_file(lab_.config().string() + ".push"), "one 2\n");

  std::vector<PeerConfig> wanted;
  for (const auto* each : {&one, &two, &lost}) wanted.push_back(clone(*each));
  const auto proof = wireguard::prove_reading(wanted, *got);
  EXPECT_EQ(proof.size(), 4U);
  EXPECT_EQ(proof.at(one.public_key), fingerprint(one));
  EXPECT_EQ(proof.at(two.public_key), fingerprint(two));
  EXPECT_EQ(proof.at(lost.public_key), std::nullopt);      // in the file only
  EXPECT_EQ(proof.at(stranger.public_key), std::nullopt);  // on the interface only
}

TEST_F(PushScript, AReadingThatFindsAllAsItShouldBeSpellsNothingOut) {
  const auto one = peer({"10.0.0.2/32", "fd00::2/128"}, 25, true);
  const auto two = peer({"10.0.0.3/32"});
  const auto staged = peer({});
  const auto adds = plan({}, {&one, &two, &staged});
  ASSERT_TRUE(push(adds, 1));
  PushPlan reading;
  reading.hashed_keys = {one.public_key};
  reading.equal_listing = wireguard::equal_listing(adds.peers);
  std::int64_t number = 1;
  wireguard::Proof proof;
  const auto spelt_out = [&] {
    const auto ran = lab_.run(command(++number, PushMode::reading), wireguard::render_push(reading).reveal());
    const auto got = wireguard::parse_answer(ran.out, ran.status, number, adds.peers);
    EXPECT_TRUE(got) << ran.out << ran.err;
    if (got) proof = wireguard::prove_reading(adds.peers, *got);
    return ran.out.find("kernel ") != std::string::npos;
  };
  EXPECT_FALSE(spelt_out());
  for (const auto& each : adds.peers) EXPECT_EQ(proof.at(each.public_key), fingerprint(each));

  const std::string file = read_file(lab_.config());
  const std::string another(peer({}, 0, true).preshared_key.reveal());
  for (const auto& [change, back, key] :
       {std::tuple("wg set wg0 peer " + two.public_key + " persistent-keepalive 7",
                   "wg set wg0 peer " + two.public_key + " persistent-keepalive 0", two.public_key),
        std::tuple("sed -i s,10.0.0.3/32,10.0.0.4/32, " + lab_.config().string(), std::string("true"),
                   two.public_key)}) {
    ASSERT_EQ(lab_.run(change).status, 0);
    EXPECT_TRUE(spelt_out()) << change;
    EXPECT_EQ(proof.at(key), std::nullopt) << change;
    ASSERT_EQ(lab_.run(back).status, 0);
    write_file(lab_.config(), file);
  }
  // Another preshared key looks the same in the listing, and not in the hash of secrets.
  ASSERT_EQ(lab_.run("echo " + another + " >/run/another && wg set wg0 peer " + one.public_key +
                     " preshared-key /run/another")
                .status,
            0);
  EXPECT_FALSE(spelt_out());
  EXPECT_EQ(proof.at(one.public_key), std::nullopt);
  EXPECT_EQ(proof.at(two.public_key), fingerprint(two));
}

TEST_F(PushScript, AFileEditedByHandIsReadAndMended) {
  const auto one = peer({"10.0.0.2/32", "fd00::2/128"}, 25);
  const auto two = peer({"10.0.0.3/32"});
  const auto what = plan({}, {&one, &two});
  ASSERT_TRUE(push(what, 1));
  const std::string head = read_file(lab_.config()).substr(0, read_file(lab_.config()).find("[Peer]"));
  const std::string same =
      head + "[PEER] # one\r\nallowedips=10.0.0.2 , FD00:0::2\r\n# PublicKey = x\r\nPUBLICKEY = " + one.public_key +
      "\r\nPersistentKeepalive=25\r\n";
  const std::string other = "[Peer]\nPublicKey = " + two.public_key + "\nAllowedIPs = 10.0.0.3/32\n";
  std::vector<PeerConfig> wanted;
  for (const auto* each : {&one, &two}) wanted.push_back(clone(*each));

  write_file(lab_.config(), same + other);
  auto got = read({&one, &two}, 2);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(wireguard::prove_reading(wanted, *got).at(one.public_key), fingerprint(one));

  for (const std::string& wrong :
       {std::string("[Peer]\nPublicKey = nonsense\n"), other + other, other + "AllowedIPs = $(rm)\n",
        other + "PersistentKeepalive = often\n", other + "PersistentKeepalive = 70000\n"}) {
    write_file(lab_.config(), same + wrong);
    got = read({&one, &two}, got->push_number + 1);
    ASSERT_TRUE(got) << got.error().message << wrong;
    EXPECT_EQ(wireguard::prove_reading(wanted, *got).at(two.public_key), std::nullopt) << wrong;
  }
  expect_proven(what, push(what, 100));
}

TEST_F(PushScript, TellsWrongPresharedKeysInKernelAndFile) {
  const auto one = peer({"10.0.0.2/32"}, 0, true);
  const auto what = plan({}, {&one});
  ASSERT_TRUE(push(what, 1));
  std::vector<PeerConfig> wanted;
  wanted.push_back(clone(one));
  ASSERT_EQ(lab_.run("wg genpsk | wg set wg0 peer " + one.public_key + " preshared-key /dev/stdin").status, 0);
  auto got = read({&one}, 2);
  ASSERT_TRUE(got);
  EXPECT_EQ(wireguard::prove_reading(wanted, *got).at(one.public_key), std::nullopt);
  expect_proven(what, push(what, 3));

  ASSERT_EQ(lab_.run("sed -i '/^PresharedKey/d' " + lab_.config().string()).status, 0);
  got = read({&one}, 4);
  ASSERT_TRUE(got);
  EXPECT_EQ(wireguard::prove_reading(wanted, *got).at(one.public_key), std::nullopt);
  expect_proven(what, push(what, 5));
}

TEST_F(PushScript, PushesThousandPeersAndTheirRemovalInOneRunEach) {
  constexpr int kPeers = 1000;
  PushPlan adds;
  std::vector<const PeerConfig*> wanted;
  std::vector<std::string> keys;
  for (int i = 0; i < kPeers; ++i) {
    const std::string host = std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    adds.peers.push_back(peer({"10.1." + host + "/32", "fd00::1:" + std::to_string(i + 1) + "/128"}, 25, i % 2 == 0));
    keys.push_back(adds.peers.back().public_key);
  }
  for (const auto& one : adds.peers) wanted.push_back(&one);
  // What many are told to be is not spelt out again, unless they are not.
  lab_.add_shim("wg", "[ \"$1\" != addconf ] || exit 0\nexec /usr/bin/wg \"$@\"\n");
  const auto nothing = push(adds, 1);
  ASSERT_TRUE(nothing) << nothing.error().message;
  EXPECT_THAT(last_.out, Not(HasSubstr("\nequal\n")));
  for (const auto& [key, proven] : wireguard::prove_push(adds, *nothing)) EXPECT_EQ(proven, "");
  lab_.remove_shims();
  expect_proven(adds, push(adds, 2));
  EXPECT_THAT(last_.out, HasSubstr("\nequal\n"));
  const auto got = read(wanted, 3);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->kernel.size(), static_cast<std::size_t>(kPeers));
  const auto proof = wireguard::prove_reading(adds.peers, *got);
  for (const auto& one : adds.peers) ASSERT_EQ(proof.at(one.public_key), fingerprint(one));
  // The saved file is one that `wg` takes, and says the same.
  const std::string before = lab_.wg_show("dump | sort");
  ASSERT_EQ(lab_.run("wg-quick strip " + lab_.config().string() + " | wg syncconf wg0 /dev/stdin").status, 0);
  EXPECT_EQ(lab_.wg_show("dump | sort"), before);

  const auto removal = plan(keys, {});
  expect_proven(removal, push(removal, 4));
  EXPECT_EQ(lab_.wg_show("peers"), "");
}

// The worker may come to the host through the tunnel itself.
TEST_F(PushScript, DoesNotRemoveWhoCarriesTheWorker) {
  const auto wide = peer({"10.77.0.0/16", "fd77::/64"});
  const auto narrow = peer({"10.77.0.9/32", "fd77::9/128"});
  ASSERT_EQ(
      lab_.run("ip link set wg0 up && ip route add 10.77.0.0/16 dev wg0 && ip -6 route add fd77::/64 dev wg0").status,
      0);
  ASSERT_TRUE(push(plan({}, {&wide, &narrow}), 1));
  const auto remove = [&](const PeerConfig& whom, const std::string& client, std::int64_t number) {
    const std::string said = "export SSH_CONNECTION='" + client + " 40000 10.77.0.1 22'; " + command(number);
    return answer(lab_.run(said, wireguard::render_push(plan({whom.public_key}, {})).reveal()), number);
  };
  for (const std::string client : {"10.77.0.9", "fd77::9"}) {
    const std::string before = state();
    const auto refused = remove(narrow, client, 2);
    EXPECT_EQ(code(refused), "own_way_cut") << client;
    EXPECT_TRUE(refused.error().message.ends_with(' ' + narrow.public_key));
    EXPECT_EQ(state(), before) << client;
  }
  EXPECT_EQ(code(remove(wide, "10.77.1.9", 2)), "own_way_cut");
  EXPECT_EQ(code(remove(wide, "fd77::1:9", 2)), "own_way_cut");
  EXPECT_EQ(code(remove(wide, "10.77.0.9", 2)), "ok") << "another carries it";
  EXPECT_EQ(code(remove(narrow, "192.0.2.1", 3)), "ok") << "it comes another way";
}

// A garden whose walls stand between the worker and the host's sshd cuts it off as a removal would.
TEST_F(PushScript, DoesNotWallInWhoCarriesTheWorker) {
  const auto one = peer({"10.77.0.9/32", "fd77::9/128", "10.78.0.0/24"});
  ASSERT_EQ(lab_.run("ip link set wg0 up && ip route add 10.77.0.0/16 dev wg0 && ip route add 10.78.0.0/24 dev wg0 && "
                     "ip -6 route add fd77::/64 dev wg0")
                .status,
            0);
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  std::int64_t number = 1;
  const auto wall_in = [&](const std::vector<wireguard::GardenDestination>& destinations,
                           const std::string& connection = "10.77.0.9 40000 10.77.0.1 22",
                           const std::vector<std::string>& others = {}) {
    wireguard::Firewall firewall;
    firewall.interface = "wg0";
    wireguard::Garden garden;
    garden.addresses = {"10.77.0.9", "fd77::9", "10.78.0.0/24"};
    garden.addresses.insert(garden.addresses.end(), others.begin(), others.end());
    garden.destinations = destinations;
    firewall.gardens.push_back(garden);
    firewall.gardens.push_back({{"10.77.0.44"}, {{"10.77.0.1/32", wireguard::RuleProtocol::any, 0}}});
    PushPlan what;
    what.firewall = wireguard::render_firewall(firewall);
    const std::string said = "export SSH_CONNECTION='" + connection + "'; " + command(++number);
    return answer(lab_.run(said, wireguard::render_push(what).reveal()), number);
  };
  using wireguard::RuleProtocol;
  const std::string before = state();
  const auto refused = wall_in({});
  EXPECT_EQ(code(refused), "own_way_cut") << last_.err;
  EXPECT_TRUE(refused.error().message.ends_with(' ' + one.public_key));
  std::vector<std::string> many;
  for (int i = 50; i < 90; ++i) many.push_back("10.77.0." + std::to_string(i));
  const std::vector<wireguard::GardenDestination> elsewhere = {{"192.0.2.1/32", RuleProtocol::any, 0},
                                                               {"10.77.0.1/32", RuleProtocol::tcp, 222},
                                                               {"10.77.0.1/32", RuleProtocol::udp, 22},
                                                               {"10.77.0.1/32", RuleProtocol::udp, 0}};
  EXPECT_EQ(code(wall_in(elsewhere, "10.77.0.9 40000 10.77.0.1 22", many)), "own_way_cut");
  EXPECT_EQ(code(wall_in(elsewhere, "10.78.0.7 40000 10.77.0.1 22")), "own_way_cut") << "from a network behind it";
  EXPECT_EQ(code(wall_in(elsewhere, "fd77::9 40000 fd77::1 22")), "own_way_cut");
  EXPECT_EQ(state(), before);

  // Whose garden holds the host's sshd is let through, and so is who comes another way or from another peer.
  for (const auto& [protocol, port] :
       {std::pair{RuleProtocol::tcp, 22}, {RuleProtocol::any, 22}, {RuleProtocol::tcp, 0}, {RuleProtocol::any, 0}}) {
    EXPECT_EQ(code(wall_in({{"10.77.0.0/24", protocol, port}, {"192.0.2.1/32", protocol, port}})), "ok") << port;
  }
  EXPECT_EQ(code(wall_in(elsewhere, "10.77.0.9 40000 10.77.0.1 222")), "ok");
  EXPECT_EQ(code(wall_in(elsewhere, "192.0.2.1 40000 10.77.0.1 22")), "ok");
  EXPECT_EQ(code(wall_in(elsewhere, "10.77.0.7 40000 10.77.0.1 22")), "ok");
}

}  // namespace
}  // namespace peerwright::test
