#include "peerwright/admin/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>
#include <variant>
#include <vector>

namespace peerwright::admin {
namespace {

// From a fast commit to a host that comes back after minutes; dense around the promised second.
const prometheus::Histogram::BucketBoundaries& buckets() {
  static const prometheus::Histogram::BucketBoundaries kSeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                                0.5,   0.75,   1,     2,    5,     10,   60,  300};
  return kSeconds;
}

std::size_t lines_of(MetricType type) {
  constexpr std::size_t kSumCountAndInfinity = 3;
  return type == MetricType::histogram ? buckets().size() + kSumCountAndInfinity : 1;
}

// Prometheus throws away a whole answer that is not UTF-8, and labels may come from events.
std::string label_value(std::string_view value) {
  std::string out(value.substr(0, Metrics::kMaxLabelBytes));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return out;
}

}  // namespace

class Metrics::Impl {
 public:
  Impl() {
    for (const MetricRow& row : kMetricTable) {
      families_.push_back(make_family(row));
      // The series for what exceeds a bound has its place from the beginning.
      if (label_count(row) > 0) lines_ += lines_of(row.type);
    }
  }

  void* series(std::size_t row, std::span<const std::string_view> values) {
    const std::string key = key_of(row, values);
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = series_.find(key); found != series_.end()) return found->second;
    }
    const std::unique_lock lock(mutex_);
    if (const auto found = series_.find(key); found != series_.end()) return found->second;
    const bool other = !values.empty() && !takes_one_more(row, values);
    if (!other) lines_ += lines_of(kMetricTable[row].type);
    return other ? other_series(row) : series_.emplace(key, add(row, values)).first->second;
  }

  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

 private:
  using Family = std::variant<prometheus::Family<prometheus::Counter>*, prometheus::Family<prometheus::Gauge>*,
                              prometheus::Family<prometheus::Histogram>*>;

  static std::string key_of(std::size_t row, std::span<const std::string_view> values) {
    std::string key(1, static_cast<char>(row));
    for (const std::string_view value : values) {
      key += value.substr(0, kMaxLabelBytes);
      key += '\0';
    }
    return key;
  }

  Family make_family(const MetricRow& row) {
    const std::string name = std::string(kMetricPrefix) + std::string(row.name);
    const std::string help(row.help);
    switch (row.type) {
      case MetricType::counter:
        return &prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
      case MetricType::gauge:
        return &prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
      case MetricType::histogram:
        break;
    }
    return &prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
  }

  bool takes_one_more(std::size_t row, std::span<const std::string_view> values) {
    if (lines_ + lines_of(kMetricTable[row].type) > kMaxSeries) return false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (kMetricTable[row].labels[i] != "server" || servers_.contains(label_value(values[i]))) continue;
      if (servers_.size() == kMaxServers) return false;
      servers_.insert(label_value(values[i]));
    }
    return true;
  }

  void* other_series(std::size_t row) {
    const std::vector<std::string_view> values(label_count(kMetricTable[row]), kOther);
    const std::string key = key_of(row, values);
    if (const auto found = series_.find(key); found != series_.end()) return found->second;
    return series_.emplace(key, add(row, values)).first->second;
  }

  void* add(std::size_t row, std::span<const std::string_view> values) {
    prometheus::Labels labels;
    for (std::size_t i = 0; i < values.size(); ++i) {
      labels[std::string(kMetricTable[row].labels[i])] = label_value(values[i]);
    }
    // The same labels give the same series, so that values which differ only in what label_value drops share one.
    struct Add {
      const prometheus::Labels& labels;
      void* operator()(prometheus::Family<prometheus::Counter>* family) const { return &family->Add(labels); }
      void* operator()(prometheus::Family<prometheus::Gauge>* family) const { return &family->Add(labels); }
      void* operator()(prometheus::Family<prometheus::Histogram>* family) const {
        return &family->Add(labels, buckets());
      }
    };
    return std::visit(Add{labels}, families_[row]);
  }

  prometheus::Registry registry_;
  std::vector<Family> families_;  // in the table's order
  std::shared_mutex mutex_;
  std::unordered_map<std::string, void*> series_;  // row and values -> the family's child
  std::set<std::string> servers_;
  std::size_t lines_ = 0;
};

void Counter::add(double amount) const { static_cast<prometheus::Counter*>(series_)->Increment(amount); }
void Gauge::set(double value) const { static_cast<prometheus::Gauge*>(series_)->Set(value); }
void Histogram::observe(double seconds) const { static_cast<prometheus::Histogram*>(series_)->Observe(seconds); }

Metrics::Metrics(std::string_view version) : impl_(std::make_unique<Impl>()) { gauge("build_info", version).set(1); }
Metrics::~Metrics() = default;

void* Metrics::series(std::size_t row, std::span<const std::string_view> values) { return impl_->series(row, values); }
std::string Metrics::text() const { return impl_->text(); }

std::string metrics_reference_markdown() {
  std::string out = R"(# Metrics

<!-- Made from the table in include/peerwright/admin/metrics_table.hpp; a test compares the two. -->

`GET /metrics` on `admin.listen` answers in Prometheus' text format. No peer, tenant or key is a label. A process keeps
at most )" + std::to_string(Metrics::kMaxSeries) +
                    " series and " + std::to_string(Metrics::kMaxServers) +
                    " servers; what exceeds that is counted together, labelled `_other`.\n\n"
                    "| Metric | Type | Labels | Says |\n|---|---|---|---|\n";
  for (const MetricRow& row : kMetricTable) {
    static constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
    std::string labels;
    for (std::size_t i = 0; i < label_count(row); ++i) {
      labels += (i == 0 ? "`" : ", `") + std::string(row.labels[i]) + '`';
    }
    out += "| `" + std::string(kMetricPrefix) + std::string(row.name) + "` | " +
           std::string(kTypes[static_cast<std::size_t>(row.type)]) + " | " + labels + " | " + std::string(row.help) +
           " |\n";
  }
  return out;
}

}  // namespace peerwright::admin
