#include "command.hpp"

namespace peerwright::cli {
namespace {

// Those that need more than an event.
const std::vector<Command>& own_commands() {
  static const std::vector<Command> kCommands = {
      {"", "run", "Run the worker until SIGTERM or SIGINT", setup_run},
      {"migrate", "up", "Bring the database's schema to this program's version", setup_migrate_up},
      {"migrate", "status", "Show which migrations the database has; exits 6 where some are missing",
       setup_migrate_status},
      {"config", "check", "Say everything that is wrong with a configuration, as `run` would", setup_config_check},
      {"config", "show", "Show every setting, its value and where that comes from", setup_config_show},
      {"event", "publish", "Send events, and follow them until they are proven", setup_event_publish},
      {"event", "validate", "Check files of events without sending them", setup_event_validate},
      {"", "plan", "Show what events would do, per host, without doing it; exits 6 where something would change",
       setup_plan},
      {"tenant", "list", "List tenants", setup_tenant_list},
      {"tenant", "show", "Show one tenant: limits, how far they are used, what awaits approval", setup_tenant_show},
      {"customer", "list", "List customers", setup_customer_list},
      {"customer", "show", "Show one customer and its subscribers", setup_customer_show},
      {"subscriber", "list", "List subscribers", setup_subscriber_list},
      {"subscriber", "show", "Show one subscriber: holds and what comes next", setup_subscriber_show},
      {"peer", "list", "List peers", setup_peer_list},
      {"peer", "show", "Show one peer: entitlement, holds, delivery, addresses, what happens next", setup_peer_show},
      {"peer", "config", "Write a peer's configuration: a file, commands for RouterOS, or a QR code",
       setup_peer_config},
      {"server", "list", "List servers", setup_server_list},
      {"server", "show", "Show one server: settings, delivery, counts of its peers", setup_server_show},
      {"server", "prepare", "Make a server out of a host, or one that was rebuilt: its files, its interface, its key",
       setup_server_prepare},
      {"server", "import", "Adopt the peers that stand on a host and that nobody knows", setup_server_import},
      {"network", "list", "List networks", setup_network_list},
      {"network", "show", "Show one network: ranges, and how many addresses are left", setup_network_show},
      {"rule", "list", "List access rules", setup_rule_list},
      {"mesh", "list", "List meshes and links", setup_mesh_list},
      {"mesh", "show", "Show one mesh or link with the entries on its servers", setup_mesh_show},
      {"address", "who", "Say who has an address, or had it; exits 3 where nobody does", setup_address_who},
      {"dlq", "list", "List dead letters", setup_dlq_list},
      {"dlq", "show", "Show a dead letter and open its original", setup_dlq_show},
      {"dlq", "replay", "Have dead letters executed once more, from their stored originals", setup_dlq_replay},
      {"dlq", "discard", "Settle dead letters for good, without executing them", setup_dlq_discard},
      {"audit", "show", "Show the decision about one event", setup_audit_show},
      {"audit", "digest", "Say what the state comes to, table by table: equal databases have equal digests",
       setup_audit_digest},
      {"audit", "verify", "Compute the audit's chain anew; exits 6 where it does not fit", setup_audit_verify},
      {"", "recover", "Catch a restored backup up with the audit topic, and let the workers go on", setup_recover},
      {"", "rebuild", "Make an empty database the one that was lost, out of the audit topic", setup_rebuild},
      {"keys", "status", "Show the keys of this installation and their ages", setup_keys_status},
      {"", "dev-broker", "Run a Kafka broker in memory, for demonstrations", setup_dev_broker},
      {"", "version", "Show the version", setup_version},
  };
  return kCommands;
}

struct Group {
  std::string_view name;
  std::string_view help;
};
constexpr Group kGroups[] = {
    {"migrate", "The database's schema"},
    {"config", "The configuration"},
    {"event", "Events, the only way to change anything"},
    {"tenant", "Tenants: limits and defaults"},
    {"customer", "Customers, who may have several subscribers"},
    {"subscriber", "Subscribers: the contracts that own peers"},
    {"peer", "Peers: one client key each"},
    {"server", "Servers: one WireGuard interface each"},
    {"network", "Networks: address spaces"},
    {"rule", "Access rules between peers"},
    {"mesh", "Meshes and links between servers"},
    {"address", "Addresses and who held them"},
    {"dlq", "Dead letters: messages that could not be executed"},
    {"audit", "What was decided, bound into a chain of hashes"},
    {"keys", "Keys of the installation"},
};

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> kAll = [] {
    std::vector<Command> all = own_commands();
    for (Command& verb : verbs()) all.push_back(std::move(verb));
    return all;
  }();
  return kAll;
}

std::string_view help_of_group(std::string_view group) {
  for (const Group& row : kGroups) {
    if (row.name == group) return row.help;
  }
  return {};
}

}  // namespace peerwright::cli
