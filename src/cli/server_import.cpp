#include <algorithm>
#include <array>
#include <memory>

#include "event.hpp"
#include "pages.hpp"
#include "peerwright/ssh/session.hpp"
#include "peerwright/store/import.hpp"

// Import of what stands on a host: an event, or a look at what it would do.
namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"KEY", "public_key"},
                              Column{"PEER", "peer"},
                              Column{"ADDRESSES", "addresses"},
                              Column{"LEFT ALONE", "left_alone"},
                              Column{"SITES", "site_networks", true},
                              Column{"PSK", "has_preshared_key", true},
                              Column{"WHY", "message", true}};
constexpr View kView{"keys of nobody", [](const Json& row) { return row.at("public_key").get<std::string>(); },
                     kColumns};
constexpr int kHostMarginSeconds = 5;  // the host gives up before we do

struct ImportOptions {
  std::string server;
  std::string tenant;
  PublishOptions publish;
};

Json row_of(const store::StrangerView& view) {
  return {{"public_key", view.public_key},
          {"peer", or_null(view.peer)},
          {"addresses", view.addresses},
          {"site_networks", view.site_networks},
          {"has_preshared_key", view.has_preshared_key},
          {"left_alone", or_null(view.code)},
          {"message", or_null(view.message)}};
}

// All that the host shows; nothing there changes, not even the number of its last push.
Result<wireguard::HostAnswer> look_at(const domain::Server& server, const std::string& installation_id,
                                      const Config& config) {
  const std::chrono::milliseconds deadline(config.ssh.exec_timeout_ms);
  const int host_seconds = std::max(1, static_cast<int>(deadline.count() / 1000) - kHostMarginSeconds);
  wireguard::HostInterface where{server.interface, server.config_path, server.exec_prefix, installation_id};
  where.way = server.ssh_way;
  const auto command = wireguard::exec_command(where, wireguard::PushMode::look, 0, host_seconds, ssh::push_script());
  if (!command) return tl::unexpected(command.error());
  const auto key = read_secret_file(config.ssh.private_key_file);
  if (!key) return tl::unexpected(key.error());
  const ssh::Timeouts timeouts{std::chrono::milliseconds(config.ssh.connect_timeout_ms),
                               std::chrono::milliseconds(config.ssh.dead_peer_ms)};
  const auto session = ssh::Session::connect(ssh::target_of(server), *key, timeouts);
  if (!session) return tl::unexpected(session.error());
  const Secret input = wireguard::render_push({});
  const auto ran = (*session)->exec(*command, input.reveal(), deadline);
  if (!ran) return tl::unexpected(ran.error());
  return wireguard::parse_answer(ran->out, ran->exit_status, 0);
}

Result<std::vector<store::StrangerView>> preview(const store::Database& database, const domain::Server& server,
                                                 const Config& config) {
  store::ImportStore store(database);
  const auto installation = store.installation_id();
  if (!installation) return tl::unexpected(installation.error());
  const auto answer = look_at(server, *installation, config);
  if (!answer) return tl::unexpected(answer.error());
  return store.preview(server, *answer);
}

Exit show(const Globals& globals, const ImportOptions& options) {
  const auto config = configuration(globals, {"postgres", "ssh"});
  if (!config) return config.error();
  const auto database = database_of(*config);
  if (!database) return database.error();
  const auto detail = store::QueryStore(*database).server(options.server);
  if (!detail) return fail(detail.error());
  if (!*detail || !(*detail)->view.server.word) {
    return fail({"server_not_found", "no server " + options.server + " is registered", "see `peerwright server list`",
                 Retry::never});
  }
  const auto views = preview(*database, (*detail)->view.server, *config);
  if (!views) return fail(views.error());
  std::vector<Json> rows;
  for (const store::StrangerView& view : *views) rows.push_back(row_of(view));
  print_list(globals.format, kView, rows);
  return Exit::ok;
}

Exit import(const Globals& globals, const ImportOptions& options) {
  if (options.publish.dry_run) return show(globals, options);
  PublishOptions publishing = options.publish;
  publishing.words.type = "server.import";
  publishing.words.server = options.server;
  publishing.words.tenant = options.tenant;
  return publish(globals, publishing);
}

}  // namespace

Action setup_server_import(CLI::App& app) {
  const auto options = std::make_shared<ImportOptions>();
  app.add_option("server", options->server, "The server")->type_name("SERVER")->required();
  app.add_option("--tenant", options->tenant, "Whose the peers become (else the server's owner's)")
      ->type_name("TENANT");
  app.add_option("--id", options->publish.words.id, "The event's id (else a random UUID)")->type_name("ID");
  app.add_option("--user", options->publish.words.user, "Who says it, in the source peerwright-cli/USER (else $USER)")
      ->type_name("USER");
  add_following(app, options->publish);
  app.get_option("--dry-run")->description("Read the host and show what would be adopted, and send nothing");
  return [options](const Globals& globals) { return import(globals, *options); };
}

}  // namespace peerwright::cli
