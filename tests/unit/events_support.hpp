#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "peerwright/events/catalogue.hpp"

namespace peerwright::events {

using Headers = std::vector<std::pair<std::string, std::string>>;

inline std::filesystem::path schema_folder() { return std::filesystem::path(PEERWRIGHT_SOURCE_DIR) / "schemas"; }

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// By the file's name without ".json".
inline std::map<std::string, std::string> examples(const char* kind) {
  std::map<std::string, std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(schema_folder() / "examples" / kind)) {
    texts[entry.path().stem().string()] = read_file(entry.path());
  }
  return texts;
}

inline nlohmann::json example(const std::string& name) {
  return nlohmann::json::parse(read_file(schema_folder() / "examples" / "valid" / (name + ".json")));
}

// The event type that an example's name starts with.
inline std::string event_of(const std::string& example_name) { return example_name.substr(0, example_name.find('-')); }

inline Result<Event> decode_text(const std::string& text, const Headers* headers = nullptr) {
  return decode({text, headers});
}
inline Result<Event> decode_json(const nlohmann::json& event) { return decode_text(event.dump()); }

// A structured event in binary mode.
struct Binary {
  Headers headers;
  std::string payload;
};
inline Binary binary_of(const nlohmann::json& event) {
  Binary binary;
  for (const auto& [name, value] : event.items()) {
    if (name == "data") {
      binary.payload = value.dump(1);
    } else if (name == "datacontenttype") {
      binary.headers.emplace_back("content-type", value.get<std::string>());
    } else {
      binary.headers.emplace_back("ce_" + name, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return binary;
}

// "" where the event is accepted.
inline std::string code_of(const Result<Event>& result) { return result ? "" : result.error().code; }
inline std::string message_of(const Result<Event>& result) { return result ? "" : result.error().message; }

}  // namespace peerwright::events
