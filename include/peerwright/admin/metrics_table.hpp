#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

// All metrics of this program, in one table: name, type, labels, help. Whoever names one in a call is checked against
// it by the compiler.
namespace peerwright::admin {

enum class MetricType { counter, gauge, histogram };

inline constexpr std::string_view kMetricPrefix = "peerwright_";
inline constexpr std::size_t kMaxLabels = 2;

struct MetricRow {
  std::string_view name;  // without the prefix
  MetricType type;
  std::array<std::string_view, kMaxLabels> labels;  // empty ones stand last
  std::string_view help;
};

inline constexpr MetricRow kMetricTable[] = {
    {"build_info", MetricType::gauge, {"version"}, "1; the label says which version runs."},
    {"config_last_reload_successful",
     MetricType::gauge,
     {},
     "1 while the last reload of the configuration was taken over, else 0."},
    {"halted",
     MetricType::gauge,
     {},
     "1 while all loops stand still until an operator decides, as after a restored backup; else 0."},
    {"events_total",
     MetricType::counter,
     {"type", "result"},
     "Events that were executed, by type and by what was decided."},
    {"rejections_total", MetricType::counter, {"code"}, "Events that were refused by a business rule, by code."},
    {"intake_lag_messages",
     MetricType::gauge,
     {"topic", "partition"},
     "Messages that wait in the partition behind the last one executed."},
    {"intake_stalled_partitions",
     MetricType::gauge,
     {},
     "Assigned partitions that are stopped until an operator decides."},
    {"rebalances_total", MetricType::counter, {}, "How often partitions were assigned anew."},
    {"db_transaction_seconds",
     MetricType::histogram,
     {"loop"},
     "How long database transactions took, commit included."},
    {"db_errors_total", MetricType::counter, {"kind"}, "Database errors, by kind."},
    {"outbox_pending_rows", MetricType::gauge, {}, "Statuses and audit entries that are not yet in Kafka."},
    {"outbox_oldest_age_seconds", MetricType::gauge, {}, "Age of the oldest of them."},
    {"dead_letters_total", MetricType::counter, {"reason"}, "Messages that became dead letters, by reason."},
    {"delivery_proven_seconds",
     MetricType::histogram,
     {"lane"},
     "From the commit of a change to its proof on the host; lane urgent or bulk."},
    {"pushes_total", MetricType::counter, {"outcome"}, "Pushes to hosts, by outcome."},
    {"urgent_deadline_missed_total",
     MetricType::counter,
     {},
     "Times that something urgent on a server was not proven within deliver.urgent_limit_ms."},
    {"server_reachable",
     MetricType::gauge,
     {"server"},
     "1 while the host answers, 0 while it does not; NaN once another worker serves it."},
    {"server_host_key_changed",
     MetricType::gauge,
     {"server"},
     "1 while the host, or its jump host, shows another key than the registered one: nothing is sent there."},
    {"server_peers",
     MetricType::gauge,
     {"server", "state"},
     "Provisioned peers of the server by what was seen last: never, connected, idle, disconnected."},
    {"server_guard_stopped",
     MetricType::gauge,
     {"server"},
     "1 while removals that no event caused wait for an operator's word (`peerwright server approve`)."},
    {"drift_peers",
     MetricType::gauge,
     {"server", "kind"},
     "What stands otherwise on the host than it was proven to, by kind."},
    {"wireguard_bytes_total",
     MetricType::counter,
     {"server", "direction"},
     "Traffic of the server's peers; rx is what they sent, tx what they got."},
    {"leases_lost_total", MetricType::counter, {"kind"}, "Leases that another worker took over."},
    {"loop_last_iteration_timestamp_seconds",
     MetricType::gauge,
     {"loop"},
     "When the loop last came round, as Unix time."},
};

constexpr std::size_t label_count(const MetricRow& row) {
  std::size_t count = 0;
  while (count < kMaxLabels && !row.labels[count].empty()) ++count;
  return count;
}

// A metric's name in a call. "events_total" converts to it while compiling, if the table has a metric of this name, of
// this type and with this many labels; else the build fails here.
template <MetricType Type, std::size_t Labels>
class MetricName {
 public:
  template <std::size_t N>
  consteval MetricName(const char (&name)[N])
      : row_(find(std::string_view(name, N - 1))) {}  // NOLINT: meant to convert
  [[nodiscard]] constexpr std::size_t row() const { return row_; }

 private:
  static consteval std::size_t find(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kMetricTable); ++i) {
      if (kMetricTable[i].name != name) continue;
      if (kMetricTable[i].type != Type) throw "this metric is of another type";
      if (label_count(kMetricTable[i]) != Labels) throw "this metric has another number of labels";
      return i;
    }
    throw "there is no metric of this name in the table";
  }
  std::size_t row_;
};

// docs/reference/metrics.md, out of the table.
std::string metrics_reference_markdown();

}  // namespace peerwright::admin
