#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peerwright/base/log.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright {

// Which topics, tenants and event types a source may speak for. `name`, tenants and types may end in '*' ("peer.*").
struct SourceBinding {
  std::string name;
  std::vector<std::string> topics;   // empty: all topics that are read
  std::vector<std::string> tenants;  // events without a tenant (networks, servers) need "*"
  std::vector<std::string> types;
};

// All settings, checked. Names, ranges and defaults stand in one table (src/base/settings.cpp).
struct Config {
  struct {
    std::string brokers;
    std::string group;
    std::vector<std::string> event_topics;
    std::string status_topic;
    std::string audit_topic;
    std::string dead_letter_topic;
    std::map<std::string, std::string> properties;             // handed to librdkafka
    std::map<std::string, std::string> secret_property_files;  // property -> file that holds its value
  } kafka;
  struct {
    std::string dsn;            // libpq's keyword=value form or URI, without a password
    std::string password_file;  // may be empty
  } postgres;
  struct {
    std::string private_key_file;
    int connect_timeout_ms = 0;
    int exec_timeout_ms = 0;
    int dead_peer_ms = 0;
    int connects_per_host = 0;
  } ssh;
  struct {
    std::string key_file;
    std::string intake_key_file;  // may be empty: sealed values are not taken
  } encryption;
  struct {
    int batch_messages = 0;
    int batch_wait_ms = 0;
    int mark_ms = 0;
  } intake;
  struct {
    int threads = 0;
    int chunk_peers = 0;         // added by one push
    int urgent_chunk_peers = 0;  // added by a push that carries urgent removals
    int poll_ms = 0;
    int retry_base_ms = 0;
    int retry_max_ms = 0;
    int guard_keys = 0;       // removed at most from a server without an event or an operator's word
    int guard_percent = 0;    // of all keys on it, at most
    int urgent_limit_ms = 0;  // an urgent change that is not proven within it is an alert
  } deliver;
  struct {
    int threads = 0;
    int interval_ms = 0;          // from one look at a server to the next
    int waiting_interval_ms = 0;  // while a client's first handshake is waited for
    int log_retention_days = 0;
  } observe;
  struct {
    int chunk_peers = 0;
    int poll_ms = 0;
    int clock_margin_ms = 0;  // by which intake has to be caught up past a due time
  } sweep;
  struct {
    int batch_rows = 0;
    int poll_ms = 0;
    int ack_timeout_ms = 0;
  } publish;
  struct {
    int heartbeat_ms = 0;
    int dead_after_ms = 0;
    std::string name;  // empty: host name and process id
  } worker;
  struct {
    std::string listen;  // address:port of /livez, /readyz, /metrics
  } admin;
  struct {
    log::Level level = log::Level::info;
    log::Format format = log::Format::automatic;
  } log;
  std::vector<std::string> roles;  // intake, deliver, observe, sweep, publish
  std::vector<SourceBinding> sources;
};

// One thing that is wrong with the configuration, and where: `place` is "FILE:LINE:COLUMN", an environment variable, a
// flag, or, for what is missing, the file as a whole. `line` is the text of that line, cut where a secret could stand
// (nothing here ever repeats one); `column` counts its bytes from 1 and is where the caret goes (0: none). Codes:
// docs/reference/configuration.md.
struct ConfigProblem {
  std::string place;
  std::string code;
  std::string message;
  std::string remedy;
  std::string line;
  int column = 0;
};
// As a person reads it, ending in a newline: place, code, message; the line with a caret; the remedy.
std::string render(const ConfigProblem& problem);

struct ConfigInput {
  std::filesystem::path file;                      // empty: no file
  std::map<std::string, std::string> environment;  // PEERWRIGHT_KAFKA_BROKERS=...; others are ignored
  std::map<std::string, std::string> flags;        // kafka.brokers -> value
};
// The environment of this process, as ConfigInput wants it. Call it while nobody changes the environment.
std::map<std::string, std::string> process_environment();

// Flag over environment over file over default. Opens the file alone: no other file, no network. All problems at once,
// sorted by place: the file's from top to bottom, then the environment's, then the flags'. What a stronger source
// overrides has to be right all the same. A variable that is no setting's is ignored, unless it is nearly one's name.
struct LoadedConfig {
  Config config;                        // a value that has a problem was left out
  std::vector<ConfigProblem> problems;  // empty: `config` is right
};
LoadedConfig load_config(const ConfigInput& input);

// One row of `config show`, in the order of the reference. A value that was refused is shown as "(refused)", so that an
// inline secret is never printed.
struct SettingView {
  std::string key;
  std::string value;   // as one would write it in the environment
  std::string source;  // FILE:LINE:COLUMN, a variable, a flag, or "default"
  bool reloads = false;
};
std::vector<SettingView> show(const ConfigInput& input);

// The keys of the settings that differ and that a running worker cannot take over: "restart needed".
std::vector<std::string> restart_needed(const Config& running, const Config& loaded);
// `running` with what `loaded` changes live.
Config with_live_settings(const Config& running, const Config& loaded);

// docs/reference/configuration.md, out of the table of settings.
std::string config_reference_markdown();

// "127.0.0.1:9464" or "[::1]:9464": an address, not a name, but for localhost; port 0 lets the system choose. Error:
// `address_invalid` (never).
struct ListenAddress {
  std::string host;  // without brackets
  int port = 0;
};
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace peerwright
