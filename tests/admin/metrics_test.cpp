// What Prometheus would read, and that it stays bounded.
#include "peerwright/admin/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

namespace peerwright::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

// Lines that are no comments: one for each series.
std::size_t series_in(const std::string& text) {
  std::istringstream in(text);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);) count += !line.empty() && line[0] != '#' ? 1U : 0U;
  return count;
}

TEST(Metrics, AreCountedAndTold) {
  Metrics metrics("1.2.3");
  metrics.counter("events_total", "peer.provision", "applied").add();
  metrics.counter("events_total", std::string("peer.provision"), "applied").add(2);
  metrics.gauge("outbox_pending_rows").set(7);
  metrics.histogram("delivery_proven_seconds", "urgent").observe(0.3);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("# TYPE peerwright_events_total counter\n"));
  EXPECT_THAT(text, HasSubstr("peerwright_events_total{result=\"applied\",type=\"peer.provision\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("peerwright_outbox_pending_rows 7\n"));
  EXPECT_THAT(text, HasSubstr("peerwright_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("peerwright_delivery_proven_seconds_bucket{lane=\"urgent\",le=\"0.25\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("peerwright_delivery_proven_seconds_bucket{lane=\"urgent\",le=\"0.5\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("peerwright_delivery_proven_seconds_count{lane=\"urgent\"} 1\n"));
}

TEST(Metrics, AnAmountBelowZeroIsIgnored) {
  Metrics metrics("v");
  const Counter counter = metrics.counter("rebalances_total");
  counter.add(2);
  counter.add(-1);
  EXPECT_THAT(metrics.text(), HasSubstr("peerwright_rebalances_total 2\n"));
}

TEST(Metrics, ManyServersAreCountedTogether) {
  Metrics metrics("v");
  for (std::size_t i = 0; i < Metrics::kMaxServers + 10; ++i) {
    metrics.gauge("server_reachable", "s" + std::to_string(i)).set(1);
  }
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("peerwright_server_reachable{server=\"s499\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("server=\"s500\"")));
  EXPECT_THAT(text, HasSubstr("peerwright_server_reachable{server=\"_other\"} 1\n"));
}

TEST(Metrics, AllSeriesTogetherStayWithinTheBound) {
  Metrics metrics("v");
  for (std::size_t i = 0; i < Metrics::kMaxSeries; ++i) {
    const std::string name = "x" + std::to_string(i);
    metrics.histogram("db_transaction_seconds", name).observe(1);
    metrics.counter("rejections_total", name).add();
    metrics.gauge("intake_lag_messages", name, "0").set(1);
  }
  // Those without labels are few and always there.
  metrics.gauge("outbox_oldest_age_seconds").set(1);
  const std::string text = metrics.text();
  const std::size_t count = series_in(text);
  EXPECT_LE(count, Metrics::kMaxSeries);
  EXPECT_GT(count, Metrics::kMaxSeries * 9 / 10);
  EXPECT_THAT(text, HasSubstr("peerwright_rejections_total{code=\"_other\"} "));
  EXPECT_THAT(text, HasSubstr("peerwright_outbox_oldest_age_seconds 1\n"));
}

TEST(Metrics, ALabelCannotSpoilTheAnswer) {
  Metrics metrics("v");
  metrics.counter("rejections_total", "a\"b\n\xff" + std::string(1000, 'z')).add();
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("code=\"a\\\"b??zzz"));
  EXPECT_LT(text.find("} 1\n", text.find("rejections_total{")) - text.find("rejections_total{"), 200U);
}

TEST(Metrics, ThreadsShareOneSeries) {
  Metrics metrics("v");
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const Counter mine = metrics.counter("pushes_total", "applied");
      for (int i = 0; i < kEach; ++i) {
        mine.add();
        metrics.counter("dead_letters_total", std::to_string(i % 3)).add();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.text(), HasSubstr("peerwright_pushes_total{outcome=\"applied\"} 20000\n"));
}

TEST(MetricsTable, NamesAreUniqueAndFollowTheirType) {
  std::set<std::string_view> names;
  for (const MetricRow& row : kMetricTable) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.name.ends_with("_total"), row.type == MetricType::counter) << row.name;
    EXPECT_EQ(row.help.back(), '.') << row.name;
  }
}

TEST(MetricsDocument, TheReferenceIsTheTable) {
  const std::string path = PEERWRIGHT_SOURCE_DIR "/docs/reference/metrics.md";
  if (std::getenv("PEERWRIGHT_UPDATE_DOCS") != nullptr) std::ofstream(path) << metrics_reference_markdown();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), metrics_reference_markdown()) << "run with PEERWRIGHT_UPDATE_DOCS=1 to write it anew";
}

}  // namespace
}  // namespace peerwright::admin
