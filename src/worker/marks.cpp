#include "marks.hpp"

#include <algorithm>
#include <set>

namespace peerwright::worker {
namespace {

constexpr std::chrono::milliseconds kAskTimeout{1000};
constexpr int kMostShare = 10;  // asking takes at most so much of the thread's time: one part in ten

}  // namespace

void Marks::forget() {
  reached_.clear();
  asked_.clear();
}

void Marks::keep(broker::Consumer& consumer, const Offsets& committed) {
  const auto begun = std::chrono::steady_clock::now();
  if (begun >= next_ && !committed.empty()) {
    ask(consumer, committed);
    const auto ended = std::chrono::steady_clock::now();
    const std::chrono::steady_clock::duration interval = std::chrono::milliseconds(context_.config()->intake.mark_ms);
    next_ = ended + std::max(interval - (ended - begun), (ended - begun) * kMostShare);
  }
  settle(committed);
}

void Marks::ask(broker::Consumer& consumer, const Offsets& committed) {
  const auto now = store_.clock();
  if (!now) return;
  std::set<std::string> topics;
  for (const auto& [key, offset] : committed) {
    topics.insert(key.first);
    if (asked_.contains(key)) continue;  // under load the end runs away: the one that was asked for first counts
    const auto marks = consumer.watermarks({key.first, key.second}, kAskTimeout);
    if (!marks) return;
    asked_[key] = {*now, marks->high};
  }
  for (const std::string& topic : topics) {
    const auto count = consumer.partition_count(topic, kAskTimeout);
    if (!count) return;
    const auto known = counts_.find(topic);
    if (known == counts_.end() || known->second != *count) fresh_counts_[topic] = *count;
  }
}

void Marks::settle(const Offsets& committed) {
  std::vector<store::CaughtUp> marks;
  for (const auto& [key, asked] : asked_) {
    const auto stands = committed.find(key);
    const auto reached = reached_.find(key);
    if (stands == committed.end() || reached == reached_.end() || reached->second < asked.end) continue;
    marks.push_back({key.first, key.second, stands->second, asked.at});
  }
  if (marks.empty() && fresh_counts_.empty()) return;
  if (!store_.note_caught_up(marks, fresh_counts_)) return;
  for (const store::CaughtUp& mark : marks) asked_.erase({mark.topic, mark.partition});
  for (const auto& [topic, count] : fresh_counts_) counts_[topic] = count;
  fresh_counts_.clear();
}

}  // namespace peerwright::worker
