#include "config_yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <fstream>
#include <map>
#include <sstream>

namespace peerwright::config {
namespace {

// Builds the tree out of yaml-cpp's events: its own Node drops duplicate keys and knows no place for empty values.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(YamlFile& file, Problems& problems) : file_(file), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) complain(mark, "a second document begins here", "keep all settings in one document");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { put(leaf(mark, YamlNode::Kind::null, "")); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    complain(mark, "aliases are not used here", "repeat the value");
    put(leaf(mark, YamlNode::Kind::null, ""));
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string& value) override {
    put(leaf(mark, YamlNode::Kind::scalar, value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, YamlNode::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  static YamlNode leaf(const YAML::Mark& mark, YamlNode::Kind kind, std::string text) {
    return {kind, std::move(text), {}, mark.line + 1, mark.column + 1};
  }
  void complain(const YAML::Mark& mark, std::string message, std::string remedy) {
    problems_.add(file_.place(leaf(mark, YamlNode::Kind::null, "")), "yaml_invalid", std::move(message),
                  std::move(remedy));
  }
  void open(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (open_.size() == kMaxDepth) complain(mark, "too many levels", "the settings need at most three");
    open_.push_back(leaf(mark, kind, ""));
  }
  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    // What is too deep was complained about and is left out, so that no walk over the tree goes deep.
    if (open_.size() >= kMaxDepth) node.items.clear();
    put(std::move(node));
  }
  void put(YamlNode node) {
    if (!open_.empty()) {
      open_.back().items.push_back(std::move(node));
    } else if (documents_ == 1) {
      file_.root = std::move(node);
    }
  }

  YamlFile& file_;
  Problems& problems_;
  std::vector<YamlNode> open_;
  int documents_ = 0;
};

void find_duplicates(const YamlFile& file, const YamlNode& node, Problems& problems) {
  const bool map = node.kind == YamlNode::Kind::map;
  std::map<std::string, int> seen;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    find_duplicates(file, item, problems);
    if (!map || i % 2 == 1 || item.kind != YamlNode::Kind::scalar) continue;
    const auto [first, fresh] = seen.emplace(item.text, item.line);
    if (fresh) continue;
    problems.add_hidden(file.place(item), static_cast<std::size_t>(item.column) - 1 + item.text.size(), "key_duplicate",
                        in_quotes(item.text) + " was already given in line " + std::to_string(first->second),
                        "keep one of the two");
  }
}

bool read_bytes(const std::filesystem::path& path, std::string& bytes) {
  std::ifstream in(path, std::ios::binary);
  bytes.resize(kMaxFileBytes + 1);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return in.eof() || bytes.size() > kMaxFileBytes;  // neither: not opened, a directory, a failing disk
}

void parse(const std::string& bytes, YamlFile& file, Problems& problems) {
  try {
    std::istringstream in(bytes);
    YAML::Parser parser(in);
    TreeBuilder builder(file, problems);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    YamlNode at;
    at.line = e.mark.is_null() ? 1 : e.mark.line + 1;
    at.column = e.mark.is_null() ? 1 : e.mark.column + 1;
    problems.add(file.place(at), "yaml_invalid", e.msg, "mend the syntax here or just above; indent with spaces");
    file.root = {};
    file.complete = false;
  }
}

}  // namespace

Place YamlFile::place(const YamlNode& node) const {
  const auto index = static_cast<std::size_t>(node.line) - 1;
  return {Origin::file, name, node.line, node.column, index < lines.size() ? lines[index] : ""};
}

Place YamlFile::whole() const { return {Origin::file, name, 0, 0, ""}; }

YamlFile read_yaml(const std::filesystem::path& path, Problems& problems) {
  YamlFile file;
  file.name = path.string();
  std::string bytes;
  file.complete = read_bytes(path, bytes) && bytes.size() <= kMaxFileBytes;
  if (!file.complete && bytes.size() <= kMaxFileBytes) {
    problems.add(file.whole(), "config_unreadable", "the configuration cannot be read",
                 "check that the file exists and that this user may read it");
    return file;
  }
  if (!file.complete) {
    problems.add(file.whole(), "config_too_large", "the configuration is larger than 1 MiB",
                 "name the file that holds the settings");
    return file;
  }
  std::istringstream in(bytes);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    file.lines.push_back(std::move(line));
  }
  parse(bytes, file, problems);
  find_duplicates(file, file.root, problems);
  return file;
}

}  // namespace peerwright::config
