#include "exit.hpp"

#include <array>
#include <iostream>
#include <string_view>

#include "output.hpp"

namespace peerwright::cli {
namespace {

struct Row {
  std::string_view code;
  Exit exit;
};

// Those that the rules in exit_of do not put right.
constexpr std::array kExits{
    Row{"db_schema_missing", Exit::failed},     // transient for a worker that waits, not for a person
    Row{"kafka_setting_invalid", Exit::usage},  // a property of the configuration
    Row{"secret_unreadable", Exit::usage},        Row{"secret_empty", Exit::usage},
    Row{"secret_too_large", Exit::usage},         Row{"encryption_key_invalid", Exit::usage},
    Row{"private_key_invalid", Exit::usage},      Row{"private_key_mismatch", Exit::conflict},
    Row{"file_exists", Exit::conflict},           Row{"peer_not_configurable", Exit::conflict},
    Row{"server_key_unknown", Exit::conflict},    Row{"dead_letter_settled", Exit::conflict},
    Row{"intake_key_invalid", Exit::usage},       Row{"interface_key_changed", Exit::conflict},
    Row{"server_retired", Exit::conflict},        Row{"server_address_missing", Exit::conflict},
    Row{"plan_gave_way", Exit::unreachable},      Row{"database_not_empty", Exit::conflict},
    Row{"audit_forked", Exit::conflict},          Row{"host_of_other_installation", Exit::conflict},
    Row{"migration_gave_way", Exit::unreachable},
};

}  // namespace

Exit exit_of(const Error& error) {
  const std::string_view code = error.code;
  for (const Row& row : kExits) {
    if (row.code == code) return row.exit;
  }
  if (code.ends_with("_not_found")) return Exit::not_found;
  const bool of_a_service = code.starts_with("db_") || code.starts_with("kafka_") || code.starts_with("ssh_");
  return of_a_service && error.retry == Retry::later ? Exit::unreachable : Exit::failed;
}

Exit fail(const Error& error) {
  std::cerr << "peerwright: " << error.code << ": " << printable(error.message) << '\n';
  if (!error.remedy.empty()) std::cerr << "  remedy: " << printable(error.remedy) << '\n';
  return exit_of(error);
}

Exit usage(std::string_view message) {
  std::cerr << "peerwright: " << printable(message) << "; --help says more\n";
  return Exit::usage;
}

}  // namespace peerwright::cli
