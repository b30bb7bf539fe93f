#include "support/lab.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "peerwright/wireguard/key.hpp"

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

constexpr const char* kShims = "/usr/local/sbin/";  // a host's own, and searched first

// Of an interface that goes, wireguard-go takes the socket away only as it ends, and that of the next one with it if
// that is quicker.
std::string remove_interface(const std::string& name) {
  const std::string socket = "/var/run/wireguard/" + name + ".sock";
  return "ip link del " + name + " 2>/dev/null || true; for turn in $(seq 200); do [ -e " + socket +
         " ] || break; sleep 0.05; done; rm -f " + socket + "; ";
}

// Back to a freshly prepared host: no peers, no push number, the [Interface] section alone. A bare one, or one that a
// retirement has only just taken down, gets an interface of its own first.
std::string wipe_command() {
  return "set -e; [ -e /etc/wireguard/wg0.conf ] || (umask 077; printf '[Interface]\\nPrivateKey = %s\\nListenPort = "
         "51820\\nAddress = 10.200.0.1/16, fd00:200::1/64\\nMTU = 1280\\n' \"$(wg genkey)\" >/etc/wireguard/wg0.conf); "
         "{ ip link show wg0 >/dev/null 2>&1 && wg show wg0 >/dev/null 2>&1; } || { " +
         remove_interface("wg0") +
         "wg-quick up wg0 >/dev/null 2>&1; }; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; "
         "wg show wg0 peers | while read -r k; do wg set wg0 peer \"$k\" remove; done; "
         "cd /etc/wireguard; awk '/^\\[Peer\\]/{exit} {print}' wg0.conf > wg0.conf.fresh; chmod 600 wg0.conf.fresh; "
         "mv wg0.conf.fresh wg0.conf; rm -f wg0.conf.* *.conf.lock *.conf.push *.nft; nft flush ruleset";
}

// As a provider hands it over: nothing of a server is there.
constexpr const char* kMakeBare =
    "set -e; ip link delete wg0; while [ -e /run/wireguard/wg0.sock ]; do sleep 0.02; done; cd /etc/wireguard; rm -f "
    "wg0.conf* *.nft /etc/sysctl.d/99-*peerwright-*; "
    "nft flush ruleset; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0";

}  // namespace

LabHost::LabHost(int number, bool wiped)
    : number_(number),
      address_(required_environment("LAB_HOST_" + std::to_string(number))),
      host_key_(required_environment("LAB_HOSTKEY_" + std::to_string(number))) {
  if (wiped) sh(wipe_command());
  interface_key_ = sh("wg show wg0 public-key | tr -d '\\n'");
}

void LabHost::make_bare() const { sh(kMakeBare); }

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

LabHost::Peers LabHost::kernel_peers(const std::string& interface) const {
  Peers peers;
  std::istringstream lines(sh("/usr/bin/wg show " + interface + " allowed-ips"));  // no shim's
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    peers[line.substr(0, tab)] = sorted_list(line.substr(tab + 1));
  }
  return peers;
}

LabHost::Peers LabHost::file_peers(const std::string& interface) const {
  Peers peers;
  std::istringstream lines(sh("cat /etc/wireguard/" + interface + ".conf"));
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

LabInterface::LabInterface(const LabHost& host, int number) : host_(host), name_("wg" + std::to_string(number)) {
  // A test that was killed left its own behind.
  host_.sh(remove_interface(name_) + "set -e; cd /etc/wireguard; umask 077; rm -f " + name_ +
           ".conf*; printf '[Interface]\\nPrivateKey = %s\\n' $(wg genkey) >" + name_ +
           ".conf; LOG_LEVEL=error wireguard-go " + name_ + " >/dev/null 2>&1 </dev/null; wg setconf " + name_ + " " +
           name_ + ".conf; ip link set " + name_ + " up");
}

LabInterface::~LabInterface() { host_.sh(remove_interface(name_) + "rm -f /etc/wireguard/" + name_ + ".conf*"); }

HostShim::HostShim(const LabHost& host, std::string command, const std::string& script)
    : host_(host), command_(std::move(command)) {
  const std::string file = std::string(kShims) + command_;
  host_.sh("cat >" + file + ".new <<'SHIM'\n#!/bin/sh\nreal=/usr/bin/" + command_ + "\n" + script +
           "\nexec $real \"$@\"\nSHIM\nchmod 755 " + file + ".new && mv " + file + ".new " + file);
}

HostShim::~HostShim() { host_.sh("rm -f " + std::string(kShims) + command_); }

namespace {
// Each gate has a place of its own, so that whoever comes late to one that is gone finds it open.
std::string gate_place(const std::string& command) {
  static std::atomic<int> gates = 0;
  return "/run/gate." + command + "." + std::to_string(getpid()) + "." + std::to_string(++gates);
}
}  // namespace

HostGate::HostGate(const LabHost& host, const std::string& command, const std::string& pattern)
    : host_(host),
      place_(gate_place(command)),
      shim_(std::make_unique<HostShim>(host, command,
                                       "case $* in " + pattern + ") if mkdir " + place_ + " 2>/dev/null; then\n  : >" +
                                           place_ + "/held\n  while [ ! -e " + place_ +
                                           "/open ]; do sleep 0.02; done\n  $real \"$@\"; status=$?; : >" + place_ +
                                           "/passed; exit $status\nfi ;; esac")) {}

HostGate::~HostGate() {
  shim_.reset();
  const bool held = holds();
  open();
  if (held) (void)eventually([this] { return passed(); });
}

bool HostGate::holds() const { return host_.sh("test ! -e " + place_ + "/held || echo yes") == "yes\n"; }
void HostGate::open() { host_.sh("mkdir -p " + place_ + " && : >" + place_ + "/open"); }
bool HostGate::passed() const { return host_.sh("test ! -e " + place_ + "/passed || echo yes") == "yes\n"; }

LabClient::LabClient(std::string name, const std::string& config) : name_(std::move(name)) {
  const std::string file = std::filesystem::temp_directory_path() / ("lab-client-" + name_ + ".conf");
  std::ofstream(file) << config;
  const Finished done = run_command({tools() + "lab", "client", "up", name_, file});
  std::filesystem::remove(file);
  if (done.exit_status != 0) throw std::runtime_error("the client " + name_ + " did not come up");
}

LabClient::~LabClient() { run_command({tools() + "lab", "client", "down", name_}); }

bool LabClient::pings(const std::string& address, int seconds) const {
  return run_command({tools() + "lab", "client", "ping", name_, address, std::to_string(seconds)}).exit_status == 0;
}

Finished LabClient::sh(const std::string& command) const {
  return run_command({tools() + "lab", "client", "sh", name_, "sh", "-c", command});
}

std::string client_config(const nlohmann::json& status, const std::string& private_key, const std::string& more) {
  const nlohmann::json& client = status.at("client");
  const auto list = [](const nlohmann::json& items) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ", ") + item.get<std::string>();
    return text;
  };
  std::string text = "[Interface]\nPrivateKey = " + private_key + "\nAddress = " + list(client.at("addresses")) + "\n";
  if (client.contains("mtu")) text += "MTU = " + client.at("mtu").dump() + "\n";
  text += "\n[Peer]\nPublicKey = " + client.at("server_public_key").get<std::string>() +
          "\nEndpoint = " + client.at("endpoint").get<std::string>() + "\nAllowedIPs = " + list(client.at("routes")) +
          "\n";
  return text + more;
}

ClientKeys make_client_keys() {
  const wireguard::KeyPair pair = wireguard::generate_key_pair();
  return {std::string(pair.private_key.reveal()), pair.public_key};
}

}  // namespace peerwright::test
