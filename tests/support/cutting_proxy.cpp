#include "support/cutting_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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

void CuttingProxy::record(std::chrono::milliseconds hold_back) {
  const std::lock_guard lock(mutex_);
  recording_ = true;
  hold_back_ = hold_back;
  recorded_.clear();
}

std::vector<CuttingProxy::Moved> CuttingProxy::recorded() {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

void CuttingProxy::note(Direction direction, std::int64_t size) {
  std::chrono::milliseconds hold_back{0};
  {
    const std::lock_guard lock(mutex_);
    if (!recording_) return;
    if (recorded_.empty() || recorded_.back().direction != direction) recorded_.push_back({direction, 0});
    recorded_.back().bytes += size;
    hold_back = hold_back_;
  }
  std::this_thread::sleep_for(hold_back);
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

void CuttingProxy::carry(int client, int host) {
  std::array<char, 16384> buffer{};
  bool open = true;
  while (open && !stop_ && !shut_) {
    if (stalled_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
      continue;
    }
    std::array<pollfd, 2> ends{{{client, POLLIN, 0}, {host, POLLIN, 0}}};
    if (poll(ends.data(), ends.size(), kPollMs) <= 0) continue;
    for (std::size_t from = 0; from < ends.size() && open; ++from) {
      if ((ends[from].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      const Direction direction = from == 0 ? Direction::to_host : Direction::from_host;
      std::int64_t size = recv(ends[from].fd, buffer.data(), buffer.size(), 0);
      if (size <= 0) {
        open = false;
        continue;
      }
      note(direction, size);
      size = passing(direction, size, open);
      if (size > 0 && !send_all(ends[1 - from].fd, buffer.data(), size)) open = false;
    }
  }
  close(client);
  close(host);
}

}  // namespace peerwright::test
