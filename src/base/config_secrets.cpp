#include <cctype>

#include "config_values.hpp"

namespace peerwright::config {
namespace {

// With %70 and the like read, and in lower case, so that a disguised password is found.
std::string plain(std::string_view text) {
  const auto digit = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%' && i + 2 < text.size() && digit(text[i + 1]) && digit(text[i + 2])) {
      c = static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    }
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

bool dsn_holds_password(std::string_view dsn) {
  const std::string low = plain(dsn);
  for (std::size_t at = low.find("password"); at != std::string::npos; at = low.find("password", at + 1)) {
    const std::size_t next = low.find_first_not_of(" \t\n", at + std::string_view("password").size());
    if (next != std::string::npos && low[next] == '=') return true;
  }
  // postgresql://user:password@host
  const std::size_t scheme = dsn.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority = dsn.substr(scheme + 3, dsn.find_first_of("/?", scheme + 3) - scheme - 3);
  const std::size_t at = authority.rfind('@');
  return at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
}

std::string where_a_secret_goes(std::string_view key) {
  static constexpr std::string_view kProperties = "kafka.properties.";
  if (key.starts_with(kProperties)) {
    return "kafka.secret_property_files." + std::string(key.substr(kProperties.size()));
  }
  if (key.starts_with("postgres.")) return "postgres.password_file";
  const std::string file = std::string(key) + "_file";
  return find_setting(file) != nullptr ? file : "a setting that ends in _file";
}

}  // namespace peerwright::config
