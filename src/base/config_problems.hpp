#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "peerwright/base/config.hpp"

// Room-private: where a value stands, and the list of what is wrong.
namespace peerwright::config {

// In the order in which problems are told.
enum class Origin { file, environment, flag, fallback };

struct Place {
  Origin origin = Origin::fallback;
  std::string name;  // the file, the variable or "--key"
  int line = 0;      // from 1; 0: the whole file, or no file
  int column = 0;    // in bytes, from 1
  std::string text;  // the line as it stands in the file
};
// FILE:LINE:COLUMN, the variable, the flag or "default".
std::string spelled(const Place& place);

// The part of `line` that may be shown: nothing after a word such as "password", no user part of a URI, no long run of
// letters and digits as keys have them.
std::string without_secrets(std::string_view line);

// A word as a message may repeat it: safe in the same way, and short.
std::string safe_word(std::string_view word);
std::string in_quotes(std::string_view word);

class Problems {
 public:
  void add(const Place& place, std::string code, std::string message, std::string remedy);
  // The same for a place whose value is, or may be, a secret: only the first `shown` bytes of its line are kept.
  void add_hidden(const Place& place, std::size_t shown, std::string code, std::string message, std::string remedy);
  [[nodiscard]] std::size_t count() const { return found_.size(); }
  // Sorted by place; leaves this empty.
  std::vector<ConfigProblem> take();

 private:
  struct Found {
    Origin origin;
    int line;
    ConfigProblem problem;
  };
  std::vector<Found> found_;
};

}  // namespace peerwright::config
