#include <cstdio>
#include <cstdlib>

#include "embedded/peerwright_host_scripts.hpp"
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

}  // namespace

std::string_view push_script() { return script("push.sh"); }

std::string_view observe_script() { return script("observe.sh"); }

}  // namespace peerwright::ssh
