#include "client.hpp"

#include <algorithm>
#include <array>
#include <future>
#include <limits>
#include <thread>
#include <utility>

#include "peerwright/base/log.hpp"

namespace peerwright::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSyslogWarning = 4;

bool credentials_are_wrong(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL;
}

// Lost connections and fatal errors come to on_error() too; that a producer's property does not concern a consumer is
// no news to whoever gives one list of properties to both; and that a young broker does not yet give out producer ids
// is a retry.
bool is_told_otherwise(std::string_view facility) {
  return facility == "FAIL" || facility == "ERROR" || facility == "CONFWARN" || facility == "GETPID" ||
         facility == "FATAL";
}

Error lost(rd_kafka_resp_err_t error, const std::string& reason) {
  if (credentials_are_wrong(error)) {
    return {"kafka_unreachable", reason, "check the security.protocol, sasl.* and ssl.* settings of Kafka",
            Retry::later};
  }
  return {"kafka_unreachable", reason, "check that the brokers run and can be reached from here", Retry::later};
}

}  // namespace

void Link::failed(rd_kafka_resp_err_t error, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const bool all_down = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  // "All brokers are down" comes last and tells nothing; what came before it is the reason.
  if (!all_down) last_reason_ = reason;
  if (!all_down && !credentials_are_wrong(error)) {
    log::debug("a broker was lost", {{"client", role_}, {"reason", reason}});
    return;
  }
  if (down_.exchange(true)) return;
  lost_at_ = Clock::now();
  const Error why = lost(error, last_reason_.empty() ? std::string(reason) : last_reason_);
  if (credentials_are_wrong(error)) {
    log::error("Kafka is out of reach", why, {{"client", role_}});
  } else {
    log::warn("Kafka is out of reach", why, {{"client", role_}});
  }
}

void Link::restored() {
  const std::lock_guard lock(mutex_);
  if (!down_.exchange(false)) return;
  last_reason_.clear();
  spoken_.clear();
  const std::chrono::duration<double> away = Clock::now() - lost_at_;
  log::info("Kafka is back", {{"client", role_}, {"duration_s", away.count()}});
}

void Link::line(int syslog_level, const char* facility, const char* text) {
  bool loud = syslog_level <= kSyslogWarning && !down() && !is_told_otherwise(facility);
  if (loud) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const auto [place, is_new] = spoken_.try_emplace(facility, now);
    loud = is_new || now - place->second > kQuiet;
    if (loud) place->second = now;
  }
  if (loud) {
    log::warn("librdkafka warns", {{"client", role_}, {"facility", facility}, {"error", text}});
  } else {
    log::debug("librdkafka says", {{"client", role_}, {"facility", facility}, {"text", text}});
  }
}

void Client::on_log(const rd_kafka_t* raw, int level, const char* facility, const char* text) {
  if (raw == nullptr) return;
  auto* const state = static_cast<State*>(rd_kafka_opaque(raw));
  if (state != nullptr) state->link->line(level, facility, text);
}

void Client::on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  auto* const state = static_cast<State*>(opaque);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    state->fatal = true;
  } else {
    state->link->failed(code, reason);
  }
}

Result<std::unique_ptr<Client>> Client::start(rd_kafka_type_t type, Conf conf, std::shared_ptr<Link> link,
                                              void* owner) {
  std::unique_ptr<Client> client(new Client(std::make_unique<State>()));
  client->state_->link = std::move(link);
  client->state_->owner = owner;
  rd_kafka_conf_set_opaque(conf.get(), client->state_.get());
  rd_kafka_conf_set_log_cb(conf.get(), &Client::on_log);
  rd_kafka_conf_set_error_cb(conf.get(), &Client::on_error);
  std::array<char, 512> why{};
  client->raw_ = rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (client->raw_ == nullptr) {
    return permanent("kafka_setting_invalid", std::string("librdkafka does not start: ") + why.data(),
                     "correct the Kafka properties that it names");
  }
  static_cast<void>(conf.release());  // rd_kafka_new took it
  return client;
}

std::string Client::fatal_reason() const {
  std::array<char, 512> why{};
  const auto error = rd_kafka_fatal_error(raw_, why.data(), why.size());
  return std::string(rd_kafka_err2name(error)) + ": " + why.data();
}

void Client::probe(std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* answer = nullptr;
  if (rd_kafka_metadata(raw_, 0, nullptr, &answer, milliseconds_of(timeout)) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const Metadata owned(answer);
  state_->link->works();
}

void Client::end(std::chrono::milliseconds deadline) {
  rd_kafka_t* const raw = std::exchange(raw_, nullptr);
  if (raw == nullptr) return;
  auto done = std::make_shared<std::promise<void>>();
  const auto ended = done->get_future();
  std::thread destroyer([raw, done, state = std::shared_ptr<State>(std::move(state_))] {
    // Closing a consumer is its owner's business, with a deadline; here it must not begin again. Even so
    // librdkafka 2.0.2 never returns from here once a topic that was being read is deleted: it waits for a reference
    // that it lost.
    rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    done->set_value();
  });
  if (ended.wait_for(deadline) == std::future_status::ready) {
    destroyer.join();
  } else {
    log::warn("a Kafka client does not end and is left behind");
    destroyer.detach();
  }
}

int milliseconds_of(std::chrono::milliseconds duration) {
  return static_cast<int>(std::clamp<std::int64_t>(duration.count(), 0, std::numeric_limits<int>::max()));
}

std::chrono::milliseconds left_until(Clock::time_point deadline) {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()), std::chrono::milliseconds(0));
}

tl::unexpected<Error> unreachable(std::string message) {
  return transient("kafka_unreachable", std::move(message), "check that the brokers run and can be reached from here");
}

}  // namespace peerwright::broker
