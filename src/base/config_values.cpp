#include "config_values.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>

namespace peerwright::config {
namespace {

constexpr std::size_t kMaxTopicBytes = 249;

std::string trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

bool one_printable_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool topic_name(std::string_view name) {
  return name.size() <= kMaxTopicBytes && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
         });
}

// "*", "peer.*", "peer.provision": lower case words; '*' only at the end.
bool type_pattern(std::string_view pattern) {
  if (pattern.ends_with('*')) pattern.remove_suffix(1);
  return std::ranges::all_of(
      pattern, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; });
}

// '*' only at the end: names and tenants.
bool name_pattern(std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  return one_printable_line(pattern) && (star == std::string_view::npos || star + 1 == pattern.size());
}

// One word of a value and where it stands.
struct Word {
  std::string text;
  Place place;
};

class Applier {
 public:
  Applier(const Setting& setting, const Given& given, Config& config, Problems& problems)
      : setting_(setting), given_(given), config_(config), problems_(problems) {}

  bool operator()(TextField field) {
    const auto word = scalar("a text");
    if (!word) return false;
    if (word->text.empty() && !setting_.fallback.empty()) return refuse_empty(word->place);
    if (!word->text.empty() && !fits(*word, setting_.shape)) return false;
    field(config_) = word->text;
    return true;
  }

  bool operator()(NumberField field) {
    const auto word = scalar("a whole number");
    if (!word) return false;
    if (word->text.empty()) return refuse_empty(word->place);
    std::int64_t number = 0;
    const char* const end = word->text.data() + word->text.size();
    const auto read = std::from_chars(word->text.data(), end, number);
    if (read.ptr != end || read.ec == std::errc::invalid_argument) {
      return wrong(*word, "type_wrong", in_quotes(word->text) + " is not a whole number", "use " + range());
    }
    if (read.ec != std::errc() || number < setting_.min || number > setting_.max) {
      return wrong(*word, "out_of_range", in_quotes(word->text) + " is out of range", "use " + range());
    }
    field(config_) = static_cast<int>(number);
    return true;
  }

  bool operator()(ListField field) {
    const auto words = list();
    if (!words) return false;
    if (words->empty()) return refuse_empty(given_.place);
    std::vector<std::string> items;
    std::set<std::string> seen;
    bool right = true;
    for (const Word& word : *words) {
      right = fits(word, setting_.shape) && right;
      if (!seen.insert(word.text).second) {
        right = wrong(word, "value_duplicate", in_quotes(word.text) + " is given twice", "name it once");
      }
      items.push_back(word.text);
    }
    if (right) field(config_) = std::move(items);
    return right;
  }

  bool operator()(LevelField field) { return choose(kLevels, field); }
  bool operator()(FormatField field) { return choose(kFormats, field); }

  bool operator()(MapField field) {
    const bool map = given_.node->kind == YamlNode::Kind::map;
    if (!map && given_.node->kind != YamlNode::Kind::null) return type_wrong(given_.place, "a map of property: value");
    std::map<std::string, std::string> out;
    bool right = true;
    for (const Entry& entry : entries_of(*given_.node)) right = property(entry.name, *entry.value, out) && right;
    if (right) field(config_) = std::move(out);
    return right;
  }

  bool operator()(SourcesField field) {
    if (given_.node->kind == YamlNode::Kind::null) return refuse_empty(given_.place);
    if (given_.node->kind != YamlNode::Kind::list) return type_wrong(given_.place, "a list of sources");
    std::vector<SourceBinding> out;
    std::set<std::string> names;
    bool right = true;
    for (const YamlNode& item : given_.node->items) {
      SourceBinding source;
      right = read_source(item, source) && right;
      if (!source.name.empty() && !names.insert(source.name).second) {
        problems_.add(place(item), "value_duplicate", "the source " + in_quotes(source.name) + " is given twice",
                      "put its topics, tenants and types into one entry");
        right = false;
      }
      out.push_back(std::move(source));
    }
    if (right) field(config_) = std::move(out);
    return right;
  }

 private:
  struct Entry {
    Word name;
    const YamlNode* value;
  };

  [[nodiscard]] Place place(const YamlNode& node) const { return given_.file->place(node); }
  [[nodiscard]] std::string key() const { return std::string(setting_.key); }
  [[nodiscard]] std::string range() const {
    return std::to_string(setting_.min) + " to " + std::to_string(setting_.max) + ' ' + std::string(setting_.unit);
  }

  bool wrong(const Word& word, std::string code, const std::string& what, std::string remedy) {
    problems_.add(word.place, std::move(code), key() + ": " + what, std::move(remedy));
    return false;
  }
  bool type_wrong(const Place& at, const std::string& expected) {
    problems_.add(at, "type_wrong", key() + " has to be " + expected, "write " + expected + " here");
    return false;
  }
  bool refuse_empty(const Place& at) {
    const std::string remedy = setting_.fallback.empty() ? "fill it in, or leave it out"
                                                         : "leave it out for " + std::string(setting_.fallback);
    problems_.add(at, "value_empty", key() + " is empty", remedy);
    return false;
  }
  bool secret(const Place& at, std::size_t shown, const std::string& what, const std::string& remedy) {
    problems_.add_hidden(at, shown, "secret_inline", what, remedy);
    return false;
  }

  std::optional<Word> scalar_of(const YamlNode& node, const std::string& expected) {
    if (node.kind == YamlNode::Kind::null) return Word{"", place(node)};
    if (node.kind == YamlNode::Kind::scalar) return Word{node.text, place(node)};
    type_wrong(place(node), expected);
    return std::nullopt;
  }
  std::optional<Word> scalar(const std::string& expected) {
    // An empty value has no place of its own; what was given says more.
    if (given_.node == nullptr || given_.node->kind == YamlNode::Kind::null) return Word{given_.text, given_.place};
    return scalar_of(*given_.node, expected);
  }

  std::optional<std::vector<Word>> list_of(const YamlNode& node, const std::string& what) {
    if (node.kind == YamlNode::Kind::null) return std::vector<Word>{};
    if (node.kind != YamlNode::Kind::list) {
      problems_.add(place(node), "type_wrong", what + " has to be a list", "write it as [one, two]");
      return std::nullopt;
    }
    std::vector<Word> words;
    bool right = true;
    for (const YamlNode& item : node.items) {
      if (auto word = scalar_of(item, "a list of texts")) {
        if (word->text.empty()) right = refuse_empty(word->place);
        words.push_back(std::move(*word));
      } else {
        right = false;
      }
    }
    return right ? std::optional(std::move(words)) : std::nullopt;
  }
  std::optional<std::vector<Word>> list() {
    if (given_.node != nullptr) return list_of(*given_.node, key());
    std::vector<Word> words;
    std::istringstream in(given_.text);
    for (std::string item; std::getline(in, item, ',');) {
      if (item = trimmed(item); item.empty()) {
        refuse_empty(given_.place);
        return std::nullopt;
      }
      words.push_back({item, given_.place});
    }
    return words;
  }

  std::vector<Entry> entries_of(const YamlNode& map) {
    std::vector<Entry> out;
    for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
      out.push_back({{map.items[i].text, place(map.items[i])}, &map.items[i + 1]});
    }
    return out;
  }

  bool fits(const Word& word, Shape shape) {
    if (shape == Shape::dsn && dsn_holds_password(word.text)) {
      return secret(word.place, shown_before(word), key() + " holds a password",
                    "put it into a file and name that as " + where_a_secret_goes(setting_.key));
    }
    if (shape == Shape::file && word.text.find("-----BEGIN") != std::string::npos) {
      return secret(word.place, shown_before(word), key() + " holds a key instead of a file's name",
                    "write the key into a file and name that");
    }
    if (!one_printable_line(word.text)) {
      return wrong(word, "value_invalid", "there is a line break or a control character in it",
                   "write it in one line, in quotes, without | or >");
    }
    if (shape == Shape::topic && !topic_name(word.text)) {
      return wrong(word, "value_invalid", in_quotes(word.text) + " is no topic's name",
                   "use up to 249 letters, digits, '.', '_' and '-'");
    }
    if (shape == Shape::role && std::ranges::find(kRoles, word.text) == std::ranges::end(kRoles)) {
      return wrong(word, "value_unknown", "there is no role " + in_quotes(word.text), "choose from " + choices(kRoles));
    }
    if (shape == Shape::listen) {
      if (auto listen = parse_listen_address(word.text); !listen) {
        return wrong(word, listen.error().code, listen.error().message, listen.error().remedy);
      }
    }
    return true;
  }
  // The bytes of the line that stand before the value.
  static std::size_t shown_before(const Word& word) {
    return word.place.column > 0 ? static_cast<std::size_t>(word.place.column) - 1 : 0;
  }

  template <std::size_t N, typename Target>
  bool choose(const std::string_view (&all)[N], Target field) {
    const auto word = scalar("one of " + choices(all));
    if (!word) return false;
    if (word->text.empty()) return refuse_empty(word->place);
    const auto found = std::ranges::find(all, word->text);
    if (found == std::ranges::end(all)) {
      return wrong(*word, "value_unknown", "there is no " + in_quotes(word->text), "choose from " + choices(all));
    }
    using Value = std::remove_reference_t<decltype(field(config_))>;
    field(config_) = static_cast<Value>(found - std::ranges::begin(all));
    return true;
  }

  bool property(const Word& name, const YamlNode& value, std::map<std::string, std::string>& out) {
    const std::string full = key() + '.' + safe_word(name.text);
    if (setting_.shape != Shape::file && names_secret(name.text)) {
      const std::size_t key_end = shown_before(name) + name.text.size() + 1;
      return secret(name.place, key_end, full + " is a secret",
                    "put it into a file and name that as " + where_a_secret_goes(full));
    }
    const auto word = scalar_of(value, "a map of property: value, with the property's whole name");
    if (!word) return false;
    if (name.text.empty() || word->text.empty()) {
      problems_.add(word->place, "value_empty", full + " is empty", "fill it in, or leave it out");
      return false;
    }
    if (!fits(*word, setting_.shape)) return false;
    out[name.text] = word->text;
    return true;
  }

  bool read_source(const YamlNode& node, SourceBinding& out) {
    if (node.kind != YamlNode::Kind::map) {
      return type_wrong(place(node), "a list of maps of name, topics, tenants, types");
    }
    bool right = true;
    for (const Entry& entry : entries_of(node)) right = source_field(entry.name, *entry.value, out) && right;
    if (!right) return false;
    return filled(node, out.name.empty(), "name", "give the CloudEvents source that it stands for") &&
           filled(node, out.tenants.empty(), "tenants",
                  "list them, or [\"*\"] for all and for events without a tenant") &&
           filled(node, out.types.empty(), "types", "list them, such as [\"peer.*\"]");
  }
  bool source_field(const Word& name, const YamlNode& value, SourceBinding& out) {
    if (name.text == "topics") return patterns(value, "topics", topic_name, out.topics);
    if (name.text == "tenants") return patterns(value, "tenants", name_pattern, out.tenants);
    if (name.text == "types") return patterns(value, "types", type_pattern, out.types);
    if (name.text == "name") {
      const auto word = scalar_of(value, "a list of sources, each with a name");
      if (!word) return false;
      out.name = word->text;
      return pattern(*word, name_pattern);
    }
    problems_.add_hidden(name.place, shown_before(name) + name.text.size(), "key_unknown",
                         "a source has no " + in_quotes(name.text), "choose from name, topics, tenants, types");
    return false;
  }
  bool filled(const YamlNode& source, bool is_empty, const std::string& what, const std::string& remedy) {
    if (is_empty) problems_.add(place(source), "value_empty", "this source has no " + what, remedy);
    return !is_empty;
  }
  template <typename Check>
  bool pattern(const Word& word, Check check) {
    if (check(word.text)) return true;
    return wrong(word, "value_invalid", in_quotes(word.text) + " is not a name or pattern that can be used here",
                 "'*' stands at the end only; types are words such as peer.provision, peer.* or *");
  }
  template <typename Check>
  bool patterns(const YamlNode& node, const std::string& what, Check check, std::vector<std::string>& out) {
    const auto words = list_of(node, what);
    if (!words) return false;
    bool right = true;
    for (const Word& word : *words) {
      right = pattern(word, check) && right;
      out.push_back(word.text);
    }
    return right;
  }

  const Setting& setting_;
  const Given& given_;
  Config& config_;
  Problems& problems_;
};

}  // namespace

bool apply(const Setting& setting, const Given& given, Config& config, Problems& problems) {
  return std::visit(Applier(setting, given, config, problems), setting.field);
}

}  // namespace peerwright::config
