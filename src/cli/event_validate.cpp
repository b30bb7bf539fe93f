#include <iostream>
#include <memory>

#include "event.hpp"
#include "files.hpp"

namespace peerwright::cli {
namespace {

bool validate(const std::string& file) {
  const auto text = read_file(file, events::kMaxMessageBytes);
  if (!text) {
    std::cout << described(file, text.error(), "");
    return false;
  }
  if (const auto event = decode_structured(*text); !event) {
    std::cout << described(file, event.error(), *text);
    return false;
  }
  std::cout << file << ": ok\n";
  return true;
}

}  // namespace

Action setup_event_validate(CLI::App& app) {
  const auto files = std::make_shared<std::vector<std::string>>();
  app.add_option("files", *files, "CloudEvents in JSON, one a file; - is stdin")->type_name("FILE")->required();
  return [files](const Globals&) {
    bool all_right = true;
    for (const std::string& file : *files) all_right = validate(file) && all_right;
    return all_right ? Exit::ok : Exit::failed;
  };
}

}  // namespace peerwright::cli
