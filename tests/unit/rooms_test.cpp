#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>

// The rooms of the program: right never includes left, and what is pure links no client library.
namespace peerwright {
namespace {

namespace fs = std::filesystem;

// This program is linked with the core alone.
std::string linked_libraries() {
  const std::string command = "ldd '" + fs::read_symlink("/proc/self/exe").string() + "' 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  while (pipe && fgets(buffer.data(), static_cast<int>(buffer.size()), pipe.get()) != nullptr) text += buffer.data();
  return text;
}

TEST(Rooms, theCoreLinksNoClientLibrary) {
  const std::string libraries = linked_libraries();
  ASSERT_NE(std::string::npos, libraries.find("libsodium")) << "ldd says nothing of use: " << libraries;
  for (const char* library : {"rdkafka", "libpqxx", "libpq.", "libssh", "httplib", "prometheus"}) {
    EXPECT_EQ(std::string::npos, libraries.find(library)) << library << " is among\n" << libraries;
  }
}

// What each room may include besides itself.
const std::map<std::string, std::vector<std::string>>& allowed() {
  static const std::vector<std::string> core = {"domain", "events", "wireguard", "base"};
  static const std::vector<std::string> worker = {"store",  "broker", "ssh",       "admin",
                                                  "domain", "events", "wireguard", "base"};
  static const std::vector<std::string> cli = {"worker", "store",  "broker",    "ssh", "admin",
                                               "domain", "events", "wireguard", "base"};
  static const std::map<std::string, std::vector<std::string>> rooms = {
      {"base", {}},     {"domain", core}, {"events", core}, {"wireguard", core}, {"store", core},
      {"broker", core}, {"ssh", core},    {"admin", core},  {"worker", worker},  {"cli", cli}};
  return rooms;
}

bool is_source(const fs::path& path) { return path.extension() == ".cpp" || path.extension() == ".hpp"; }

// The rooms that a file includes.
std::vector<std::string> included_rooms(const fs::path& path) {
  static const std::regex include("^\\s*#\\s*include\\s*[\"<](?:\\.\\./)*peerwright/([a-z]+)/.*");
  static const std::regex sideways("^\\s*#\\s*include\\s*\"(?:\\.\\./)+(?:src/)?([a-z]+)/.*");
  std::vector<std::string> rooms;
  std::ifstream in(path);
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, match, include) || std::regex_match(line, match, sideways)) rooms.push_back(match[1]);
  }
  return rooms;
}

TEST(Rooms, noFileIncludesARoomToItsLeft) {
  int includes = 0;
  for (const auto& [room, others] : allowed()) {
    for (const char* folder : {"src", "include/peerwright"}) {
      const fs::path root = fs::path(PEERWRIGHT_SOURCE_DIR) / folder / room;
      if (!fs::exists(root)) continue;
      for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (!is_source(entry.path())) continue;
        for (const std::string& included : included_rooms(entry.path())) {
          ++includes;
          const bool fits = included == room || std::find(others.begin(), others.end(), included) != others.end();
          EXPECT_TRUE(fits) << entry.path() << " includes " << included;
        }
      }
    }
  }
  EXPECT_GT(includes, 100);  // the search itself works
}

TEST(Rooms, everyFolderIsARoom) {
  for (const char* folder : {"src", "include/peerwright"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(PEERWRIGHT_SOURCE_DIR) / folder)) {
      if (!entry.is_directory()) continue;
      EXPECT_TRUE(allowed().contains(entry.path().filename())) << entry.path();
    }
  }
}

// A client library is known to its room alone, but for `peerwright version`, which says their versions.
TEST(Rooms, clientLibrariesStayInTheirRooms) {
  const std::map<std::string, std::string> owner = {
      {"librdkafka", "broker"}, {"pqxx", "store"}, {"libpq", "store"}, {"libssh", "ssh"}, {"httplib", "admin"}};
  for (const char* folder : {"src", "include/peerwright"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(PEERWRIGHT_SOURCE_DIR) / folder)) {
      if (!is_source(entry.path()) || entry.path().filename() == "version.cpp") continue;
      const std::string room = fs::relative(entry.path(), fs::path(PEERWRIGHT_SOURCE_DIR) / folder).begin()->string();
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("#include <")) continue;
        for (const auto& [library, home] : owner) {
          if (!line.starts_with("#include <" + library)) continue;
          EXPECT_EQ(home, room) << entry.path() << ": " << line;
        }
      }
    }
  }
}

}  // namespace
}  // namespace peerwright
