#include <glob.h>
#include <sys/stat.h>

#include <iostream>
#include <memory>

#include "event.hpp"
#include "files.hpp"

namespace peerwright::cli {
namespace {

bool validate(const std::string& file) {
  const auto text = read_file(file, events::kMaxMessageBytes);
  if (!text) {
    std::cout << described(file, text.error(), "");
    return false;
  }
  if (const auto event = decode_structured(*text); !event) {
    std::cout << described(file, event.error(), *text);
    return false;
  }
  std::cout << file << ": ok\n";
  return true;
}

// The files that a pattern stands for, where no shell has put them in: on hosts without one, or behind `find`. What is
// a file itself, or matches none, stays as it is.
std::vector<std::string> expanded(const std::string& pattern) {
  struct stat found {};
  if (pattern == "-" || stat(pattern.c_str(), &found) == 0) return {pattern};
  glob_t matches{};
  std::vector<std::string> files;
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    for (std::size_t i = 0; i < matches.gl_pathc; ++i) files.emplace_back(matches.gl_pathv[i]);
  }
  globfree(&matches);
  if (files.empty()) files.push_back(pattern);
  return files;
}

}  // namespace

Action setup_event_validate(CLI::App& app) {
  const auto patterns = std::make_shared<std::vector<std::string>>();
  app.add_option("files", *patterns, "CloudEvents in JSON, one a file, or patterns such as 'events/*.json'; - is stdin")
      ->type_name("FILE")
      ->required();
  return [patterns](const Globals&) {
    bool all_right = true;
    for (const std::string& pattern : *patterns) {
      for (const std::string& file : expanded(pattern)) all_right = validate(file) && all_right;
    }
    return all_right ? Exit::ok : Exit::failed;
  };
}

}  // namespace peerwright::cli
