#include "reference.hpp"

#include <algorithm>

#include "command.hpp"

namespace peerwright::cli {
namespace {

constexpr const char* kSharedGroup = "Global options";

constexpr const char* kHead = R"(# Command line

This page is made from the program (`PEERWRIGHT_UPDATE_DOCS=1` with the tests `cli`); a test compares it. `--help`
behind any command says the same.

Data goes to stdout, everything else to stderr. An empty list is `[]` with `-o json`. Lists come in pages: where there
is more, stderr names the `--after` of the next one. Names are `TENANT/NAME` for what belongs to a tenant.

**Nothing edits tables.** What changes a subject is an event of the source `peerwright-cli/USER`; all operators are
one owner of holds, `operator`: they lift each other's holds, and nobody else's. `--wait` follows the event until it
is proven on the hosts. `dlq replay` and `dlq discard` are orders to the workers about messages and stand in the audit
too.

**What cannot be undone** asks at a terminal and needs `--yes` without one; `--dry-run` shows it and does nothing.

| Exit | Meaning |
|---|---|
| 0 | ok |
| 1 | failed |
| 2 | the command line, the configuration or an event is wrong; or a question was not answered with yes |
| 3 | what was named does not exist |
| 4 | refused as things stand: rejected, exists already, does not fit |
| 5 | Postgres, Kafka or a host cannot be reached; the same call may succeed later |
| 6 | a comparison found differences, or a dry run of `server prepare` what it would change |
)";

// In a cell of a table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
  return text;
}

std::string type_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  return option.get_type_name();
}

std::string row_of_option(const CLI::Option& option) {
  const std::string type = type_of(option);
  std::string name = option.get_positional() ? type : option.get_name(false, true);
  std::replace(name.begin(), name.end(), ',', ' ');
  if (!option.get_positional() && !type.empty()) name += ' ' + type;
  std::string help = option.get_description();
  if (option.get_required()) help += option.get_positional() ? "" : " (needed)";
  if (!option.get_default_str().empty()) help += " (" + option.get_default_str() + " unless told)";
  return "| `" + cell(name) + "` | " + cell(help) + " |\n";
}

// "peerwright peer show TENANT/PEER"
std::string call_of(const CLI::App& command) {
  std::string call = command.get_name();
  for (const CLI::App* parent = command.get_parent(); parent != nullptr; parent = parent->get_parent()) {
    call = parent->get_name() + ' ' + call;
  }
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string word = option->get_type_name() + (option->get_items_expected_max() > 1 ? "..." : "");
    call += option->get_required() ? ' ' + word : " [" + word + ']';
  }
  return call;
}

std::string rows_of_options(const CLI::App& command, bool shared) {
  std::string rows;
  for (const CLI::Option* option : command.get_options()) {
    const bool hidden = option->get_group().empty();
    const bool help = option == command.get_help_ptr();
    if (hidden || help || (option->get_group() == kSharedGroup) != shared) continue;
    rows += row_of_option(*option);
  }
  return rows.empty() ? rows : "| Option | Meaning |\n|---|---|\n" + rows;
}

}  // namespace

std::string reference_of(const CLI::App& root, const std::vector<const CLI::App*>& commands) {
  std::string page = kHead;
  page += "\n## Options of all commands\n\n" + rows_of_options(root, true);
  page += "\nEvery setting of the [configuration](configuration.md) is an option too, such as `--log.level debug`.\n";
  std::vector<std::string> groups;  // each once, in the order in which they come first
  const auto group_of = [&](const CLI::App* app) {
    return app->get_parent() == &root ? "" : app->get_parent()->get_name();
  };
  for (const CLI::App* command : commands) {
    const std::string group = group_of(command);
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  for (const std::string& group : groups) {
    page += group.empty() ? "\n## The program itself\n"
                          : "\n## " + group + "\n\n" + std::string(help_of_group(group)) + ".\n";
    for (const CLI::App* command : commands) {
      if (group_of(command) != group) continue;
      page += "\n### `" + call_of(*command) + "`\n\n" + command->get_description() + ".\n";
      const std::string options = rows_of_options(*command, false);
      if (!options.empty()) page += '\n' + options;
    }
  }
  return page;
}

}  // namespace peerwright::cli
