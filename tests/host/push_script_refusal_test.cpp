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
