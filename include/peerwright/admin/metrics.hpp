#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "peerwright/admin/metrics_table.hpp"

namespace peerwright::admin {

// One series. Copied like a pointer, valid as long as its Metrics; safe from every thread, and as cheap as one atomic
// operation: keep it where a loop uses it often.
class Counter {
 public:
  void add(double amount = 1) const;  // amounts below 0 are ignored

 private:
  friend class Metrics;
  explicit Counter(void* series) : series_(series) {}
  void* series_;
};

class Gauge {
 public:
  void set(double value) const;

 private:
  friend class Metrics;
  explicit Gauge(void* series) : series_(series) {}
  void* series_;
};

class Histogram {
 public:
  void observe(double seconds) const;  // takes a short lock

 private:
  friend class Metrics;
  explicit Histogram(void* series) : series_(series) {}
  void* series_;
};

// What this process counts, for Prometheus. Safe from every thread. Memory is bounded: beyond kMaxSeries, and for the
// label `server` beyond kMaxServers values, what is new goes to a series labelled "_other".
//
//   metrics.counter("events_total", type, result).add();
class Metrics {
 public:
  static constexpr std::size_t kMaxSeries = 10'000;  // lines of text(); a histogram has one for each bucket and 3 more
  static constexpr std::size_t kMaxServers = 500;
  static constexpr std::size_t kMaxLabelBytes = 128;  // longer values are cut
  static constexpr std::string_view kOther = "_other";

  explicit Metrics(std::string_view version);  // for build_info
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The series with these values of the labels, in the table's order; made when first asked for.
  template <typename... Labels>
  Counter counter(std::type_identity_t<MetricName<MetricType::counter, sizeof...(Labels)>> name,
                  const Labels&... labels) {
    return Counter(child(name.row(), labels...));
  }
  template <typename... Labels>
  Gauge gauge(std::type_identity_t<MetricName<MetricType::gauge, sizeof...(Labels)>> name, const Labels&... labels) {
    return Gauge(child(name.row(), labels...));
  }
  template <typename... Labels>
  Histogram histogram(std::type_identity_t<MetricName<MetricType::histogram, sizeof...(Labels)>> name,
                      const Labels&... labels) {
    return Histogram(child(name.row(), labels...));
  }

  // Everything in Prometheus' text format, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  template <typename... Labels>
  void* child(std::size_t row, const Labels&... labels) {
    const std::array<std::string_view, sizeof...(Labels)> values{std::string_view(labels)...};
    return series(row, values);
  }
  void* series(std::size_t row, std::span<const std::string_view> values);

  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerwright::admin
