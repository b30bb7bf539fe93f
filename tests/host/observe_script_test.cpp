// What the observation script shows of a real interface.
#include <sys/stat.h>

#include <chrono>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/firewall.hpp"
#include "peerwright/wireguard/observation.hpp"
#include "push_script.hpp"

namespace peerwright::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using wireguard::HostObservation;

class ObserveScript : public PushScript {
 protected:
  Result<HostObservation> observe() {
    const wireguard::HostInterface where{"wg0", lab_.config().string(), "", "one"};
    last_ = lab_.run(wireguard::observe_command(where, kTimeoutSeconds, observe_script_).value());
    auto secrets = secrets_;
    secrets.push_back(lab_.private_key());
    for (const auto& secret : secrets) {
      EXPECT_THAT(last_.out + last_.err, Not(HasSubstr(secret.substr(0, 20))));
    }
    return wireguard::parse_observation(last_.out, last_.status);
  }

  static std::string code(const Result<HostObservation>& seen) { return seen ? "ok" : seen.error().code; }

  std::string observe_script_ = read_file(PEERWRIGHT_SOURCE_DIR "/src/ssh/scripts/observe.sh");
};

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST_F(ObserveScript, ShowsTheInterfaceAndItsHost) {
  const LabMachine machine(lab_, 1);
  ASSERT_EQ(lab_.run("ip addr add 10.9.0.1/24 dev wg0 && echo 1 >/proc/sys/net/ipv4/ip_forward").status, 0);
  const auto silent = peer({"10.9.0.3/32"}, 0, true);
  wireguard::Firewall firewall;
  firewall.interface = "wg0";
  firewall.forbidden = {"192.0.2.0/24"};
  PushPlan what;
  what.peers.push_back({machine.public_key(), {"10.9.0.2/32"}, 0, Secret()});
  what.peers.push_back(clone(silent));
  what.firewall = render_firewall(firewall);
  const auto pushed = push(what, 7);
  ASSERT_TRUE(pushed) << pushed.error().message;
  const std::string before = state();

  auto seen = observe();
  ASSERT_TRUE(seen) << seen.error().message << last_.out << last_.err;
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(seen->up);
  ASSERT_EQ(seen->peers.size(), 2U);
  for (const auto& each : seen->peers) {
    EXPECT_EQ(each.handshake_epoch_seconds, 0);
    EXPECT_EQ(each.rx_bytes, 0);
    EXPECT_EQ(each.endpoint, "");
  }

  const std::int64_t start = now_seconds();
  ASSERT_EQ(lab_.run("ip link set wg0 up").status, 0);
  machine.join("10.9.0.2/24", "10.9.0.0/24");
  ASSERT_TRUE(eventually([&] { return machine.pings("10.9.0.1"); }));
  seen = observe();
  ASSERT_TRUE(seen) << seen.error().message << last_.out << last_.err;
  const auto& first = seen->peers[0].public_key == machine.public_key() ? seen->peers[0] : seen->peers[1];
  EXPECT_EQ(first.public_key, machine.public_key());
  EXPECT_GE(first.handshake_epoch_seconds, start - 1);
  EXPECT_LE(first.handshake_epoch_seconds, seen->now_epoch_seconds);
  EXPECT_GT(first.rx_bytes, 0);
  EXPECT_GT(first.tx_bytes, 0);
  EXPECT_THAT(first.endpoint, testing::StartsWith("172.31.1.2:"));

  EXPECT_EQ(seen->interface_key, wireguard::public_key_of(Secret(lab_.private_key())).value());
  EXPECT_TRUE(seen->up && seen->listening && seen->forwarding4) << last_.out;
  EXPECT_FALSE(seen->forwarding6);
  EXPECT_EQ(seen->listen_port, 51820);
  EXPECT_LE(seen->now_epoch_seconds, now_seconds());
  EXPECT_GE(seen->now_epoch_seconds, start);
  EXPECT_GT(seen->uptime_seconds.value_or(0), 0);
  EXPECT_EQ(seen->file_owner, "root");
  EXPECT_EQ(seen->file_mode, "600");
  EXPECT_EQ(seen->file_hash, sha256_hex(read_file(lab_.config())));
  EXPECT_EQ(seen->push_number, 7);
  // As the push answered.
  EXPECT_EQ(seen->firewall_loaded, wireguard::firewall_hash(*what.firewall));
  EXPECT_EQ(seen->firewall_state, pushed->firewall_state);
  EXPECT_EQ(seen->firewall_file, pushed->firewall_file);
}

TEST_F(ObserveScript, ShowsWhatIsWrong) {
  auto seen = observe();
  ASSERT_TRUE(seen) << seen.error().message << last_.err;
  EXPECT_EQ(seen->push_number, 0);
  EXPECT_EQ(seen->firewall_loaded + seen->firewall_state + seen->firewall_file, "");
  chmod(lab_.config().c_str(), 0644);
  ASSERT_EQ(lab_.run("wg set wg0 private-key /dev/null").status, 0);
  lab_.add_shim("systemctl", "case $1 in is-active) echo inactive; exit 3 ;; *) echo disabled; exit 1 ;; esac\n");
  seen = observe();
  ASSERT_TRUE(seen) << seen.error().message << last_.err;
  EXPECT_EQ(seen->file_mode, "644");
  EXPECT_EQ(seen->interface_key, "");
  EXPECT_EQ(seen->unit_active, "inactive");
  EXPECT_EQ(seen->unit_enabled, "disabled");
  lab_.add_shim("systemctl", "echo System has not been booted >&2; exit 1\n");
  std::filesystem::remove(lab_.config());
  seen = observe();
  ASSERT_TRUE(seen) << seen.error().message << last_.err;
  EXPECT_EQ(seen->unit_active, "unknown");
  EXPECT_EQ(seen->unit_enabled, "unknown");
  EXPECT_EQ(seen->file_owner + seen->file_mode + seen->file_hash, "");
  ASSERT_EQ(lab_.run("ip link delete wg0").status, 0);
  EXPECT_EQ(code(observe()), "interface_missing");
}

TEST_F(ObserveScript, IsNotTakenForWholeWhenItIsCut) {
  const auto one = peer({"10.0.0.2/32"});
  ASSERT_TRUE(push(plan({}, {&one}), 1));
  lab_.add_shim("wg", "/usr/bin/wg \"$@\" | sed -n 1p\nkill -9 $$\n");
  EXPECT_FALSE(observe());
  lab_.add_shim("wg", "exit 1\n");
  EXPECT_EQ(code(observe()), "wg_refused");
  lab_.remove_shims();
  lab_.add_shim("awk", "kill -9 $PPID\n");
  EXPECT_FALSE(observe());
  lab_.add_shim("awk", "exit 0\n");
  EXPECT_EQ(code(observe()), "host_answer_incomplete");
  lab_.remove_shims();
  lab_.add_shim("nft", "echo 'Operation not permitted (you must be root)' >&2; exit 1\n");
  auto blind = observe();
  ASSERT_TRUE(blind) << blind.error().message;
  EXPECT_EQ(blind->firewall_loaded, wireguard::kUnreadableHash);
  EXPECT_EQ(blind->firewall_state, wireguard::kUnreadableHash);
  lab_.remove_shims();
  ASSERT_TRUE(observe());
  const std::string whole = last_.out;
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    ASSERT_FALSE(wireguard::parse_observation(whole.substr(0, bytes), 0)) << bytes;
  }
}

}  // namespace
}  // namespace peerwright::test
