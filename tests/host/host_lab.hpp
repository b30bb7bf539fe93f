#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peerwright::test {

struct Outcome {
  std::optional<int> status;  // nullopt: ended by a signal
  std::string out;
  std::string err;
};

// A program that runs beside the test.
class Running {
 public:
  // Starts `command` with `input` as its standard input.
  Running(const std::vector<std::string>& command, std::string_view input);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Reads what it says until it ends.
  Outcome wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
};

// A host of its own: network and mount namespace with its own /run, and a real WireGuard interface wg0 (wireguard-go).
// The configuration file lies in a directory that the test sees too. Needs root. What is in shims() comes first in the
// search path of commands there.
class HostLab {
 public:
  HostLab();
  ~HostLab();
  HostLab(const HostLab&) = delete;
  HostLab& operator=(const HostLab&) = delete;

  [[nodiscard]] Outcome run(const std::string& shell_command, std::string_view input = {}) const;
  [[nodiscard]] std::unique_ptr<Running> start(const std::string& shell_command, std::string_view input = {}) const;

  [[nodiscard]] std::filesystem::path config() const { return directory_ / "wg0.conf"; }
  [[nodiscard]] std::filesystem::path shims() const { return directory_ / "shims"; }
  [[nodiscard]] const std::string& private_key() const { return private_key_; }
  [[nodiscard]] pid_t pid() const { return host_->pid(); }           // of what holds its namespaces
  [[nodiscard]] std::string wg_show(const std::string& what) const;  // `wg show wg0 WHAT`
  void add_shim(const std::string& name, const std::string& script) const;
  void remove_shims() const;

 private:
  std::filesystem::path directory_;
  std::string private_key_;
  std::unique_ptr<Running> host_;
};

// Another machine, on a cable of its own to the host: it is 172.31.NUMBER.2 and reaches the host at 172.31.NUMBER.1.
class LabMachine {
 public:
  LabMachine(const HostLab& host, int number);
  ~LabMachine();
  LabMachine(const LabMachine&) = delete;
  LabMachine& operator=(const LabMachine&) = delete;

  [[nodiscard]] Outcome run(const std::string& shell_command, std::string_view input = {}) const;
  [[nodiscard]] std::unique_ptr<Running> start(const std::string& shell_command) const;
  [[nodiscard]] const std::string& public_key() const { return public_key_; }
  // Brings up a tunnel to the host's wg0, with these addresses and these prefixes routed into it.
  void join(const std::string& addresses, const std::string& allowed_ips) const;
  // One packet, or one connection, that is to be answered within `seconds`.
  [[nodiscard]] bool pings(const std::string& address, double seconds = kAnswerSeconds) const;
  [[nodiscard]] bool connects(const std::string& address, int tcp_port, double seconds = kAnswerSeconds) const;
  // Neither is, for longer than it takes where nothing is in the way.
  [[nodiscard]] bool misses(const std::string& address) const { return !pings(address, kSilenceSeconds); }
  [[nodiscard]] bool misses(const std::string& address, int tcp_port) const {
    return !connects(address, tcp_port, kSilenceSeconds);
  }

 private:
  static constexpr double kAnswerSeconds = 3;
  static constexpr double kSilenceSeconds = 0.3;
  const HostLab& host_;
  int number_;
  std::string private_key_;
  std::string public_key_;
  std::unique_ptr<Running> machine_;
};

std::string read_file(const std::filesystem::path& path);  // empty where there is none
void write_file(const std::filesystem::path& path, std::string_view text);
// Looks again until `condition` holds; false after ten seconds.
bool eventually(const std::function<bool()>& condition);

}  // namespace peerwright::test
