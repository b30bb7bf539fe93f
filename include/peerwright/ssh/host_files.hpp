#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "peerwright/wireguard/way_in.hpp"

// What lies on a host whose server is logged in to by sudo or a forced command. Constant; no I/O.
namespace peerwright::ssh {

// The directory of all of them: root's, mode kHostDirectoryMode.
inline constexpr std::string_view kHostDirectory = "/usr/local/lib/peerwright";
inline constexpr int kHostDirectoryMode = 0755;
// A file there, root's, that says which interfaces may be touched: lines "INTERFACE CONFIG". An operator's; without it
// that is /etc/wireguard/INTERFACE.conf alone.
inline constexpr std::string_view kHostAllowedFile = "/usr/local/lib/peerwright/allowed";

struct HostFile {
  std::string path;  // absolute
  int mode = 0644;   // the owner is root
  std::string content;
};

// The dispatcher (src/ssh/scripts/hand.sh): the one command that such a login can run.
std::string_view hand_script();

// The dispatcher and the scripts that it carries out, each of these named by the hash of its content. They are written
// beside each other and renamed, the dispatcher last; those of other versions stay for workers that still ask for them.
std::vector<HostFile> host_files();

}  // namespace peerwright::ssh
