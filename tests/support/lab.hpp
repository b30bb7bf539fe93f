#pragma once

#include <map>
#include <memory>
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
  [[nodiscard]] Peers kernel_peers(const std::string& interface = "wg0") const;
  [[nodiscard]] Peers file_peers(const std::string& interface = "wg0") const;

 private:
  LabHost(int number, bool wiped);

  int number_;
  std::string address_;
  std::string host_key_;
  std::string interface_key_;
};

// One more WireGuard interface of a lab host, wgNUMBER, with a key and without addresses; gone with the object.
class LabInterface {
 public:
  LabInterface(const LabHost& host, int number);
  ~LabInterface();
  LabInterface(const LabInterface&) = delete;
  LabInterface& operator=(const LabInterface&) = delete;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const LabHost& host_;
  std::string name_;
};

// A command of a lab host that does something else before, or instead of, what it does: `script` is sh, finds the real
// command as $real and its arguments as usual, and is followed by it. Gone with the object.
class HostShim {
 public:
  HostShim(const LabHost& host, std::string command, const std::string& script);
  ~HostShim();
  HostShim(const HostShim&) = delete;
  HostShim& operator=(const HostShim&) = delete;

 private:
  const LabHost& host_;
  std::string command_;
};

// Holds the first call of a command whose arguments fit the pattern (of `case`), until it is opened.
class HostGate {
 public:
  HostGate(const LabHost& host, const std::string& command, const std::string& pattern);
  ~HostGate();
  HostGate(const HostGate&) = delete;
  HostGate& operator=(const HostGate&) = delete;
  [[nodiscard]] bool holds() const;  // somebody has come
  void open();
  [[nodiscard]] bool passed() const;  // who was held has gone on, and ended

 private:
  const LabHost& host_;
  std::string place_;
  std::unique_ptr<HostShim> shim_;
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
