#include "support/lab.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "peerwright/wireguard/key.hpp"
#include "support/process.hpp"

namespace peerwright::test {
namespace {

std::string tools() { return std::string(PEERWRIGHT_SOURCE_DIR) + "/tools/"; }

std::string sorted_list(std::string joined) {
  std::replace(joined.begin(), joined.end(), ',', ' ');
  std::istringstream words(joined);
  std::vector<std::string> items;
  for (std::string word; words >> word;) items.push_back(word);
  std::sort(items.begin(), items.end());
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text == "(none)" ? "" : text;
}

// Back to a freshly installed host: no peers, no push number, the [Interface] section alone.
constexpr const char* kWipe =
    "set -e; wg show wg0 peers | while read -r k; do wg set wg0 peer \"$k\" remove; done; "
    "cd /etc/wireguard; awk '/^\\[Peer\\]/{exit} {print}' wg0.conf > wg0.conf.fresh; chmod 600 wg0.conf.fresh; "
    "mv wg0.conf.fresh wg0.conf; rm -f wg0.conf.push wg0.conf.lock";

}  // namespace

LabHost::LabHost(int number) : LabHost(number, KeepState()) { sh(kWipe); }

LabHost::LabHost(int number, KeepState)
    : number_(number),
      address_(required_environment("LAB_HOST_" + std::to_string(number))),
      host_key_(required_environment("LAB_HOSTKEY_" + std::to_string(number))),
      interface_key_(required_environment("LAB_WGKEY_" + std::to_string(number))) {}

std::string LabHost::ssh_key_file() { return required_environment("LAB_SSH_KEY"); }

std::string LabHost::sh(const std::string& command) const {
  const Finished done = run_command({tools() + "lab", "sh", std::to_string(number_), "sh", "-c", command});
  if (done.exit_status != 0) throw std::runtime_error("a command on lab host failed: " + command);
  return done.out;
}

void LabHost::lab(const std::string& verb) const {
  const Finished done = run_command({tools() + "lab", verb, std::to_string(number_)});
  if (done.exit_status != 0) throw std::runtime_error("tools/lab " + verb + " failed");
}

LabHost::Peers LabHost::kernel_peers() const {
  Peers peers;
  std::istringstream lines(sh("wg show wg0 allowed-ips"));
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    peers[line.substr(0, tab)] = sorted_list(line.substr(tab + 1));
  }
  return peers;
}

LabHost::Peers LabHost::file_peers() const {
  Peers peers;
  std::istringstream lines(sh("cat /etc/wireguard/wg0.conf"));
  std::string key;
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = sorted_list(line.substr(0, equals));
    const std::string value = sorted_list(line.substr(equals + 1));
    if (name == "PublicKey") peers[key = value] = "";
    if (name == "AllowedIPs") peers[key] = value;
  }
  return peers;
}

ClientKeys make_client_keys() {
  const wireguard::KeyPair pair = wireguard::generate_key_pair();
  return {std::string(pair.private_key.reveal()), pair.public_key};
}

}  // namespace peerwright::test
