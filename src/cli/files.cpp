#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

namespace peerwright::cli {
namespace {

constexpr mode_t kOwnerOnly = 0600;

tl::unexpected<Error> unwritable(const std::string& path, int number) {
  return permanent("file_unwritable", path + ": " + std::strerror(number), "check the directory and its permissions");
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(descriptor) == 0;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  std::string bytes(max_bytes + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  if (bytes.size() > max_bytes) {
    return permanent("file_too_large", path + " has more than " + std::to_string(max_bytes) + " bytes",
                     "name the file of one event");
  }
  if (!in.eof()) {  // not opened, a directory, a failing disk
    return permanent("file_unreadable", path + " cannot be read", "check that it is a file and that you may read it");
  }
  return bytes;
}

Result<void> write_private_file(const std::string& path, std::string_view bytes, bool replace) {
  const std::string target = replace ? path + ".new-" + std::to_string(getpid()) : path;
  const int descriptor = open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwnerOnly);
  if (descriptor < 0 && errno == EEXIST) {
    return permanent("file_exists", target + " exists", "choose another name, or say --force to replace it");
  }
  if (descriptor < 0) return unwritable(target, errno);
  const bool written = fchmod(descriptor, kOwnerOnly) == 0 && write_all(descriptor, bytes);
  int number = written ? 0 : errno;
  close(descriptor);
  if (written && replace && std::rename(target.c_str(), path.c_str()) != 0) number = errno;
  if (number == 0) return {};
  unlink(target.c_str());
  return unwritable(path, number);
}

}  // namespace peerwright::cli
