#include <chrono>
#include <iostream>
#include <memory>

#include "peerwright/base/seal.hpp"
#include "peerwright/base/sealed_box.hpp"
#include "rows.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr int kPage = 1000;  // servers asked for at once
constexpr View kView{"keys", [](const Json& row) { return row.at("encryption_key_id").dump(); }, {}};

// What a publisher seals secrets to.
Result<Json> intake_public_key(const Config& config) {
  if (config.encryption.intake_key_file.empty()) return Json();
  const auto secret = read_secret_file(config.encryption.intake_key_file);
  if (!secret) return tl::unexpected(secret.error());
  const auto key = IntakeKey::create(*secret);
  if (!key) return tl::unexpected(key.error());
  return Json(key->public_key());
}

Result<Json> encryption_key_id(const Config& config) {
  if (config.encryption.key_file.empty()) return Json();
  const auto secret = read_secret_file(config.encryption.key_file);
  if (!secret) return tl::unexpected(secret.error());
  const auto sealer = Sealer::create(*secret);
  if (!sealer) return tl::unexpected(sealer.error());
  return Json(hex_of(sealer->key_id()));
}

Json row_of_key(const domain::Server& server) {
  Json row{{"server", server.name}, {"public_key", or_null(server.public_key)}, {"since", or_null(server.key_since)}};
  row["age_days"] = server.key_since
                        ? Json(std::chrono::floor<std::chrono::days>(machine_now() - *server.key_since).count())
                        : Json();
  row["made_here"] = !server.private_key_sealed.empty();
  row["next_public_key"] = or_null(server.key_wanted);
  return row;
}

Result<Json> server_keys(store::QueryStore& store) {
  Json rows = Json::array();
  store::ServerFilter page;
  page.limit = kPage;
  for (;;) {
    const auto found = store.servers(page);
    if (!found) return tl::unexpected(found.error());
    for (const store::ServerView& view : *found) rows.push_back(row_of_key(view.server));
    if (found->size() < static_cast<std::size_t>(kPage)) return rows;
    page.after = found->back().server.name;
  }
}

Exit show_keys(const Globals& globals) {
  const auto config = configuration(globals, {"postgres"});
  if (!config) return config.error();
  auto intake = intake_public_key(*config);
  if (!intake) return fail(intake.error());
  auto encryption = encryption_key_id(*config);
  if (!encryption) return fail(encryption.error());
  const auto database = database_of(*config);
  if (!database) return database.error();
  store::QueryStore store(*database);
  auto servers = server_keys(store);
  if (!servers) return fail(servers.error());
  if (intake->is_null()) {
    std::cerr << "note: encryption.intake_key_file is not set: no secrets can be sent to this installation\n";
  }
  Json row{{"intake_public_key", *std::move(intake)}, {"encryption_key_id", *std::move(encryption)}};
  row["servers"] = *std::move(servers);
  print_one(globals.format, kView, row);
  return Exit::ok;
}

}  // namespace

Action setup_keys_status(CLI::App&) { return show_keys; }

}  // namespace peerwright::cli
