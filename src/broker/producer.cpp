#include "peerwright/broker/producer.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "client.hpp"
#include "peerwright/base/log.hpp"
#include "settings.hpp"

namespace peerwright::broker {
namespace {

using Clock = std::chrono::steady_clock;

// Delivery reports are served after this many messages were handed over, and while the queue is full.
constexpr std::size_t kServeEvery = 1000;
constexpr std::chrono::milliseconds kQueueFullWait{5};
// One look at what is still unanswered; a fatal error is noticed within this.
constexpr std::chrono::milliseconds kWaitStep{100};
// After the deadline: taking back what is unsent, and asking whether its topic exists.
constexpr std::chrono::milliseconds kTakeBackDeadline{1000};
constexpr std::chrono::milliseconds kTopicQuestionDeadline{500};

bool is_about_topic(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
         error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

bool is_taken_back(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__PURGE_QUEUE || error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

enum class State : std::uint8_t { unsent, waiting, answered };

struct Answer {
  State state = State::unsent;
  bool resent = false;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  [[nodiscard]] bool ok() const { return state == State::answered && error == RD_KAFKA_RESP_ERR_NO_ERROR; }
  // Its topic may not exist, or its broker not answer.
  [[nodiscard]] bool is_open() const {
    return state == State::waiting || (state == State::answered && (is_taken_back(error) || is_about_topic(error)));
  }
};

// Messages without a key have no order among each other.
std::string lane_of(const OutMessage& message) { return message.topic + '\0' + message.key; }

bool is_refusal(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return true;
    default:
      return false;
  }
}

const char* remedy_of(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return "raise max.message.bytes of the topic, up to 12 MiB, or make the message smaller";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "allow this user to write and describe the topic, and IdempotentWrite";
    default:
      return is_refusal(error) ? "look into the broker's log" : "check that the brokers run and can be reached";
  }
}

std::size_t size_of(const OutMessage& message) {
  std::size_t size = message.key.size() + message.payload.size();
  for (const auto& [name, value] : message.headers) size += name.size() + value.size();
  return size;
}

RawHeaders raw_headers(const Headers& headers) {
  if (headers.empty()) return nullptr;
  RawHeaders raw(rd_kafka_headers_new(headers.size()));
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(raw.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return raw;
}

// librdkafka's C API takes its bytes without const, and copies them.
rd_kafka_vu_t bytes(rd_kafka_vtype_t type, const std::string& text) {
  rd_kafka_vu_t field{};
  field.vtype = type;
  field.u.mem.ptr = const_cast<char*>(text.data());
  field.u.mem.size = text.size();
  return field;
}

class KafkaProducer final : public Producer {
 public:
  explicit KafkaProducer(Connection connection) : connection_(std::move(connection)) {}
  ~KafkaProducer() override { drop_client(); }
  Result<void> start();

  std::vector<Result<void>> send(std::span<const OutMessage> messages, std::chrono::milliseconds deadline) override;

 private:
  static void on_report(rd_kafka_t*, const rd_kafka_message_t* raw, void* opaque) {
    auto* const self = static_cast<KafkaProducer*>(Client::owner_of(opaque));
    const auto* const place = static_cast<const Answer*>(raw->_private);
    self->answer(static_cast<std::size_t>(place - self->answers_.data()), raw->err);
  }
  void answer(std::size_t index, rd_kafka_resp_err_t error);

  void hand_over_all();
  void hand_over(std::size_t index);
  rd_kafka_resp_err_t produce(std::size_t index, RawHeaders& headers);
  void wait();
  void resend_neighbours();
  void take_back();
  void ask_for_topics();
  enum class Existence { there, missing, no_answer };
  Existence ask_for(const std::string& topic, std::chrono::milliseconds timeout);
  [[nodiscard]] std::vector<Result<void>> results() const;
  [[nodiscard]] Result<void> result_of(std::size_t index) const;

  rd_kafka_topic_t* topic(const std::string& name);
  bool over() const { return client_->fatal() || Clock::now() >= deadline_; }
  void serve(std::chrono::milliseconds timeout) { rd_kafka_poll(client_->raw(), milliseconds_of(timeout)); }
  void drop_client();

  const Connection connection_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>("producer");
  std::unique_ptr<Client> client_;                 // null: the next send() makes one
  std::unordered_map<std::string, Topic> topics_;  // of this client
  // What follows belongs to the running call of send().
  std::span<const OutMessage> messages_;
  std::vector<Answer> answers_;
  std::size_t waiting_ = 0;
  std::unordered_set<std::string> failed_lanes_;
  std::unordered_set<std::string> unknown_topics_;
  Clock::time_point deadline_;
};

Result<void> KafkaProducer::start() {
  auto conf = make_conf(connection_, producer_settings());
  if (!conf) return tl::unexpected(conf.error());
  rd_kafka_conf_set_dr_msg_cb(conf->get(), &KafkaProducer::on_report);
  auto client = Client::start(RD_KAFKA_PRODUCER, std::move(*conf), link_, this);
  if (!client) return tl::unexpected(client.error());
  client_ = std::move(*client);
  return {};
}

void KafkaProducer::drop_client() {
  topics_.clear();
  client_.reset();
}

rd_kafka_topic_t* KafkaProducer::topic(const std::string& name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second.get();
  Topic made(rd_kafka_topic_new(client_->raw(), name.c_str(), nullptr));
  if (made == nullptr) return nullptr;  // an impossible name
  return topics_.emplace(name, std::move(made)).first->second.get();
}

void KafkaProducer::answer(std::size_t index, rd_kafka_resp_err_t error) {
  Answer& a = answers_[index];
  if (a.state == State::waiting) --waiting_;
  a.state = State::answered;
  a.error = error;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    link_->works();
  } else if (!messages_[index].key.empty()) {
    failed_lanes_.insert(lane_of(messages_[index]));
  }
}

rd_kafka_resp_err_t KafkaProducer::produce(std::size_t index, RawHeaders& headers) {
  const OutMessage& message = messages_[index];
  rd_kafka_topic_t* const destination = topic(message.topic);
  if (destination == nullptr) return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
  std::array<rd_kafka_vu_t, 6> fields{};
  std::size_t count = 0;
  fields[count].vtype = RD_KAFKA_VTYPE_RKT;
  fields[count++].u.rkt = destination;
  fields[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[count++].u.i = RD_KAFKA_MSG_F_COPY;
  fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[count++].u.ptr = &answers_[index];
  fields[count++] = bytes(RD_KAFKA_VTYPE_VALUE, message.payload);
  if (!message.key.empty()) fields[count++] = bytes(RD_KAFKA_VTYPE_KEY, message.key);
  if (headers != nullptr) {
    fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    fields[count++].u.headers = headers.get();
  }
  const ErrorObject error(rd_kafka_produceva(client_->raw(), fields.data(), count));
  if (error != nullptr) return rd_kafka_error_code(error.get());
  static_cast<void>(headers.release());  // the message took them
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void KafkaProducer::hand_over(std::size_t index) {
  RawHeaders headers = raw_headers(messages_[index].headers);
  while (!over()) {
    // Counted first: the answer is given by a callback, and what is refused here gets its answer here.
    answers_[index].state = State::waiting;
    ++waiting_;
    const auto error = produce(index, headers);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) return answer(index, error);
    answers_[index].state = State::unsent;
    --waiting_;
    serve(kQueueFullWait);
  }
}

void KafkaProducer::hand_over_all() {
  for (std::size_t i = 0; i < messages_.size() && !over(); ++i) {
    const bool held =
        !failed_lanes_.empty() && !messages_[i].key.empty() && failed_lanes_.contains(lane_of(messages_[i]));
    if (!held) hand_over(i);
    if (i % kServeEvery == kServeEvery - 1) serve(std::chrono::milliseconds(0));
  }
}

void KafkaProducer::wait() {
  while (waiting_ > 0 && !over()) serve(std::min(left_until(deadline_), kWaitStep));
}

// A broker refuses a whole batch for one message over the topic's limit, if that limit lies below kBatchBytes. Each of
// the batch gets a try alone, so that only the one that is too large answers for it.
void KafkaProducer::resend_neighbours() {
  for (std::size_t i = 0; i < messages_.size() && !over(); ++i) {
    Answer& a = answers_[i];
    if (a.error != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || size_of(messages_[i]) >= kBatchBytes) continue;
    a = {State::unsent, true, RD_KAFKA_RESP_ERR_NO_ERROR};
    hand_over(i);
    wait();
  }
}

// Whatever has no answer by now is not sent later behind the caller's back.
void KafkaProducer::take_back() {
  rd_kafka_purge(client_->raw(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  const auto limit = Clock::now() + kTakeBackDeadline;
  while (waiting_ > 0 && Clock::now() < limit) serve(std::min(left_until(limit), kWaitStep));
}

KafkaProducer::Existence KafkaProducer::ask_for(const std::string& name, std::chrono::milliseconds timeout) {
  rd_kafka_topic_t* const asked = topic(name);
  const rd_kafka_metadata_t* raw = nullptr;
  if (asked == nullptr ||
      rd_kafka_metadata(client_->raw(), 0, asked, &raw, milliseconds_of(timeout)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Existence::no_answer;
  }
  const Metadata answer(raw);
  link_->works();
  const bool missing = answer->topic_cnt == 1 && answer->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  return missing ? Existence::missing : Existence::there;
}

// That a topic does not exist is told only where a broker says so now.
void KafkaProducer::ask_for_topics() {
  const auto limit = Clock::now() + kTopicQuestionDeadline;
  std::unordered_set<std::string> asked;
  bool heard = std::ranges::any_of(answers_, &Answer::ok);
  for (std::size_t i = 0; i < messages_.size() && Clock::now() < limit; ++i) {
    const std::string& name = messages_[i].topic;
    if (!answers_[i].is_open() || !asked.insert(name).second) continue;
    const Existence existence = ask_for(name, left_until(limit));
    if (existence == Existence::missing) unknown_topics_.insert(name);
    heard |= existence != Existence::no_answer;
  }
  if (!heard) link_->failed(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "no message was acknowledged in time");
}

Result<void> KafkaProducer::result_of(std::size_t index) const {
  const Answer& a = answers_[index];
  const OutMessage& message = messages_[index];
  if (a.ok()) return {};
  if (unknown_topics_.contains(message.topic)) {
    return transient("kafka_topic_missing", "topic " + message.topic + " does not exist", "create the topic");
  }
  if (a.state != State::answered || is_taken_back(a.error)) {
    return unreachable("no acknowledgement for a message to " + message.topic + " in time");
  }
  std::string text = "topic " + message.topic + ": " + rd_kafka_err2str(a.error);
  if (is_refusal(a.error)) return permanent("kafka_message_refused", std::move(text), remedy_of(a.error));
  return transient("kafka_unreachable", std::move(text), remedy_of(a.error));
}

// Of each key, what answers with success is a beginning of its messages, in their order in the log: what was written
// after a failed one, or before a neighbour that was sent again, is to be sent once more.
std::vector<Result<void>> KafkaProducer::results() const {
  std::vector<Result<void>> all(messages_.size());
  const bool resent = std::ranges::any_of(answers_, &Answer::resent);
  if (!resent && std::ranges::all_of(answers_, &Answer::ok)) return all;
  std::unordered_set<std::string> broken;
  std::unordered_set<std::string> moved;
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    const bool has_order = !messages_[i].key.empty();
    const std::string lane = has_order ? lane_of(messages_[i]) : std::string();
    if (has_order && (broken.contains(lane) || (moved.contains(lane) && !answers_[i].resent))) {
      all[i] = transient("kafka_unsent", "an earlier message of this key was not sent in order", "send it again");
      continue;
    }
    all[i] = result_of(i);
    if (has_order && !all[i]) broken.insert(lane);
    if (has_order && answers_[i].resent) moved.insert(lane);
  }
  return all;
}

std::vector<Result<void>> KafkaProducer::send(std::span<const OutMessage> messages,
                                              std::chrono::milliseconds deadline) {
  deadline_ = Clock::now() + deadline;
  if (client_ == nullptr) {
    // Its settings were accepted before: what is missing now is a thread, or a file that is being replaced.
    if (auto started = start(); !started) {
      return std::vector<Result<void>>(messages.size(), unreachable(started.error().message));
    }
  }
  messages_ = messages;
  answers_.assign(messages.size(), {});
  waiting_ = 0;
  failed_lanes_.clear();
  unknown_topics_.clear();

  hand_over_all();
  wait();
  resend_neighbours();
  if (waiting_ > 0) take_back();
  const bool open = std::ranges::any_of(answers_, &Answer::is_open);
  if (open) ask_for_topics();
  auto answered = results();
  if (client_->fatal()) log::warn("the Kafka producer is replaced", {{"error", client_->fatal_reason()}});
  // After a purge its sequence numbers have a gap, and of a topic that was unknown it would not ask again for minutes.
  if (open || client_->fatal()) drop_client();
  messages_ = {};
  return answered;
}

}  // namespace

Result<std::unique_ptr<Producer>> Producer::create(const Connection& connection) {
  auto producer = std::make_unique<KafkaProducer>(connection.clone());
  if (auto started = producer->start(); !started) return tl::unexpected(started.error());
  return producer;
}

}  // namespace peerwright::broker
