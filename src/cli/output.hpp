#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What commands print: every row is a JSON object, and the tables are a view of it. Data goes to stdout.
namespace peerwright::cli {

using Json = nlohmann::ordered_json;

enum class Format { table, wide, json, jsonl, name };

struct Column {
  std::string_view header;
  std::string_view member;  // of the row
  bool wide = false;        // shown by `-o wide` alone
};

// How rows of one kind are shown. The columns are for lists; a single row shows all its members.
struct View {
  std::string_view things;  // "peers", for the word that there are none
  std::string (*name)(const Json& row);
  std::span<const Column> columns;
};

void print_list(Format format, const View& view, const std::vector<Json>& rows);
void print_one(Format format, const View& view, const Json& row);

// One line of JSON, whatever bytes its texts hold.
std::string line_of(const Json& value);

// The text with control characters and invalid UTF-8 replaced, so that nothing stored can steer a terminal.
std::string printable(std::string_view text);

}  // namespace peerwright::cli
