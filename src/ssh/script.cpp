#include <cstdio>
#include <cstdlib>

#include "embedded/peerwright_host_scripts.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/ssh/host_files.hpp"
#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {
namespace {

std::string_view script(std::string_view name) {
  for (const EmbeddedFile& file : peerwright_host_scripts()) {
    if (file.name == name) return file.text;
  }
  (void)std::fputs("peerwright: this binary was built without one of src/ssh/scripts; build it anew\n", stderr);
  std::abort();
}

// A line that begins with @FILE@ stands for the text of that file, and goes on behind it.
std::string assembled(std::string_view name) {
  std::string text(script(name));
  for (auto line = text.find("\n@"); line != std::string::npos; line = text.find("\n@", line + 1)) {
    const auto end = text.find('@', line + 2);
    text.replace(line + 1, end - line, script(std::string_view(text).substr(line + 2, end - line - 2)));
  }
  return text;
}

HostFile named_by_hash(std::string_view name, std::string_view text) {
  return {std::string(kHostDirectory) + "/" + std::string(name) + "-" + sha256_hex(text) + ".sh", 0644,
          std::string(text)};
}

}  // namespace

std::string_view push_script() {
  static const std::string text = assembled("push.sh");
  return text;
}

std::string_view retire_script() { return script("retire.sh"); }

std::string_view observe_script() { return script("observe.sh"); }

std::string_view prepare_script() { return script("prepare.sh"); }

std::string_view hand_script() { return script("hand.sh"); }

std::vector<HostFile> host_files() {
  return {named_by_hash("push", push_script()),
          named_by_hash("observe", observe_script()),
          named_by_hash("retire", retire_script()),
          {std::string(wireguard::kHandCommand), 0755, std::string(hand_script())}};
}

}  // namespace peerwright::ssh
