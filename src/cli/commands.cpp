#include "command.hpp"

namespace peerwright::cli {
namespace {

constexpr Command kCommands[] = {
    {"", "run", "Run the worker until SIGTERM or SIGINT", setup_run},
    {"migrate", "up", "Bring the database's schema to this program's version", setup_migrate_up},
    {"migrate", "status", "Show which migrations the database has; exits 6 where some are missing",
     setup_migrate_status},
    {"config", "check", "Say everything that is wrong with a configuration, as `run` would", setup_config_check},
    {"config", "show", "Show every setting, its value and where that comes from", setup_config_show},
    {"event", "publish", "Send events, and follow them until they are proven", setup_event_publish},
    {"event", "validate", "Check files of events without sending them", setup_event_validate},
    {"peer", "list", "List peers", setup_peer_list},
    {"peer", "show", "Show one peer: entitlement, holds, delivery, addresses, what happens next", setup_peer_show},
    {"peer", "config", "Write a peer's WireGuard configuration, as text or QR code", setup_peer_config},
    {"server", "list", "List servers", setup_server_list},
    {"server", "show", "Show one server: settings, delivery, counts of its peers", setup_server_show},
    {"dlq", "list", "List dead letters", setup_dlq_list},
    {"dlq", "show", "Show a dead letter and open its original", setup_dlq_show},
    {"audit", "show", "Show the decision about one event", setup_audit_show},
    {"audit", "verify", "Compute the audit's chain anew; exits 6 where it does not fit", setup_audit_verify},
    {"", "dev-broker", "Run a Kafka broker in memory, for demonstrations", setup_dev_broker},
    {"", "version", "Show the version", setup_version},
};

struct Group {
  std::string_view name;
  std::string_view help;
};
constexpr Group kGroups[] = {
    {"migrate", "The database's schema"},
    {"config", "The configuration"},
    {"event", "Events, the only way to change anything"},
    {"peer", "Peers: one client key each"},
    {"server", "Servers: one WireGuard interface each"},
    {"dlq", "Dead letters: messages that could not be executed"},
    {"audit", "What was decided, bound into a chain of hashes"},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

std::string_view help_of_group(std::string_view group) {
  for (const Group& row : kGroups) {
    if (row.name == group) return row.help;
  }
  return {};
}

}  // namespace peerwright::cli
