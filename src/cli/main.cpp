#include "peerwright/cli/main.hpp"

#include <exception>
#include <iostream>
#include <map>
#include <vector>

#include "command.hpp"
#include "reference.hpp"

namespace peerwright::cli {
namespace {

constexpr const char* kFooter =
    "\nExit codes: 0 ok, 1 failed, 2 usage or configuration, 3 not found, 4 conflict or rejected, 5 unreachable,\n"
    "6 differences. Data goes to stdout, everything else to stderr.";

constexpr const char* kProgram = "peerwright";
constexpr const char* kAbout = "peerwright executes events from Kafka on WireGuard hosts, exactly once, and proves it.";

struct Leaf {
  CLI::App* app = nullptr;
  Action action;
};

std::vector<Leaf> add_commands(CLI::App& root, Globals& globals) {
  std::map<std::string_view, CLI::App*> parents{{"", &root}};
  std::vector<Leaf> leaves;
  for (const Command& command : commands()) {
    CLI::App*& parent = parents[command.group];
    if (parent == nullptr) {
      parent = root.add_subcommand(std::string(command.group), std::string(help_of_group(command.group)));
      parent->require_subcommand(1);
    }
    CLI::App* app = parent->add_subcommand(std::string(command.name), std::string(command.help));
    leaves.push_back({app, command.setup(*app)});
    add_globals(*app, globals);
    app->footer(kFooter);
  }
  return leaves;
}

// The library's own exit codes (103 to 106 and others) say nothing to a caller.
int end_unread(CLI::App& root, const CLI::ParseError& error) {
  const auto unknown = root.remaining(true);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !unknown.empty()) {
    return static_cast<int>(usage("there is no command or option " + unknown.front()));
  }
  return static_cast<int>(root.exit(error) == 0 ? Exit::ok : Exit::usage);
}

int run_chosen(const std::vector<Leaf>& leaves, const Globals& globals) {
  for (const Leaf& leaf : leaves) {
    if (!leaf.app->parsed()) continue;
    const Exit exit = leaf.action(globals);
    std::cout.flush();
    if (exit == Exit::ok && !std::cout) {
      return static_cast<int>(fail({"output_failed", "stdout could not be written", "check the disk or pipe", {}}));
    }
    return static_cast<int>(exit);
  }
  return static_cast<int>(Exit::usage);
}

// The whole command line, hung onto `root`.
std::vector<Leaf> build(CLI::App& root, Globals& globals) {
  root.require_subcommand(1);
  root.footer(kFooter);
  add_globals(root, globals);
  return add_commands(root, globals);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App root(kAbout, kProgram);
    Globals globals;
    const auto leaves = build(root, globals);
    try {
      root.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return end_unread(root, error);
    }
    return run_chosen(leaves, globals);
  } catch (const std::exception& error) {
    return static_cast<int>(fail({"internal", error.what(), "this is a defect of the program: report it", {}}));
  }
}

std::string command_line_reference_markdown() {
  CLI::App root(kAbout, kProgram);
  Globals globals;
  const auto leaves = build(root, globals);
  std::vector<const CLI::App*> apps;
  for (const Leaf& leaf : leaves) apps.push_back(leaf.app);
  return reference_of(root, apps);
}

}  // namespace peerwright::cli
