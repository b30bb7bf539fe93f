#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "handles.hpp"
#include "peerwright/base/result.hpp"

namespace peerwright::broker {

// Turns librdkafka's stream of complaints into one line when the brokers are lost and one when they are back. Safe from
// every thread.
class Link {
 public:
  explicit Link(std::string role) : role_(std::move(role)) {}
  // An error of the connection; `lost` when no broker is left.
  void failed(rd_kafka_resp_err_t error, std::string_view reason);
  // Something was answered.
  void works() {
    if (down_.load(std::memory_order_relaxed)) restored();
  }
  [[nodiscard]] bool down() const { return down_.load(std::memory_order_relaxed); }
  // A line of librdkafka's log, with its syslog level. One facility speaks at most once in kQuiet, and not at all while
  // the brokers are lost.
  void line(int syslog_level, const char* facility, const char* text);

 private:
  static constexpr std::chrono::seconds kQuiet{60};
  void restored();

  const std::string role_;
  std::atomic<bool> down_ = false;
  std::mutex mutex_;  // guards what follows
  std::string last_reason_;
  std::chrono::steady_clock::time_point lost_at_;
  std::map<std::string, std::chrono::steady_clock::time_point> spoken_;
};

// A client of librdkafka. Its end is bounded: what does not end in time is left to a thread of its own, with everything
// that its callbacks could still touch.
class Client {
 public:
  // `link` may serve one client after the other; `owner` is what owner_of() answers in callbacks. Error:
  // `kafka_setting_invalid`.
  static Result<std::unique_ptr<Client>> start(rd_kafka_type_t type, Conf conf, std::shared_ptr<Link> link,
                                               void* owner);
  ~Client() { end(kEndDeadline); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] rd_kafka_t* raw() const { return raw_; }
  [[nodiscard]] Link& link() { return *state_->link; }
  // The client must be replaced.
  [[nodiscard]] bool fatal() const { return state_->fatal.load(); }
  [[nodiscard]] std::string fatal_reason() const;
  // Asks the brokers for anything, waiting at most `timeout`; the answer is link().down().
  void probe(std::chrono::milliseconds timeout);
  // A consumer leaves its group by other means, before this. Queues, topics and messages of the client are gone by now.
  void end(std::chrono::milliseconds deadline);

  static void* owner_of(void* opaque) { return static_cast<State*>(opaque)->owner; }

  static constexpr std::chrono::milliseconds kEndDeadline{2000};

 private:
  struct State {
    std::shared_ptr<Link> link;
    std::atomic<bool> fatal = false;
    void* owner = nullptr;
  };
  explicit Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
  static void on_log(const rd_kafka_t* raw, int level, const char* facility, const char* text);
  static void on_error(rd_kafka_t* raw, int error, const char* reason, void* opaque);

  std::unique_ptr<State> state_;
  rd_kafka_t* raw_ = nullptr;
};

// For librdkafka's timeouts: whole milliseconds, at least 0.
int milliseconds_of(std::chrono::milliseconds duration);
std::chrono::milliseconds left_until(std::chrono::steady_clock::time_point deadline);

tl::unexpected<Error> unreachable(std::string message);

}  // namespace peerwright::broker
