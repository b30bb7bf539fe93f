#include "support/cutting_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace peerwright::test {
namespace {

constexpr int kPollMs = 50;

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

sockaddr* generic(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

bool send_all(int to, const char* bytes, std::int64_t size) {
  while (size > 0) {
    const ssize_t sent = send(to, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= sent;
  }
  return true;
}

}  // namespace

CuttingProxy::CuttingProxy(const std::string& host, int port) : host_(host), host_port_(port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = address_of("127.0.0.1", 0);
  socklen_t length = sizeof(address);
  if (bind(listener_, generic(address), length) != 0 || listen(listener_, 16) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  getsockname(listener_, generic(address), &length);
  port_ = ntohs(address.sin_port);
  server_ = std::thread([this] { serve(); });
}

CuttingProxy::~CuttingProxy() {
  stop_ = true;
  server_.join();
  for (std::thread& connection : connections_) connection.join();
  close(listener_);
}

void CuttingProxy::cut_after(Direction direction, std::int64_t bytes) {
  direction_ = direction;
  budget_ = bytes;
}

void CuttingProxy::cut_at_portion(int portion, Cut cut) {
  cut_ = cut;
  portions_left_ = portion;
}

void CuttingProxy::record() {
  const std::lock_guard lock(mutex_);
  recording_ = true;
  recorded_.clear();
}

std::vector<CuttingProxy::Moved> CuttingProxy::recorded() {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

void CuttingProxy::note(Direction direction, std::int64_t size) {
  const std::lock_guard lock(mutex_);
  if (!recording_) return;
  if (recorded_.empty() || recorded_.back().direction != direction) recorded_.push_back({direction, 0});
  recorded_.back().bytes += size;
}

std::int64_t CuttingProxy::passing(Direction direction, std::int64_t size, bool& open) {
  if (portions_left_ >= 0 && --portions_left_ < 0) {
    shut_ = true;
    open = false;
    return cut_ == Cut::within ? size / 2 : 0;
  }
  if (budget_ < 0 || direction != direction_) return size;
  if (size > budget_) {
    open = false;
    return budget_.exchange(-1);  // the first bytes still go through
  }
  budget_ -= size;
  return size;
}

void CuttingProxy::serve() {
  while (!stop_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kPollMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int host = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = address_of(host_, host_port_);
    if (client < 0 || shut_ || connect(host, generic(address), sizeof(address)) != 0) {
      close(client);
      close(host);
      continue;
    }
    connections_.emplace_back([this, client, host] { carry(client, host); });
  }
}

void CuttingProxy::take_in(Way& way) {
  std::array<char, 16384> buffer{};
  const ssize_t size = recv(way.from, buffer.data(), buffer.size(), 0);
  way.ended = size <= 0;
  if (size > 0) note(way.direction, size);
  Clock::time_point due = Clock::now() + one_way_.load();
  if (!way.under_way.empty()) due = std::max(due, way.under_way.back().due);
  way.under_way.push_back({due, {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))}});
}

bool CuttingProxy::give_out(Way& way) {
  while (!way.under_way.empty() && way.under_way.front().due <= Clock::now()) {
    const Portion portion = std::move(way.under_way.front());
    way.under_way.pop_front();
    bool open = !portion.bytes.empty();
    if (!open) return false;
    const std::int64_t size = passing(way.direction, static_cast<std::int64_t>(portion.bytes.size()), open);
    if (!send_all(way.to, portion.bytes.data(), size) || !open) return false;
  }
  return true;
}

void CuttingProxy::carry(int client, int host) {
  std::array<Way, 2> ways{{{client, host, Direction::to_host}, {host, client, Direction::from_host}}};
  bool open = true;
  while (open && !stop_ && !shut_) {
    if (stalled_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
      continue;
    }
    auto wait = std::chrono::milliseconds(kPollMs);
    std::array<pollfd, 2> ends{};
    for (std::size_t i = 0; i < ways.size(); ++i) {
      ends[i] = {ways[i].ended ? -1 : ways[i].from, POLLIN, 0};
      if (ways[i].under_way.empty()) continue;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(ways[i].under_way.front().due - Clock::now());
      wait = std::clamp(left, std::chrono::milliseconds(0), wait);
    }
    (void)poll(ends.data(), ends.size(), static_cast<int>(wait.count()));
    for (std::size_t i = 0; i < ways.size() && open; ++i) {
      if (ends[i].revents != 0) take_in(ways[i]);
      open = give_out(ways[i]);
    }
  }
  close(client);
  close(host);
}

int round_trips(const std::vector<CuttingProxy::Moved>& trace) {
  // What is smaller (room for more of an answer, the end of a channel) only acknowledges, and holds nothing up.
  constexpr std::int64_t kAcknowledgementBytes = 40;
  const auto from_host = [](const auto& moved) { return moved.direction == CuttingProxy::Direction::from_host; };
  const auto answer = std::max_element(trace.begin(), trace.end(), [&](const auto& a, const auto& b) {
    return (from_host(a) ? a.bytes : 0) < (from_host(b) ? b.bytes : 0);
  });
  return static_cast<int>(std::count_if(trace.begin(), answer, [&](const auto& moved) {
    return !from_host(moved) && moved.bytes > kAcknowledgementBytes;
  }));
}

std::string text_of(const std::vector<CuttingProxy::Moved>& trace) {
  std::string text;
  for (const auto& moved : trace) {
    const bool told = moved.direction == CuttingProxy::Direction::to_host;
    text += (told ? "  -> " : "  <- ") + std::to_string(moved.bytes) + " bytes\n";
  }
  return text;
}

}  // namespace peerwright::test
