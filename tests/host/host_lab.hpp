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
  [[nodiscard]] std::string wg_show(const std::string& what) const;  // `wg show wg0 WHAT`
  void add_shim(const std::string& name, const std::string& script) const;
  void remove_shims() const;

 private:
  [[nodiscard]] std::vector<std::string> inside(const std::string& shell_command) const;
  std::filesystem::path directory_;
  std::string private_key_;
  std::unique_ptr<Running> host_;
};

std::string read_file(const std::filesystem::path& path);  // empty where there is none
void write_file(const std::filesystem::path& path, std::string_view text);
// Looks again until `condition` holds; false after ten seconds.
bool eventually(const std::function<bool()>& condition);

}  // namespace peerwright::test
