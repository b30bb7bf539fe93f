#include "peerwright/broker/slice.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "client.hpp"
#include "raw_message.hpp"
#include "settings.hpp"

namespace peerwright::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollStep{100};

// A partition that is being read, up to where its log ended when this began.
struct Reading {
  std::int64_t next = 0;
  std::int64_t end = 0;
  std::size_t taken = 0;
};

class SliceReader {
 public:
  SliceReader(Client& client, const Slice& slice, Clock::time_point deadline)
      : client_(client), slice_(slice), deadline_(deadline), queue_(rd_kafka_queue_new(client.raw())) {}

  ~SliceReader() {
    for (const std::int32_t number : started_) rd_kafka_consume_stop(topic_.get(), number);
  }
  SliceReader(const SliceReader&) = delete;
  SliceReader& operator=(const SliceReader&) = delete;

  Result<std::vector<Message>> read() {
    // The settings of the client's own consumers do not reach those without a group.
    rd_kafka_topic_conf_t* const conf = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set(conf, "auto.offset.reset", "error", nullptr, 0);
    rd_kafka_topic_conf_set(conf, "auto.commit.enable", "false", nullptr, 0);
    topic_.reset(rd_kafka_topic_new(client_.raw(), slice_.topic.c_str(), conf));
    auto begun = find_ranges();
    if (!begun) return tl::unexpected(begun.error());
    for (const auto& [number, reading] : readings_) {
      if (rd_kafka_consume_start_queue(topic_.get(), number, reading.next, queue_.get()) != 0) {
        return unreachable("partition " + place(number) + " cannot be read");
      }
      started_.insert(number);
    }
    while (!readings_.empty()) {
      if (auto taken = take(); !taken) return tl::unexpected(taken.error());
    }
    return in_order();
  }

 private:
  [[nodiscard]] std::string place(std::int32_t number) const { return slice_.topic + '/' + std::to_string(number); }
  [[nodiscard]] int left() const { return milliseconds_of(left_until(deadline_)); }

  Result<std::vector<std::int32_t>> partitions() {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error = rd_kafka_metadata(client_.raw(), 0, topic_.get(), &raw, left());
    const Metadata metadata(raw);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt < 1) {
      return unreachable("the partitions of " + slice_.topic + " are not known: " + rd_kafka_err2str(error));
    }
    std::vector<std::int32_t> numbers;
    const std::int32_t count = metadata->topics[0].partition_cnt;
    for (std::int32_t number = 0; number < count; ++number) {
      if (!slice_.partition || *slice_.partition == number) numbers.push_back(number);
    }
    if (!numbers.empty()) return numbers;
    return permanent("partition_unknown", slice_.topic + " has no partition " + std::to_string(*slice_.partition),
                     "it has 0 to " + std::to_string(count - 1));
  }

  // Where each partition begins and ends; those with nothing in between are left out.
  Result<void> find_ranges() {
    const auto numbers = partitions();
    if (!numbers) return tl::unexpected(numbers.error());
    const PartitionList at_time(rd_kafka_topic_partition_list_new(static_cast<int>(numbers->size())));
    const Time* const since = std::get_if<Time>(&slice_.from);
    if (since != nullptr) {
      for (const std::int32_t number : *numbers) {
        rd_kafka_topic_partition_list_add(at_time.get(), slice_.topic.c_str(), number)->offset =
            micros_of(*since) / 1000;
      }
      const auto error = rd_kafka_offsets_for_times(client_.raw(), at_time.get(), left());
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return unreachable("the offsets at that time are not known: " + std::string(rd_kafka_err2str(error)));
      }
    }
    for (const std::int32_t number : *numbers) {
      std::int64_t low = 0, high = 0;
      const auto error =
          rd_kafka_query_watermark_offsets(client_.raw(), slice_.topic.c_str(), number, &low, &high, left());
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return unreachable("the end of " + place(number) + " is not known: " + rd_kafka_err2str(error));
      }
      std::int64_t begin = low;
      if (since != nullptr) {
        const auto* const found = rd_kafka_topic_partition_list_find(at_time.get(), slice_.topic.c_str(), number);
        begin = found->offset < 0 ? high : found->offset;  // below 0: nothing is that young
      } else if (const auto& offsets = std::get<Offsets>(slice_.from); offsets.contains(number)) {
        begin = offsets.at(number);
      }
      if (begin < low || begin > high) {
        return permanent("offset_out_of_range",
                         "offset " + std::to_string(begin) + " of " + place(number) + " is not in the log",
                         "the log holds " + std::to_string(low) + " to " + std::to_string(high));
      }
      if (begin < high) readings_[number] = {begin, high, 0};
    }
    return {};
  }

  void done(std::int32_t number) {
    readings_.erase(number);
    started_.erase(number);
    rd_kafka_consume_stop(topic_.get(), number);
  }

  Result<void> take() {
    if (Clock::now() > deadline_) return unreachable("the messages of " + slice_.topic + " did not come in time");
    const RawMessage raw(
        rd_kafka_consume_queue(queue_.get(), milliseconds_of(std::min(kPollStep, left_until(deadline_)))));
    if (raw == nullptr) return {};
    const auto found = readings_.find(raw->partition);
    if (found == readings_.end()) return {};  // of one that is done
    Reading& reading = found->second;
    if (raw->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      done(raw->partition);
      return {};
    }
    if (raw->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return transient("partition_unreadable", place(raw->partition) + ": " + rd_kafka_err2str(raw->err),
                       "look into the broker's log; reading it again may help");
    }
    if (raw->offset < reading.end) {
      bytes_ += raw->len + raw->key_len;
      if (bytes_ > kMaxSliceBytes) {
        return permanent("slice_too_large", "the messages have more than " + std::to_string(kMaxSliceBytes) + " bytes",
                         "read fewer of them");
      }
      messages_.push_back(copy_of(*raw));
      ++reading.taken;
    }
    if (raw->offset + 1 >= reading.end || reading.taken >= slice_.count) done(raw->partition);
    return {};
  }

  // By the broker's times, which never fall in a partition, as intake takes them.
  std::vector<Message> in_order() {
    std::map<std::int32_t, std::int64_t> last;
    std::vector<std::pair<std::int64_t, std::size_t>> order;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      std::int64_t& time = last[messages_[i].partition.number];
      time = std::max(time, messages_[i].timestamp_ms);
      order.emplace_back(time, i);
    }
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      const Message& one = messages_[a.second];
      const Message& other = messages_[b.second];
      return std::tuple(a.first, one.partition.number, one.offset) <
             std::tuple(b.first, other.partition.number, other.offset);
    });
    if (order.size() > slice_.count) order.resize(slice_.count);
    std::vector<Message> sorted;
    sorted.reserve(order.size());
    for (const auto& [time, i] : order) sorted.push_back(std::move(messages_[i]));
    return sorted;
  }

  Client& client_;
  const Slice& slice_;
  Clock::time_point deadline_;
  Queue queue_;
  Topic topic_;
  std::map<std::int32_t, Reading> readings_;
  std::set<std::int32_t> started_;
  std::vector<Message> messages_;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<std::vector<Message>> read_slice(const Connection& connection, const Slice& slice,
                                        std::chrono::milliseconds deadline) {
  auto conf = make_conf(connection, consumer_settings());
  if (!conf) return tl::unexpected(conf.error());
  const auto client =
      Client::start(RD_KAFKA_CONSUMER, std::move(*conf), std::make_shared<Link>("slice reader"), nullptr);
  if (!client) return tl::unexpected(client.error());
  return SliceReader(**client, slice, Clock::now() + deadline).read();
}

}  // namespace peerwright::broker
