#include "config_table.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

namespace peerwright::config {
namespace {

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ",") + item;
  return out;
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// What a name of this length may differ in and still be taken for a slip of the hand.
std::size_t tolerance(std::string_view name) { return name.size() < 6 ? 1 : name.size() < 12 ? 2 : 3; }

}  // namespace

const Setting* find_setting(std::string_view key) {
  const auto all = settings();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Setting& s) { return s.key == key; });
  return found == all.end() ? nullptr : &*found;
}

std::string choices(std::span<const std::string_view> all) {
  std::string out;
  for (const std::string_view one : all) out += (out.empty() ? "" : ", ") + std::string(one);
  return out;
}

bool only_in_file(const Setting& setting) {
  return std::holds_alternative<MapField>(setting.field) || std::holds_alternative<SourcesField>(setting.field);
}

std::string variable_of(std::string_view key) {
  std::string name = "PEERWRIGHT_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

bool is_section(std::string_view key) {
  const std::string prefix = std::string(key) + '.';
  return std::ranges::any_of(settings(), [&](const Setting& s) { return s.key.starts_with(prefix); });
}

std::string value_text(const Setting& setting, Config& config) {
  struct Spell {
    Config& c;
    std::string operator()(TextField f) const { return f(c); }
    std::string operator()(ListField f) const { return join(f(c)); }
    std::string operator()(NumberField f) const { return std::to_string(f(c)); }
    std::string operator()(LevelField f) const { return std::string(kLevels[static_cast<std::size_t>(f(c))]); }
    std::string operator()(FormatField f) const { return std::string(kFormats[static_cast<std::size_t>(f(c))]); }
    std::string operator()(MapField f) const {
      std::vector<std::string> items;
      for (const auto& [name, value] : f(c)) items.emplace_back(name).append("=").append(value);
      return join(items);
    }
    std::string operator()(SourcesField f) const {
      std::vector<std::string> items;
      for (const SourceBinding& s : f(c)) {
        items.push_back(s.name + "(topics=" + join(s.topics) + ";tenants=" + join(s.tenants) +
                        ";types=" + join(s.types) + ')');
      }
      return join(items);
    }
  };
  return std::visit(Spell{config}, setting.field);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string did_you_mean(std::string_view key) {
  std::string best;
  std::size_t least = tolerance(key) + 1;
  const auto consider = [&](std::string_view candidate, std::size_t distance) {
    if (distance >= least) return;
    least = distance;
    best = candidate;
  };
  for (const Setting& setting : settings()) {
    consider(setting.key, edit_distance(key, setting.key));
    const std::string_view section = setting.key.substr(0, setting.key.find('.'));
    consider(section, edit_distance(key, section));
  }
  // The right name in the wrong section.
  for (const Setting& setting : settings()) {
    if (best.empty() && last_part(setting.key) == last_part(key)) best = setting.key;
  }
  return best.empty() ? "" : "; did you mean " + best + "?";
}

bool names_secret(std::string_view name) {
  std::string low(name);
  for (char& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (low.ends_with("_file") || low.ends_with("_files") || low.ends_with(".location")) return false;
  static constexpr std::array<std::string_view, 6> kInside{"password",    "passwd",      "passphrase",
                                                           "private_key", "private.key", "key.pem"};
  if (std::ranges::any_of(kInside, [&](std::string_view word) { return low.find(word) != std::string::npos; })) {
    return true;
  }
  return low.ends_with("secret") || low.ends_with("token") || low == "ssl_key" || low == "key";
}

}  // namespace peerwright::config
