#include <algorithm>
#include <iostream>
#include <memory>

#include "event.hpp"
#include "peerwright/ssh/host_files.hpp"
#include "peerwright/ssh/session.hpp"
#include "peerwright/store/import.hpp"
#include "peerwright/wireguard/key.hpp"
#include "peerwright/wireguard/prepare.hpp"
#include "setup.hpp"

// Makes a server out of a host. The one command that goes to a host itself: with the worker's key, as the login that is
// registered, and to the host key that is pinned in the database and no other.
namespace peerwright::cli {
namespace {

constexpr int kHostMarginSeconds = 5;  // by which the host gives up before we do

struct Options {
  std::string server;
  std::string login;
  bool yes = false;
  PublishOptions publishing;  // of the events that it says
};

// What is prepared.
struct Subject {
  domain::Server server;
  domain::Network network;
};

Or<Subject> find(store::QueryStore& store, const std::string& name) {
  const auto found = store.server(name);
  if (!found) return exit_with(fail(found.error()));
  if (!*found || !(*found)->view.server.word) {
    return exit_with(fail(
        {"server_not_found", "there is no server " + name, "register it first, with server.register", Retry::never}));
  }
  const store::ServerView& view = (*found)->view;
  if (view.server.state == domain::ServerState::retired) {
    return exit_with(fail({"server_retired", "the server " + name + " was retired",
                           "send server.register to take it into service again", Retry::never}));
  }
  const auto network = store.network(view.network);
  if (!network) return exit_with(fail(network.error()));
  if (!*network) return exit_with(fail({"network_not_found", "there is no network " + view.network, "", Retry::never}));
  return Subject{view.server, (*network)->network};
}

// The first reserved address of the network is the server's own.
Result<std::vector<wireguard::Prefix>> addresses_of(const Subject& subject) {
  const domain::Network& network = subject.network;
  std::vector<wireguard::Prefix> addresses;
  for (const auto& range : {network.net4, network.net6}) {
    const auto own = range && !network.reserved.empty() ? range->at(network.reserved.front()) : std::nullopt;
    if (!own) continue;
    const std::string text = own->text(false) + '/' + std::to_string(range->length());
    if (const auto address = wireguard::Prefix::parse(text)) addresses.push_back(*address);
  }
  if (addresses.empty()) {
    return permanent(
        "server_address_missing",
        "the network " + network.name + " keeps no address back, and the first of these is the server's own",
        "send network.set with `reserved`");
  }
  return addresses;
}

Result<wireguard::PreparePlan> plan_of(const Subject& subject) {
  auto addresses = addresses_of(subject);
  if (!addresses) return tl::unexpected(addresses.error());
  const domain::Server& server = subject.server;
  wireguard::PreparePlan plan;
  plan.addresses = *std::move(addresses);
  plan.listen_port = server.listen_port;
  plan.mtu = server.mtu;
  for (const std::string& key : {server.public_key, server.key_wanted}) {
    if (!key.empty()) plan.expected_keys.push_back(key);
  }
  if (server.ssh_way == wireguard::WayIn::shell) return plan;
  for (ssh::HostFile& file : ssh::host_files()) {
    plan.files.push_back({std::move(file.path), file.mode, std::move(file.content)});
  }
  return plan;
}

// One host, for as long as the command runs.
class Host {
 public:
  static Result<Host> connect(const Config& config, const domain::Server& server, const std::string& login,
                              const std::string& installation_id) {
    auto key = read_secret_file(config.ssh.private_key_file);
    if (!key) return tl::unexpected(key.error());
    ssh::Target target = ssh::target_of(server);
    if (!login.empty()) target.user = login;
    const ssh::Timeouts timeouts{std::chrono::milliseconds(config.ssh.connect_timeout_ms),
                                 std::chrono::milliseconds(config.ssh.dead_peer_ms)};
    auto session = ssh::Session::connect(target, *key, timeouts);
    if (!session) return tl::unexpected(session.error());
    return Host(*std::move(session), {server.interface, server.config_path, server.exec_prefix, installation_id, ""},
                std::chrono::milliseconds(config.ssh.exec_timeout_ms));
  }

  // What a failed run had done until then is in `steps` too.
  Result<wireguard::Prepared> run(wireguard::PrepareMode mode, const wireguard::PreparePlan& plan,
                                  std::vector<wireguard::PrepareStep>& steps) {
    const int seconds = std::max(1, static_cast<int>(deadline_.count() / 1000) - kHostMarginSeconds);
    const auto command = wireguard::prepare_command(where_, mode, seconds, ssh::prepare_script());
    if (!command) return tl::unexpected(command.error());
    const auto input = wireguard::render_prepare(plan);
    if (!input) return tl::unexpected(input.error());
    const auto ran = session_->exec(*command, input->reveal(), deadline_);
    if (!ran) return tl::unexpected(ran.error());
    steps = wireguard::steps_in(ran->out);
    return wireguard::parse_prepared(ran->out, ran->exit_status);
  }

 private:
  Host(std::unique_ptr<ssh::Session> session, wireguard::HostInterface where, std::chrono::milliseconds deadline)
      : session_(std::move(session)), where_(std::move(where)), deadline_(deadline) {}

  std::unique_ptr<ssh::Session> session_;
  wireguard::HostInterface where_;
  std::chrono::milliseconds deadline_;
};

void print(Format format, const std::string& server, const std::vector<wireguard::PrepareStep>& steps) {
  for (const wireguard::PrepareStep& step : steps) {
    const std::string what = printable(step.what);
    if (format == Format::json || format == Format::jsonl) {
      std::cout << line_of(Json{{"step", step.state}, {"server", server}, {"what", step.what}}) << '\n';
    } else if (format == Format::name) {
      std::cout << what << '\n';
    } else {
      std::cout << step.state << std::string(step.state.size() < 8 ? 8 - step.state.size() : 1, ' ') << what << '\n';
    }
  }
  std::cout << std::flush;
}

// The key that is stored for the server, if it is the one that its clients know or are about to.
Result<Secret> stored_key(const Config& config, const domain::Server& server) {
  const auto sealer = sealer_of(config);
  if (!sealer) return tl::unexpected(sealer.error());
  auto key = store::private_key_of(server, *sealer);
  if (!key) return key;
  const auto public_key = wireguard::public_key_of(*key);
  if (!public_key) return tl::unexpected(public_key.error());
  const std::string& expected = server.key_wanted.empty() ? server.public_key : server.key_wanted;
  if (*public_key == expected) return key;
  return permanent("private_key_mismatch", "the stored private key of " + server.name + " belongs to no key of it",
                   "make a new one with server.rotate_key");
}

class Preparation {
 public:
  Preparation(const Globals& globals, const Options& options, const Config& config, const store::Database& database)
      : globals_(globals), options_(options), config_(config), database_(database), store_(database) {}

  Exit run() {
    auto subject = find(store_, options_.server);
    if (!subject) return subject.error();
    auto plan = plan_of(*subject);
    if (!plan) return fail(plan.error());
    const auto installation_id = store::ImportStore(database_).installation_id();
    if (!installation_id) return fail(installation_id.error());
    auto host = Host::connect(config_, subject->server, options_.login, *installation_id);
    if (!host) return fail(host.error());
    std::vector<wireguard::PrepareStep> steps;
    const auto looked = host->run(wireguard::PrepareMode::look, *plan, steps);
    if (!looked) return fail(looked.error());
    const bool has_key = !looked->interface_key.empty() || !looked->file_key.empty();
    if (options_.publishing.dry_run) return say_what_would_be(*subject, *looked, has_key);
    if (!has_key) {
      if (const Exit exit = give_key(*subject, *plan); exit != Exit::ok) return exit;
    }
    const auto prepared = host->run(wireguard::PrepareMode::prepare, *plan, steps);
    print(globals_.format, options_.server, steps);
    if (!prepared) return fail(prepared.error());
    PublishOptions reconcile = options_.publishing;
    return say("server.reconcile", std::move(reconcile));
  }

 private:
  Exit say_what_would_be(const Subject& subject, const wireguard::Prepared& looked, bool has_key) const {
    std::vector<wireguard::PrepareStep> steps = looked.steps;
    const bool makes_key = !has_key && subject.server.private_key_sealed.empty();
    if (makes_key) steps.insert(steps.begin(), {"would", "publish server.rotate_key, for no key is stored"});
    print(globals_.format, options_.server, steps);
    return makes_key || looked.changes() ? Exit::differences : Exit::ok;
  }

  Exit say(const char* type, PublishOptions publishing) const {
    publishing.words.type = type;
    publishing.words.server = options_.server;
    return publish(globals_, publishing);
  }

  // Into the plan: the stored key, which is made first where there is none.
  Exit give_key(Subject& subject, wireguard::PreparePlan& plan) {
    if (subject.server.private_key_sealed.empty()) {
      if (const Exit exit = make_key(subject); exit != Exit::ok) return exit;
      auto anew = plan_of(subject);
      if (!anew) return fail(anew.error());
      plan.expected_keys = std::move(anew->expected_keys);
    }
    auto key = stored_key(config_, subject.server);
    if (!key) return fail(key.error());
    plan.private_key = *std::move(key);
    return Exit::ok;
  }

  Exit make_key(Subject& subject) {
    const bool known = !subject.server.public_key.empty();
    if (known && !confirmed(options_.yes, "The host has no key, and that of " + options_.server +
                                              " is not stored: a new one is made, and all its clients need new "
                                              "configurations.")) {
      return Exit::usage;
    }
    PublishOptions rotate = options_.publishing;
    rotate.wait = false;
    rotate.decided = true;
    if (const Exit exit = say("server.rotate_key", std::move(rotate)); exit != Exit::ok) return exit;
    auto anew = find(store_, options_.server);
    if (!anew) return anew.error();
    subject = *std::move(anew);
    return Exit::ok;
  }

  const Globals& globals_;
  const Options& options_;
  const Config& config_;
  const store::Database& database_;
  store::QueryStore store_;
};

Exit prepare(const Globals& globals, const Options& options) {
  const auto config = options.publishing.dry_run ? configuration(globals, {"postgres", "ssh"})
                                                 : configuration(globals, {"postgres", "ssh", "kafka"});
  if (!config) return config.error();
  const auto database = database_of(*config);
  if (!database) return database.error();
  return Preparation(globals, options, *config, *database).run();
}

}  // namespace

Action setup_server_prepare(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("server", options->server, "The server, which is registered")->type_name("SERVER")->required();
  app.add_option("--login", options->login, "Log in as this user; preparing needs root (else the registered one)")
      ->type_name("USER");
  app.add_option("--user", options->publishing.words.user,
                 "Who says it, in the source peerwright-cli/USER (else $USER)")
      ->type_name("USER");
  app.add_flag("--yes", options->yes, "Do not ask before a key is made anew; needed without a terminal");
  app.add_flag("--wait", options->publishing.wait, "Follow until the server is proven");
  app.add_option("--timeout", options->publishing.timeout_seconds, "How long to wait for a worker")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, kMaxWaitSeconds))
      ->capture_default_str();
  app.add_flag("--dry-run", options->publishing.dry_run,
               "Look at the host and print the steps, and change nothing; exits 6 where something would change");
  return [options](const Globals& globals) { return prepare(globals, *options); };
}

}  // namespace peerwright::cli
