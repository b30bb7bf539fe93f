#include <algorithm>
#include <array>
#include <utility>

#include "peerwright/base/seal.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/key.hpp"
#include "peerwright/wireguard/observation.hpp"
#include "peerwright/wireguard/prepare.hpp"

namespace peerwright::wireguard {
namespace {

constexpr std::size_t kMaxInterfaceChars = 15;  // IFNAMSIZ without its zero byte
constexpr std::size_t kMaxPathChars = 512;
constexpr std::size_t kMaxPrefixChars = 512;
constexpr std::size_t kMaxInstallationChars = 64;
constexpr int kMaxTimeoutSeconds = 3600;  // hand.sh knows it too
constexpr int kKillAfterSeconds = 5;      // from the request to end to the signal that cannot be refused

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool made_of(std::string_view text, std::string_view others, std::size_t most) {
  return !text.empty() && text.size() <= most && std::all_of(text.begin(), text.end(), [others](char c) {
    return is_alphanumeric(c) || others.find(c) != std::string_view::npos;
  });
}

bool good_interface(std::string_view name) {
  return made_of(name, "_=+.-", kMaxInterfaceChars) && name.front() != '-' && name != "." && name != "..";
}

bool good_path(std::string_view path) {
  return made_of(path, "_=+.-/@", kMaxPathChars) && path.front() == '/' && path.back() != '/' &&
         path.find("//") == std::string_view::npos && path.find("/../") == std::string_view::npos;
}

// Words between single spaces; the first is a command, so it has no equals sign that would make it an assignment.
bool good_prefix(std::string_view prefix) {
  return prefix.empty() ||
         (made_of(prefix, "_=+.-/@:, ", kMaxPrefixChars) && prefix.front() != ' ' && prefix.front() != '-' &&
          prefix.back() != ' ' && prefix.find("  ") == std::string_view::npos &&
          prefix.substr(0, prefix.find(' ')).find('=') == std::string_view::npos);
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += R"('\'')";
    } else {
      out += c;
    }
  }
  return out + "'";
}

tl::unexpected<Error> invalid(std::string_view what) {
  return permanent("host_setting_invalid", std::string(what) + " has characters or a form that it may not have",
                   "correct the server's " + std::string(what));
}

const char* name_of(PushMode mode) {
  switch (mode) {
    case PushMode::push:
      return "push";
    case PushMode::look:
      return "look";
    case PushMode::retire:
      return "retire";
    case PushMode::reading:
      break;
  }
  return "reading";
}

constexpr std::array<std::pair<WayIn, const char*>, 3> kWays{
    {{WayIn::shell, "shell"}, {WayIn::sudo, "sudo"}, {WayIn::forced, "forced"}}};

// `exec_prefix timeout ... sh -c SCRIPT peerwright`
std::string carrying(const HostInterface& where, int timeout_seconds, std::string_view script) {
  std::string command = where.exec_prefix.empty() ? "" : where.exec_prefix + " ";
  command += "timeout -k " + std::to_string(kKillAfterSeconds) + " " + std::to_string(timeout_seconds) + " sh -c ";
  return command + shell_quoted(script) + " peerwright";
}

// `sudo -n DISPATCHER NAME SHA256 TIMEOUT`, or the same words without the first three.
std::string naming(const HostInterface& where, int timeout_seconds, std::string_view name, std::string_view script) {
  std::string command = where.way == WayIn::sudo ? "sudo -n " + std::string(kHandCommand) + " " : "";
  return command + std::string(name) + " " + sha256_hex(script) + " " + std::to_string(timeout_seconds);
}

// The command up to the interface and its file.
Result<std::string> script_command(const HostInterface& where, int timeout_seconds, std::string_view name,
                                   std::string_view script) {
  if (!good_interface(where.interface)) return invalid("interface name");
  if (!good_path(where.config_path)) return invalid("configuration path");
  if (!good_prefix(where.exec_prefix)) return invalid("exec prefix");
  if (timeout_seconds <= 0 || timeout_seconds > kMaxTimeoutSeconds) return invalid("timeout");
  if (where.way != WayIn::shell && !where.exec_prefix.empty()) return invalid("exec prefix");
  // What has passed these checks are plain words, which need no quotes.
  return (where.way == WayIn::shell ? carrying(where, timeout_seconds, script)
                                    : naming(where, timeout_seconds, name, script)) +
         " " + where.interface + " " + where.config_path;
}

}  // namespace

const char* name_of(WayIn way) {
  return std::find_if(kWays.begin(), kWays.end(), [way](const auto& row) { return row.first == way; })->second;
}

std::optional<WayIn> way_in_from(std::string_view name) {
  for (const auto& [way, its_name] : kWays) {
    if (name == its_name) return way;
  }
  return std::nullopt;
}

Result<std::string> exec_command(const HostInterface& where, PushMode mode, std::int64_t push_number,
                                 int timeout_seconds, std::string_view script) {
  const bool retires = mode == PushMode::retire;
  auto command = script_command(where, timeout_seconds, retires ? name_of(mode) : "push", script);
  if (!command) return command;
  if (!made_of(where.installation_id, "_-", kMaxInstallationChars)) return invalid("installation id");
  if (push_number <= 0 && mode != PushMode::look) return invalid("push number");
  *command += " " + where.installation_id + " " + std::to_string(push_number);
  if (!retires) *command += std::string(" ") + name_of(mode);
  if (!where.expected_key.empty() && !check_public_key(where.expected_key)) return invalid("public key");
  if (!where.expected_key.empty()) *command += ' ' + where.expected_key;
  // The login's shell says whence we come: an exec prefix does not pass it on.
  if (where.way != WayIn::shell || retires) return command;
  return *command + (where.expected_key.empty() ? " ''" : "") + " \"$SSH_CONNECTION\"";
}

Result<std::string> observe_command(const HostInterface& where, int timeout_seconds, std::string_view script) {
  return script_command(where, timeout_seconds, "observe", script);
}

Result<std::string> prepare_command(const HostInterface& where, PrepareMode mode, int timeout_seconds,
                                    std::string_view script) {
  auto command = script_command(where, timeout_seconds, "prepare", script);
  if (!command) return command;
  if (!made_of(where.installation_id, "_-", kMaxInstallationChars)) return invalid("installation id");
  return *command + (mode == PrepareMode::look ? " look " : " prepare ") + where.installation_id;
}

}  // namespace peerwright::wireguard
