#pragma once

#include <initializer_list>
#include <string_view>

#include "command.hpp"
#include "peerwright/base/config.hpp"
#include "peerwright/base/seal.hpp"
#include "peerwright/broker/message.hpp"
#include "peerwright/store/database.hpp"

// From the configuration to what commands work with.
namespace peerwright::cli {

ConfigInput config_input(const Globals& globals);

// The configuration. Problems go to stderr; those of settings that the command does not use are left out. `uses` names
// settings, or sections with all that is in them ("kafka").
Or<Config> configuration(const Globals& globals, std::initializer_list<std::string_view> uses);

Or<store::Database> database_of(const Config& config);
Or<broker::Connection> kafka_of(const Config& config);

// With the installation's encryption key. Errors: `encryption_key_missing`, those of the file.
Result<Sealer> sealer_of(const Config& config);

// For commands that need nothing but the database.
Or<store::Database> open_database(const Globals& globals);

}  // namespace peerwright::cli
