#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config_problems.hpp"

// Room-private: a YAML file as a tree that knows where each part stands and keeps duplicate keys.
namespace peerwright::config {

constexpr std::size_t kMaxFileBytes = 1'048'576;
constexpr std::size_t kMaxDepth = 16;

struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;             // of a scalar
  std::vector<YamlNode> items;  // of a list; of a map: key, value, key, value
  int line = 0;                 // from 1
  int column = 0;               // in bytes, from 1
};

struct YamlFile {
  std::string name;
  std::vector<std::string> lines;
  YamlNode root;         // null where the file holds nothing
  bool complete = true;  // false: it could not be read to its end, so that what is missing may stand in it
  [[nodiscard]] Place place(const YamlNode& node) const;
  [[nodiscard]] Place whole() const;
};

// Reads one document. What is wrong with it goes to `problems`: `config_unreadable`, `config_too_large`,
// `yaml_invalid` (also for a second document, aliases and depth), `key_duplicate` at any depth.
YamlFile read_yaml(const std::filesystem::path& path, Problems& problems);

}  // namespace peerwright::config
