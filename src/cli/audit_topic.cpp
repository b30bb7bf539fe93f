#include "audit_topic.hpp"

#include <chrono>
#include <iostream>

#include "peerwright/base/seal.hpp"

namespace peerwright::cli {
namespace {

constexpr std::chrono::milliseconds kTimeout{10'000};
constexpr std::chrono::seconds kTellEvery{10};
constexpr std::size_t kAtOnce = 500;  // entries of one transaction
constexpr std::size_t kBytesAtOnce = std::size_t{16} * 1024 * 1024;
constexpr std::int64_t kFirstStep = 1024;       // messages back from the end
constexpr std::int64_t kMostRepeated = 10'000;  // entries that the publisher may have sent again: publish.batch_rows

std::string name_of_head(const Json& row) { return std::to_string(row.at("entries").get<std::int64_t>()); }
constexpr View kView{"databases", name_of_head, {}};

}  // namespace

Result<std::int64_t> first_behind(broker::TopicScan& scan, std::int32_t partition, std::int64_t after) {
  const auto range = scan.ranges().at(static_cast<std::size_t>(partition));
  for (std::int64_t back = kFirstStep; range.high - back > range.low; back *= 4) {
    if (auto started = scan.start(partition, range.high - back); !started) return tl::unexpected(started.error());
    const auto message = scan.next(partition, kTimeout);
    if (!message) return tl::unexpected(message.error());
    if (!*message) continue;
    const auto entry = store::published_audit((*message)->payload);
    if (!entry) return tl::unexpected(entry.error());
    if (entry->row.chain_no + kMostRepeated <= after) return range.high - back;
  }
  return range.low;
}

Result<AuditTopic> AuditTopic::open(const broker::Connection& connection, const std::string& topic,
                                    std::int64_t after) {
  AuditTopic opened;
  const auto ends = broker::end_messages(connection, topic, kTimeout);
  if (!ends) return tl::unexpected(ends.error());
  auto scan = broker::TopicScan::open(connection, topic, kTimeout);
  if (!scan) return tl::unexpected(scan.error());
  opened.scan_ = *std::move(scan);
  const auto& ranges = opened.scan_->ranges();
  opened.heads_.resize(ranges.size());
  opened.ended_.assign(ranges.size(), true);
  for (const broker::Ends& partition : *ends) {
    auto entry = store::published_audit(partition.last.payload);
    if (!entry) return tl::unexpected(entry.error());
    const bool may_have_more = entry->row.chain_no + kMostRepeated > after;
    opened.tail_.push_back(std::move(entry->row));
    if (!may_have_more) continue;
    const std::int32_t number = partition.last.partition.number;
    const auto from = first_behind(*opened.scan_, number, after);
    if (!from) return tl::unexpected(from.error());
    if (auto started = opened.scan_->start(number, *from); !started) return tl::unexpected(started.error());
    opened.ended_.at(static_cast<std::size_t>(number)) = false;
  }
  return opened;
}

// Until the partition has an entry behind `after` at hand, or none any more.
Result<void> AuditTopic::fill(std::size_t partition, std::int64_t after) {
  auto& head = heads_[partition];
  while (!ended_[partition] && (!head || head->row.chain_no <= after)) {
    auto message = scan_->next(static_cast<std::int32_t>(partition), kTimeout);
    if (!message) return tl::unexpected(message.error());
    head.reset();
    if (!*message) {
      ended_[partition] = true;
      break;
    }
    auto entry = store::published_audit((*message)->payload);
    if (!entry) return tl::unexpected(entry.error());
    head = *std::move(entry);
  }
  if (head && head->row.chain_no <= after) head.reset();
  return {};
}

Result<std::optional<store::PublishedAudit>> AuditTopic::next(std::int64_t after) {
  std::optional<std::size_t> least;
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    if (auto filled = fill(i, after); !filled) return tl::unexpected(filled.error());
    if (heads_[i] && (!least || heads_[i]->row.chain_no < heads_[*least]->row.chain_no)) least = i;
  }
  if (!least) return std::optional<store::PublishedAudit>();
  if (heads_[*least]->row.chain_no != after + 1) {
    return permanent("audit_chain_broken", "entry " + std::to_string(after + 1) + " is missing in the audit topic",
                     "keep this topic without limit; what is lost there comes back with a backup alone");
  }
  return std::exchange(heads_[*least], std::nullopt);
}

Result<std::int64_t> fold_all(AuditTopic& topic, store::RecoverStore& store) {
  const auto head = store.head();
  if (!head) return tl::unexpected(head.error());
  std::int64_t last = head->chain_no;
  auto told = std::chrono::steady_clock::now();
  for (bool more = true; more;) {
    std::vector<store::PublishedAudit> entries;
    std::size_t bytes = 0;
    while (entries.size() < kAtOnce && bytes < kBytesAtOnce) {
      auto entry = topic.next(last);
      if (!entry) return tl::unexpected(entry.error());
      more = entry->has_value();
      if (!more) break;
      last = (*entry)->row.chain_no;
      bytes += (*entry)->row.body.size();
      entries.push_back(**std::move(entry));
    }
    if (auto folded = store.fold(entries); !folded) return tl::unexpected(folded.error());
    if (std::chrono::steady_clock::now() - told < kTellEvery) continue;
    told = std::chrono::steady_clock::now();
    std::cerr << "folded up to entry " << last << '\n';
  }
  return last - head->chain_no;
}

void print_resumed(const Globals& globals, std::int64_t folded, const store::RecoverStore::Head& head,
                   const store::RecoverStore::Resumed& resumed, const std::string& digest) {
  print_one(globals.format, kView,
            Json{{"entries", head.chain_no},
                 {"folded", folded},
                 {"digest", digest},
                 {"servers_in_doubt", resumed.servers},
                 {"removals_to_prove", resumed.removals}});
}

}  // namespace peerwright::cli
