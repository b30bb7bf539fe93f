#include <cstdio>
#include <cstdlib>

#include "embedded/peerwright_host_scripts.hpp"
#include "peerwright/ssh/session.hpp"

namespace peerwright::ssh {

std::string_view push_script() {
  for (const EmbeddedFile& file : peerwright_host_scripts()) {
    if (file.name == "push.sh") return file.text;
  }
  (void)std::fputs("peerwright: this binary was built without src/ssh/scripts/push.sh; build it anew\n", stderr);
  std::abort();
}

}  // namespace peerwright::ssh
