#include "output.hpp"

#include <algorithm>
#include <iostream>

namespace peerwright::cli {
namespace {

constexpr int kIndent = 2;
constexpr std::string_view kNothing = "-";

std::string dumped(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string cell(const Json& value) {
  if (value.is_null()) return std::string(kNothing);
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) {
    std::string text = printable(value.get_ref<const std::string&>());
    return text.empty() ? std::string(kNothing) : text;
  }
  if (!value.is_structured()) return dumped(value, -1);
  std::string text;
  for (const auto& [name, item] : value.items()) {
    text += (text.empty() ? "" : ", ") + (value.is_object() ? name + ' ' : std::string()) + cell(item);
  }
  return text.empty() ? std::string(kNothing) : text;
}

// In characters: bytes that continue one do not count.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t has = width_of(text);
  if (has < width) text.append(width - has, ' ');
  return text;
}

void print_line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += i + 1 < cells.size() ? padded(cells[i], widths[i]) + "  " : cells[i];
  }
  std::cout << line << '\n';
}

void print_table(const View& view, const std::vector<Json>& rows, bool wide) {
  std::vector<std::vector<std::string>> lines(1);
  std::vector<std::string_view> members;
  for (const Column& column : view.columns) {
    if (column.wide && !wide) continue;
    lines[0].emplace_back(column.header);
    members.push_back(column.member);
  }
  for (const Json& row : rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string_view member : members) line.push_back(cell(row.value(std::string(member), Json())));
  }
  std::vector<std::size_t> widths(members.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  for (const auto& line : lines) print_line(line, widths);
}

bool is_list_of_objects(const Json& value) { return value.is_array() && !value.empty() && value.front().is_object(); }

void print_members(const Json& row, std::size_t indent) {
  std::size_t width = 0;
  for (const auto& [name, value] : row.items()) width = std::max(width, width_of(name));
  const std::string margin(indent, ' ');
  for (const auto& [name, value] : row.items()) {
    if (value.is_object() && !value.empty()) {
      std::cout << margin << name << '\n';
      print_members(value, indent + kIndent);
    } else if (is_list_of_objects(value)) {
      std::cout << margin << name << '\n';
      for (const Json& item : value) std::cout << margin << "  " << cell(item) << '\n';
    } else {
      std::cout << margin << padded(name, width) << "  " << cell(value) << '\n';
    }
  }
}

}  // namespace

std::string line_of(const Json& value) { return dumped(value, -1); }

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
  // nlohmann's writer knows what is UTF-8; its escapes are undone by reading the text back. C1 controls go too.
  std::string valid = Json::parse(line_of(Json(out))).get<std::string>();
  for (std::size_t at = 0; (at = valid.find('\xC2', at)) != std::string::npos; ++at) {
    if (static_cast<unsigned char>(valid[at + 1]) < 0xA0) valid.replace(at, 2, "?");
  }
  return valid;
}

void print_list(Format format, const View& view, const std::vector<Json>& rows) {
  switch (format) {
    case Format::json:
      std::cout << dumped(Json(rows), kIndent) << '\n';
      return;
    case Format::jsonl:
      for (const Json& row : rows) std::cout << line_of(row) << '\n';
      return;
    case Format::name:
      for (const Json& row : rows) std::cout << printable(view.name(row)) << '\n';
      return;
    case Format::table:
    case Format::wide:
      if (rows.empty()) {
        std::cerr << "no " << view.things << '\n';
      } else {
        print_table(view, rows, format == Format::wide);
      }
  }
}

void print_one(Format format, const View& view, const Json& row) {
  switch (format) {
    case Format::json:
      std::cout << dumped(row, kIndent) << '\n';
      return;
    case Format::jsonl:
    case Format::name:
      print_list(format, view, {row});
      return;
    case Format::table:
    case Format::wide:
      print_members(row, 0);
  }
}

}  // namespace peerwright::cli
