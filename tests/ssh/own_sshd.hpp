#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "peerwright/base/secret.hpp"
#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh::testing {

// Waits until `condition` holds. False: it did not within ten seconds.
bool eventually(const std::function<bool()>& condition);

// One sshd, needing no lab: on 127.0.0.1 with its own keys and a temporary directory, stopped and
// removed with this object. Throws std::runtime_error where it does not start. sshd wants to be root's.
class OwnSshd {
 public:
  struct Options {
    std::vector<std::string> host_key_types{"ed25519", "rsa"};
    std::string config{};      // lines of sshd_config that overrule the fixture's
    std::string authorized{};  // lines of authorized_keys, beside that of its own key
  };

  OwnSshd() : OwnSshd(Options()) {}
  explicit OwnSshd(const Options& options);
  ~OwnSshd();
  OwnSshd(const OwnSshd&) = delete;
  OwnSshd& operator=(const OwnSshd&) = delete;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  // A target that pins the host key of that type.
  [[nodiscard]] Target target(const std::string& host_key_type = "ed25519") const;
  // The private key that may log in.
  [[nodiscard]] Secret client_key() const { return key("client"); }
  [[nodiscard]] std::string client_public_key() const;
  // The private key of a file that make_key() wrote.
  [[nodiscard]] Secret key(const std::string& name) const;
  // Makes a pair `name`, `name`.pub in the directory; answers the public line.
  std::string make_key(const std::string& name, const std::string& type, const std::string& passphrase = "") const;

  [[nodiscard]] std::string log() const;
  // The processes of the open connections.
  [[nodiscard]] std::vector<pid_t> connections() const;

 private:
  void write_config(const Options& options) const;
  bool start();

  std::string user_;
  std::filesystem::path directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace peerwright::ssh::testing
