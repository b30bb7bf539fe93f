#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

// docs/reference/codes.md and the sources name the same codes.
namespace peerwright {
namespace {

namespace fs = std::filesystem;
using Codes = std::set<std::string>;

const fs::path kRoot = PEERWRIGHT_SOURCE_DIR;
const std::string kCode = "\"([a-z][a-z0-9]*(?:_[a-z0-9]+)*)\"";

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void collect(const std::string& text, const std::string& pattern, Codes& codes) {
  const std::regex regex(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) codes.insert((*it)[1]);
}

// Members in braces that say whether a repetition helps: an Error, or a row of a table of them.
void collect_braces(const std::string& text, Codes& codes) {
  const std::regex start("\\{\\s*" + kCode + "\\s*,");
  for (std::sregex_iterator it(text.begin(), text.end(), start), end; it != end; ++it) {
    const auto from = static_cast<std::size_t>(it->position() + it->length());
    const std::string members = text.substr(from, text.find_first_of("{}", from) - from);
    const bool is_error = members.find("Retry::") != std::string::npos || members.find(".retry") != std::string::npos;
    if (is_error) codes.insert((*it)[1]);
  }
}

// Problems of the configuration: the code stands behind the place.
void collect_problems(const std::string& text, Codes& codes) {
  collect(text, "\\bwrong\\(\\*?\\w+,\\s*" + kCode, codes);
  collect(text, "\\bkConflict = " + kCode, codes);
  const std::regex literal("\"([a-z]+(?:_[a-z]+)+)\"\\s*,");
  for (const char* call : {".add(", ".add_hidden("}) {
    for (std::size_t at = text.find(call); at != std::string::npos; at = text.find(call, at + 1)) {
      const std::string statement = text.substr(at, text.find(';', at) - at);
      std::smatch match;
      if (std::regex_search(statement, match, literal)) codes.insert(match[1]);
    }
  }
}

// Every code that the sources give to an error, a rejection, a dead letter or a problem of the configuration.
Codes codes_of_sources() {
  Codes codes;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "src")) {
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
    const std::string text = text_of(entry.path());
    collect(text, "\\b(?:rejected|permanent|transient|fail|make)\\(\\s*\\{?" + kCode, codes);
    // What the command line says by itself, without an Error.
    collect(text, "\"peerwright: ([a-z]+(?:_[a-z]+)+): ", codes);
    collect(text, "\\bError(?:\\s+\\w+)?\\s*[{(]+\\s*" + kCode, codes);
    // Refusals and complaints that are passed on as codes alone.
    collect(text, "unexpected<const char\\*>\\(" + kCode, codes);
    collect(text, "\\bcomplaint = " + kCode, codes);
    collect(text, "\\bpark\\([^;]*, " + kCode + "[,)]", codes);
    collect_braces(text, codes);
    if (entry.path().filename().string().starts_with("config")) collect_problems(text, codes);
  }
  for (const auto& entry : fs::directory_iterator(kRoot / "src/store/sql")) {
    collect(text_of(entry.path()), "error_code = CASE WHEN [^']*'([a-z]+(?:_[a-z]+)+)'", codes);
  }
  return codes;
}

struct Row {
  std::string meaning;
  std::string remedy;
};

// Rows "| `code` | meaning | remedy |" of the page.
std::map<std::string, Row> rows_of_page() {
  const std::regex row("^\\| `([a-z0-9_]+)` \\| ([^|]+) \\| ([^|]+) \\|$");
  std::map<std::string, Row> rows;
  std::ifstream in(kRoot / "docs/reference/codes.md");
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (!std::regex_match(line, match, row)) {
      EXPECT_FALSE(line.starts_with("| `")) << "a row of another form: " << line;
      continue;
    }
    EXPECT_TRUE(rows.try_emplace(match[1], Row{match[2], match[3]}).second) << match[1] << " stands there twice";
  }
  return rows;
}

TEST(Codes, theSearchFindsEveryWayInWhichACodeIsGiven) {
  const Codes codes = codes_of_sources();
  for (const char* code : {"stale",                                              // rejected(
                           "envelope_invalid",                                   // permanent(
                           "ssh_unreachable",                                    // transient(
                           "not_json",                                           // fail(
                           "db_unavailable",                                     // make(
                           "cannot_be_executed",                                 // Error why{
                           "position_outside_log", "host_busy", "id_reused"}) {  // in braces
    EXPECT_TRUE(codes.contains(code)) << code;
  }
}

TEST(Codes, everyCodeOfTheSourcesIsOnThePage) {
  const auto rows = rows_of_page();
  for (const std::string& code : codes_of_sources()) {
    EXPECT_TRUE(rows.contains(code)) << code << " is missing in docs/reference/codes.md";
  }
}

TEST(Codes, thePageNamesNoneThatDoesNotExist) {
  const Codes codes = codes_of_sources();
  for (const auto& [code, row] : rows_of_page()) {
    EXPECT_TRUE(codes.contains(code)) << code << " is on the page, but no source gives it";
  }
}

TEST(Codes, everyRowHasAMeaningAndARemedy) {
  const auto rows = rows_of_page();
  EXPECT_GT(rows.size(), 50U);
  for (const auto& [code, row] : rows) {
    EXPECT_GT(row.meaning.size(), 10U) << code;
    EXPECT_GT(row.remedy.size(), 5U) << code;
  }
}

}  // namespace
}  // namespace peerwright
