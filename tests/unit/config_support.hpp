#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "peerwright/base/config.hpp"

namespace peerwright {

// What all four roles cannot do without.
inline std::map<std::string, std::string> needed_variables() {
  return {{"PEERWRIGHT_KAFKA_BROKERS", "kafka:9092"},
          {"PEERWRIGHT_POSTGRES_DSN", "host=db dbname=peerwright"},
          {"PEERWRIGHT_SSH_PRIVATE_KEY_FILE", "/keys/ssh"},
          {"PEERWRIGHT_ENCRYPTION_KEY_FILE", "/keys/kek"}};
}

inline std::vector<std::string> codes(const LoadedConfig& loaded) {
  std::vector<std::string> out;
  for (const ConfigProblem& problem : loaded.problems) out.push_back(problem.code);
  return out;
}

inline std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// A file that lives as long as this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    path_ = testing::TempDir() + "peerwright_XXXXXX";
    const int fd = mkstemp(path_.data());
    if (fd < 0) ADD_FAILURE() << "no temporary file";
    close(fd);
    std::ofstream(path_) << content;
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace peerwright
