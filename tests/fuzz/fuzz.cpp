#include "fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

namespace peerwright::fuzz {
namespace {

namespace fs = std::filesystem;

// The rows "| `code` | ..." of the page.
std::set<std::string> listed_codes() {
  constexpr std::string_view kStart = "| `";
  std::set<std::string> codes;
  std::ifstream in(fs::path(PEERWRIGHT_SOURCE_DIR) / "docs/reference/codes.md");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(kStart))
      codes.insert(line.substr(kStart.size(), line.find('`', kStart.size()) - kStart.size()));
  }
  require(codes.size() > 50, "docs/reference/codes.md cannot be read");
  return codes;
}

std::vector<Json> read_examples() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(PEERWRIGHT_SOURCE_DIR) / "schemas/examples/valid")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Json> all;
  for (const fs::path& file : files) {
    std::ifstream in(file);
    all.push_back(Json::parse(in));
  }
  require(!all.empty(), "schemas/examples/valid cannot be read");
  return all;
}

}  // namespace

void finding(const std::string& what) {
  std::fprintf(stderr, "FINDING: %s\n", what.c_str());
  std::abort();
}

void trace(const std::string& what) {
  static const bool wanted = std::getenv("PEERWRIGHT_FUZZ_TRACE") != nullptr;
  if (wanted) std::fprintf(stderr, "%s\n", what.c_str());
}

void check_refusal(const std::string& code, const std::string& message, const std::string& remedy) {
  static const std::set<std::string> codes = listed_codes();
  require(codes.contains(code), "the code " + code + " is not in docs/reference/codes.md");
  require(!message.empty(), code + " without a message");
  require(!remedy.empty(), code + " without a remedy");
}

const std::vector<Json>& examples() {
  static const std::vector<Json> all = read_examples();
  return all;
}

Binary binary_of(const Json& event) {
  Binary binary;
  for (const auto& [name, value] : event.items()) {
    if (name == "data") {
      binary.payload = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    } else if (name == "datacontenttype") {
      binary.headers.emplace_back("content-type", value.is_string() ? value.get<std::string>() : "");
    } else {
      binary.headers.emplace_back("ce_" + name, value.is_string()
                                                    ? value.get<std::string>()
                                                    : value.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  }
  return binary;
}

}  // namespace peerwright::fuzz
