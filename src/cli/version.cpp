#include <librdkafka/rdkafka.h>
#include <libssh/libssh.h>
#include <qrencode.h>
#include <sodium.h>
#include <spdlog/version.h>

#include <memory>
#include <pqxx/version>

#include "command.hpp"
#include "peerwright/store/migrator.hpp"

namespace peerwright::cli {
namespace {

constexpr const char* kVersion = "0.1.0";  // CMakeLists.txt says the same; a test compares them

constexpr View kView{"versions", [](const Json& row) { return row.at("version").get<std::string>(); }, {}};

std::string dotted(int major, int minor, int patch) {
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
}

// Of those that say it themselves, the version that runs; of the others, the one that was compiled.
Json libraries() {
  return {
      {"librdkafka", rd_kafka_version_str()},
      {"libssh", ssh_version(0)},
      {"libsodium", sodium_version_string()},
      {"libqrencode", QRcode_APIVersionString()},
      {"libpqxx", PQXX_VERSION},
      {"nlohmann_json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"spdlog", dotted(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)},
      {"CLI11", CLI11_VERSION}};
}

}  // namespace

Action setup_version(CLI::App& app) {
  const auto verbose = std::make_shared<bool>(false);
  app.add_flag("-v,--verbose", *verbose, "The libraries' versions too");
  return [verbose](const Globals& globals) {
    Json row{{"version", kVersion}, {"schema", store::newest_migration()}};
    if (*verbose) row["libraries"] = libraries();
    print_one(globals.format, kView, row);
    return Exit::ok;
  };
}

}  // namespace peerwright::cli
