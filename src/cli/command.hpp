#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exit.hpp"
#include "output.hpp"

namespace peerwright::cli {

// What can be said before and behind every command.
struct Globals {
  std::string config_file;                      // empty: none
  std::map<std::string, std::string> settings;  // kafka.brokers -> value: flags over environment over file
  Format format = Format::table;
};

// Does what the command line asked for, once it has been read.
using Action = std::function<Exit(const Globals&)>;

struct Command {
  std::string_view group;  // "peer"; empty: the command stands for itself
  std::string_view name;   // "list"
  std::string_view help;
  std::function<Action(CLI::App& app)> setup;  // adds the command's options; the action owns what they are read into
};

// The one table of all commands (commands.cpp), with those that publish one event each (verbs.cpp), and what its groups
// are about.
std::span<const Command> commands();
std::vector<Command> verbs();
std::string_view help_of_group(std::string_view group);

// Adds the global options to `app`. `globals` outlives it.
void add_globals(CLI::App& app, Globals& globals);

// --limit of lists.
inline constexpr int kDefaultLimit = 100;
inline constexpr int kMaxLimit = 10'000;
void add_limit(CLI::App& app, int& limit);
// Takes the row away that was asked for beyond the limit, and says on stderr how to go on.
void end_page(std::vector<Json>& rows, int limit, const View& view);

// --after of lists whose rows are named TENANT/NAME: `tenant` and `name` get its two parts.
void add_after(CLI::App& app, const char* what, std::string& tenant, std::string& name);

// Whether to go on with what destroys something: `yes` says so; else a person at a terminal is asked, and without one
// nothing is done. What was answered is told on stderr.
bool confirmed(bool yes, const std::string& question);

// The commands, in the order of the table.
Action setup_run(CLI::App& app);
Action setup_migrate_up(CLI::App& app);
Action setup_migrate_status(CLI::App& app);
Action setup_config_check(CLI::App& app);
Action setup_config_show(CLI::App& app);
Action setup_event_publish(CLI::App& app);
Action setup_event_validate(CLI::App& app);
Action setup_plan(CLI::App& app);
Action setup_peer_list(CLI::App& app);
Action setup_peer_show(CLI::App& app);
Action setup_peer_config(CLI::App& app);
Action setup_tenant_list(CLI::App& app);
Action setup_tenant_show(CLI::App& app);
Action setup_customer_list(CLI::App& app);
Action setup_customer_show(CLI::App& app);
Action setup_subscriber_list(CLI::App& app);
Action setup_subscriber_show(CLI::App& app);
Action setup_network_list(CLI::App& app);
Action setup_network_show(CLI::App& app);
Action setup_rule_list(CLI::App& app);
Action setup_mesh_list(CLI::App& app);
Action setup_mesh_show(CLI::App& app);
Action setup_address_who(CLI::App& app);
Action setup_keys_status(CLI::App& app);
Action setup_server_list(CLI::App& app);
Action setup_server_show(CLI::App& app);
Action setup_server_prepare(CLI::App& app);
Action setup_server_import(CLI::App& app);
Action setup_dlq_list(CLI::App& app);
Action setup_dlq_show(CLI::App& app);
Action setup_dlq_replay(CLI::App& app);
Action setup_dlq_discard(CLI::App& app);
Action setup_audit_show(CLI::App& app);
Action setup_audit_digest(CLI::App& app);
Action setup_audit_verify(CLI::App& app);
Action setup_recover(CLI::App& app);
Action setup_rebuild(CLI::App& app);
Action setup_dev_broker(CLI::App& app);
Action setup_version(CLI::App& app);

}  // namespace peerwright::cli
