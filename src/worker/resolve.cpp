#include "resolve.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace peerwright::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kThreads = 2;
constexpr std::chrono::seconds kKeepAnswer{60};
constexpr std::chrono::seconds kKeepFailure{10};
constexpr std::size_t kMostNames = 10'000;
constexpr int kAnswerSeconds = 1;  // of one name server, once
constexpr int kTries = 2;

struct Endpoint {
  std::string host;
  std::string port;
};

std::optional<Endpoint> split(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size()) return std::nullopt;
  Endpoint parts{endpoint.substr(0, colon), endpoint.substr(colon + 1)};
  if (parts.port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  return parts;
}

// The address as it stands before the port; nullopt for what is none.
std::optional<std::string> literal(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> raw{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, host.c_str(), raw.data()) != 1) continue;
    inet_ntop(family, raw.data(), text.data(), text.size());
    return family == AF_INET ? std::string(text.data()) : '[' + std::string(text.data()) + ']';
  }
  return std::nullopt;
}

std::optional<std::string> ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  std::array<char, NI_MAXHOST> text{};
  std::optional<std::string> address;
  // In the order that the system prefers. One with a scope is of no use on another machine.
  for (const addrinfo* each = found; each != nullptr && !address; each = each->ai_next) {
    if (getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      address = literal(text.data());
    }
  }
  freeaddrinfo(found);
  return address;
}

struct Answer {
  std::optional<std::string> address{};  // nullopt: it names nothing
  bool known = false;                    // false: it is being asked
  bool waited_for = false;               // once in vain: nobody waits for it again
  Clock::time_point until{};
};

}  // namespace

struct Resolver::Shared {
  std::mutex mutex;
  std::condition_variable asked;
  std::condition_variable answered;
  std::deque<std::string> questions;
  std::map<std::string, Answer> answers;  // by host
  bool ended = false;
  std::vector<std::thread> threads;

  void ask(const std::string& host) {  // under the lock
    const auto found = answers.find(host);
    if (found != answers.end() && (!found->second.known || found->second.until > Clock::now())) return;
    if (answers.size() >= kMostNames) std::erase_if(answers, [](const auto& entry) { return entry.second.known; });
    const bool named_nothing = found != answers.end() && !found->second.address;
    answers[host] = Answer{.waited_for = named_nothing};
    questions.push_back(host);
    asked.notify_one();
  }

  // Under the lock: whether there is nothing more to wait for.
  bool all_known(const std::set<std::string>& hosts) const {
    return std::all_of(hosts.begin(), hosts.end(), [this](const std::string& host) {
      const auto found = answers.find(host);
      return found == answers.end() || found->second.known || found->second.waited_for;
    });
  }

  void work() {
    // This thread's own settings: no question outlives the process's end for long.
    if (res_init() == 0) {
      _res.retrans = kAnswerSeconds;
      _res.retry = kTries;
    }
    std::unique_lock lock(mutex);
    for (;;) {
      asked.wait(lock, [this] { return ended || !questions.empty(); });
      if (ended) return;
      const std::string host = std::move(questions.front());
      questions.pop_front();
      lock.unlock();
      auto address = ask_system(host);
      lock.lock();
      const auto until = Clock::now() + (address ? kKeepAnswer : kKeepFailure);
      answers[host] = Answer{.address = std::move(address), .known = true, .until = until};
      answered.notify_all();
    }
  }
};

Resolver::Resolver() : shared_(std::make_unique<Shared>()) {
  for (int i = 0; i < kThreads; ++i) shared_->threads.emplace_back([this] { shared_->work(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ended = true;
    shared_->asked.notify_all();
  }
  for (std::thread& thread : shared_->threads) thread.join();
}

std::map<std::string, std::string> Resolver::resolve(const std::set<std::string>& endpoints,
                                                     std::chrono::milliseconds deadline) {
  std::map<std::string, std::string> resolved;
  std::map<std::string, Endpoint> named;  // by endpoint
  std::set<std::string> hosts;
  for (const std::string& endpoint : endpoints) {
    const auto parts = split(endpoint);
    if (!parts) continue;
    if (const auto address = literal(parts->host)) {
      resolved[endpoint] = *address + ':' + parts->port;
    } else {
      named[endpoint] = *parts;
      hosts.insert(parts->host);
    }
  }
  if (hosts.empty()) return resolved;
  std::unique_lock lock(shared_->mutex);
  for (const std::string& host : hosts) shared_->ask(host);
  shared_->answered.wait_for(lock, deadline, [&] { return shared_->all_known(hosts); });
  for (const auto& [endpoint, parts] : named) {
    const auto found = shared_->answers.find(parts.host);
    if (found == shared_->answers.end()) continue;
    Answer& answer = found->second;
    if (answer.known && answer.address) resolved[endpoint] = *answer.address + ':' + parts.port;
    if (!answer.known) answer.waited_for = true;
  }
  return resolved;
}

}  // namespace peerwright::worker
