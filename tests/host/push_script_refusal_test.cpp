#include "push_script.hpp"

// What a plan must not do to others on the host, and to the worker's own way there.
namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class PushRefusal : public PushScript {
 protected:
  void append(const std::string& text) const {
    write_file(lab_.config(), read_file(lab_.config()) + text);
    ASSERT_EQ(lab_.run("chmod 600 " + lab_.config().string()).status, 0);
  }
  static std::string section(const std::string& key, const std::string& rest) {
    return "\n[Peer]\nPublicKey = " + key + "\n" + rest;
  }
  // The worker comes from `client`, and the host's way there is the tunnel.
  void come_through_the_tunnel(const std::string& client) {
    ASSERT_EQ(
        lab_.run("ip link set wg0 up && ip route add 10.77.0.0/16 dev wg0 && ip -6 route add fd77::/64 dev wg0").status,
        0);
    client_ = client;
  }
  Result<HostAnswer> push_from_client(const PushPlan& what, std::int64_t number) {
    const std::string said = "export SSH_CONNECTION='" + client_ + " 40000 10.77.0.1 22'; " + command(number);
    return answer(lab_.run(said, wireguard::render_push(what).reveal()), number);
  }
  void expect_cut(const PushPlan& what, const std::string& blamed, std::int64_t number = 2) {
    const std::string before = state();
    const auto refused = push_from_client(what, number);
    ASSERT_EQ(code(refused), "own_way_cut");
    EXPECT_TRUE(refused.error().message.ends_with(' ' + blamed)) << refused.error().message;
    EXPECT_EQ(state(), before);
  }

  std::string client_;
};

TEST_F(PushRefusal, APrefixThatOnlyTheFileGivesToAnotherIsTaken) {
  const std::string other = peer({}).public_key;
  append(section(other, "# of a colleague\nAllowedIPs=10.0.0.2, FD00:0::2/128\n"));
  const std::string before = state();
  for (const char* prefix : {"10.0.0.2/32", "fd00::2/128"}) {
    const auto one = peer({"10.0.0.3/32", prefix});
    const auto refused = push(plan({}, {&one}), 1);
    ASSERT_EQ(code(refused), "prefix_taken_on_host") << prefix;
    EXPECT_THAT(refused.error().message, HasSubstr(other));
    EXPECT_EQ(state(), before);
  }
  const auto beside = peer({"10.0.0.0/24", "fd00::3/128"});  // overlaps, and takes nothing away
  auto what = plan({}, {&beside});
  expect_proven(what, push(what, 1));
  // It may be taken from one that the plan speaks of, or that the kernel has with another prefix.
  const auto one = peer({"10.0.0.2/32"});
  what = plan({other}, {&one});
  expect_proven(what, push(what, 2));
  write_file(lab_.config(), read_file(lab_.config()) + section(beside.public_key, "AllowedIPs = 10.0.0.7/32\n"));
  const auto two = peer({"10.0.0.7/32"});
  what = plan({}, {&two});
  expect_proven(what, push(what, 3));
}

TEST_F(PushRefusal, AChangeThatTakesTheWorkersPrefixFromItsCarrierIsRefused) {
  auto carrier = peer({"10.77.0.9/32", "fd77::/64"});
  const auto other = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&carrier, &other}), 1));
  come_through_the_tunnel("10.77.0.9");
  auto changed = clone(carrier);
  changed.allowed_ips = {"10.77.0.10/32", "fd77::/64"};
  expect_cut(plan({}, {&changed}), carrier.public_key);
  client_ = "fd77::9";
  changed.allowed_ips = {"10.77.0.9/32", "fd77::8:0/112"};
  expect_cut(plan({}, {&changed}), carrier.public_key);
  auto heir = clone(other);
  heir.allowed_ips = {"10.77.0.9/32", "fd77::/64"};
  changed.allowed_ips = {"10.0.0.9/32"};
  expect_cut(plan({}, {&changed, &heir}), carrier.public_key);
  changed.allowed_ips = {"10.77.0.9/32", "10.77.1.0/24", "fd77::/65"};
  EXPECT_EQ(code(push_from_client(plan({other.public_key}, {&changed}), 2)), "ok") << "it still carries the worker";
}

TEST_F(PushRefusal, ALongerPrefixThanThatOfTheWorkersCarrierIsRefused) {
  const auto carrier = peer({"10.77.0.0/16", "fd77::/64"});
  ASSERT_TRUE(push(plan({}, {&carrier}), 1));
  come_through_the_tunnel("10.77.0.9");
  const auto thief = peer({"10.0.0.2/32", "10.77.0.8/29"});
  expect_cut(plan({}, {&thief}), thief.public_key);
  client_ = "fd77::1:9";
  const auto thief6 = peer({"fd77::1:0/112"});
  expect_cut(plan({}, {&thief6}), thief6.public_key);
  const auto beside = peer({"10.77.0.16/29", "fd77::2:0/112"});
  EXPECT_EQ(code(push_from_client(plan({}, {&beside}), 2)), "ok");
  client_ = "192.0.2.1";
  EXPECT_EQ(code(push_from_client(plan({}, {&thief, &thief6}), 3)), "ok") << "it comes another way";
  client_ = "10.77.0.9";
  expect_cut(plan({thief.public_key}, {}), thief.public_key, 4);
  ASSERT_EQ(lab_.run("ip route del 10.77.0.0/16 dev wg0").status, 0);
  EXPECT_EQ(code(push_from_client(plan({thief.public_key}, {}), 4)), "ok") << "the host's routes lead elsewhere";
}

TEST_F(PushRefusal, AnInterfaceThatTheWorkerComesThroughKeepsItsKeyAndTheRestIsDone) {
  const auto carrier = peer({"10.77.0.0/16"});
  ASSERT_TRUE(push(plan({}, {&carrier}), 1));
  come_through_the_tunnel("10.77.0.9");
  const auto one = peer({"10.0.0.2/32"});
  auto pair = wireguard::generate_key_pair();
  secrets_.emplace_back(pair.private_key.reveal());
  auto what = plan({}, {&one});
  what.interface_key = std::move(pair.private_key);
  const auto kept = push_from_client(what, 2);
  expect_proven(what, kept);
  EXPECT_TRUE(kept->keeps_interface_key);
  const std::string old_key = wireguard::public_key_of(Secret(lab_.private_key())).value();
  EXPECT_EQ(kept->interface_key, old_key);
  EXPECT_EQ(kept->file_interface_key, old_key);
  client_ = "192.0.2.1";
  const auto taken = push_from_client(what, 3);
  ASSERT_TRUE(taken);
  EXPECT_FALSE(taken->keeps_interface_key);
  EXPECT_EQ(taken->interface_key, pair.public_key);
}

TEST_F(PushRefusal, AFileThatIsALinkIsNotReplaced) {
  const std::string real = lab_.config().string() + ".real";
  ASSERT_EQ(
      lab_.run("mv " + lab_.config().string() + " " + real + " && ln -s " + real + " " + lab_.config().string()).status,
      0);
  const auto one = peer({"10.0.0.2/32"});
  const std::string before = state();
  const auto refused = push(plan({}, {&one}), 1);
  EXPECT_EQ(code(refused), "host_config_missing");
  EXPECT_THAT(refused.error().message, HasSubstr(real));
  EXPECT_EQ(state(), before);
}

}  // namespace
}  // namespace peerwright::test
