// Every way in to a host, end to end: what a login may do there, and a host that is reached by way of another one.
#include <fstream>

#include "flow.hpp"
#include "peerwright/ssh/host_files.hpp"
#include "peerwright/ssh/session.hpp"

namespace peerwright::test {
namespace {

using nlohmann::json;

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

InstallationOptions looks_often() {
  InstallationOptions options;
  options.settings = {{"observe.interval_ms", "500"}, {"observe.waiting_interval_ms", "500"}};
  return options;
}

// What `peerwright server prepare` and the host's operator set up.
void install_scripts(const LabHost& host) {
  host.sh("mountpoint -q /etc && mountpoint -q /usr/local && mountpoint -q /var/lib");  // its own, not this machine's
  const std::string directory(ssh::kHostDirectory);
  host.sh("rm -rf " + directory + " && mkdir -p -m 755 " + directory);
  for (const auto& file : ssh::host_files()) {
    host.sh("cat >" + file.path + " <<'PEERWRIGHT_FILE'\n" + file.content + "PEERWRIGHT_FILE\nchmod " +
            (file.mode == 0755 ? "755 " : "644 ") + file.path);
  }
}

// A user whose authorized_keys has the worker's key after `options`. `more`: of useradd.
void add_user(const LabHost& host, const std::string& user, const std::string& options, const std::string& more = "") {
  const std::string home = "/var/lib/" + user;
  host.sh("id " + user + " >/dev/null 2>&1 || useradd -m -d " + home + " -s /bin/sh -p '*' " + more + " " + user);
  host.sh("mkdir -p " + home + "/.ssh && cat >" + home + "/.ssh/authorized_keys <<'PEERWRIGHT_FILE'\n" + options +
          (options.empty() ? "" : " ") + text_of_file(LabHost::ssh_key_file() + ".pub") + "PEERWRIGHT_FILE\n");
}

class Ways : public FlowTest {
 protected:
  Ways() : FlowTest(looks_often()) {}

  // A peer comes on and goes off in the server's present way, and the host is looked at in it.
  void works(const std::string& peer) {
    provision(peer);
    EXPECT_TRUE(on_host(peer));
    wait_said(installation, "peer.status", json{{"peer", peer}, {"delivery", "applied"}});
    const std::string looked = "SELECT extract(epoch FROM observed_at) FROM server_runtime WHERE error_code = ''";
    const std::string before = installation.db().value("SELECT coalesce((" + looked + "), 0)");
    expect(of_server("observe"));
    EXPECT_TRUE(eventually([&] { return installation.db().value("SELECT coalesce((" + looked + "), 0)") != before; }))
        << installation.log_of("w1");
    expect(of_peer("suspend", peer));
    EXPECT_TRUE(goes_off(peer));
    settle();
  }

  void log_in_by(const json& ssh) {
    expect(of_server("update", {{"ssh", ssh}}));
    settle();
  }

  // A session of the user with the worker's key.
  std::unique_ptr<ssh::Session> session_of(const std::string& user) {
    ssh::Target target{host.address(), 22, user, host.host_key()};
    auto session = ssh::Session::connect(target, Secret(text_of_file(LabHost::ssh_key_file())), {});
    if (!session) throw std::runtime_error(session.error().message);
    return std::move(*session);
  }
  static ssh::ExecResult run(ssh::Session& session, const std::string& command) {
    return session.exec(command, "echo RAN >/run/ran\n", std::chrono::seconds(20)).value();
  }
  void expect_never_run(const std::string& user, const std::vector<std::string>& commands, int status) {
    const auto session = session_of(user);
    for (const std::string& command : commands) {
      const auto result = run(*session, command);
      EXPECT_EQ(result.exit_status, status) << command << '\n' << result.out << result.err;
      EXPECT_EQ(result.out.find("uid="), std::string::npos) << command;
    }
    EXPECT_EQ(host.sh("ls /run | grep -c '^ran$' || true"), "0\n");
  }
  bool delivery_says(const std::string& code, const std::string& server = "fra1") {
    return eventually([&] {
      return installation.db().value(
                 "SELECT error_code FROM deliveries d JOIN servers v ON v.id = d.server_id "
                 "WHERE v.name = '" +
                 server + "'") == code;
    });
  }
};

TEST_F(Ways, AUserWithSudoForOneCommand) {
  install_scripts(host);
  add_user(host, "wgadmin", "");
  host.sh("echo 'wgadmin ALL=(root) NOPASSWD: /usr/local/lib/peerwright/hand' >/etc/sudoers.d/peerwright");
  log_in_by({{"user", "wgadmin"}, {"way", "sudo"}});
  works("P1");
  expect_never_run("wgadmin", {"sudo -n id", "sudo -n sh", "sudo -n sh -c id", "sudo -n -s"}, 1);
  expect_never_run("wgadmin",
                   {"sudo -n /usr/local/lib/peerwright/hand sh -c id", "sudo -n /usr/local/lib/peerwright/hand",
                    "SSH_ORIGINAL_COMMAND=id sudo -n /usr/local/lib/peerwright/hand id"},
                   23);
  EXPECT_NE(run(*session_of("wgadmin"), "wg show wg0").exit_status, 0) << "the user itself is nobody";

  host.sh("rm /etc/sudoers.d/peerwright");
  expect(of_peer("resume", "P1"));
  EXPECT_TRUE(delivery_says("host_sudo_refused")) << installation.log_of("w1");
  EXPECT_FALSE(on_host("P1"));
}

TEST_F(Ways, AKeyWithAForcedCommand) {
  install_scripts(host);
  add_user(host, "wgforced", "restrict,command=\"/usr/local/lib/peerwright/hand\"", "-o -u 0");  // root by another name
  log_in_by({{"user", "wgforced"}, {"way", "forced"}});
  works("P1");
  const std::string hash(64, 'a');
  expect_never_run("wgforced",
                   {"id", "sh", "/bin/sh", "sh -c id", "wg show wg0 private-key", "", "push; id",
                    "observe " + hash + " 10 wg0 /etc/wireguard/../passwd", "/usr/local/lib/peerwright/hand id"},
                   23);
  // No command at all, which is a shell, with a terminal and without; and no file transfer.
  const std::vector<std::string> ssh = {"ssh",
                                        "-i",
                                        LabHost::ssh_key_file(),
                                        "-F",
                                        "/dev/null",
                                        "-o",
                                        "StrictHostKeyChecking=no",
                                        "-o",
                                        "UserKnownHostsFile=/dev/null",
                                        "-o",
                                        "LogLevel=ERROR"};
  for (const std::vector<std::string>& how : {std::vector<std::string>{"-T"}, {"-tt"}, {"-s"}}) {
    std::vector<std::string> command = ssh;
    command.insert(command.end(), how.begin(), how.end());
    command.push_back("wgforced@" + host.address());
    if (how.back() == "-s") command.emplace_back("sftp");
    const Finished shell = run_command(command, "id\necho RAN >/run/ran\n");
    EXPECT_EQ(shell.exit_status, how.back() == "-T" ? 23 : 255) << shell.out;  // 255: sshd refused it itself
    EXPECT_EQ(shell.out.find("uid="), std::string::npos) << shell.out;
  }
  EXPECT_EQ(host.sh("ls /run | grep -c '^ran$' || true"), "0\n");
}

TEST_F(Ways, AForcedCommandOfAUserWithSudo) {
  install_scripts(host);
  add_user(host, "wgboth", "restrict,command=\"sudo -n /usr/local/lib/peerwright/hand $SSH_ORIGINAL_COMMAND\"");
  host.sh("echo 'wgboth ALL=(root) NOPASSWD: /usr/local/lib/peerwright/hand' >/etc/sudoers.d/peerwright");
  log_in_by({{"user", "wgboth"}, {"way", "forced"}});
  works("P1");
  expect_never_run("wgboth", {"id", "sh -c id", "$(id)", "; id", "| id", "push * id"}, 23);
}

TEST_F(Ways, AChangedScriptIsNotRunAndSaysSo) {
  install_scripts(host);
  add_user(host, "wgforced", "restrict,command=\"/usr/local/lib/peerwright/hand\"", "-o -u 0");
  log_in_by({{"user", "wgforced"}, {"way", "forced"}});
  const auto file = ssh::host_files().front().path;
  host.sh("sed -i '2i touch /run/ran' " + file);
  expect(of_peer("provision", "P1", {{"server", "fra1"}, {"public_key", keys("P1").public_key}}));
  EXPECT_TRUE(delivery_says("host_script_outdated")) << installation.log_of("w1");
  EXPECT_FALSE(on_host("P1"));
  EXPECT_EQ(host.sh("ls /run | grep -c '^ran$' || true"), "0\n");
  install_scripts(host);
  EXPECT_TRUE(comes_on("P1")) << installation.log_of("w1");
}

TEST_F(Ways, AnExecPrefixIsForAShell) {
  expect(of_server("update", {{"ssh", {{"way", "sudo"}, {"exec_prefix", "podman exec -i wg"}}}}), "rejected",
         "exec_prefix_not_taken");
}

TEST_F(Ways, AHostBehindAJumpHost) {
  const LabHost other(2);
  other.sh(
      "nft add table inet closed && nft add chain inet closed input '{ type filter hook input priority 0; }' && "
      "nft add rule inet closed input tcp dport 22 ip saddr != " +
      host.address() + " drop");
  add_user(host, "jump", "restrict,port-forwarding,permitopen=\"" + other.address() + ":22\"");
  TestEvent behind = server_register("muc1", "net", other);
  behind.cloud_event["data"]["ssh"]["jump"] = {
      {"host", host.address()}, {"user", "jump"}, {"host_key", host.host_key()}};
  installation.establish({behind});
  provision("P1", json::object(), "muc1");
  EXPECT_TRUE(other.kernel_peers().contains(keys("P1").public_key));
  EXPECT_FALSE(on_host("P1")) << "it is no peer of the jump host";
  expect(of_peer("suspend", "P1"));
  EXPECT_TRUE(eventually([&] { return other.kernel_peers().empty(); }));
  settle();

  // Another key of the jump host: nothing goes through it any more.
  expect(of_server("update",
                   {{"ssh", {{"jump", {{"host", host.address()}, {"user", "jump"}, {"host_key", other.host_key()}}}}}},
                   "muc1"));
  expect(of_peer("resume", "P1"));
  const json said =
      wait_said(installation, "server.status", json{{"server", "muc1"}, {"alert", "ssh_host_key_changed"}});
  EXPECT_EQ(said["error_code"], "ssh_host_key_changed");
  EXPECT_TRUE(delivery_says("ssh_host_key_changed", "muc1"));
  EXPECT_NE(installation.db()
                .value("SELECT error_message FROM deliveries WHERE error_code = 'ssh_host_key_changed'")
                .find("the jump host " + host.address()),
            std::string::npos);
  EXPECT_TRUE(other.kernel_peers().empty());
}

}  // namespace
}  // namespace peerwright::test
