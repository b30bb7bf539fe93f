#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace peerwright::test {

// A host of the lab that tools/test started (tools/lab up 3). Taking one wipes what earlier tests left on it.
class LabHost {
 public:
  explicit LabHost(int number) : LabHost(number, true) {}
  static LabHost unwiped(int number) { return {number, false}; }

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] const std::string& host_key() const { return host_key_; }
  [[nodiscard]] std::string endpoint() const { return address_ + ":51820"; }
  [[nodiscard]] std::string interface_key() const { return interface_key_; }
  static std::string ssh_key_file();

  // No interface, no configuration, no push number, no forwarding: as before `server prepare`.
  void make_bare() const;
  // Runs a shell command on the host; its output. Fails the test where the command fails.
  std::string sh(const std::string& command) const;
  // tools/lab VERB K (kill, start, reboot, freeze, thaw).
  void lab(const std::string& verb) const;

  // public key -> allowed IPs sorted and joined by commas, as the kernel (or wireguard-go) and as the saved file say.
  using Peers = std::map<std::string, std::string>;
  [[nodiscard]] Peers kernel_peers() const;
  [[nodiscard]] Peers file_peers() const;

 private:
  LabHost(int number, bool wiped);

  int number_;
  std::string address_;
  std::string host_key_;
  std::string interface_key_;
};

// A machine of its own with a tunnel from a wg-quick style configuration (tools/lab client); gone with the object.
class LabClient {
 public:
  LabClient(std::string name, const std::string& config);
  ~LabClient();
  LabClient(const LabClient&) = delete;
  LabClient& operator=(const LabClient&) = delete;

  // Whether one ping through the tunnel is answered within the time.
  [[nodiscard]] bool pings(const std::string& address, int seconds = 10) const;
  [[nodiscard]] Finished sh(const std::string& command) const;

 private:
  std::string name_;
};

// The configuration that a customer would build out of a peer.status (or reservation.status) and nothing else; `more`
// is put behind its [Peer].
std::string client_config(const nlohmann::json& status, const std::string& private_key, const std::string& more = {});

// Keys of a client: a private and a public one.
struct ClientKeys {
  std::string private_key;
  std::string public_key;
};
ClientKeys make_client_keys();

}  // namespace peerwright::test
