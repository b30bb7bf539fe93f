#include "peerwright/broker/admin.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include "client.hpp"
#include "settings.hpp"

namespace peerwright::broker {
namespace {

using Clock = std::chrono::steady_clock;

// A topic is known to its brokers a moment after the controller has made it.
constexpr std::chrono::milliseconds kVisibleStep{20};
constexpr int kDefaultReplication = -1;  // the broker's default.replication.factor

bool is_transient(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
      return true;
    default:
      return false;
  }
}

tl::unexpected<Error> failure(const std::string& what, rd_kafka_resp_err_t error, const char* text) {
  const std::string said = what + ": " + (text == nullptr ? rd_kafka_err2str(error) : text);
  if (is_transient(error)) return unreachable(said);
  return permanent("kafka_topic_refused", said,
                   "correct its name, its number of partitions or its settings, or create it by other means");
}

Result<TopicOrder> order_of(const NewTopic& topic) {
  std::array<char, 512> why{};
  TopicOrder order(
      rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, kDefaultReplication, why.data(), why.size()));
  if (order == nullptr) {
    return failure("topic " + topic.name, RD_KAFKA_RESP_ERR__INVALID_ARG, why.data());
  }
  for (const auto& [name, value] : topic.settings) {
    rd_kafka_NewTopic_set_config(order.get(), name.c_str(), value.c_str());
  }
  return order;
}

Result<void> ask(const Client& client, const std::vector<TopicOrder>& orders, Clock::time_point deadline) {
  std::vector<rd_kafka_NewTopic_t*> raw;
  raw.reserve(orders.size());
  for (const auto& order : orders) raw.push_back(order.get());
  const AdminOptions options(rd_kafka_AdminOptions_new(client.raw(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  std::array<char, 512> why{};
  const int limit = std::max(milliseconds_of(left_until(deadline)), 1);
  rd_kafka_AdminOptions_set_request_timeout(options.get(), limit, why.data(), why.size());
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), limit, why.data(), why.size());
  const Queue queue(rd_kafka_queue_new(client.raw()));
  rd_kafka_CreateTopics(client.raw(), raw.data(), raw.size(), options.get(), queue.get());

  const Event event(rd_kafka_queue_poll(queue.get(), limit));
  if (event == nullptr) return unreachable("the topics were not created in time");
  if (const auto error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure("the topics were not created", error, rd_kafka_event_error_string(event.get()));
  }
  std::size_t count = 0;
  const auto* const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    return failure(std::string("topic ") + rd_kafka_topic_result_name(results[i]), error,
                   rd_kafka_topic_result_error_string(results[i]));
  }
  return {};
}

bool is_usable(const rd_kafka_metadata_topic_t& topic) {
  return topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0 &&
         std::all_of(topic.partitions, topic.partitions + topic.partition_cnt,
                     [](const rd_kafka_metadata_partition_t& p) { return p.leader >= 0; });
}

Result<void> wait_until_usable(const Client& client, const std::string& name, Clock::time_point deadline) {
  const Topic topic(rd_kafka_topic_new(client.raw(), name.c_str(), nullptr));
  while (Clock::now() < deadline) {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error = rd_kafka_metadata(client.raw(), 0, topic.get(), &raw, milliseconds_of(left_until(deadline)));
    const Metadata answer(raw);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && answer->topic_cnt == 1 && is_usable(answer->topics[0])) return {};
    std::this_thread::sleep_for(std::min(kVisibleStep, left_until(deadline)));
  }
  return unreachable("topic " + name + " was created, but no broker leads its partitions yet");
}

}  // namespace

Result<void> create_topics(const Connection& connection, const std::vector<NewTopic>& topics,
                           std::chrono::milliseconds deadline) {
  const auto limit = Clock::now() + deadline;
  if (topics.empty()) return {};
  auto conf = make_conf(connection, {});
  if (!conf) return tl::unexpected(conf.error());
  const auto client =
      Client::start(RD_KAFKA_PRODUCER, std::move(*conf), std::make_shared<Link>("topic creator"), nullptr);
  if (!client) return tl::unexpected(client.error());
  std::vector<TopicOrder> orders;
  for (const auto& topic : topics) {
    auto order = order_of(topic);
    if (!order) return tl::unexpected(order.error());
    orders.push_back(std::move(*order));
  }
  if (auto asked = ask(**client, orders, limit); !asked) return asked;
  for (const auto& topic : topics) {
    if (auto ready = wait_until_usable(**client, topic.name, limit); !ready) return ready;
  }
  return {};
}

}  // namespace peerwright::broker
