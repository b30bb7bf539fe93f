#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace peerwright::test {

// Polls `condition` until it holds; false when `limit` passes first. For conditions outside of this process: there is
// nothing to wait on but their effect.
bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(30));

// A value of the environment that tools/test sets; fails the test with the remedy where it is missing.
std::string required_environment(const std::string& name);

struct Finished {
  int exit_status = -1;  // 128 + signal where one ended it
  std::string out;       // stdout
};
// Runs a command to its end. stderr goes where the test's goes.
Finished run_command(const std::vector<std::string>& command, const std::string& input = {});

// A child process; killed with its test.
class Process {
 public:
  Process(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment,
          const std::string& log_file);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void signal(int number) const;
  // 128 + signal where one ended it; nullopt while it runs on after `limit`.
  std::optional<int> wait(std::chrono::seconds limit);
  [[nodiscard]] bool running();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace peerwright::test
