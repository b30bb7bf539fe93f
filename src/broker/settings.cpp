#include "settings.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace peerwright::broker {
namespace {

constexpr Setting kCommon[] = {
    {"client.id", "peerwright"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},  // a single event must not wait for company
    // A broker that stands still, with its connections open, is left for another one after this; the default is 60 s.
    {"socket.timeout.ms", "10000"},
    {"reconnect.backoff.max.ms", "2000"},  // an outage ends for us at most 2 s after it ended; the default is 10 s
    {"topic.metadata.refresh.interval.ms", "30000"},  // added partitions are noticed within this
    {"message.max.bytes", "12582912"},                // kMessageMaxBytes
    {"log.connection.close", "false"},                // idle connections are closed by brokers as a matter of course
};

constexpr Setting kConsumer[] = {
    // The promises: positions are ours, nothing is skipped in silence, nothing uncommitted is read.
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"enable.partition.eof", "true"},
    {"partition.assignment.strategy", "range"},  // cooperative-sticky hangs in rebalances in librdkafka 2.0.2
    {"check.crcs", "true"},                      // a damaged batch is a fault, never a message
    {"session.timeout.ms", "45000"},
    {"heartbeat.interval.ms", "1000"},  // a rebalance is noticed within this; the default is 3 s
    // The broker answers a waiting fetch the moment a message is there, whatever this says; it bounds how long a fetch
    // that is already waiting delays a partition that joins it after an assignment, a restart or a pause. Shorter would
    // only buy requests: 10 ms are 100 a second and broker from an idle worker.
    {"fetch.wait.max.ms", "50"},
    {"fetch.min.bytes", "1"},
    // Also the pause after the local queue was full, in librdkafka before 2.2; then fetch.queue.backoff.ms is.
    {"fetch.error.backoff.ms", "20"},
    {"fetch.queue.backoff.ms", "20"},
    // Memory: the local queue, one answer of a broker, one partition's share of it. A broker sends at least one message
    // whatever its size, so a share of 1 MiB does not stop one of 10 MB.
    {"queued.max.messages.kbytes", "8192"},
    {"fetch.message.max.bytes", "1048576"},
    {"fetch.max.bytes", "12582912"},            // not below message.max.bytes
    {"receive.message.max.bytes", "26214400"},  // an answer: fetch.max.bytes, or one message over it
};

constexpr Setting kProducer[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"partitioner", "murmur2_random"},  // where a Java producer puts the same key
    {"linger.ms", "1"},                 // a lone message waits a millisecond, a batch fills while it is handed over
    {"batch.size", "1000000"},          // kBatchBytes
    {"batch.num.messages", "10000"},
    {"message.timeout.ms", "0"},                    // send() has its own deadline and takes back what it did not keep
    {"topic.metadata.propagation.max.ms", "5000"},  // how long a topic may stay unknown before its messages fail
    {"queue.buffering.max.messages", "100000"},
    {"queue.buffering.max.kbytes", "32768"},  // memory; send() waits where it is full
};

struct Guarded {
  std::string_view name;
  const char* reason;
};

constexpr const char* kReading = "what is read, from where and when it counts is decided by the positions in Postgres";
constexpr const char* kWriting = "messages are written once and in order, to the partition of their key";
constexpr const char* kElsewhere = "it has a setting of its own";

// Refused in `properties`, under every name that librdkafka knows them by.
constexpr Guarded kGuarded[] = {
    {"auto.offset.reset", kReading},
    {"enable.auto.commit", kReading},
    {"auto.commit.enable", kReading},
    {"enable.auto.offset.store", kReading},
    {"isolation.level", kReading},
    {"enable.partition.eof", kReading},
    {"partition.assignment.strategy", kReading},
    {"group.protocol", kReading},
    {"enable.idempotence", kWriting},
    {"acks", kWriting},
    {"request.required.acks", kWriting},
    {"partitioner", kWriting},
    {"transactional.id", kWriting},
    {"message.timeout.ms", "how long a message may take is the deadline of its sender"},
    {"delivery.timeout.ms", "how long a message may take is the deadline of its sender"},
    {"message.max.bytes", "what is read and what is written share one limit"},
    {"bootstrap.servers", kElsewhere},
    {"metadata.broker.list", kElsewhere},
    {"group.id", kElsewhere},
};

// Values that librdkafka must not quote back to us.
bool holds_secret(std::string_view name) {
  constexpr std::string_view kWords[] = {"password", "secret", ".pem", "oauthbearer.config"};
  return std::ranges::any_of(kWords, [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

tl::unexpected<Error> refused(std::string_view name, const char* what_librdkafka_says) {
  std::string message = "Kafka setting " + std::string(name) + " is not accepted";
  if (!holds_secret(name) && *what_librdkafka_says != '\0') message += std::string(": ") + what_librdkafka_says;
  return permanent("kafka_setting_invalid", std::move(message),
                   "correct it, or remove it; librdkafka's CONFIGURATION.md lists the names and their values");
}

// `quotable`: whether librdkafka's own words, which repeat the value, may be shown.
Result<void> set_value(const Conf& conf, const std::string& name, const char* value, bool quotable) {
  std::array<char, 512> why{};
  const auto answer = rd_kafka_conf_set(conf.get(), name.c_str(), value, why.data(), why.size());
  if (answer == RD_KAFKA_CONF_OK) return {};
  return refused(name, quotable ? why.data() : "");
}

Result<void> check_guarded(const std::string& name) {
  const auto* const found = std::ranges::find(kGuarded, name, &Guarded::name);
  if (found == std::end(kGuarded)) return {};
  return permanent("kafka_setting_invalid", "Kafka setting " + name + " cannot be set: " + found->reason,
                   "remove " + name + " from the Kafka properties");
}

// A name that only newer versions of librdkafka know is left out: CONF_UNKNOWN is no fault of anybody's.
Result<void> set_ours(const Conf& conf, std::span<const Setting> settings) {
  std::array<char, 512> why{};
  for (const Setting& s : settings) {
    if (rd_kafka_conf_set(conf.get(), s.name, s.value, why.data(), why.size()) == RD_KAFKA_CONF_INVALID) {
      return refused(s.name, why.data());
    }
  }
  return {};
}

Result<void> set_theirs(const Conf& conf, const Connection& connection) {
  for (const auto& [name, value] : connection.properties) {
    if (auto ok = check_guarded(name); !ok) return ok;
    if (auto ok = set_value(conf, name, value.c_str(), true); !ok) return ok;
  }
  for (const auto& [name, value] : connection.secret_properties) {
    if (auto ok = check_guarded(name); !ok) return ok;
    std::string open(value.reveal());
    auto ok = set_value(conf, name, open.c_str(), false);
    wipe(open);
    if (!ok) return ok;
  }
  return {};
}

}  // namespace

std::span<const Setting> consumer_settings() { return kConsumer; }
std::span<const Setting> producer_settings() { return kProducer; }

Result<void> set(const Conf& conf, const char* name, const std::string& value) {
  return set_value(conf, name, value.c_str(), true);
}

Result<Conf> make_conf(const Connection& connection, std::span<const Setting> ours) {
  if (connection.brokers.empty()) {
    return permanent("kafka_setting_invalid", "no Kafka broker is named", "name at least one as host:port");
  }
  Conf conf(rd_kafka_conf_new());
  if (auto ok = set_ours(conf, kCommon); !ok) return tl::unexpected(ok.error());
  if (auto ok = set_ours(conf, ours); !ok) return tl::unexpected(ok.error());
  if (auto ok = set_theirs(conf, connection); !ok) return tl::unexpected(ok.error());
  if (auto ok = set(conf, "bootstrap.servers", connection.brokers); !ok) return tl::unexpected(ok.error());
  return conf;
}

}  // namespace peerwright::broker
