#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"
#include "peerwright/wireguard/host.hpp"
#include "peerwright/wireguard/prefix.hpp"

// What is said to the script that makes a server out of a host (src/ssh/scripts/prepare.sh) and how its answer is read:
// pure text, both ways.
namespace peerwright::wireguard {

enum class PrepareMode {
  prepare,  // do what is missing
  look,     // change nothing; say what would be done
};

// A file that is to lie on the host, root's.
struct InstalledFile {
  std::string path;  // absolute, of the characters that a configuration path may have
  int mode = 0644;
  std::string content;  // lines, each with its end
};

struct PreparePlan {
  std::vector<Prefix> addresses;  // of the interface, each with its network's length
  int listen_port = 0;
  int mtu = 0;  // 0: left as it is
  // The public keys that the host's interface may have; empty: any. A host that has a key keeps it.
  std::vector<std::string> expected_keys;
  Secret private_key{};  // base64, for a host that has none; empty: such a host is not prepared
  std::vector<InstalledFile> files{};
};

// The command line to execute on the host as root, like exec_command(). Error: `host_setting_invalid`.
Result<std::string> prepare_command(const HostInterface& where, PrepareMode mode, int timeout_seconds,
                                    std::string_view script);

// What goes to the script's standard input, up to its end mark. Error: `host_setting_invalid` (a file's path or
// content).
Result<Secret> render_prepare(const PreparePlan& plan);

struct PrepareStep {
  std::string state;  // ok: it was so; did: it is so now; would: it is to be done; skipped: it is NOT done, and why
  std::string what;   // the command, or what it comes to
};

struct Prepared {
  std::vector<PrepareStep> steps;
  std::string interface_key;           // public key of the interface; empty: it has none, or there is no interface
  std::string file_key;                // of the saved file; empty: it has none, or there is no such file
  [[nodiscard]] bool changes() const;  // whether anything was done, or is to be
};

// Reads the script's answer; only one with its end mark and exit status 0 is one. Errors: those of parse_observation,
// and
//   `host_not_root`, `host_key_missing` (nothing was changed), `interface_key_changed` (the same),
//   `host_of_other_installation` (the same), `host_step_failed`, `host_config_missing` (never), `host_busy`,
//   `host_storage_failed` (later)
Result<Prepared> parse_prepared(std::string_view output, std::optional<int> exit_status);

// The steps that an answer names, also one that failed or was cut short.
std::vector<PrepareStep> steps_in(std::string_view output);

}  // namespace peerwright::wireguard
