#include "client.hpp"
#include "peerwright/broker/admin.hpp"

namespace peerwright::broker {
namespace {

constexpr const char* kRemedy = "give the demonstration a real broker instead";

class MockBroker final : public DevBroker {
 public:
  Result<void> start(const std::vector<NewTopic>& topics);
  const std::string& brokers() const override { return brokers_; }

 private:
  std::unique_ptr<Client> client_;  // outlives its cluster
  MockCluster cluster_;
  std::string brokers_;
};

// The first member of a group waits 3 s for others. Newer versions of librdkafka can be told not to; a template, so
// that an older one, which does not know the function, compiles too.
template <typename Cluster>
void join_at_once([[maybe_unused]] Cluster* cluster) {
  if constexpr (requires { rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0); }) {
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
  }
}

Result<void> MockBroker::start(const std::vector<NewTopic>& topics) {
  auto client =
      Client::start(RD_KAFKA_PRODUCER, Conf(rd_kafka_conf_new()), std::make_shared<Link>("dev broker"), nullptr);
  if (!client) return permanent("dev_broker_failed", client.error().message, kRemedy);
  client_ = std::move(*client);
  cluster_.reset(rd_kafka_mock_cluster_new(client_->raw(), 1));
  if (cluster_ == nullptr) return permanent("dev_broker_failed", "no port of 127.0.0.1 could be listened on", kRemedy);
  join_at_once(cluster_.get());
  for (const NewTopic& topic : topics) {
    const auto error = rd_kafka_mock_topic_create(cluster_.get(), topic.name.c_str(), topic.partitions, 1);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return permanent("dev_broker_failed", "topic " + topic.name + ": " + rd_kafka_err2str(error), kRemedy);
    }
  }
  brokers_ = rd_kafka_mock_cluster_bootstraps(cluster_.get());
  return {};
}

}  // namespace

Result<std::unique_ptr<DevBroker>> DevBroker::start(const std::vector<NewTopic>& topics) {
  auto broker = std::make_unique<MockBroker>();
  if (auto started = broker->start(topics); !started) return tl::unexpected(started.error());
  return broker;
}

}  // namespace peerwright::broker
