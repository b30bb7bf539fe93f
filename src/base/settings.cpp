#include "config_table.hpp"

namespace peerwright::config {
namespace {

// What a running worker can take over (src/worker/live_config.hpp).
constexpr bool kLive = true;
constexpr bool kRestart = false;

// key, default, help, field, min, max, unit, reloads, needed, shape
constexpr Setting kSettings[] = {
    {"kafka.brokers", "", "Where the cluster is found: host:port,host:port.",
     [](Config& c) -> std::string& { return c.kafka.brokers; }, 0, 0, "", kRestart, Needed::always},
    {"kafka.group", "peerwright", "The consumer group; all workers of an installation share it.",
     [](Config& c) -> std::string& { return c.kafka.group; }},
    {"kafka.event_topics", "peerwright.events", "The topics that events are read from.",
     [](Config& c) -> std::vector<std::string>& { return c.kafka.event_topics; }, 0, 0, "", kRestart, Needed::no,
     Shape::topic},
    {"kafka.status_topic", "peerwright.status", "Where statuses and rejections go.",
     [](Config& c) -> std::string& { return c.kafka.status_topic; }, 0, 0, "", kRestart, Needed::no, Shape::topic},
    {"kafka.audit_topic", "peerwright.audit", "Where the audit goes; keep this topic without limit.",
     [](Config& c) -> std::string& { return c.kafka.audit_topic; }, 0, 0, "", kRestart, Needed::no, Shape::topic},
    {"kafka.dead_letter_topic", "peerwright.dead-letters", "Where it is told which messages could not be executed.",
     [](Config& c) -> std::string& { return c.kafka.dead_letter_topic; }, 0, 0, "", kRestart, Needed::no, Shape::topic},
    {"kafka.properties", "", "librdkafka's own properties, such as security.protocol; no secrets.",
     [](Config& c) -> std::map<std::string, std::string>& { return c.kafka.properties; }},
    {"kafka.secret_property_files", "", "librdkafka property to the file that holds its value: sasl.password.",
     [](Config& c) -> std::map<std::string, std::string>& { return c.kafka.secret_property_files; }, 0, 0, "", kRestart,
     Needed::no, Shape::file},

    {"postgres.dsn", "", "libpq's connection string or URI, without a password.",
     [](Config& c) -> std::string& { return c.postgres.dsn; }, 0, 0, "", kRestart, Needed::always, Shape::dsn},
    {"postgres.password_file", "", "The file that holds the password; none for peer or certificate logins.",
     [](Config& c) -> std::string& { return c.postgres.password_file; }, 0, 0, "", kLive, Needed::no, Shape::file},

    {"ssh.private_key_file", "", "The private key that logs in to the hosts.",
     [](Config& c) -> std::string& { return c.ssh.private_key_file; }, 0, 0, "", kLive, Needed::by_deliver,
     Shape::file},
    {"ssh.connect_timeout_ms", "5000", "How long a connection and its login may take.",
     [](Config& c) -> int& { return c.ssh.connect_timeout_ms; }, 100, 60'000, "ms", kLive},
    {"ssh.exec_timeout_ms", "60000", "How long one push may take on the host.",
     [](Config& c) -> int& { return c.ssh.exec_timeout_ms; }, 1'000, 600'000, "ms", kLive},
    {"ssh.dead_peer_ms", "3000", "A host that acknowledges nothing for so long is given up.",
     [](Config& c) -> int& { return c.ssh.dead_peer_ms; }, 500, 60'000, "ms", kLive},
    {"ssh.connects_per_host", "4", "How many connections to one sshd are made at the same time; see its MaxStartups.",
     [](Config& c) -> int& { return c.ssh.connects_per_host; }, 1, 100, "connections", kLive},

    {"encryption.key_file", "", "The key-encryption key that seals secrets in the database.",
     [](Config& c) -> std::string& { return c.encryption.key_file; }, 0, 0, "", kRestart, Needed::by_secrets,
     Shape::file},
    {"encryption.intake_key_file", "",
     "The X25519 private key, base64, to whose public half publishers seal secrets; none: sealed values are refused.",
     [](Config& c) -> std::string& { return c.encryption.intake_key_file; }, 0, 0, "", kRestart, Needed::no,
     Shape::file},

    {"intake.batch_messages", "500", "At most so many messages make one transaction.",
     [](Config& c) -> int& { return c.intake.batch_messages; }, 1, 5'000, "messages", kLive},
    {"intake.batch_wait_ms", "1", "How long a batch waits to fill.",
     [](Config& c) -> int& { return c.intake.batch_wait_ms; }, 0, 1'000, "ms", kLive},
    {"intake.mark_ms", "500",
     "How often the brokers are asked for the partitions' ends: timers wait until intake passed "
     "them.",
     [](Config& c) -> int& { return c.intake.mark_ms; }, 50, 60'000, "ms", kLive},

    {"deliver.threads", "8", "Servers that are pushed to at the same time; each thread keeps a database connection.",
     [](Config& c) -> int& { return c.deliver.threads; }, 1, 256, "threads", kRestart},
    {"deliver.chunk_peers", "1000", "Peers that one push adds at most.",
     [](Config& c) -> int& { return c.deliver.chunk_peers; }, 1, 10'000, "peers", kLive},
    {"deliver.urgent_chunk_peers", "50", "Peers that a push adds at most that also carries urgent removals.",
     [](Config& c) -> int& { return c.deliver.urgent_chunk_peers; }, 1, 10'000, "peers", kLive},
    {"deliver.poll_ms", "50", "How often an idle thread looks for a server that is due.",
     [](Config& c) -> int& { return c.deliver.poll_ms; }, 5, 10'000, "ms", kLive},
    {"deliver.retry_base_ms", "200", "The first retry comes within this time; each later one within twice the last.",
     [](Config& c) -> int& { return c.deliver.retry_base_ms; }, 10, 60'000, "ms", kLive},
    {"deliver.retry_max_ms", "60000", "No retry waits longer.",
     [](Config& c) -> int& { return c.deliver.retry_max_ms; }, 100, 3'600'000, "ms", kLive},
    {"deliver.guard_keys", "10",
     "Keys that a reading finds on a server, that no event made, and that are removed without an operator's word "
     "(`server approve`), at most.",
     [](Config& c) -> int& { return c.deliver.guard_keys; }, 0, 10'000, "keys", kLive},
    {"deliver.guard_percent", "50", "The same as a part of all keys on the interface.",
     [](Config& c) -> int& { return c.deliver.guard_percent; }, 0, 100, "percent", kLive},
    {"deliver.urgent_limit_ms", "1000", "An urgent change not proven within this time is alerted on.",
     [](Config& c) -> int& { return c.deliver.urgent_limit_ms; }, 100, 600'000, "ms", kLive},

    {"observe.threads", "4", "Servers that are looked at at the same time; each thread keeps a database connection.",
     [](Config& c) -> int& { return c.observe.threads; }, 1, 256, "threads", kRestart},
    {"observe.interval_ms", "60000", "How often a server is looked at.",
     [](Config& c) -> int& { return c.observe.interval_ms; }, 100, 3'600'000, "ms", kLive},
    {"observe.waiting_interval_ms", "5000",
     "The same while a new client's first handshake is waited for, or that of a new key.",
     [](Config& c) -> int& { return c.observe.waiting_interval_ms; }, 100, 3'600'000, "ms", kLive},
    {"observe.log_retention_days", "90", "How long wg_connection_log is kept.",
     [](Config& c) -> int& { return c.observe.log_retention_days; }, 1, 36'500, "days", kLive},

    {"sweep.chunk_peers", "500", "Peers that one transaction of the sweep changes at most.",
     [](Config& c) -> int& { return c.sweep.chunk_peers; }, 1, 10'000, "peers", kLive},
    {"sweep.poll_ms", "100", "How often the sweep looks for timers that are due.",
     [](Config& c) -> int& { return c.sweep.poll_ms; }, 10, 60'000, "ms", kLive},
    {"sweep.clock_margin_ms", "1000",
     "Expiries and the like wait until intake has caught up so far past their time: the most by which the clocks of "
     "database and brokers may differ.",
     [](Config& c) -> int& { return c.sweep.clock_margin_ms; }, 0, 600'000, "ms", kLive},

    {"publish.batch_rows", "1000", "Outbox rows that are produced together at most.",
     [](Config& c) -> int& { return c.publish.batch_rows; }, 1, 10'000, "rows", kLive},
    {"publish.poll_ms", "20", "How often the publisher looks for rows.",
     [](Config& c) -> int& { return c.publish.poll_ms; }, 5, 10'000, "ms", kLive},
    {"publish.ack_timeout_ms", "10000", "How long it waits for the cluster's acknowledgement before it produces anew.",
     [](Config& c) -> int& { return c.publish.ack_timeout_ms; }, 100, 300'000, "ms", kLive},

    {"worker.heartbeat_ms", "300", "How often the worker says that it is alive.",
     [](Config& c) -> int& { return c.worker.heartbeat_ms; }, 50, 10'000, "ms", kRestart},
    {"worker.dead_after_ms", "2000", "After so long without a heartbeat others take over; at least 3 heartbeats.",
     [](Config& c) -> int& { return c.worker.dead_after_ms; }, 150, 60'000, "ms", kRestart},
    {"worker.name", "", "The worker's name in logs and leases; host name and process id where it is empty.",
     [](Config& c) -> std::string& { return c.worker.name; }},

    {"admin.listen", "127.0.0.1:9464",
     "Address and port of /livez, /readyz and /metrics; port 0 takes any that is free.",
     [](Config& c) -> std::string& { return c.admin.listen; }, 0, 0, "", kRestart, Needed::no, Shape::listen},

    {"log.level", "info", "The least level that is logged.", [](Config& c) -> log::Level& { return c.log.level; }, 0, 0,
     "", kLive},
    {"log.format", "auto", "auto is text on a terminal and JSON elsewhere.",
     [](Config& c) -> log::Format& { return c.log.format; }},

    {"roles", "intake,deliver,observe,sweep,publish", "The loops that this process runs.",
     [](Config& c) -> std::vector<std::string>& { return c.roles; }, 0, 0, "", kRestart, Needed::no, Shape::role},
    {"sources", "", "Who may send which events; a source that is not listed may send nothing.",
     [](Config& c) -> std::vector<SourceBinding>& { return c.sources; }, 0, 0, "", kLive},
};

}  // namespace

std::span<const Setting> settings() { return kSettings; }

}  // namespace peerwright::config
