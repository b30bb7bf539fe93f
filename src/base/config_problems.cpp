#include "config_problems.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <tuple>

namespace peerwright {
namespace config {
namespace {

constexpr std::string_view kCut = "...";
constexpr std::size_t kMaxWordBytes = 64;
// Keys in base64 or hexadecimal are longer than this; words in a configuration are not.
constexpr std::size_t kLongestWordBytes = 24;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Where the value begins that follows a word for a secret; npos: there is none.
std::size_t after_secret_word(const std::string& line) {
  static constexpr std::array<std::string_view, 6> kWords{"password", "passwd",      "passphrase",
                                                          "secret",   "private_key", "token"};
  std::size_t first = std::string::npos;
  for (const std::string_view word : kWords) {
    for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
      const std::size_t separator = line.find_first_of(":=", at);
      if (separator == std::string::npos) break;
      // A setting that names a file (password_file) holds no secret.
      if (line.substr(at, separator - at).find("_file") != std::string::npos) continue;
      first = std::min(first, separator + 1);
      break;
    }
  }
  return first;
}

std::size_t user_part_of_uri(const std::string& line) {
  const std::size_t scheme = line.find("://");
  if (scheme == std::string::npos || line.find('@', scheme) == std::string::npos) return std::string::npos;
  return scheme + 3;
}

std::size_t long_word(const std::string& line) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool wordlike = std::isalnum(static_cast<unsigned char>(line[i])) != 0 || line[i] == '+' || line[i] == '=';
    length = wordlike ? length + 1 : 0;
    if (length > kLongestWordBytes) return i + 1 - length;
  }
  return std::string::npos;
}

}  // namespace

std::string spelled(const Place& place) {
  if (place.origin == Origin::fallback) return "default";
  if (place.line == 0) return place.name;
  return place.name + ':' + std::to_string(place.line) + ':' + std::to_string(place.column);
}

std::string without_secrets(std::string_view line) {
  const std::string low = lower(line);
  const std::size_t cut = std::min({after_secret_word(low), user_part_of_uri(low), long_word(low)});
  if (cut >= line.size()) return std::string(line);
  return std::string(line.substr(0, cut)) + std::string(kCut);
}

std::string safe_word(std::string_view word) {
  const bool whole = word.size() <= kMaxWordBytes;
  return without_secrets(word.substr(0, kMaxWordBytes)) + (whole ? "" : std::string(kCut));
}

std::string in_quotes(std::string_view word) { return '"' + safe_word(word) + '"'; }

void Problems::add(const Place& place, std::string code, std::string message, std::string remedy) {
  add_hidden(place, place.text.size(), std::move(code), std::move(message), std::move(remedy));
}

void Problems::add_hidden(const Place& place, std::size_t shown, std::string code, std::string message,
                          std::string remedy) {
  std::string line = without_secrets(std::string_view(place.text).substr(0, std::min(shown, place.text.size())));
  if (shown < place.text.size()) line += kCut;
  found_.push_back({place.origin, place.line,
                    ConfigProblem{place.origin == Origin::fallback ? "configuration" : spelled(place), std::move(code),
                                  std::move(message), std::move(remedy), std::move(line), place.column}});
}

std::vector<ConfigProblem> Problems::take() {
  const auto rank = [](const Found& f) {
    return std::tie(f.origin, f.line, f.problem.column, f.problem.place, f.problem.message);
  };
  std::stable_sort(found_.begin(), found_.end(), [&](const Found& a, const Found& b) { return rank(a) < rank(b); });
  std::vector<ConfigProblem> out;
  out.reserve(found_.size());
  for (Found& found : found_) out.push_back(std::move(found.problem));
  found_.clear();
  return out;
}

}  // namespace config

std::string render(const ConfigProblem& problem) {
  std::string out = problem.place + ": " + problem.code + ": " + problem.message + '\n';
  if (!problem.line.empty() && problem.column > 0) {
    out += "    " + problem.line + "\n    ";
    const std::size_t before = std::min(static_cast<std::size_t>(problem.column - 1), problem.line.size());
    for (const char c : problem.line.substr(0, before)) {
      const bool continues_a_character = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
      if (!continues_a_character) out += c == '\t' ? '\t' : ' ';
    }
    out += "^\n";
  }
  if (!problem.remedy.empty()) out += "    remedy: " + problem.remedy + '\n';
  return out;
}

}  // namespace peerwright
