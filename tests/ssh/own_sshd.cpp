#include "own_sshd.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace peerwright::ssh::testing {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kLookAgain{5};
constexpr int kStartAttempts = 5;  // another process may take the port that was free a moment ago

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Starts a program that dies with this one; its output goes to the end of `log`.
pid_t spawn(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int null = ::open("/dev/null", O_RDONLY);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(null, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool found = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!found) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::string user_name() {
  const passwd* entry = ::getpwuid(::getuid());
  if (entry == nullptr) throw std::runtime_error("this user has no name");
  return entry->pw_name;
}

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

OwnSshd::OwnSshd(const Options& options) : user_(user_name()) {
  std::string name = (std::filesystem::temp_directory_path() / "peerwright-sshd-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  directory_ = name;
  std::filesystem::create_directories("/run/sshd");  // sshd refuses to start without it
  for (const std::string& type : options.host_key_types) make_key("host_" + type, type);
  std::ofstream(directory_ / "authorized_keys") << make_key("client", "ed25519") << options.authorized;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    port_ = free_port();
    write_config(options);
    if (start()) return;
  }
  throw std::runtime_error("sshd did not start:\n" + log());
}

OwnSshd::~OwnSshd() {
  for (const pid_t pid : connections()) ::kill(pid, SIGKILL);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void OwnSshd::write_config(const Options& options) const {
  std::ofstream file(directory_ / "sshd_config");
  file << options.config << '\n';  // first, as sshd keeps the first value that it reads
  file << "Port " << port_ << "\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\nUseDNS no\n"
       << "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
       << "LogLevel VERBOSE\nAuthorizedKeysFile " << (directory_ / "authorized_keys").string() << '\n';
  for (const std::string& type : options.host_key_types) {
    file << "HostKey " << (directory_ / ("host_" + type)).string() << '\n';
  }
}

bool OwnSshd::start() {
  std::filesystem::remove(directory_ / "log");
  pid_ = spawn({"/usr/sbin/sshd", "-D", "-e", "-f", (directory_ / "sshd_config").string()}, directory_ / "log");
  bool ended = false;
  const bool listening = eventually([&] {
    ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    return ended || log().find("Server listening on 127.0.0.1") != std::string::npos;
  });
  if (ended) pid_ = -1;
  return listening && !ended;
}

Target OwnSshd::target(const std::string& host_key_type) const {
  Target target;
  target.host = "127.0.0.1";
  target.port = port_;
  target.user = user_;
  target.host_key = read_text(directory_ / ("host_" + host_key_type + ".pub"));
  return target;
}

std::string OwnSshd::client_public_key() const { return read_text(directory_ / "client.pub"); }

Secret OwnSshd::key(const std::string& name) const { return Secret(read_text(directory_ / name)); }

std::string OwnSshd::make_key(const std::string& name, const std::string& type, const std::string& passphrase) const {
  const std::filesystem::path path = directory_ / name;
  const pid_t pid = spawn({"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "test key", "-f", path.string()},
                          directory_ / "keygen.log");
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0) {
    throw std::runtime_error("ssh-keygen failed:\n" + read_text(directory_ / "keygen.log"));
  }
  return read_text(path.string() + ".pub");
}

std::string OwnSshd::log() const { return read_text(directory_ / "log"); }

std::vector<pid_t> OwnSshd::connections() const {
  std::vector<pid_t> pids;
  if (pid_ <= 0) return pids;
  const std::string self = std::to_string(pid_);
  std::istringstream children(read_text("/proc/" + self + "/task/" + self + "/children"));
  for (pid_t pid = 0; children >> pid;) pids.push_back(pid);
  return pids;
}

}  // namespace peerwright::ssh::testing
