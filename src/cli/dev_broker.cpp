#include <pthread.h>

#include <charconv>
#include <csignal>
#include <iostream>
#include <memory>
#include <optional>

#include "peerwright/broker/admin.hpp"
#include "setup.hpp"

namespace peerwright::cli {
namespace {

constexpr int kDefaultPartitions = 4;
constexpr int kMaxPartitions = 1000;

// NAME:PARTITIONS
std::optional<broker::NewTopic> topic_from(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == 0 || colon == std::string::npos) return std::nullopt;
  broker::NewTopic topic{text.substr(0, colon), 0, {}};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, topic.partitions);
  const bool right = read.ec == std::errc() && read.ptr == end && topic.partitions >= 1;
  return right && topic.partitions <= kMaxPartitions ? std::optional(topic) : std::nullopt;
}

// The topics that a worker without settings uses.
std::vector<broker::NewTopic> usual_topics() {
  const Config defaults = load_config({}).config;
  std::vector<std::string> names = defaults.kafka.event_topics;
  names.insert(names.end(),
               {defaults.kafka.status_topic, defaults.kafka.audit_topic, defaults.kafka.dead_letter_topic});
  std::vector<broker::NewTopic> topics;
  topics.reserve(names.size());
  for (const std::string& name : names) topics.push_back({name, kDefaultPartitions, {}});
  return topics;
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Action setup_dev_broker(CLI::App& app) {
  const auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("--topic", *names, "A topic to begin with (else the usual ones)")
      ->type_name("NAME:PARTITIONS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check([](const std::string& text) {
        return topic_from(text) ? std::string() : "expects NAME:PARTITIONS with 1 to 1000 partitions";
      });
  return [names](const Globals&) {
    std::vector<broker::NewTopic> topics;
    for (const std::string& name : *names) topics.push_back(*topic_from(name));
    if (topics.empty()) topics = usual_topics();
    // Blocked before the broker's threads begin, so that they inherit it and the signal comes here.
    const sigset_t signals = stop_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    const auto broker = broker::DevBroker::start(topics);
    if (!broker) return fail(broker.error());
    std::cout << "export KAFKA_BROKERS=" << (*broker)->brokers() << std::endl;
    int number = 0;
    sigwait(&signals, &number);
    return Exit::ok;
  };
}

}  // namespace peerwright::cli
