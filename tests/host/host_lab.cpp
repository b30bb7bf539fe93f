#include "host_lab.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "peerwright/wireguard/key.hpp"

namespace peerwright::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kLookAgain = std::chrono::milliseconds(5);

[[noreturn]] void give_up(const std::string& what) { throw std::runtime_error("host lab: " + what); }

// An open file without a name that holds `text`, read from its start.
int file_of(std::string_view text) {
  std::string name = (std::filesystem::temp_directory_path() / "peerwright.XXXXXX").string();
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) give_up("no temporary file");
  unlink(name.c_str());
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n <= 0) give_up("a write failed");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

void make_tun_device() {
  struct stat status {};
  if (stat("/dev/net/tun", &status) == 0) return;
  std::filesystem::create_directories("/dev/net");
  if (mknod("/dev/net/tun", S_IFCHR | 0600, makedev(10, 200)) != 0) give_up("cannot make /dev/net/tun");
}

// What runs `shell_command` in the namespaces of a process.
std::vector<std::string> entered(pid_t pid, const std::string& shell_command) {
  return {"nsenter", "-t", std::to_string(pid), "-m", "-n", "sh", "-c", shell_command};
}

// WireGuard in user space, that ends with the machine; what holds the namespaces is another process.
constexpr const char* kStartWireGuard =
    "{ LOG_LEVEL=silent setpriv --pdeathsig KILL wireguard-go -f wg0 >/dev/null 2>&1 & } && exec sleep infinity";

// Succeeds once it takes commands. A `wg` that comes after the socket is bound and before it listens would think that
// its owner is dead and unlink it, and nobody ever came through: so nothing is asked by `wg`. 00010000 is
// __SO_ACCEPTCON.
constexpr const char* kWireGuardListens = "grep -q ' 00010000 .*/wg0.sock$' /proc/net/unix";

}  // namespace

Running::Running(const std::vector<std::string>& command, std::string_view input) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  const int in = file_of(input);
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) give_up("no pipe");
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(in);
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
  if (pid_ < 0) give_up("fork failed");
}

Running::~Running() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {out_, err_}) {
    if (fd >= 0) close(fd);
  }
}

Outcome Running::wait() {
  Outcome outcome;
  std::array<pollfd, 2> fds{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  std::array<std::string*, 2> texts{&outcome.out, &outcome.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    poll(fds.data(), fds.size(), -1);
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      std::array<char, 65536> buffer{};
      const ssize_t n = read(fds[i].fd, buffer.data(), buffer.size());
      if (n > 0) texts[i]->append(buffer.data(), static_cast<std::size_t>(n));
      if (n <= 0) fds[i].fd = -1;
    }
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  return outcome;
}

HostLab::HostLab() {
  make_tun_device();
  std::string name = (std::filesystem::temp_directory_path() / "peerwright-host.XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) give_up("no temporary directory");
  directory_ = name;
  std::filesystem::create_directory(shims());
  const auto keys = wireguard::generate_key_pair();
  private_key_ = keys.private_key.reveal();
  write_file(config(), "[Interface]\n# made for a test\nPrivateKey = " + private_key_ +
                           "\nListenPort = 51820\nPostUp = ip link set %i mtu 1380\n");
  chmod(config().c_str(), 0600);
  const std::string ready = (directory_ / "ready").string();
  // What holds the namespaces is no WireGuard, so that a test can delete the interface.
  const std::string init = "mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 700 /run/wireguard && mount --bind " +
                           shims().string() + " /usr/local/sbin && : >" + ready + " && " + kStartWireGuard;
  host_ = std::make_unique<Running>(
      std::vector<std::string>{"unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", init}, "");
  const std::string set_up = "sed -n 's/^PrivateKey = //p' " + config().string() + " | wg set wg0 listen-port 51820 " +
                             "private-key /dev/stdin";
  // Before `ready` is there, the process is still in the namespaces of this test.
  if (!eventually([&] { return std::filesystem::exists(ready); }) ||
      !eventually([&] { return run(kWireGuardListens).status == 0; }) || run(set_up).status != 0) {
    give_up("wireguard-go did not start; it needs root, unshare and /dev/net/tun");
  }
}

HostLab::~HostLab() {
  host_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Outcome HostLab::run(const std::string& shell_command, std::string_view input) const {
  return Running(entered(host_->pid(), shell_command), input).wait();
}

std::unique_ptr<Running> HostLab::start(const std::string& shell_command, std::string_view input) const {
  return std::make_unique<Running>(entered(host_->pid(), shell_command), input);
}

std::string HostLab::wg_show(const std::string& what) const { return run("wg show wg0 " + what).out; }

void HostLab::add_shim(const std::string& name, const std::string& script) const {
  write_file(shims() / name, "#!/bin/sh\n" + script);
  std::filesystem::permissions(shims() / name, std::filesystem::perms(0755));
}

void HostLab::remove_shims() const {
  for (const auto& entry : std::filesystem::directory_iterator(shims())) std::filesystem::remove(entry.path());
}

LabMachine::LabMachine(const HostLab& host, int number) : host_(host), number_(number) {
  const auto keys = wireguard::generate_key_pair();
  private_key_ = keys.private_key.reveal();
  public_key_ = keys.public_key;
  const std::string init =
      std::string("mount -t tmpfs tmpfs /run && mkdir -m 700 /run/wireguard && ") + kStartWireGuard;
  machine_ = std::make_unique<Running>(
      std::vector<std::string>{"unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", init}, "");
  if (!eventually([&] { return run(kWireGuardListens).status == 0; })) give_up("a machine did not start");
  const std::string k = std::to_string(number_);
  const std::string cable = "ip link add cable" + k + " type veth peer name cable netns " +
                            std::to_string(machine_->pid()) + " && ip addr add 172.31." + k + ".1/24 dev cable" + k +
                            " && ip link set cable" + k + " up";
  if (host_.run(cable).status != 0 ||
      run("ip link set lo up && ip addr add 172.31." + k + ".2/24 dev cable && ip link set cable up").status != 0) {
    give_up("no cable");
  }
}

LabMachine::~LabMachine() { (void)host_.run("ip link delete cable" + std::to_string(number_)); }

Outcome LabMachine::run(const std::string& shell_command, std::string_view input) const {
  return Running(entered(machine_->pid(), shell_command), input).wait();
}

std::unique_ptr<Running> LabMachine::start(const std::string& shell_command) const {
  return std::make_unique<Running>(entered(machine_->pid(), shell_command), "");
}

void LabMachine::join(const std::string& addresses, const std::string& allowed_ips) const {
  const std::string key = wireguard::public_key_of(Secret(host_.private_key())).value();
  const std::string script =
      "wg set wg0 private-key /dev/stdin peer " + key + " endpoint 172.31." + std::to_string(number_) +
      ".1:51820 allowed-ips " + allowed_ips + " && for one in " + addresses +
      "; do ip addr add $one dev wg0 || exit; done && ip link set wg0 mtu 1280 up && for one in $(echo " + allowed_ips +
      " | tr , ' '); do ip route replace $one dev wg0 || exit; done";
  if (const auto done = run(script, private_key_); done.status != 0) give_up("no tunnel: " + done.err);
}

bool LabMachine::pings(const std::string& address, double seconds) const {
  return run("ping -n -c 1 -W " + std::to_string(seconds) + " " + address).status == 0;
}

bool LabMachine::connects(const std::string& address, int tcp_port, double seconds) const {
  const std::string place = "/dev/tcp/" + address + "/" + std::to_string(tcp_port);
  return run("timeout " + std::to_string(seconds) + " bash -c ': <>" + place + "'").status == 0;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) give_up("cannot write " + path.string());
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

}  // namespace peerwright::test
